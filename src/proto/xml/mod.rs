//! XML as XMPP restricts it: bytes in, checked elements out, and the way back.
//!
//! ```text
//!  bytes ─► framer ─► one complete frame ─► quick-xml ─► strict checks ─► Element ─► writer ─► bytes
//!           (where does it end?)            (events)     (is it XML?)     (owned)    (canonical)
//! ```
//!
//! A usual stanza on a proven stream takes a shorter way to the same bytes: [`Span`].
//!
//! Received bytes are never forwarded: what leaves is what [`writer`] wrote from an [`Element`].
//! So a disagreement between our parser and the next one has nothing to work with, as long as
//! the strict checks admit only what every conforming parser reads in the same way.
//!
//! The contract: [`Reader::feed`] takes what the socket gave; [`Reader::next`] is called until it
//! returns `None`. Events and faults depend on the bytes alone, never on how they were cut.

mod chars;
mod condition;
mod declaration;
mod element;
mod fault;
mod framer;
mod header;
mod limits;
mod names;
mod ns;
mod pieces;
mod reader;
mod references;
mod scope;
mod span;
mod strict;
mod tree;
pub mod writer;

pub use condition::Condition;
pub use element::{Attribute, Element, Node};
pub use fault::{Excerpt, Fault};
pub use header::Header;
pub use limits::Limits;
pub use ns::Ns;
pub use reader::{Event, Excess, Reader};
pub use span::Span;

pub(in crate::proto) use chars::is_char;

/// Whether a reference, without `&` and `;`, is one that a stream may carry.
pub(in crate::proto) fn is_reference(name: &str) -> bool {
    references::resolve(name).is_ok()
}

/// What the value of an attribute means, as it is written between its quotes.
pub(in crate::proto) fn attribute_value(written: &str) -> Option<String> {
    references::attribute_value(written).ok()
}

/// Which kind of stream: it decides the content namespace and the prefixes our own header declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// Between servers: `jabber:server`; our header declares `stream` and `db`.
    Server,
    /// Between an edge and a gateway (XEP-0114): `jabber:component:accept`; our header declares `stream`.
    Component,
}

impl StreamKind {
    /// The namespace that [`Ns::CONTENT`] stands for on such a stream.
    #[must_use]
    pub fn content_namespace(self) -> &'static str {
        match self {
            Self::Server => "jabber:server",
            Self::Component => "jabber:component:accept",
        }
    }

    /// The prefixes that our own stream header declares, with their namespaces.
    pub(crate) fn header_prefixes(self) -> &'static [(&'static str, Ns)] {
        const BOTH: [(&str, Ns); 2] = [("stream", Ns::STREAM), ("db", Ns::DIALBACK)];
        match self {
            Self::Server => &BOTH,
            Self::Component => BOTH.split_at(1).0,
        }
    }
}

#[cfg(test)]
mod tests;
