//! Pairs that share the stream of another pair: other local domains that write to the same domain of a partner
//! (XEP-0220 §2.6).
//!
//! ```text
//!   guest's queue ─► the task that carries the guest ─► host's queue ─► stream        once the pair is proven on it
//!        ▲                                                  │
//!        └───────────── what is left of the guest's ◄───────┘                         when the stream has ended
//! ```
//!
//! Nothing of a guest's is in the host's queue but while its stream is open: the next stream has proven nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

use crate::net::live::mailbox::Mailbox;
use crate::net::relay::queue::{NotQueued, Queue, QueuedStanza};
use crate::proto::auth::Pair;
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;

/// Whether a pair is proven on the stream.
type Word = Result<(), Reason>;

/// The guests of one stream.
#[derive(Debug)]
pub struct Guests {
    host: Arc<Queue>,
    state: Mutex<State>,
    over: Notify,
}

#[derive(Debug, Default)]
struct State {
    asking: Vec<(Pair, oneshot::Sender<Word>)>,
    /// Whether any pair was proven besides.
    has_shared: bool,
    is_over: bool,
    /// What the stream has left of theirs.
    left: Vec<QueuedStanza>,
}

/// What became of a stanza that was to share the stream.
#[derive(Debug)]
pub enum Put {
    /// It waits for the stream.
    Taken,
    /// There is no room now.
    Full(QueuedStanza),
    /// The stream is over.
    Over(QueuedStanza),
}

impl Guests {
    /// Of the stream that takes from this queue.
    #[must_use]
    pub fn of(host: Arc<Queue>) -> Self {
        Self {
            host,
            state: Mutex::default(),
            over: Notify::new(),
        }
    }

    /// Asks the stream to prove a pair besides. No word comes where the stream ends first.
    #[must_use]
    pub fn ask(&self, pair: &Pair, stream: &Mailbox) -> oneshot::Receiver<Word> {
        let (say, word) = oneshot::channel();
        let mut state = self.lock();
        if !state.is_over {
            state.asking.push((pair.clone(), say));
            stream.share(pair.clone());
        }
        word
    }

    /// The stream has proven a pair, or has not.
    pub fn answer(&self, pair: &Pair, word: Word) {
        let mut state = self.lock();
        state.has_shared |= word.is_ok();
        let place = state.asking.iter().position(|(asking, _)| asking == pair);
        if let Some(place) = place {
            let (_, say) = state.asking.swap_remove(place);
            // Whoever asked may have gone.
            say.send(word).unwrap_or_default();
        }
    }

    /// Puts a stanza of a proven guest on its way.
    pub fn put(&self, queued: QueuedStanza) -> Put {
        let state = self.lock();
        if state.is_over {
            return Put::Over(queued);
        }
        let lane = queued.stanza.to.domain().clone();
        match self.host.move_in(&lane, queued) {
            Ok(()) => Put::Taken,
            Err(NotQueued::Full(back)) => Put::Full(back),
            Err(NotQueued::Closed(back)) => Put::Over(back),
        }
    }

    /// Resolves when something is taken from the host's queue after this call.
    pub fn has_room(&self) -> Notified<'_> {
        self.host.has_taken()
    }

    /// The stream of the domain `host` is over, and has given back what it had. What is its guests' leaves the queue.
    pub fn end(&self, host: &Domain) {
        let mut state = self.lock();
        state.is_over = true;
        state.asking.clear();
        state.left = self
            .host
            .take_out(|queued| queued.stanza.from.domain() != host);
        drop(state);
        self.over.notify_waiters();
    }

    /// Resolves when the stream is over.
    pub async fn ended(&self) {
        loop {
            let over = self.over.notified();
            if self.lock().is_over {
                return;
            }
            over.await;
        }
    }

    /// What the stream has left of this domain's, in its order.
    #[must_use]
    pub fn left_of(&self, guest: &Domain) -> Vec<QueuedStanza> {
        let mut state = self.lock();
        let left = state
            .left
            .extract_if(.., |it| it.stanza.from.domain() == guest);
        left.collect()
    }

    /// Whether any pair was proven besides.
    #[must_use]
    pub fn has_shared(&self) -> bool {
        self.lock().has_shared
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
