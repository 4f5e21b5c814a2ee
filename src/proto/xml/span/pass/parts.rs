//! What the pass knows of where it is.

use crate::proto::xml::scope::HeaderScope;
use crate::proto::xml::{Limits, StreamKind};

/// An element whose end tag is to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// Where its name begins, and where it ends.
    pub(super) name: (usize, usize),
    pub(super) inside: Inside,
}

/// What an element means for those inside it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inside {
    /// The default namespace, as it was declared; `None`: by the header.
    pub(super) default: Option<(usize, usize)>,
    /// Whether the element is of the content namespace.
    pub(super) is_content: bool,
    /// How many declarations are in scope, without those of the header.
    pub(super) bindings: usize,
}

/// What the stream says of its stanzas.
#[derive(Clone, Copy, Debug)]
pub(in crate::proto::xml) struct Inherited<'h> {
    pub(in crate::proto::xml) stream_kind: StreamKind,
    pub(in crate::proto::xml) limits: &'h Limits,
    pub(in crate::proto::xml) scope: &'h HeaderScope,
    pub(in crate::proto::xml) lang: Option<&'h str>,
}

/// A start tag.
pub(super) struct Tag {
    pub(super) is_empty: bool,
    pub(super) has_lang: bool,
    pub(super) inside: Inside,
}

/// An attribute up to its first quote.
pub(super) struct Attribute<'b> {
    pub(super) name: &'b [u8],
    pub(super) is_xml: bool,
    pub(super) quote: u8,
    /// Where the white space before it begins.
    pub(super) begin: usize,
}
