//! Our own pings: how a stream that we opened learns whether the partner still lives.

use std::time::Instant;

use crate::proto::auth::Pair;
use crate::proto::xml::{Element, Ns};

/// Marks our own pings among the iq results that a partner sends.
pub const PING_PREFIX: &str = "xmpp-edge-ping-";

/// A ping that waits for its answer.
#[derive(Debug)]
pub(super) struct Ping {
    pub(super) id: String,
    pub(super) due: Instant,
}

/// XEP-0199 §4.5: a server asks a server.
pub(super) fn ping(pair: &Pair, id: &str) -> Element {
    Element::new(Ns::CONTENT, "iq")
        .with_attribute("type", "get")
        .with_attribute("from", pair.local.as_str())
        .with_attribute("to", pair.remote.as_str())
        .with_attribute("id", id)
        .with_child(Element::new(Ns::PING, "ping"))
}
