//! The writing end: the only bytes that ever leave are made here.
//!
//! Canonical, so that every parser reads the same: single quotes, no CDATA, no prefix on an
//! element but `stream:` and `db:` at the top level, a namespace declared where it changes, and
//! everything that a parser would normalise away written as a reference. Characters that XML
//! cannot carry are left out. Names are taken as they are: they were parsed, or are ours.

use std::borrow::Cow;

use super::chars::is_char;
use super::element::Node;
use super::{Dialect, Element, Ns};

/// Writes a top-level element.
pub fn write_element(dialect: Dialect, element: &Element, out: &mut Vec<u8>) {
    let mut writer = Writer {
        dialect,
        out,
        prefixes: dialect
            .header_prefixes()
            .iter()
            .map(|(prefix, ns)| (Cow::Borrowed(*prefix), ns.as_str()))
            .collect(),
    };
    writer.element(element);
}

/// Writes an XML declaration and a stream header with these attributes, by their written names.
pub fn write_header(dialect: Dialect, attributes: &[(&str, &str)], out: &mut Vec<u8>) {
    // RFC 6120 §11.5.
    out.extend_from_slice(b"<?xml version='1.0'?><stream:stream");
    write_attribute("xmlns", dialect.content_namespace(), out);
    for (prefix, ns) in dialect.header_prefixes() {
        write_declaration(prefix, ns.as_str(), out);
    }
    for (name, value) in attributes {
        write_attribute(name, value, out);
    }
    out.push(b'>');
}

/// Writes the end tag of a stream.
pub fn write_close(out: &mut Vec<u8>) {
    out.extend_from_slice(b"</stream:stream>");
}

struct Writer<'e, 'o> {
    dialect: Dialect,
    out: &'o mut Vec<u8>,
    /// The prefixes in scope, innermost last.
    prefixes: Vec<(Cow<'e, str>, &'e str)>,
}

/// An element whose start tag is written.
struct Open<'e> {
    element: &'e Element,
    prefix: &'static str,
    /// The next of its nodes.
    next: usize,
    /// The default namespace inside it.
    default: &'e str,
    /// How many prefixes were in scope around it.
    around: usize,
}

impl<'e> Writer<'e, '_> {
    fn element(&mut self, root: &'e Element) {
        let default = self.dialect.content_namespace();
        let mut stack = vec![self.start_tag(root, default, true)];
        while let Some(open) = stack.last_mut() {
            let node = open.element.node(open.next);
            open.next += 1;
            match node {
                Some(Node::Text(text)) => write_text(text, self.out),
                Some(Node::Element(child)) => {
                    let default = open.default;
                    let child = self.start_tag(child, default, false);
                    stack.push(child);
                }
                None => {
                    self.end_tag(open);
                    stack.pop();
                }
            }
        }
    }

    fn start_tag(&mut self, element: &'e Element, default: &'e str, top: bool) -> Open<'e> {
        let around = self.prefixes.len();
        let ns = element.ns().written(self.dialect);
        let prefix = self.own_prefix(element, top);
        self.out.push(b'<');
        self.out.extend_from_slice(prefix.as_bytes());
        self.out.extend_from_slice(element.name().as_bytes());
        let mut inside = default;
        if prefix.is_empty() && ns != default {
            write_attribute("xmlns", ns, self.out);
            inside = ns;
        }
        for (prefix, ns) in element.declarations() {
            let ns = ns.written(self.dialect);
            // Namespaces in XML §3: the xml prefix needs no declaration.
            if prefix != "xml" && self.bound_to(prefix) != Some(ns) {
                self.declare(Cow::Borrowed(prefix), ns);
            }
        }
        for attribute in element.attributes() {
            let ns = attribute.ns().written(self.dialect);
            let prefix = self.attribute_prefix(ns);
            self.out.push(b' ');
            if let Some(prefix) = prefix {
                self.out.extend_from_slice(prefix.as_bytes());
                self.out.push(b':');
            }
            write_pair(attribute.name(), attribute.value(), self.out);
        }
        self.out
            .extend_from_slice(if element.is_empty() { b"/>" } else { b">" });
        Open {
            element,
            prefix,
            next: 0,
            default: inside,
            around,
        }
    }

    fn end_tag(&mut self, open: &Open<'e>) {
        self.prefixes.truncate(open.around);
        if open.element.is_empty() {
            return;
        }
        self.out.extend_from_slice(b"</");
        self.out.extend_from_slice(open.prefix.as_bytes());
        self.out.extend_from_slice(open.element.name().as_bytes());
        self.out.push(b'>');
    }

    /// RFC 6120 §4.8.5 and XEP-0220 §2: some peers know these elements only by their usual prefix.
    fn own_prefix(&self, element: &Element, top: bool) -> &'static str {
        let (name, prefix) = match element.ns() {
            // Namespaces in XML §3: it must not be declared as the default namespace.
            ns if *ns == Ns::XML => return "xml:",
            _ if !top => return "",
            ns if *ns == Ns::STREAM => ("stream", "stream:"),
            ns if *ns == Ns::DIALBACK && self.dialect == Dialect::Server => ("db", "db:"),
            _ => return "",
        };
        let hidden = element
            .declarations()
            .any(|(prefix, ns)| prefix == name && ns != element.ns());
        if hidden { "" } else { prefix }
    }

    /// The prefix for an attribute of that namespace, declared now if none is yet.
    fn attribute_prefix(&mut self, ns: &'e str) -> Option<Cow<'e, str>> {
        if ns.is_empty() {
            return None;
        }
        if ns == Ns::XML.as_str() {
            return Some(Cow::Borrowed("xml"));
        }
        let known = self
            .prefixes
            .iter()
            .rev()
            .find(|(prefix, bound)| *bound == ns && self.bound_to(prefix) == Some(ns))
            .map(|(prefix, _)| prefix.clone());
        known.or_else(|| {
            let fresh = (0..)
                .map(|number| format!("ns{number}"))
                .find(|prefix| self.bound_to(prefix).is_none())
                .map(Cow::<str>::Owned)?;
            self.declare(fresh.clone(), ns);
            Some(fresh)
        })
    }

    fn declare(&mut self, prefix: Cow<'e, str>, ns: &'e str) {
        write_declaration(&prefix, ns, self.out);
        self.prefixes.push((prefix, ns));
    }

    /// What a prefix is bound to, innermost.
    fn bound_to(&self, prefix: &str) -> Option<&'e str> {
        self.prefixes
            .iter()
            .rev()
            .find(|(known, _)| *known == prefix)
            .map(|(_, ns)| *ns)
    }
}

fn write_declaration(prefix: &str, ns: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b" xmlns:");
    write_pair(prefix, ns, out);
}

fn write_attribute(name: &str, value: &str, out: &mut Vec<u8>) {
    out.push(b' ');
    write_pair(name, value, out);
}

fn write_pair(name: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"='");
    write_escaped(value, in_attribute, out);
    out.push(b'\'');
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_escaped(text, in_text, out);
}

/// What a character is written as, if not as itself. XML 1.0 §2.4 for `&`, `<` and `>`; §2.11:
/// a literal CR would be read as LF.
fn in_text(c: char) -> Option<&'static str> {
    match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '\r' => Some("&#xD;"),
        c if !is_char(c) => Some(""),
        _ => None,
    }
}

/// XML 1.0 §3.3.3: literal white space but the space would be read as a space.
fn in_attribute(c: char) -> Option<&'static str> {
    match c {
        '\'' => Some("&apos;"),
        '"' => Some("&quot;"),
        '\t' => Some("&#x9;"),
        '\n' => Some("&#xA;"),
        c => in_text(c),
    }
}

fn write_escaped(text: &str, escape: impl Fn(char) -> Option<&'static str>, out: &mut Vec<u8>) {
    let mut rest = text;
    let mut from = 0;
    while let Some(at) = next_candidate(rest, from) {
        let (literal, after) = rest.split_at(at);
        let mut chars = after.chars();
        let Some(c) = chars.next() else { break };
        match escape(c) {
            Some(escaped) => {
                out.extend_from_slice(literal.as_bytes());
                out.extend_from_slice(escaped.as_bytes());
                rest = chars.as_str();
                from = 0;
            }
            None => from = at + c.len_utf8(),
        }
    }
    out.extend_from_slice(rest.as_bytes());
}

/// Where, from an index on, the next character begins that may have to be escaped: markup, a
/// control, or one of U+F000 to U+FFFF.
fn next_candidate(text: &str, from: usize) -> Option<usize> {
    let is_candidate =
        |byte: &u8| matches!(byte, 0..0x20 | b'&' | b'<' | b'>' | b'\'' | b'"' | 0xef);
    let bytes = text.as_bytes().get(from..)?;
    bytes.iter().position(is_candidate).map(|at| from + at)
}
