//! Which conversations are open: what a partner's `direction` needs to know.

use std::time::{Duration, Instant};

use super::recent::Recent;
use super::user_pair::PairDigest;
use crate::proto::jid::Domain;

/// The conversations that the side which may open them has opened. Each stays open for a day after
/// its last stanza, if there is room for it.
#[derive(Debug)]
pub struct Conversations(Recent);

impl Conversations {
    /// What they take in memory at most, in bytes.
    pub const BYTES: usize = 5 << 20;
    /// How long a conversation stays open after its last stanza.
    const LIFETIME: Duration = Duration::from_secs(24 * 3600);

    /// A stanza passed in a local user's conversation that is open, or that it opens.
    pub fn heard(&mut self, partner: &Domain, user: &str, pair: PairDigest, now: Instant) {
        self.0.heard(partner, user, pair, now);
    }

    /// Whether a conversation is open.
    #[must_use]
    pub fn is_open(&self, partner: &Domain, pair: &PairDigest, now: Instant) -> bool {
        self.0.is_recent(partner, pair, now)
    }
}

impl Default for Conversations {
    fn default() -> Self {
        Self(Recent::new(Self::LIFETIME, Self::BYTES))
    }
}
