//! Arbitrary elements, of such forms as a reader can give.

use arbitrary::{Arbitrary, Result, Unstructured};
use xmpp_edge::proto::xml::{Element, Ns};

/// What the same bytes make for two places, whose rules of content differ.
#[derive(Debug)]
pub struct Trees {
    /// An element as it might stand at the top of a stream.
    pub top: Element,
    /// An element as it might stand inside a stanza.
    pub inside: Element,
}

/// The level of a stanza, and the deepest one.
const TOP: usize = 1;
const LEVELS: usize = 6;
const NAMES: [&str; 10] = [
    "message", "body", "a", "b", "_", "x.y-1", "ns0", "ä", "xml", "xmlns",
];
const NAMESPACES: [&str; 9] = [
    "",
    "urn:a",
    "urn:b",
    "urn:xmpp:ping",
    "jabber:client",
    "jabber:server",
    "jabber:server:dialback",
    "http://www.w3.org/XML/1998/namespace",
    "'\"<&>\t\n\r ",
];

impl<'a> Arbitrary<'a> for Trees {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let bytes = u.bytes(u.len())?;
        let at = |level| element(&mut Unstructured::new(bytes), level, true);
        Ok(Self {
            top: at(TOP)?,
            inside: at(TOP + 1)?,
        })
    }
}

/// RFC 6120 §4.8.3: content elements stand only at the top, directly below it, or inside content elements, and there
/// by no other name.
fn element(u: &mut Unstructured<'_>, level: usize, in_content: bool) -> Result<Element> {
    let is_content = in_content && u.arbitrary()?;
    let mut ns = Ns::CONTENT;
    if !is_content {
        ns = namespace(u)?;
        let is_literal = [Ns::CLIENT, Ns::SERVER, Ns::COMPONENT].contains(&ns);
        if in_content && is_literal {
            ns = Ns::CONTENT;
        }
    }
    let is_content = ns == Ns::CONTENT;
    let mut element = Element::new(ns, name(u)?);
    for _ in 0..u.int_in_range(0..=4)? {
        let (ns, name) = match u.arbitrary()? {
            true => (Ns::NONE, name(u)?),
            false => (namespace(u)?, name(u)?),
        };
        // An attribute `xmlns` is a declaration, not an attribute.
        if ns == Ns::NONE && name == "xmlns" {
            continue;
        }
        element.set_attribute_in(ns, name, text(u)?);
    }
    while level < LEVELS && !u.is_empty() && u.arbitrary()? {
        if u.arbitrary()? {
            element.push_text(&text(u)?);
        } else {
            element.push(self::element(u, level + 1, is_content || level == TOP)?);
        }
    }
    Ok(element)
}

fn name(u: &mut Unstructured<'_>) -> Result<&'static str> {
    u.choose(&NAMES).copied()
}

fn namespace(u: &mut Unstructured<'_>) -> Result<Ns> {
    let ns = match u.ratio(1, 8)? {
        true => Ns::from(text(u)?.as_str()),
        false => Ns::from(*u.choose(&NAMESPACES)?),
    };
    // Nothing can be in the namespace of declarations (Namespaces in XML 1.0 §3), and a reader gives
    // no element of the stream's own below the top.
    let is_reserved = ns == Ns::XMLNS || ns == Ns::STREAM;
    Ok(if is_reserved { Ns::NONE } else { ns })
}

/// Text that XML can carry (XML 1.0 §2.2).
fn text(u: &mut Unstructured<'_>) -> Result<String> {
    let text: &str = u.arbitrary()?;
    let is_char = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    Ok(text.chars().filter(is_char).collect())
}
