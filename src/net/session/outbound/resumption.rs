//! A session of ours whose connection was lost, and which the next connection for the pair may go on with
//! (XEP-0198 §5).
//!
//! ```text
//!   connection lost ─► of: stanzas go back to their queue, each with its number; the counters stay here
//!   next connection ─► may_go_on ─► <resume/> ─► <resumed h/>: what h covers leaves the queue, the rest is written
//!                          │                  └► <failed h?/>: the same for h; <enable/>, anew
//!                          └ too old, or the entry has changed: <enable/>, anew
//! ```
//!
//! Its owner is the task that carries the pair: where nothing waits for the pair any more, nothing is
//! unacknowledged either, and the session is forgotten with the task.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::net::relay::queue::QueuedStanza;
use crate::proto::policy::Partner;
use crate::proto::stream::acks::{RESUME_WITHIN, Suspended};

/// A session without a connection.
#[derive(Clone, Debug)]
pub(super) struct Resumption {
    pub(super) session: Suspended,
    /// Under which number its stanzas are marked in the queue.
    pub(super) number: u64,
    until: Instant,
    /// The entry under which it began.
    entry: Arc<Partner>,
}

impl Resumption {
    /// What the stream of this number, opened under `entry`, has left at `now`: its unacknowledged stanzas are
    /// marked by their numbers.
    pub(super) fn of(
        mut session: Suspended,
        number: u64,
        entry: Arc<Partner>,
        unacknowledged: &mut [QueuedStanza],
        now: Instant,
    ) -> Arc<Self> {
        session.has_left(unacknowledged.len());
        for (queued, place) in unacknowledged.iter_mut().zip(session.numbers()) {
            queued.mark(number, place);
        }
        session.is_carried.clear();
        session.is_carried.shrink_to_fit();
        // XEP-0198 §5: `max` is for how long the other side keeps it; we keep it no longer than we say.
        let within = session.within.unwrap_or(RESUME_WITHIN).min(RESUME_WITHIN);
        Arc::new(Self {
            session,
            number,
            until: now + Duration::from_secs(within.into()),
            entry,
        })
    }

    /// Whether it may be asked for at `now`, under the entry of now.
    pub(super) fn may_go_on(&self, now: Instant, entry: &Partner) -> bool {
        now < self.until && self.entry.is_as(entry)
    }
}
