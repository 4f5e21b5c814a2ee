//! What a stanza is held as: written already, or a tree.

use crate::proto::xml::{Element, Fault, Node, Ns, Span};

/// A stanza without its addresses.
///
/// What comes and is only passed on is a [`Span`]. A tree is what the edge says itself, what was unusual when
/// it was read, and what had to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it leaves.
    Span(Box<Span>),
    /// To be written.
    Tree(Box<Element>),
}

impl From<Element> for Form {
    fn from(element: Element) -> Self {
        Self::Tree(Box::new(element))
    }
}

impl From<Span> for Form {
    fn from(span: Span) -> Self {
        Self::Span(Box::new(span))
    }
}

impl From<Box<Span>> for Form {
    fn from(span: Box<Span>) -> Self {
        Self::Span(span)
    }
}

impl Form {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Span(span) => span.name(),
            Self::Tree(element) => element.name(),
        }
    }

    /// Whether it is of the content namespace, as stanzas are.
    #[must_use]
    pub fn is_content(&self) -> bool {
        match self {
            Self::Span(_) => true,
            Self::Tree(element) => *element.ns() == Ns::CONTENT,
        }
    }

    /// The `from` attribute as it was given.
    #[must_use]
    pub fn from(&self) -> Option<&str> {
        match self {
            Self::Span(span) => span.from(),
            Self::Tree(element) => element.attribute("from"),
        }
    }

    /// The `to` attribute as it was given.
    #[must_use]
    pub fn to(&self) -> Option<&str> {
        match self {
            Self::Span(span) => span.to(),
            Self::Tree(element) => element.attribute("to"),
        }
    }

    /// The `type` attribute, if there is one.
    #[must_use]
    pub fn stanza_type(&self) -> Option<&str> {
        match self {
            Self::Span(span) => span.stanza_type(),
            Self::Tree(element) => element.attribute("type"),
        }
    }

    /// The `id` attribute, if there is one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Span(span) => span.id(),
            Self::Tree(element) => element.attribute("id"),
        }
    }

    /// Whether text that is no white space stands directly in it.
    #[must_use]
    pub fn has_text(&self) -> bool {
        let is_text =
            |node: &Node| matches!(node, Node::Text(text) if !text.trim_ascii().is_empty());
        match self {
            // A stanza with text of its own is no usual one.
            Self::Span(_) => false,
            Self::Tree(element) => element.nodes().any(is_text),
        }
    }

    /// How many child elements it has.
    #[must_use]
    pub fn children(&self) -> usize {
        match self {
            Self::Span(span) => span.children(),
            Self::Tree(element) => element.children().count(),
        }
    }

    /// Whether there is an `<error/>` in it.
    #[must_use]
    pub fn has_error(&self) -> bool {
        match self {
            Self::Span(span) => span.has_error(),
            Self::Tree(element) => element.child(&Ns::CONTENT, "error").is_some(),
        }
    }

    /// Whether there is a `<status/>` in it.
    #[must_use]
    pub fn has_status(&self) -> bool {
        match self {
            Self::Span(span) => span.has_status(),
            Self::Tree(element) => element.child(&Ns::CONTENT, "status").is_some(),
        }
    }

    /// Writes these addresses, where others stand.
    pub(super) fn set_addresses(&mut self, from: &str, to: &str) {
        match self {
            Self::Span(span) => {
                if span.from() != Some(from) {
                    span.set_from(from);
                }
                if span.to() != Some(to) {
                    span.set_to(to);
                }
            }
            Self::Tree(element) => {
                for (name, address) in [("from", from), ("to", to)] {
                    if element.attribute(name) != Some(address) {
                        element.set_attribute(name, address);
                    }
                }
            }
        }
    }

    /// Appends a child element of a namespace of its own.
    pub(super) fn push(&mut self, child: Element) {
        match self {
            Self::Span(span) => span.push(&child),
            Self::Tree(element) => element.push(child),
        }
    }

    /// What is inside, for whoever must look into it.
    ///
    /// # Errors
    /// None that is known: what was written is read back.
    pub fn tree(&self) -> Result<Element, Fault> {
        match self {
            Self::Span(span) => span.tree(),
            Self::Tree(element) => Ok((**element).clone()),
        }
    }
}
