//! What all parts of one report are made by.

use std::time::Instant;

use crate::net::live::facts::StreamFacts;
use crate::net::session::driver::now;

/// When it is made, by both clocks.
pub(super) struct Moment {
    /// In Unix time.
    pub(super) wall: u64,
    pub(super) now: Instant,
}

impl Moment {
    pub(super) fn now() -> Self {
        let now = now();
        Self {
            wall: now.wall.as_secs(),
            now: now.monotonic,
        }
    }
}

/// Whether anything was proven on a connection.
pub(super) fn is_proven(facts: &StreamFacts) -> bool {
    facts.with(|learned| !learned.pairs.is_empty() || learned.serves.is_some())
}
