//! [`Span`]: a stanza as our writer writes it, and where in it stands what is asked of it.
//!
//! ```text
//!  bytes ─► pass ─► span: <message from='…' to='…' type='…'>what is inside</message>
//!             │                      └─ places of from, to, type, id; what its children are
//!             └─► nothing, where anything is unusual or wrong: then the tree is built
//! ```
//!
//! Most stanzas are only passed on. One pass over such a stanza checks it and writes it at the same time,
//! and nothing is made of its names, values and texts. The pass never refuses: it gives the span of a
//! stanza that the other way would have accepted, byte for byte what the writer would have written of its
//! tree, or nothing. So there is one place that decides what is wrong with a stanza, and the properties and
//! fuzzers hold the two ways together.
//!
//! A span is the same on every kind of stream. The content namespace is the default one and is declared
//! nowhere, and what has prefixes goes the other way.

mod pass;

use std::ops::Range;

use super::scope::HeaderScope;
use super::writer::{write_element, write_value};
use super::{Element, Fault, Limits, Ns, StreamKind, tree};

pub(super) use self::pass::{Inherited, Scratch};

/// One stanza in canonical form: what leaves, and nothing else is made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    text: String,
    name: &'static str,
    values: Values,
    children: usize,
    has_error: bool,
    has_status: bool,
}

/// The names of stanzas (RFC 6120 §8.2).
const STANZAS: [&str; 3] = ["message", "presence", "iq"];

/// Where the values of the stanza's own attributes stand. Each is written as it is meant: a stanza in
/// whose own values anything is escaped goes the other way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Values {
    from: Option<Stretch>,
    to: Option<Stretch>,
    stanza_type: Option<Stretch>,
    id: Option<Stretch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    begin: u32,
    end: u32,
}

impl Stretch {
    fn range(self) -> Range<usize> {
        self.begin as usize..self.end as usize
    }
}

impl Values {
    fn of(&mut self, name: &[u8]) -> Option<&mut Option<Stretch>> {
        match name {
            b"from" => Some(&mut self.from),
            b"to" => Some(&mut self.to),
            b"type" => Some(&mut self.stanza_type),
            b"id" => Some(&mut self.id),
            _ => None,
        }
    }

    /// What stood behind `at` has moved.
    fn shift(&mut self, at: u32, by: i64) {
        let all = [
            &mut self.from,
            &mut self.to,
            &mut self.stanza_type,
            &mut self.id,
        ];
        for place in all.into_iter().flatten().filter(|place| place.begin > at) {
            let moved = |end: u32| u32::try_from(i64::from(end) + by).unwrap_or(end);
            *place = Stretch {
                begin: moved(place.begin),
                end: moved(place.end),
            };
        }
    }
}

impl Span {
    /// The whole stanza, as it leaves.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// What it takes in memory, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.text.capacity()
    }

    /// `message`, `presence` or `iq`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The value of `from` as it was given.
    #[must_use]
    pub fn from(&self) -> Option<&str> {
        self.value(self.values.from)
    }

    /// The value of `to` as it was given.
    #[must_use]
    pub fn to(&self) -> Option<&str> {
        self.value(self.values.to)
    }

    /// The value of `type`.
    #[must_use]
    pub fn stanza_type(&self) -> Option<&str> {
        self.value(self.values.stanza_type)
    }

    /// The value of `id`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.value(self.values.id)
    }

    /// How many child elements it has.
    #[must_use]
    pub fn children(&self) -> usize {
        self.children
    }

    /// Whether one of them is an `<error/>`.
    #[must_use]
    pub fn has_error(&self) -> bool {
        self.has_error
    }

    /// Whether one of them is a `<status/>`.
    #[must_use]
    pub fn has_status(&self) -> bool {
        self.has_status
    }

    /// Writes another address in the place of `from`.
    pub fn set_from(&mut self, address: &str) {
        self.values.from = self.replaced(self.values.from, address);
    }

    /// Writes another address in the place of `to`.
    pub fn set_to(&mut self, address: &str) {
        self.values.to = self.replaced(self.values.to, address);
    }

    /// Appends a child element of a namespace of its own.
    pub fn push(&mut self, child: &Element) {
        let end_tag = self.name.len() + 3;
        if self.text.ends_with("/>") {
            self.text.truncate(self.text.len() - 2);
            self.text.push('>');
        } else {
            self.text.truncate(self.text.len() - end_tag);
        }
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        write_element(StreamKind::Server, child, &mut bytes);
        // What the writer writes is text.
        self.text = String::from_utf8(bytes).unwrap_or_default();
        self.text.push_str("</");
        self.text.push_str(self.name);
        self.text.push('>');
        self.children += 1;
    }

    /// The same as a tree, for whoever must look into it.
    ///
    /// # Errors
    /// None that is known: what our writer has written is read back.
    pub fn tree(&self) -> Result<Element, Fault> {
        const LIMITS: Limits = Limits {
            header_bytes: 0,
            element_bytes: usize::MAX,
            depth: usize::MAX,
            elements: usize::MAX,
            attributes: usize::MAX,
            name_bytes: usize::MAX,
            bindings: usize::MAX,
            namespace_bytes: usize::MAX,
            whitespace_bytes: 0,
            overrun: 1,
        };
        let scope = HeaderScope::with_default(Ns::SERVER);
        tree::element(self.bytes(), &scope, StreamKind::Server, &LIMITS)
    }

    fn value(&self, place: Option<Stretch>) -> Option<&str> {
        self.text.get(place?.range())
    }

    fn replaced(&mut self, place: Option<Stretch>, value: &str) -> Option<Stretch> {
        let place = place?;
        let mut written = Vec::with_capacity(value.len());
        write_value(value, &mut written);
        let written = String::from_utf8(written).unwrap_or_default();
        let end = u32::try_from(place.begin as usize + written.len()).ok()?;
        self.text.replace_range(place.range(), &written);
        self.values
            .shift(place.begin, i64::from(end) - i64::from(place.end));
        Some(Stretch { end, ..place })
    }
}
