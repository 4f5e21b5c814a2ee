//! A stanza on its way through a queue.

use std::hash::BuildHasher as _;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use super::lanes::Keyed;
use crate::net::io::clock;
use crate::net::relay::stock::{Held, Share};
use crate::ops::counters::Accepted;
use crate::proto::jid::{Domain, Jid};
use crate::proto::stanza::{Stanza, Validated, Written};

/// How often a stanza may be written to a partner, each time on a stream that ends before it is acknowledged.
pub const MOST_TIMES: u8 = 5;

/// A stanza on its way. It is in a box, because it changes hands often.
#[derive(Debug)]
pub struct QueuedStanza(Box<Details>);

/// What is known of one.
#[derive(Debug)]
pub struct Details {
    /// What is to be delivered.
    pub stanza: Validated<Written>,
    /// The ledger's token; `None` for what the edge says itself (stanza errors).
    pub accepted: Option<Accepted>,
    /// When it was queued.
    pub since: Instant,
    /// What it takes in memory, in bytes.
    pub(super) cost: usize,
    /// On which session it was written, and as its which stanza: it was not acknowledged when the
    /// connection was lost.
    pub(super) sent: Option<(u64, u32)>,
    /// How often it was written to a partner, and not acknowledged.
    times: u8,
    /// Between whom it is: the same for all stanzas of two users.
    pub(super) conversation: u64,
    /// The lane it waits in, once it waits.
    pub(super) lane: Option<Domain>,
    /// On whose account it waits, where that one may have many lanes.
    pub(super) share: Option<Arc<Share>>,
    /// Its part of the room for all that waits, once it waits.
    pub(super) held: Option<Held>,
}

impl Deref for QueuedStanza {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for QueuedStanza {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl QueuedStanza {
    /// A stanza that somebody sent.
    #[must_use]
    pub fn accepted(stanza: Validated<Written>, accepted: Accepted, now: Instant) -> Self {
        Self::new(stanza, Some(accepted), now)
    }

    /// A stanza of the edge's own.
    #[must_use]
    pub fn own(stanza: Validated<Written>) -> Self {
        Self::new(stanza, None, clock::instant())
    }

    fn new(stanza: Validated<Written>, accepted: Option<Accepted>, since: Instant) -> Self {
        Self(Box::new(Details {
            cost: stanza.cost(),
            conversation: conversation_of(&stanza),
            lane: None,
            stanza,
            accepted,
            since,
            sent: None,
            times: 0,
            share: None,
            held: None,
        }))
    }

    /// It waits on this account.
    #[must_use]
    pub fn on_account_of(mut self, share: Option<Arc<Share>>) -> Self {
        self.share = share;
        self
    }

    /// What it takes in memory, in bytes.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// It was the stanza of this number on a session whose connection was lost.
    pub fn mark(&mut self, session: u64, number: u32) {
        self.sent = Some((session, number));
    }

    /// It was written, and its stream has ended before it was acknowledged: whether it may be written once more.
    pub fn may_be_sent_again(&mut self) -> bool {
        self.times = self.times.saturating_add(1);
        self.times < MOST_TIMES
    }

    /// It was written to the other side at `now`.
    pub fn delivered(self, now: Instant) {
        let since = self.0.since;
        if let Some(accepted) = self.0.accepted {
            accepted.delivered(now.saturating_duration_since(since));
        }
    }
}

/// The same for all stanzas of two users, whichever of their resources they use and whoever writes.
/// The key is this process's own: no partner can choose who shares a gateway with whom.
fn conversation_of(stanza: &Stanza) -> u64 {
    let key = Keyed::default();
    let digest = |jid: &Jid| {
        if jid.is_normal() {
            key.hash_one(jid.bare())
        } else {
            key.hash_one(jid.normal_bare().as_str())
        }
    };
    // As a sum, the two have no order.
    digest(&stanza.from).wrapping_add(digest(&stanza.to))
}
