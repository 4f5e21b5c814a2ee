//! The one pass over a stanza: read, checked and written at the same time.
//!
//! Whatever is not followed here is left to the tree, with a word of why it is unusual. What is wrong is
//! left to it, too, because only it says what is wrong.

use memchr::memchr3;

use super::{Place, Places, STANZAS, Span};
use crate::proto::xml::references::resolve;
use crate::proto::xml::scope::HeaderScope;
use crate::proto::xml::writer::{FEW, in_attribute, in_text};
use crate::proto::xml::{Limits, Ns, StreamKind, strict};

/// What is kept from one stanza to the next, so that nothing is allocated.
#[derive(Debug, Default)]
pub(in crate::proto::xml) struct Scratch {
    out: Vec<u8>,
    /// What is written behind all other attributes of a tag: those with the prefix `xml`.
    late: Vec<u8>,
    open: Vec<Open>,
}

/// An element whose end tag is to come.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Where its name begins, and how long it is.
    name: (usize, usize),
    inside: Inside,
}

/// What an element means for those inside it.
#[derive(Clone, Copy, Debug)]
struct Inside {
    /// The default namespace, as it was declared; `None`: by the header.
    default: Option<(usize, usize)>,
    /// Whether the element is of the content namespace.
    is_content: bool,
    /// How many declarations are in scope, without those of the header.
    bindings: usize,
}

/// What the stream says of its stanzas.
#[derive(Clone, Copy, Debug)]
pub(in crate::proto::xml) struct Inherited<'h> {
    pub(in crate::proto::xml) stream_kind: StreamKind,
    pub(in crate::proto::xml) limits: &'h Limits,
    pub(in crate::proto::xml) scope: &'h HeaderScope,
    pub(in crate::proto::xml) lang: Option<&'h str>,
}

/// So many attributes are looked at in one tag: usual ones have five.
const ATTRIBUTES: usize = 16;

struct Pass<'p, 'b> {
    inherited: Inherited<'p>,
    bytes: &'b [u8],
    /// What is not read yet.
    rest: &'b [u8],
    out: &'p mut Vec<u8>,
    late: &'p mut Vec<u8>,
    open: &'p mut Vec<Open>,
    /// The names of attributes of the tag.
    names: [&'b [u8]; ATTRIBUTES],
    /// Whether the last start tag lacks its end: what comes decides how it is written.
    is_pending: bool,
    elements: usize,
    /// How much of it are declarations of namespaces.
    declared: usize,
    places: Places,
    children: usize,
    has_error: bool,
    has_status: bool,
}

impl Scratch {
    /// The stanza that bytes begin with, and how many of them it takes; nothing where it is not whole,
    /// or anything about it is not usual.
    pub(in crate::proto::xml) fn read(
        &mut self,
        bytes: &[u8],
        inherited: Inherited<'_>,
    ) -> Option<(Box<Span>, usize)> {
        self.out.clear();
        self.late.clear();
        self.open.clear();
        let mut pass = Pass {
            inherited,
            bytes,
            rest: bytes,
            out: &mut self.out,
            late: &mut self.late,
            open: &mut self.open,
            names: [&[]; ATTRIBUTES],
            is_pending: false,
            elements: 0,
            declared: 0,
            places: Places::default(),
            children: 0,
            has_error: false,
            has_status: false,
        };
        let name = pass.stanza()?;
        let used = bytes.len() - pass.rest.len();
        let (places, children) = (pass.places, pass.children);
        let (has_error, has_status) = (pass.has_error, pass.has_status);
        if used > inherited.limits.element_bytes {
            return None;
        }
        let span = Span {
            text: self.text()?,
            name,
            places,
            children,
            has_error,
            has_status,
        };
        Some((Box::new(span), used))
    }

    /// What was written, if it is UTF-8 and XML admits each character, and none of them is a carriage
    /// return, which would be read as another. What was read and is not written is ASCII, or is the same
    /// as something that is.
    fn text(&mut self) -> Option<String> {
        /// Beyond this it is not worth copying.
        const SHORT: usize = 2048;
        if !strict::is_plain(&self.out) {
            let text = simdutf8::basic::from_utf8(&self.out).ok()?;
            strict::characters(text)
                .ok()
                .filter(|()| !text.contains('\r'))?;
        }
        if self.out.len() < SHORT {
            let text = simdutf8::basic::from_utf8(&self.out).ok()?;
            return Some(text.to_owned());
        }
        let mut bytes = std::mem::take(&mut self.out);
        simdutf8::basic::from_utf8(&bytes).ok()?;
        if bytes.capacity() > bytes.len() + bytes.len() / 8 {
            bytes.shrink_to_fit();
        }
        String::from_utf8(bytes).ok()
    }

    /// Gives memory back that a usual stanza does not need.
    pub(in crate::proto::xml) fn tidy(&mut self, most: usize) {
        if self.out.capacity() > most {
            *self = Self::default();
        }
    }
}

impl<'b> Pass<'_, 'b> {
    fn stanza(&mut self) -> Option<&'static str> {
        self.rest = self.rest.strip_prefix(b"<")?;
        let name = self.stanza_tag()?;
        while !self.open.is_empty() {
            self.text()?;
            self.rest = self.rest.strip_prefix(b"<")?;
            match self.rest.strip_prefix(b"/") {
                Some(rest) => {
                    self.rest = rest;
                    self.end_tag()?;
                }
                None => self.child_tag()?,
            }
        }
        Some(name)
    }

    /// The stanza's own start tag.
    fn stanza_tag(&mut self) -> Option<&'static str> {
        let Inherited {
            scope, stream_kind, ..
        } = self.inherited;
        let (begin, name) = self.name()?;
        let name = STANZAS
            .into_iter()
            .find(|stanza| stanza.as_bytes() == name)?;
        self.elements = 1;
        self.out.push(b'<');
        self.out.extend_from_slice(name.as_bytes());
        let header = Inside {
            default: None,
            is_content: true,
            bindings: 0,
        };
        let mut inside = header;
        let mut has_lang = false;
        let mut count = 0;
        let is_empty = loop {
            let attribute = match self.attribute(&mut count)? {
                Next::End { is_empty } => break is_empty,
                Next::Attribute(attribute) => attribute,
            };
            match attribute {
                Attribute::Default(range) => {
                    inside.default = Some(range);
                    inside.bindings = self.bind(header.bindings, range)?;
                }
                Attribute::Xml(name, quote) => {
                    has_lang |= name == b"xml:lang";
                    self.late_value(name, quote)?;
                }
                Attribute::Plain(name, quote) => {
                    let begin = self.begin_value(name);
                    let is_plain = value(&mut self.rest, quote, self.out)?;
                    let end = self.out.len();
                    self.out.push(b'\'');
                    if let Some(place) = self.places.of(name) {
                        // What is meant must stand there as it is.
                        *place = Some(Place {
                            begin: u32::try_from(begin).ok().filter(|_| is_plain)?,
                            end: u32::try_from(end).ok()?,
                        });
                    }
                }
            }
        };
        // RFC 6120 §4.8.3: of the stream's own content namespace.
        let default = self.default_of(inside.default, scope)?;
        if default != stream_kind.content_namespace().as_bytes() {
            return None;
        }
        self.append_late();
        if let Some(lang) = self.inherited.lang.filter(|_| !has_lang) {
            self.out.extend_from_slice(b" xml:lang='");
            self.out.extend_from_slice(lang.as_bytes());
            self.out.push(b'\'');
        }
        self.opened(is_empty, (begin, name.len()), inside)?;
        Some(name)
    }

    /// The start tag of an element inside the stanza.
    fn child_tag(&mut self) -> Option<()> {
        let Inherited { limits, scope, .. } = self.inherited;
        let outer = self.open.last()?.inside;
        let (begin, name) = self.name()?;
        self.elements += 1;
        if self.elements > limits.elements || self.open.len() >= limits.depth {
            return None;
        }
        self.inside();
        self.out.push(b'<');
        self.out.extend_from_slice(name);
        let attributes = self.out.len();
        let mut inside = outer;
        let mut count = 0;
        let is_empty = loop {
            let attribute = match self.attribute(&mut count)? {
                Next::End { is_empty } => break is_empty,
                Next::Attribute(attribute) => attribute,
            };
            match attribute {
                Attribute::Default(range) => {
                    inside.default = Some(range);
                    inside.bindings = self.bind(outer.bindings, range)?;
                    let declared = self.bytes.get(range.0..range.1)?;
                    // RFC 6120 §4.8.3: re-scoping stops at the first extension element.
                    inside.is_content = outer.is_content && is_literal_content(declared);
                    let is_same = match (outer.is_content, inside.is_content) {
                        (true, true) => true,
                        (false, false) => self.default_of(outer.default, scope)? == declared,
                        _ => false,
                    };
                    if !is_same {
                        self.declare(attributes, declared)?;
                    }
                }
                Attribute::Xml(name, quote) => self.late_value(name, quote)?,
                Attribute::Plain(name, quote) => {
                    self.begin_value(name);
                    value(&mut self.rest, quote, self.out)?;
                    self.out.push(b'\'');
                }
            }
        };
        self.append_late();
        if self.open.len() == 1 {
            self.children += 1;
            self.has_error |= inside.is_content && name == b"error";
            self.has_status |= inside.is_content && name == b"status";
        }
        self.opened(is_empty, (begin, name.len()), inside)
    }

    /// The end of a start tag.
    fn opened(&mut self, is_empty: bool, name: (usize, usize), inside: Inside) -> Option<()> {
        if is_empty {
            self.out.extend_from_slice(b"/>");
            return Some(());
        }
        self.is_pending = true;
        self.open.push(Open { name, inside });
        Some(())
    }

    /// Something is inside the element whose start tag came last.
    fn inside(&mut self) {
        if self.is_pending {
            self.out.push(b'>');
            self.is_pending = false;
        }
    }

    /// Behind `</`.
    fn end_tag(&mut self) -> Option<()> {
        let (begin, length) = self.open.pop()?.name;
        let name = self.bytes.get(begin..begin + length)?;
        self.rest = self.rest.strip_prefix(name)?;
        self.skip_space();
        self.rest = self.rest.strip_prefix(b">")?;
        if self.is_pending {
            self.out.extend_from_slice(b"/>");
            self.is_pending = false;
        } else {
            self.out.extend_from_slice(b"</");
            self.out.extend_from_slice(name);
            self.out.push(b'>');
        }
        Some(())
    }

    /// Text up to the next tag.
    fn text(&mut self) -> Option<()> {
        while *self.rest.first()? != b'<' {
            let at = memchr3(b'<', b'&', b'>', self.rest)?;
            let (literal, rest) = self.rest.split_at_checked(at)?;
            // A stanza has no text of its own but white space. What is referred to is no such thing.
            let is_own = self.open.len() == 1;
            if is_own && !(literal.trim_ascii().is_empty() && rest.first() == Some(&b'<')) {
                return None;
            }
            self.inside();
            self.out.extend_from_slice(literal);
            self.rest = rest;
            match rest.split_first()? {
                (b'&', rest) => {
                    self.rest = rest;
                    let c = reference(&mut self.rest)?;
                    push(self.out, c, in_text(c));
                }
                // XML 1.0 §2.4.
                (b'>', _) if literal.ends_with(b"]]") => return None,
                (b'>', rest) => {
                    self.rest = rest;
                    self.out.extend_from_slice(b"&gt;");
                }
                _ => {}
            }
        }
        Some(())
    }

    /// A name without a colon, and where it begins.
    fn name(&mut self) -> Option<(usize, &'b [u8])> {
        let begin = self.bytes.len() - self.rest.len();
        let length = run(self.rest, NAME);
        let (name, rest) = self.rest.split_at_checked(length)?;
        let is_name = class_of(*name.first()?) & NAME_START != 0;
        self.rest = rest;
        (is_name && length <= self.inherited.limits.name_bytes).then_some((begin, name))
    }

    /// The next attribute of a tag up to its first quote, or the end of the tag.
    #[inline]
    fn attribute(&mut self, count: &mut usize) -> Option<Next<'b>> {
        let spaces = self.skip_space();
        match self.rest.split_first()? {
            (b'>', rest) => {
                self.rest = rest;
                return Some(Next::End { is_empty: false });
            }
            (b'/', rest) => {
                self.rest = rest.strip_prefix(b">")?;
                return Some(Next::End { is_empty: true });
            }
            _ => {}
        }
        if spaces == 0 || *count >= self.inherited.limits.attributes {
            return None;
        }
        let (begin, name) = self.name()?;
        let mut written = name;
        let mut is_xml = false;
        if let Some(rest) = self.rest.strip_prefix(b":") {
            self.rest = rest;
            let (_, local) = self.name()?;
            written = self
                .bytes
                .get(begin..begin + name.len() + 1 + local.len())?;
            // Other prefixes must be declared, and are written anew.
            is_xml = name == b"xml" && written.len() <= self.inherited.limits.name_bytes;
            if !is_xml {
                return None;
            }
        }
        let (seen, free) = self.names.split_at_mut_checked(*count)?;
        if seen.contains(&written) {
            return None;
        }
        *free.first_mut()? = written;
        *count += 1;
        self.skip_space();
        self.rest = self.rest.strip_prefix(b"=")?;
        self.skip_space();
        let (quote, rest) = self.rest.split_first()?;
        if !matches!(quote, b'\'' | b'"') {
            return None;
        }
        self.rest = rest;
        Some(Next::Attribute(if is_xml {
            Attribute::Xml(written, *quote)
        } else if written == b"xmlns" {
            let begin = self.bytes.len() - rest.len();
            let length = run(rest, PLAIN);
            let (_, rest) = rest.split_at_checked(length)?;
            self.rest = rest.strip_prefix(&[*quote])?;
            Attribute::Default((begin, begin + length))
        } else {
            Attribute::Plain(written, *quote)
        }))
    }

    fn begin_value(&mut self, name: &[u8]) -> usize {
        self.out.push(b' ');
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(b"='");
        self.out.len()
    }

    /// An attribute that is written behind the others.
    fn late_value(&mut self, name: &[u8], quote: u8) -> Option<()> {
        self.late.push(b' ');
        self.late.extend_from_slice(name);
        self.late.extend_from_slice(b"='");
        value(&mut self.rest, quote, self.late)?;
        self.late.push(b'\'');
        Some(())
    }

    fn append_late(&mut self) {
        if !self.late.is_empty() {
            self.out.append(self.late);
        }
    }

    /// One more declaration is in scope, if it may be.
    fn bind(&self, bindings: usize, range: (usize, usize)) -> Option<usize> {
        let Inherited { limits, scope, .. } = self.inherited;
        let ns = self.bytes.get(range.0..range.1)?;
        let is_special = SPECIAL
            .iter()
            .any(|special| special.as_str().as_bytes() == ns);
        if is_special || ns.len() > limits.namespace_bytes {
            return None;
        }
        let bindings = bindings + 1;
        (scope.len() + bindings <= limits.bindings).then_some(bindings)
    }

    /// Writes a declaration of the default namespace before the attributes.
    fn declare(&mut self, attributes: usize, ns: &[u8]) -> Option<()> {
        let before = self.out.len();
        self.out.extend_from_slice(b" xmlns='");
        self.out.extend_from_slice(ns);
        self.out.push(b'\'');
        let length = self.out.len() - before;
        self.declared += length;
        // The writer counts them, too, and has another way for many.
        if self.declared > FEW {
            return None;
        }
        if before > attributes {
            self.out.get_mut(attributes..)?.rotate_right(length);
        }
        Some(())
    }

    fn default_of<'d>(
        &self,
        default: Option<(usize, usize)>,
        scope: &'d HeaderScope,
    ) -> Option<&'d [u8]>
    where
        'b: 'd,
    {
        match default {
            None => Some(scope.default_namespace().as_str().as_bytes()),
            Some((begin, end)) => self.bytes.get(begin..end),
        }
    }

    fn skip_space(&mut self) -> usize {
        let before = self.rest.len();
        while let Some((b' ' | b'\t' | b'\n' | b'\r', rest)) = self.rest.split_first() {
            self.rest = rest;
        }
        before - self.rest.len()
    }
}

/// What comes next in a start tag.
enum Next<'b> {
    End { is_empty: bool },
    Attribute(Attribute<'b>),
}

enum Attribute<'b> {
    /// A declaration of the default namespace: where its name stands.
    Default((usize, usize)),
    /// With the prefix `xml`; its value follows, up to this quote.
    Xml(&'b [u8], u8),
    /// Without prefix; its value follows, up to this quote.
    Plain(&'b [u8], u8),
}

/// Declared as a default namespace, these are wrong, or mean something that a tree must show.
const SPECIAL: [Ns; 4] = [Ns::XML, Ns::XMLNS, Ns::STREAM, Ns::PARTNER];

fn is_literal_content(ns: &[u8]) -> bool {
    matches!(
        ns,
        b"jabber:client" | b"jabber:server" | b"jabber:component:accept"
    )
}

/// Reads and writes a value up to its second quote (XML 1.0 §3.3.3); whether it is written as it is meant.
fn value(rest: &mut &[u8], quote: u8, out: &mut Vec<u8>) -> Option<bool> {
    let mut is_plain = true;
    loop {
        let (literal, special) = rest.split_at_checked(run(rest, PLAIN))?;
        out.extend_from_slice(literal);
        let (byte, after) = special.split_first()?;
        *rest = after;
        if *byte == quote {
            return Some(is_plain);
        }
        is_plain = false;
        let c = match byte {
            b'&' => reference(rest)?,
            b'\t' | b'\n' => ' ',
            b'\'' | b'"' | b'>' => char::from(*byte),
            _ => return None,
        };
        push(out, c, in_attribute(c));
    }
}

/// Behind `&`: the character that is meant.
fn reference(rest: &mut &[u8]) -> Option<char> {
    /// The longest is `#x0010FFFF`.
    const LONGEST: usize = 12;
    let length = rest.iter().take(LONGEST).position(|byte| *byte == b';')?;
    let (name, after) = rest.split_at_checked(length)?;
    *rest = after.strip_prefix(b";")?;
    resolve(std::str::from_utf8(name).ok()?).ok()
}

fn push(out: &mut Vec<u8>, c: char, escaped: Option<&str>) {
    match escaped {
        Some(escaped) => out.extend_from_slice(escaped.as_bytes()),
        None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// May begin a name, as far as ASCII goes. Others are looked at by the table of all of them.
const NAME_START: u8 = 1;
/// May go on with one.
const NAME: u8 = 2;
/// Is written in an attribute's value as it is read in one.
const PLAIN: u8 = 4;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0u8;
    loop {
        let mut class = 0;
        if byte.is_ascii_alphabetic() || byte == b'_' {
            class |= NAME_START | NAME;
        }
        if byte.is_ascii_digit() || byte == b'-' || byte == b'.' {
            class |= NAME;
        }
        if !matches!(byte, 0..0x20 | b'&' | b'<' | b'>' | b'\'' | b'"') {
            class |= PLAIN;
        }
        #[expect(
            clippy::indexing_slicing,
            reason = "the table has a place for each byte"
        )]
        {
            classes[byte as usize] = class;
        }
        if byte == u8::MAX {
            return classes;
        }
        byte += 1;
    }
}

#[inline]
fn class_of(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or_default()
}

/// How many bytes of a class come first.
#[inline]
fn run(bytes: &[u8], class: u8) -> usize {
    let other = bytes.iter().position(|byte| class_of(*byte) & class == 0);
    other.unwrap_or(bytes.len())
}
