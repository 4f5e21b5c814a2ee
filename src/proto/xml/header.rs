//! The stream header, as received.

use super::{Element, Fault, Ns};

/// The start tag that opens a stream (RFC 6120 §4.7); well-formed, and otherwise unjudged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    root: Element,
    default_namespace: Option<Box<str>>,
    has_declaration: bool,
    fault: Option<Fault>,
}

impl Header {
    pub(crate) fn new(root: Element, default: &Ns, has_declaration: bool) -> Self {
        Self {
            root,
            default_namespace: (*default != Ns::NONE).then(|| default.as_str().into()),
            has_declaration,
            fault: None,
        }
    }

    /// The same, read in spite of a fault.
    pub(crate) fn in_spite_of(self, fault: Option<Fault>) -> Self {
        Self { fault, ..self }
    }

    /// Why nothing may be built on this header: it is read only so that an error that comes with it
    /// can be told. Only [`Reader::of_answers`](super::Reader::of_answers) gives such headers.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// The local name: `stream`, from a peer that follows the rules.
    #[must_use]
    pub fn name(&self) -> &str {
        self.root.name()
    }

    /// The namespace: [`Ns::STREAM`], from a peer that follows the rules.
    #[must_use]
    pub fn ns(&self) -> &Ns {
        self.root.ns()
    }

    /// The value of `to`, `from`, `id` or `version`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.root.attribute(name)
    }

    /// The value of `xml:lang`.
    #[must_use]
    pub fn lang(&self) -> Option<&str> {
        self.root.lang()
    }

    /// The default namespace: the content namespace, or that of streams where the peer writes
    /// its stanzas with a namespace each (both styles are right: RFC 6120 §4.8.2).
    #[must_use]
    pub fn default_namespace(&self) -> Option<&str> {
        self.default_namespace.as_deref()
    }

    /// The prefix that the header binds to a namespace: a peer that binds one to
    /// [`Ns::DIALBACK`] says that it knows dialback (XEP-0220 §2.2.1).
    #[must_use]
    pub fn prefix_of(&self, ns: &Ns) -> Option<&str> {
        self.root
            .declarations()
            .find_map(|(prefix, bound)| (bound == ns).then_some(prefix))
    }

    /// Whether an XML declaration came before it.
    #[must_use]
    pub fn has_declaration(&self) -> bool {
        self.has_declaration
    }
}
