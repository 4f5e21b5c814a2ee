//! The ways out: for each pair a queue, and the stream that takes from it once there is one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::net::io::clock;
use crate::net::live::mailbox::Mailbox;
use crate::net::live::told::Told;
use crate::net::relay::backoff::Backoff;
use crate::net::relay::guests::Guests;
use crate::net::relay::queue::{NotQueued, Queue, QueuedStanza};
use crate::net::relay::stock::Stock;
use crate::proto::auth::Pair;
use crate::proto::jid::BareJid;
use crate::proto::policy::Reason;

/// How many pairs may have a way out, open or wanted, at the same time.
pub const MAX_PAIRS: usize = 8192;

/// The pairs that have a way out. A pair without one gets it with its first stanza: the dialler is
/// told, and gives the way up when its stream has ended.
#[derive(Debug)]
pub struct PairQueues {
    pairs: Mutex<HashMap<Pair, PairQueue>>,
    /// Pairs that need a stream; the dialler listens.
    wanted: mpsc::Sender<Wish>,
    stock: Arc<Stock>,
}

/// A pair wants a stream.
#[derive(Debug)]
pub struct Wish {
    /// Which pair.
    pub pair: Pair,
    /// What waits for it.
    pub queue: Arc<Queue>,
    /// The local user whose stanza is the first.
    pub user: BareJid,
}

#[derive(Debug)]
struct PairQueue {
    queue: Arc<Queue>,
    /// The open stream, once there is one, and who shares it, where that is allowed.
    stream: Option<(Mailbox, Option<Arc<Guests>>)>,
}

impl PairQueues {
    /// What they take in memory at most, in bytes, without what waits: two names, a queue, and a session that may
    /// be resumed, with its id.
    pub const BYTES: usize = MAX_PAIRS * (4 << 10);

    /// Without any; wishes for streams go to `wanted`, and what waits shares the room of `stock`.
    #[must_use]
    pub fn new(wanted: mpsc::Sender<Wish>, stock: Arc<Stock>) -> Self {
        Self {
            pairs: Mutex::default(),
            wanted,
            stock,
        }
    }

    /// Puts a stanza on its way; returns where the next one for this pair may be put.
    ///
    /// # Errors
    /// The stanza, and why it cannot be carried: the partner failed a moment ago, or too much is
    /// waiting for it.
    pub fn send(
        &self,
        queued: QueuedStanza,
        backoff: &Backoff,
    ) -> Result<Arc<Queue>, Box<(QueuedStanza, Told)>> {
        let pair = Pair {
            local: queued.stanza.from.domain().clone(),
            remote: queued.stanza.to.domain().clone(),
        };
        let full = |queued| Box::new((queued, Reason::QueueFull.into()));
        let not_queued = |back: NotQueued| full(back.into_stanza());
        let mut pairs = self.lock();
        if let Some(pair_queue) = pairs.get(&pair) {
            let queue = Arc::clone(&pair_queue.queue);
            return match queue.try_push(&pair.remote, queued) {
                Ok(()) => Ok(queue),
                Err(back) => Err(not_queued(back)),
            };
        }
        if let Some(why) = backoff.refusal(&pair.remote, clock::instant()) {
            return Err(Box::new((queued, why)));
        }
        if pairs.len() >= MAX_PAIRS {
            return Err(Box::new((queued, Reason::TooManyDials.into())));
        }
        let user = queued.stanza.from.normal_bare();
        // A pair that the dialler never heard of would wait for ever.
        let Ok(place) = self.wanted.try_reserve() else {
            return Err(full(queued));
        };
        let queue = Arc::new(Queue::sharing(Arc::clone(&self.stock)));
        let outcome = queue.try_push(&pair.remote, queued);
        place.send(Wish {
            pair: pair.clone(),
            queue: Arc::clone(&queue),
            user,
        });
        let pair_queue = PairQueue {
            queue: Arc::clone(&queue),
            stream: None,
        };
        pairs.insert(pair, pair_queue);
        outcome.map(|()| queue).map_err(not_queued)
    }

    /// A pair's stream is open.
    pub fn opened(&self, pair: &Pair, stream: Mailbox, guests: Option<Arc<Guests>>) {
        if let Some(pair_queue) = self.lock().get_mut(pair) {
            pair_queue.stream = Some((stream, guests));
        }
    }

    /// An open stream to the same domain of a partner, for another of ours, that may be shared.
    #[must_use]
    pub fn open_to(&self, pair: &Pair) -> Option<(Mailbox, Arc<Guests>)> {
        let pairs = self.lock();
        let mut others = pairs
            .iter()
            .filter(|(other, _)| other.remote == pair.remote && *other != pair);
        others.find_map(|(_, pair_queue)| {
            let (stream, guests) = pair_queue.stream.as_ref()?;
            Some((stream.clone(), Arc::clone(guests.as_ref()?)))
        })
    }

    /// Gives a pair's way out up, unless something waits for it again; whether it is gone.
    #[must_use]
    pub fn finished(&self, pair: &Pair) -> bool {
        let mut pairs = self.lock();
        match pairs.get_mut(pair) {
            // Whoever has put stanzas in before may know the queue still.
            Some(pair_queue) if !pair_queue.queue.close_if_empty() => {
                pair_queue.stream = None;
                false
            }
            _ => {
                pairs.remove(pair);
                true
            }
        }
    }

    /// Tells the pair's stream that its ping was answered; false if it waits for no such answer.
    #[must_use]
    pub fn pong(&self, pair: &Pair, id: &str) -> bool {
        let pairs = self.lock();
        let stream = pairs
            .get(pair)
            .and_then(|pair_queue| pair_queue.stream.as_ref());
        stream.is_some_and(|(stream, _)| stream.pong(id))
    }

    /// Every queue.
    #[must_use]
    pub fn queues(&self) -> Vec<Arc<Queue>> {
        let pairs = self.lock();
        pairs
            .values()
            .map(|pair_queue| Arc::clone(&pair_queue.queue))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pair, PairQueue>> {
        #[cfg(test)]
        crate::ops::counted::shared_lock();
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
