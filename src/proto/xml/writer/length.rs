//! How long something is when it is written, without writing it.

use super::escape::{Sink, WORST};
use super::write;
use crate::proto::xml::{Element, Node, Ns, StreamKind};

/// Counts bytes, and keeps none.
#[derive(Debug)]
struct Length(usize);

impl Sink for Length {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    fn taken(&self) -> usize {
        self.0
    }

    fn cut(&mut self, taken: usize) {
        self.0 = taken;
    }
}

/// How many bytes a top-level element takes when it is written; where that is more than `most`, some
/// number that is more: counting ends there.
#[must_use]
pub fn length(stream_kind: StreamKind, element: &Element, most: usize) -> usize {
    let mut length = Length(0);
    write(stream_kind, element, &mut length, most);
    length.0
}

/// A number of bytes that an element never exceeds when it is written: cheap to compute, and for the
/// usual stanza enough to know.
#[must_use]
pub fn at_most(element: &Element) -> usize {
    /// `<ns10: xmlns=''></ns10:>`.
    const TAGS: usize = 25;
    /// ` =''`.
    const PAIR: usize = 4;
    /// ` xmlns:=''`, and a prefix that the writer makes.
    const DECLARATION: usize = 32;
    let mut bytes = 0;
    let (mut prefixed, mut longest_prefix) = (0, DECLARATION);
    let mut left = vec![element];
    while let Some(element) = left.pop() {
        bytes += TAGS + 2 * element.name().len() + WORST * element.ns().as_str().len();
        for (prefix, ns) in element.declarations() {
            longest_prefix = longest_prefix.max(prefix.len());
            bytes += DECLARATION + prefix.len() + WORST * ns.as_str().len();
        }
        for attribute in element.attributes() {
            bytes += PAIR + attribute.name().len() + WORST * attribute.value().len();
            if *attribute.ns() != Ns::NONE && *attribute.ns() != Ns::XML {
                prefixed += 1;
                bytes += DECLARATION + WORST * attribute.ns().as_str().len();
            }
            bytes += usize::from(*attribute.ns() == Ns::XML) * PAIR;
        }
        for node in element.nodes() {
            match node {
                Node::Text(text) => bytes += WORST * text.len(),
                Node::Element(child) => left.push(child),
            }
        }
    }
    bytes + prefixed * longest_prefix
}
