//! The writing end: the only bytes that ever leave are made here.
//!
//! Canonical, so that every parser reads the same: single quotes, no CDATA, no prefix on an
//! element but `stream:` and `db:` at the top level, a namespace declared where it changes, and
//! everything that a parser would normalise away written as a reference. Characters that XML
//! cannot carry are left out. Names are taken as they are: they were parsed, or are ours.
//!
//! A namespace that was declared once and is used in many places would be declared in each of them:
//! a few thousand bytes would become megabytes. Where declarations become most of what is written, the
//! element is written again, and its namespaces have prefixes that are declared at its top.

mod escape;
mod length;
mod shared;

use std::borrow::Cow;

use self::escape::{Sink, write_attribute, write_declaration, write_pair, write_text};
pub(super) use self::escape::{in_attribute, in_text};
pub use self::length::{at_most, length};
use self::shared::Shared;
use super::element::Node;
use super::{Element, Ns, StreamKind};

/// Writes a top-level element.
pub fn write_element(stream_kind: StreamKind, element: &Element, out: &mut Vec<u8>) {
    write(stream_kind, element, out, usize::MAX);
}

/// Writes an XML declaration and a stream header with these attributes, by their written names.
pub fn write_header(stream_kind: StreamKind, attributes: &[(&str, &str)], out: &mut Vec<u8>) {
    // RFC 6120 §11.5.
    out.extend_from_slice(b"<?xml version='1.0'?><stream:stream");
    write_attribute("xmlns", stream_kind.content_namespace(), out);
    for (prefix, ns) in stream_kind.header_prefixes() {
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

/// Writes the value of an attribute.
pub(super) fn write_value(value: &str, out: &mut Vec<u8>) {
    escape::write_escaped(value, in_attribute, out);
}

/// Writes a top-level element, and stops soon after so many bytes.
fn write(stream_kind: StreamKind, element: &Element, out: &mut impl Sink, most: usize) {
    let begun = out.taken();
    let nothing = Shared::default();
    let end = Writer::new(stream_kind, out, most, &nothing).element(element);
    if end == End::Declarations {
        out.cut(begun);
        let shared = Shared::of(stream_kind, element);
        let mut writer = Writer::new(stream_kind, out, most, &shared);
        writer.is_last = true;
        writer.element(element);
    }
}

/// Why writing ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All is written.
    Whole,
    /// It is too long, as its length tells.
    Length,
    /// Most of it are declarations of namespaces.
    Declarations,
}

/// So many bytes of declarations are nothing to look after: usual stanzas have less.
pub(super) const FEW: usize = 2048;

struct Writer<'e, 'o, S> {
    stream_kind: StreamKind,
    out: &'o mut S,
    /// How much the sink had taken before.
    begun: usize,
    /// How much may be written.
    most: usize,
    /// How much of it were declarations of default namespaces.
    declared: usize,
    /// Whether it is written however much of it are declarations.
    is_last: bool,
    /// The prefixes in scope, innermost last.
    prefixes: Vec<(Cow<'e, str>, &'e str)>,
    /// Those that are declared at the top.
    shared: &'e Shared<'e>,
}

/// An element whose start tag is written.
struct Open<'e> {
    element: &'e Element,
    prefix: &'e str,
    /// The next of its nodes.
    next: usize,
    /// The default namespace inside it.
    default: &'e str,
    /// How many prefixes were in scope around it.
    around: usize,
}

impl<'e, 'o, S: Sink> Writer<'e, 'o, S> {
    fn new(stream_kind: StreamKind, out: &'o mut S, most: usize, shared: &'e Shared<'e>) -> Self {
        let known = stream_kind.header_prefixes().iter();
        Self {
            stream_kind,
            begun: out.taken(),
            out,
            most,
            declared: 0,
            is_last: false,
            prefixes: known
                .map(|(prefix, ns)| (Cow::Borrowed(*prefix), ns.as_str()))
                .collect(),
            shared,
        }
    }

    fn element(&mut self, root: &'e Element) -> End {
        let default = self.stream_kind.content_namespace();
        let mut stack = vec![self.start_tag(root, default, true)];
        while let Some(open) = stack.last_mut() {
            if let Some(end) = self.must_end() {
                return end;
            }
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
        self.must_end().unwrap_or(End::Whole)
    }

    /// Why it ends here, if it does.
    fn must_end(&self) -> Option<End> {
        let written = self.out.taken() - self.begun;
        if !self.is_last && self.declared > FEW && self.declared > written / 2 {
            return Some(End::Declarations);
        }
        (written > self.most).then_some(End::Length)
    }

    fn start_tag(&mut self, element: &'e Element, default: &'e str, top: bool) -> Open<'e> {
        let around = self.prefixes.len();
        let ns = element.ns().written(self.stream_kind);
        let prefix = self.own_prefix(element, ns, top);
        self.out.put(b"<");
        self.out.put(prefix.as_bytes());
        self.out.put(element.name().as_bytes());
        let mut inside = default;
        if prefix.is_empty() && ns != default {
            let before = self.out.taken();
            write_attribute("xmlns", ns, self.out);
            self.declared += self.out.taken() - before;
            inside = ns;
        }
        if top {
            for (ns, prefix) in self.shared.declarations() {
                self.declare(Cow::Borrowed(prefix), ns);
            }
        }
        for (prefix, ns) in element.declarations() {
            let ns = ns.written(self.stream_kind);
            // Namespaces in XML §3: the xml prefix needs no declaration.
            if prefix != "xml" && self.bound_to(prefix) != Some(ns) {
                self.declare(Cow::Borrowed(prefix), ns);
            }
        }
        for attribute in element.attributes() {
            let ns = attribute.ns().written(self.stream_kind);
            let prefix = self.attribute_prefix(ns);
            self.out.put(b" ");
            if let Some(prefix) = prefix {
                self.out.put(prefix.as_bytes());
                self.out.put(b":");
            }
            write_pair(attribute.name(), attribute.value(), self.out);
        }
        self.out.put(if element.is_empty() { b"/>" } else { b">" });
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
        self.out.put(b"</");
        self.out.put(open.prefix.as_bytes());
        self.out.put(open.element.name().as_bytes());
        self.out.put(b">");
    }

    /// RFC 6120 §4.8.5 and XEP-0220 §2: some peers know these elements only by their usual prefix.
    fn own_prefix(&self, element: &Element, written: &str, top: bool) -> &'e str {
        let (name, prefix) = match element.ns() {
            // Namespaces in XML §3: it must not be declared as the default namespace.
            ns if *ns == Ns::XML => return "xml:",
            _ if !top => return self.shared.prefix(written),
            ns if *ns == Ns::STREAM => ("stream", "stream:"),
            ns if *ns == Ns::DIALBACK && self.stream_kind == StreamKind::Server => ("db", "db:"),
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
