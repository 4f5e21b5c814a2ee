//! Bounded queues of stanzas: one lane a partner, served by bytes.
//!
//! A lane has its own bound in bytes, so a flood from one partner fills its own lane, slows its
//! own sockets, and delays nobody else. A stanza takes its [`Accepted`] token along, so whatever
//! becomes of it is counted.

pub mod lanes;
pub mod look;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use self::lanes::{Entry, Lanes};
use crate::net::io::clock;
use crate::net::relay::stock::{Held, Share, Stock};
use crate::ops::counters::Accepted;
use crate::proto::jid::Domain;
use crate::proto::stanza::{Validated, Written};

/// How much may wait in one lane, in bytes as it is held.
pub const LANE_BYTES: usize = 4 << 20;
/// The same where whoever sends waits: less is enough, because nothing is bounced when it is full.
pub const PATIENT_LANE_BYTES: usize = 2 << 20;
/// How much is taken at once: large enough to fill a segment, small enough to take turns.
const BATCH_BYTES: usize = 64 << 10;

/// A stanza on its way.
#[derive(Debug)]
pub struct QueuedStanza {
    /// What is to be delivered.
    pub stanza: Validated<Written>,
    /// The ledger's token; `None` for what the edge says itself (stanza errors).
    pub accepted: Option<Accepted>,
    /// When it was queued.
    pub since: Instant,
    /// What it takes in memory, in bytes.
    cost: usize,
    /// On which session it was written, and as its which stanza: it was not acknowledged when the
    /// connection was lost.
    sent: Option<(u64, u32)>,
    /// On whose account it waits, where that one may have many lanes.
    share: Option<Arc<Share>>,
    /// Its part of the room for all that waits, once it waits.
    held: Option<Held>,
}

/// A stanza that was not taken in; it comes back, so that its sender can be told.
#[derive(Debug)]
pub enum NotQueued {
    /// The lane is full, or all lanes together are.
    Full(QueuedStanza),
    /// The queue is closed: there is another one.
    Closed(QueuedStanza),
}

impl QueuedStanza {
    /// A stanza that somebody sent.
    #[must_use]
    pub fn accepted(stanza: Validated<Written>, accepted: Accepted, now: Instant) -> Self {
        Self {
            cost: stanza.cost(),
            stanza,
            accepted: Some(accepted),
            since: now,
            sent: None,
            share: None,
            held: None,
        }
    }

    /// A stanza of the edge's own.
    #[must_use]
    pub fn own(stanza: Validated<Written>) -> Self {
        Self {
            cost: stanza.cost(),
            stanza,
            accepted: None,
            since: clock::instant(),
            sent: None,
            share: None,
            held: None,
        }
    }

    /// It waits on this account.
    #[must_use]
    pub fn on_account_of(self, share: Option<Arc<Share>>) -> Self {
        Self { share, ..self }
    }

    /// It was the stanza of this number on a session whose connection was lost.
    pub fn mark(&mut self, session: u64, number: u32) {
        self.sent = Some((session, number));
    }

    /// It was written to the other side.
    pub fn delivered(self) {
        if let Some(accepted) = self.accepted {
            accepted.delivered();
        }
    }
}

impl NotQueued {
    /// The stanza.
    #[must_use]
    pub fn into_stanza(self) -> QueuedStanza {
        match self {
            Self::Full(queued) | Self::Closed(queued) => queued,
        }
    }
}

/// Who takes from a queue: the newest of several takes everything, once those before it have given
/// back what they have not begun to write. So what is queued for one pair of users stays in order.
pub type Consumer = u64;

/// What waited while nobody took from a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    /// When the first began to wait.
    pub since: Instant,
    /// How many wait still.
    pub waiting: usize,
    /// How many had waited for too long, and were taken out.
    pub given_up: usize,
}

/// A queue with one lane a partner.
#[derive(Debug, Default)]
pub struct Queue {
    stock: Arc<Stock>,
    state: Mutex<State>,
    /// Something to take, or a new consumer.
    ready: Notify,
    /// Something was taken.
    space: Notify,
    /// Something has begun to wait while nobody takes, and nobody was told.
    untold: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    lanes: Lanes<QueuedStanza, Held>,
    consumers: Vec<Consumer>,
    /// Nobody will come for what is put in here any more.
    is_closed: bool,
    /// Who has taken last, and may not have begun to write all of it.
    holder: Option<Consumer>,
    /// Since when something waits while nobody takes, and how many were given up meanwhile.
    unattended: Option<(Instant, usize)>,
}

/// What a lane takes besides its stanzas, in bytes: names of 255 bytes, its places in two tables, and
/// room for four stanzas where there may be one.
const OF_LANE: usize = 2 << 10;

// Room for one stanza is in [`Written::OVERHEAD`].
const _: () = assert!(
    3 * Lanes::<QueuedStanza, Held>::ENTRY_BYTES + Lanes::<QueuedStanza, Held>::LANE_BYTES + 512
        < OF_LANE
);

impl Queue {
    /// An empty queue that shares this room with others.
    #[must_use]
    pub fn sharing(stock: Arc<Stock>) -> Self {
        Self {
            stock,
            ..Self::default()
        }
    }

    /// Queues a stanza, waiting while the lane is full: this is what slows a partner's socket.
    ///
    /// # Errors
    /// The stanza, where it is larger than all the room there is.
    pub async fn push(&self, lane: &Domain, queued: QueuedStanza) -> Result<(), QueuedStanza> {
        let mut queued = match self.push_within(PATIENT_LANE_BYTES, lane, queued) {
            Ok(()) => return Ok(()),
            Err(back) => back.into_stanza(),
        };
        loop {
            let (space, freed) = (self.space.notified(), self.stock.freed());
            match self.push_within(PATIENT_LANE_BYTES, lane, queued) {
                Ok(()) => return Ok(()),
                Err(back) => queued = back.into_stanza(),
            }
            let needed = queued.cost + OF_LANE;
            if !self.stock.can_hold(needed, queued.share.as_deref()) {
                return Err(queued);
            }
            tokio::select! {
                () = space => {}
                () = freed => {}
            }
        }
    }

    /// Queues a stanza, or gives it back.
    ///
    /// # Errors
    /// [`NotQueued`].
    #[expect(
        clippy::result_large_err,
        reason = "the stanza comes back to be pushed again or bounced"
    )]
    pub fn try_push(&self, lane: &Domain, queued: QueuedStanza) -> Result<(), NotQueued> {
        self.push_within(LANE_BYTES, lane, queued)
    }

    #[expect(clippy::result_large_err, reason = "as above")]
    fn push_within(
        &self,
        most: usize,
        lane: &Domain,
        mut queued: QueuedStanza,
    ) -> Result<(), NotQueued> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(NotQueued::Closed(queued));
        }
        // Taken at once: what was taken in vain would be given back, and wake everybody who waits.
        let (waiting, of_lane) = match state.lanes.cost(lane) {
            Some(waiting) => (waiting, 0),
            None => (0, OF_LANE),
        };
        let taken = (self.stock).take(queued.cost + of_lane, waiting, most, queued.share.as_ref());
        let Some(mut held) = taken else {
            return Err(NotQueued::Full(queued));
        };
        let room = (of_lane > 0).then(|| held.split(of_lane));
        queued.held = Some(held);
        state.lanes.push(lane, entry(queued), room);
        self.note_absence(&mut state);
        drop(state);
        self.ready.notify_waiters();
        Ok(())
    }

    /// Closes the queue for good where nothing waits in it; whether it is closed now.
    #[must_use]
    pub fn close_if_empty(&self) -> bool {
        let mut state = self.lock();
        state.is_closed |= state.lanes.waiting() == 0;
        state.is_closed
    }

    /// Takes up to a batch of stanzas, each time from the lane that was given least; waits until there
    /// are some, `consumer` is the newest, and whoever took before it has handed over.
    pub async fn take(&self, consumer: Consumer) -> Vec<QueuedStanza> {
        loop {
            let ready = self.ready.notified();
            {
                let mut state = self.lock();
                let is_next = state.consumers.last() == Some(&consumer)
                    && state.holder.is_none_or(|holder| holder == consumer);
                if is_next && state.lanes.waiting() > 0 {
                    state.holder = Some(consumer);
                    let batch = state.take_batch();
                    drop(state);
                    self.space.notify_waiters();
                    return batch;
                }
            }
            ready.await;
        }
    }

    /// Puts back what was taken and never begun, at the head of its lane and in its order.
    pub fn put_back(&self, lane_of: impl Fn(&QueuedStanza) -> Domain, stanzas: Vec<QueuedStanza>) {
        let mut state = self.lock();
        for queued in stanzas.into_iter().rev() {
            let lane = lane_of(&queued);
            state.lanes.put_back(&lane, entry(queued));
        }
        drop(state);
        self.ready.notify_waiters();
    }

    /// Resolves when a newer consumer waits for what `consumer` has taken and not begun to write.
    pub async fn taken_over(&self, consumer: Consumer) {
        loop {
            let ready = self.ready.notified();
            {
                let state = self.lock();
                if state.holder == Some(consumer) && state.consumers.last() != Some(&consumer) {
                    return;
                }
            }
            ready.await;
        }
    }

    /// Puts back what `consumer` has taken and not begun to write; from here on the newest takes.
    pub fn hand_over(
        &self,
        consumer: Consumer,
        lane_of: impl Fn(&QueuedStanza) -> Domain,
        untouched: Vec<QueuedStanza>,
    ) {
        self.put_back(lane_of, untouched);
        self.lock().release(consumer);
        self.ready.notify_waiters();
    }

    /// Takes everything out: nobody will come for it.
    #[must_use]
    pub fn drain(&self) -> Vec<QueuedStanza> {
        self.drain_older_than(clock::instant(), Duration::ZERO)
    }

    /// Takes out what has waited for at least `age`.
    #[must_use]
    pub fn drain_older_than(&self, now: Instant, age: Duration) -> Vec<QueuedStanza> {
        let mut state = self.lock();
        let is_old = |queued: &QueuedStanza| now.saturating_duration_since(queued.since) >= age;
        let out = state.lanes.drain(is_old);
        if let Some((_, given_up)) = &mut state.unattended {
            *given_up += out.len();
        }
        drop(state);
        self.space.notify_waiters();
        out
    }

    /// Takes out what was written on a session whose connection was lost, up to its stanza number `h`:
    /// the other side has it.
    #[must_use]
    pub fn acknowledged(&self, session: u64, h: u32) -> Vec<QueuedStanza> {
        let is_there = |queued: &QueuedStanza| {
            let number = queued.sent.filter(|(of, _)| *of == session);
            // XEP-0198 §4: counters are modulo 2^32.
            number.is_some_and(|(_, number)| h.wrapping_sub(number) < 1 << 31)
        };
        let out = self.lock().lanes.drain(is_there);
        self.space.notify_waiters();
        out
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().lanes.waiting() == 0
    }

    /// A consumer arrives, and takes over from those before it: returns the newest of these.
    pub fn attach(&self, consumer: Consumer) -> Option<Consumer> {
        let mut state = self.lock();
        let before = state.consumers.last().copied();
        state.consumers.push(consumer);
        drop(state);
        self.ready.notify_waiters();
        before
    }

    /// A consumer leaves; the newest of those that remain takes over, and is returned.
    pub fn detach(&self, consumer: Consumer) -> Option<Consumer> {
        let mut state = self.lock();
        state.consumers.retain(|other| *other != consumer);
        state.release(consumer);
        let newest = state.consumers.last().copied();
        self.note_absence(&mut state);
        drop(state);
        self.ready.notify_waiters();
        newest
    }

    /// Whether something has begun to wait while nobody takes; true once, until somebody has come.
    #[must_use]
    pub fn is_newly_unattended(&self) -> bool {
        self.untold.load(Relaxed) && self.untold.swap(false, Relaxed)
    }

    /// What waited while nobody took, once somebody has come.
    pub fn attended(&self) -> Option<Waited> {
        let mut state = self.lock();
        let (since, given_up) = state.unattended.take()?;
        self.untold.store(false, Relaxed);
        Some(Waited {
            since,
            waiting: state.lanes.waiting(),
            given_up,
        })
    }

    fn note_absence(&self, state: &mut State) {
        if state.consumers.is_empty() && state.lanes.waiting() > 0 && state.unattended.is_none() {
            state.unattended = Some((clock::instant(), 0));
            self.untold.store(true, Relaxed);
        }
    }

    /// Whether anybody takes from this queue.
    #[must_use]
    pub fn has_consumer(&self) -> bool {
        !self.lock().consumers.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn release(&mut self, consumer: Consumer) {
        self.holder = self.holder.filter(|holder| *holder != consumer);
    }

    fn take_batch(&mut self) -> Vec<QueuedStanza> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while bytes < BATCH_BYTES {
            let Some(entry) = self.lanes.pop() else {
                break;
            };
            bytes += entry.cost;
            batch.push(entry.item);
        }
        batch
    }
}

fn entry(queued: QueuedStanza) -> Entry<QueuedStanza> {
    Entry {
        cost: queued.cost,
        bytes: queued.stanza.bytes().len(),
        item: queued,
    }
}

#[cfg(test)]
pub(in crate::net) mod tests;
