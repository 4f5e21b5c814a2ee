//! Bounded queues of stanzas: one lane a partner, served by bytes.
//!
//! A lane has its own bound in bytes, so a flood from one partner fills its own lane, slows its
//! own sockets, and delays nobody else. A stanza takes its `Accepted` token along, so whatever
//! becomes of it is counted. Several links may take from one queue: [`pool`] says which gets what.

pub mod lanes;
pub mod look;
mod moves;
pub mod pool;
mod queued;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use self::lanes::{Entry, Lanes};
use self::pool::Pool;
use crate::net::io::clock;
use crate::net::relay::stock::{Held, Stock};
use crate::proto::jid::Domain;

pub use self::pool::Consumer;
pub use self::queued::{Details, MOST_TIMES, QueuedStanza};

/// How much may wait in one lane, in bytes as it is held.
pub const LANE_BYTES: usize = 4 << 20;
/// The same where whoever sends waits: less is enough, because nothing is bounced when it is full.
pub const PATIENT_LANE_BYTES: usize = 2 << 20;
/// How much is taken at once, as it is written, but for the last stanza: large enough for a record of TLS,
/// small enough to take turns. So much of others' may stand before a stanza that comes first.
pub const BATCH_BYTES: usize = 16 << 10;

/// A stanza that was not taken in; it comes back, so that its sender can be told.
#[derive(Debug)]
pub enum NotQueued {
    /// The lane is full, or all lanes together are.
    Full(QueuedStanza),
    /// The queue is closed: there is another one.
    Closed(QueuedStanza),
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

/// A queue with one lane a partner, for any number of links.
#[derive(Debug, Default)]
pub struct Queue {
    stock: Arc<Stock>,
    state: Mutex<State>,
    /// Something was taken.
    space: Notify,
    /// Something has begun to wait while nobody takes, and nobody was told.
    untold: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    pool: Pool<QueuedStanza, Held>,
    /// How each link is told that there is something to take.
    bells: Vec<(Consumer, Arc<Notify>)>,
    /// Nobody will come for what is put in here any more.
    is_closed: bool,
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
        let mut queued = match self.push_now(lane, queued) {
            Ok(()) => return Ok(()),
            Err(back) => back,
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
            // Whose own lane is full is not woken for each stanza of others that is gone.
            let is_lane_full = self.lane_cost(lane) + needed > PATIENT_LANE_BYTES;
            tokio::select! {
                () = space => {}
                () = freed, if !is_lane_full => {}
            }
        }
    }

    /// Queues a stanza if [`Queue::push`] need not wait.
    ///
    /// # Errors
    /// The stanza.
    pub fn push_now(&self, lane: &Domain, queued: QueuedStanza) -> Result<(), QueuedStanza> {
        let pushed = self.push_within(PATIENT_LANE_BYTES, lane, queued);
        pushed.map_err(NotQueued::into_stanza)
    }

    /// Queues a stanza, or gives it back.
    ///
    /// # Errors
    /// [`NotQueued`].
    pub fn try_push(&self, lane: &Domain, queued: QueuedStanza) -> Result<(), NotQueued> {
        self.push_within(LANE_BYTES, lane, queued)
    }

    fn push_within(
        &self,
        most: usize,
        lane: &Domain,
        mut queued: QueuedStanza,
    ) -> Result<(), NotQueued> {
        let state = self.lock();
        if state.is_closed {
            return Err(NotQueued::Closed(queued));
        }
        // Taken at once: what was taken in vain would be given back, and wake everybody who waits.
        let (has_lane, waiting) = state.pool.look(queued.conversation, lane);
        let of_lane = if has_lane { 0 } else { OF_LANE };
        let taken = (self.stock).take(queued.cost + of_lane, waiting, most, queued.share.as_ref());
        let Some(mut held) = taken else {
            return Err(NotQueued::Full(queued));
        };
        let room = (of_lane > 0).then(|| held.split(of_lane));
        queued.held = Some(held);
        self.put(state, lane, queued, room);
        Ok(())
    }

    fn put(
        &self,
        mut state: MutexGuard<'_, State>,
        lane: &Domain,
        mut queued: QueuedStanza,
        room: Option<Held>,
    ) {
        queued.lane = Some(lane.clone());
        let bell = (state.pool.push(lane, entry(queued), room)).and_then(|taker| state.bell(taker));
        self.note_absence(&mut state);
        drop(state);
        if let Some(bell) = bell {
            bell.notify_one();
        }
    }

    /// Closes the queue for good where nothing waits in it; whether it is closed now.
    #[must_use]
    pub fn close_if_empty(&self) -> bool {
        let mut state = self.lock();
        state.is_closed |= state.pool.waiting() == 0;
        state.is_closed
    }

    /// Takes up to a batch of a link's stanzas, each time from the lane that was given least; waits until
    /// there are some. Whoever comes for more has written what it took before.
    pub async fn take(&self, consumer: Consumer) -> Vec<QueuedStanza> {
        self.take_besides(0, consumer, BATCH_BYTES).await
    }

    /// The same for a link that has the last `unfinished` of what it took in its hands: written, and not
    /// acknowledged. It takes less than `most` bytes, 1 at least, before the last stanza.
    pub async fn take_besides(
        &self,
        unfinished: usize,
        consumer: Consumer,
        most: usize,
    ) -> Vec<QueuedStanza> {
        loop {
            let bell = {
                let mut state = self.lock();
                let (batch, has_moved) =
                    (state.pool).take(consumer, unfinished, most, || self.room_of_lane());
                if has_moved {
                    state.ring_all();
                }
                if !batch.is_empty() {
                    drop(state);
                    self.space.notify_waiters();
                    return batch.into_iter().map(|entry| entry.item).collect();
                }
                state.bell(consumer)
            };
            match bell {
                Some(bell) => bell.notified().await,
                None => std::future::pending().await,
            }
        }
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
        let out = state.pool.drain(is_old);
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
        // Where others have taken over from a link, it is anywhere in their lanes.
        self.take_out(is_there)
    }

    /// Takes out what is meant, wherever it waits.
    #[must_use]
    pub fn take_out(&self, is_meant: impl Fn(&QueuedStanza) -> bool) -> Vec<QueuedStanza> {
        let out = self.lock().pool.extract(is_meant);
        self.space.notify_waiters();
        out
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().pool.waiting() == 0
    }

    /// A link has come, and gets its share.
    pub fn attach(&self, consumer: Consumer) {
        self.attach_within(usize::MAX, consumer);
    }

    /// The same where no more than `most` take: how many there are now, or nothing, where there are so
    /// many without it.
    pub fn attach_within(&self, most: usize, consumer: Consumer) -> Option<usize> {
        let mut state = self.lock();
        if state.pool.links() >= most {
            return None;
        }
        state.bells.push((consumer, Arc::default()));
        state.pool.attach(consumer, || self.room_of_lane());
        state.ring_all();
        Some(state.pool.links())
    }

    /// A link has gone, and gives back what it has taken and not begun to write. That, and what waits
    /// for it, goes to the links that are left, whose number is returned, or waits for the next.
    pub fn detach(&self, consumer: Consumer, untouched: Vec<QueuedStanza>) -> usize {
        let mut state = self.lock();
        let back = untouched.into_iter().map(|queued| {
            let lane = queued.lane.clone();
            let lane = lane.unwrap_or_else(|| queued.stanza.from.domain().clone());
            (lane, entry(queued))
        });
        (state.pool).detach(consumer, back.collect(), || self.room_of_lane());
        state.bells.retain(|(other, _)| *other != consumer);
        state.ring_all();
        self.note_absence(&mut state);
        state.pool.links()
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
            waiting: state.pool.waiting(),
            given_up,
        })
    }

    fn lane_cost(&self, lane: &Domain) -> usize {
        self.lock().pool.cost(lane)
    }

    /// For a lane that begins with what has moved: it was admitted before, so it is not asked again.
    fn room_of_lane(&self) -> Held {
        self.stock.take_anyway(OF_LANE)
    }

    fn note_absence(&self, state: &mut State) {
        if state.pool.links() == 0 && state.pool.waiting() > 0 && state.unattended.is_none() {
            state.unattended = Some((clock::instant(), 0));
            self.untold.store(true, Relaxed);
        }
    }

    /// Whether anybody takes from this queue.
    #[must_use]
    pub fn has_consumer(&self) -> bool {
        self.lock().pool.links() > 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn bell(&self, consumer: Consumer) -> Option<Arc<Notify>> {
        let mut bells = self.bells.iter();
        let (_, bell) = bells.find(|(other, _)| *other == consumer)?;
        Some(Arc::clone(bell))
    }

    fn ring_all(&self) {
        for (_, bell) in &self.bells {
            bell.notify_one();
        }
    }
}

fn entry(queued: QueuedStanza) -> Entry<QueuedStanza> {
    Entry {
        cost: queued.cost,
        bytes: queued.stanza.bytes().len(),
        conversation: queued.conversation,
        item: queued,
    }
}

#[cfg(test)]
pub(in crate::net) mod tests;
