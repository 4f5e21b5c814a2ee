//! What a recorded stream begins with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::facts::{OpenFact, PurposeFact, SessionFact, pair_text};
use crate::proto::auth::Pair;
use crate::proto::auth::handshake::LinkSecret;
use crate::proto::stream::acks::Suspended;
use crate::proto::stream::{Endpoint, Now, Purpose};

/// The direction of a gateway's link in a file.
pub(super) const LINK: &str = "link";

/// What a machine is made from, besides the context, its ids and the time.
#[derive(Clone, Debug)]
pub enum Opening {
    /// A partner's stream, from there.
    Inbound(SocketAddr),
    /// A gateway's link, from there.
    Link {
        /// Where the gateway is.
        address: SocketAddr,
        /// By what its handshake is judged.
        secret: Arc<LinkSecret>,
    },
    /// A stream of ours.
    Outbound {
        /// Between whom.
        pair: Pair,
        /// What for.
        purpose: Purpose,
        /// Whether EXTERNAL is tried.
        try_external: bool,
        /// Where it leads to.
        place: Endpoint,
        /// When it is to be ready at the latest.
        until: Instant,
        /// The session that is to go on.
        resumes: Option<Box<Suspended>>,
    },
    /// A stream that was there before: which way it was opened, where the other side is, and whose it is.
    Joined(&'static str, SocketAddr, Option<Pair>),
}

/// The fact of it, at `now`.
pub(super) fn open(opening: &Opening, now: Now) -> OpenFact {
    let fact = |direction: &str, address: SocketAddr| OpenFact {
        direction: direction.to_owned(),
        address: address.to_string(),
        since: 0,
        wall: now.wall.as_secs(),
        context: None,
        pair: None,
        purpose: None,
        try_external: false,
        is_own: false,
        until: None,
        resumes: None,
    };
    match opening {
        Opening::Inbound(address) => fact("inbound", *address),
        Opening::Link { address, .. } => fact(LINK, *address),
        Opening::Joined(direction, address, pair) => OpenFact {
            pair: pair.as_ref().map(pair_text),
            ..fact(direction, *address)
        },
        Opening::Outbound {
            pair,
            purpose,
            try_external,
            place,
            until,
            resumes,
        } => OpenFact {
            pair: Some(pair_text(pair)),
            purpose: Some(match purpose {
                Purpose::Carry => PurposeFact::Carry {},
                Purpose::Ask(question) => PurposeFact::Ask {
                    stream_id: question.stream_id.clone(),
                    key_bytes: question.key.len(),
                },
            }),
            try_external: *try_external,
            is_own: place.is_own,
            until: Some(micros(until.saturating_duration_since(now.monotonic))),
            resumes: resumes.as_deref().map(SessionFact::of),
            ..fact("outbound", place.address)
        },
    }
}

/// So many microseconds.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
