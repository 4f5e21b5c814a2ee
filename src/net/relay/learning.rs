//! Contacts on their way to the disk: what must come after them waits, and nothing else does.
//!
//! ```text
//!   stanza from a gateway ─► take ─┬─ nothing to write, nothing waits ─► goes on at once
//!                                  └─ the queue of its two users ─► next (one task) ─► goes on
//! ```
//!
//! A subscription that makes or ends a contact is written first where that contact decides what may
//! pass (RFC 6121 §3: the answer must find it). Later stanzas of the same two users follow in their
//! order. Other users, and the link itself, do not wait: the store writes all that has come in
//! meanwhile in one commit.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use crate::net::relay::queue::QueuedStanza;
use crate::proto::auth::Pair;
use crate::proto::jid::BareJid;
use crate::proto::policy::contact::{Change, Halves, Subscription, UserPair};
use crate::proto::stanza::{Validated, Written};
use crate::store::{Contacts, StoreError};

/// How long the disk may take for one change. Then its subscription is bounced.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How many stanzas and changes may wait for the disk, in all.
pub const MOST: usize = 8192;
/// How many of them may be one local user's.
pub const MOST_OF_ONE: usize = 2048;
/// How much memory the stanzas may take that wait, in bytes.
pub const BYTES: usize = 12 << 20;

/// The changes that wait, by the two users.
#[derive(Debug)]
pub struct Learning {
    contacts: Contacts,
    waiting: Mutex<Waiting>,
    /// How many steps wait: most of the time none, and then nothing else need be asked.
    count: AtomicUsize,
}

/// What becomes of a stanza.
#[derive(Debug)]
pub enum Taken {
    /// It goes on now.
    Goes(QueuedStanza),
    /// A change has begun: the caller asks [`Learning::next`] until there is nothing more. The
    /// stanza goes on now where it is given back, and else when its turn comes.
    Begins(UserPair, Option<QueuedStanza>),
    /// It waits for changes that have begun; it goes on now where it is given back.
    Waits(Option<QueuedStanza>),
    /// Too much waits already.
    Full(QueuedStanza),
}

/// The next thing to do for two users.
#[derive(Debug)]
pub enum Next {
    /// The stanza goes on.
    Carry(QueuedStanza),
    /// The change was not made; the stanza, if it waited for it, is to be bounced.
    NotKept(StoreError, Pair, Option<QueuedStanza>),
    /// A change was made whose stanza went on before.
    Kept,
}

#[derive(Debug, Default)]
struct Waiting {
    halves: Halves,
    steps: HashMap<UserPair, VecDeque<Step>>,
    /// How many steps each local user has.
    users: HashMap<BareJid, usize>,
    count: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Step {
    learn: Learn,
    pair: Pair,
    queued: Option<QueuedStanza>,
    /// What it takes in memory.
    bytes: usize,
    /// It is done, and its stanza is being sent on: later ones wait until it has been.
    is_done: bool,
}

/// What a step says about the contact.
#[derive(Clone, Copy, Debug)]
enum Learn {
    Nothing,
    /// What it comes to is decided when its turn comes.
    Said(Subscription),
    Decided(Change),
}

impl Learning {
    /// Nothing waits yet.
    #[must_use]
    pub fn new(contacts: Contacts) -> Self {
        Self {
            contacts,
            waiting: Mutex::default(),
            count: AtomicUsize::new(0),
        }
    }

    /// Takes in what a stanza that goes outward says about a contact. `decides` tells whether that
    /// contact decides what may pass: only then the stanza waits for the disk.
    pub fn take(&self, queued: QueuedStanza, decides: bool) -> Taken {
        let said = Subscription::of(&queued.stanza);
        // Most stanzas are no subscriptions, and nothing waits.
        if said.is_none() && self.count.load(SeqCst) == 0 {
            return Taken::Goes(queued);
        }
        let mut waiting = self.lock();
        let user_pair = user_pair(&queued.stanza);
        let count = &self.count;
        let Some(steps) = waiting.steps.get(&user_pair) else {
            let change = said.and_then(|said| self.change(&mut waiting, &user_pair, said));
            return match change {
                None => Taken::Goes(queued),
                Some(change) => {
                    match waiting.push(&user_pair, Learn::Decided(change), queued, decides, count) {
                        Ok(queued) => Taken::Begins(user_pair, queued),
                        Err(queued) => Taken::Full(queued),
                    }
                }
            };
        };
        let follows = steps
            .iter()
            .any(|step| step.queued.is_some() || step.is_done);
        let (learn, waits) = match said {
            None if !follows => return Taken::Goes(queued),
            None => (Learn::Nothing, true),
            Some(said) => (Learn::Said(said), follows || decides),
        };
        match waiting.push(&user_pair, learn, queued, waits, count) {
            Ok(queued) => Taken::Waits(queued),
            Err(queued) => Taken::Full(queued),
        }
    }

    /// Makes the next change for two users; `None` when nothing waits for them any more.
    ///
    /// One task asks this for two users at a time. It may be dropped at any time: what waits stays.
    pub async fn next(&self, user_pair: &UserPair) -> Option<Next> {
        self.forget_done(user_pair);
        let change = self.decide(user_pair)?;
        let (local, remote) = user_pair;
        let write = async {
            match change {
                Some(Change::Add) => self.contacts.add(local, remote).await,
                Some(Change::Remove) => self.contacts.remove(local, remote).await,
                None => Ok(false),
            }
        };
        let written = timeout(PATIENCE, write)
            .await
            .unwrap_or(Err(StoreError::Slow(PATIENCE.as_secs())));
        let mut waiting = self.lock();
        let step = waiting.steps.get_mut(user_pair)?.front_mut()?;
        step.is_done = true;
        Some(match (written, step.queued.take()) {
            (Err(error), queued) => Next::NotKept(error, step.pair.clone(), queued),
            (Ok(_), Some(queued)) => Next::Carry(queued),
            (Ok(_), None) => Next::Kept,
        })
    }

    /// The stanza of the last step has been sent on: what comes next may go.
    fn forget_done(&self, user_pair: &UserPair) {
        let mut waiting = self.lock();
        let first = waiting.steps.get(user_pair).and_then(VecDeque::front);
        if first.is_some_and(|step| step.is_done) {
            waiting.pop(user_pair);
            self.count.store(waiting.count, SeqCst);
        }
    }

    /// What the first step of two users comes to; it stays the first until it is done.
    fn decide(&self, user_pair: &UserPair) -> Option<Option<Change>> {
        let mut waiting = self.lock();
        let learn = waiting.steps.get(user_pair)?.front()?.learn;
        let change = match learn {
            Learn::Nothing => None,
            Learn::Decided(change) => Some(change),
            Learn::Said(said) => self.change(&mut waiting, user_pair, said),
        };
        if let Some(step) = waiting
            .steps
            .get_mut(user_pair)
            .and_then(VecDeque::front_mut)
        {
            step.learn = change.map_or(Learn::Nothing, Learn::Decided);
        }
        Some(change)
    }

    /// Gives back every stanza that waits: the edge stops.
    #[must_use]
    pub fn drain(&self) -> Vec<QueuedStanza> {
        let waiting = std::mem::take(&mut *self.lock());
        self.count.store(0, SeqCst);
        let steps = waiting.steps.into_values().flatten();
        steps.filter_map(|step| step.queued).collect()
    }

    fn change(
        &self,
        waiting: &mut Waiting,
        user_pair: &UserPair,
        said: Subscription,
    ) -> Option<Change> {
        let is_contact = self.contacts.contains(&user_pair.0, &user_pair.1);
        waiting.halves.observe(user_pair, said, is_contact)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        #[cfg(test)]
        crate::ops::counted::shared_lock();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Adds a step for two users, with its stanza where that `waits`; else gives the stanza back.
    ///
    /// # Errors
    /// The stanza, where too much waits already.
    fn push(
        &mut self,
        user_pair: &UserPair,
        learn: Learn,
        queued: QueuedStanza,
        waits: bool,
        in_all: &AtomicUsize,
    ) -> Result<Option<QueuedStanza>, QueuedStanza> {
        let of_user = self.users.get(&user_pair.0).copied().unwrap_or_default();
        let bytes = size(user_pair, Some(&queued).filter(|_| waits));
        if self.count >= MOST || of_user >= MOST_OF_ONE || self.bytes + bytes > BYTES {
            return Err(queued);
        }
        self.count += 1;
        in_all.store(self.count, SeqCst);
        self.bytes += bytes;
        self.users.insert(user_pair.0.clone(), of_user + 1);
        let pair = Pair {
            local: queued.stanza.from.domain().clone(),
            remote: queued.stanza.to.domain().clone(),
        };
        let (waiting, back) = if waits {
            (Some(queued), None)
        } else {
            (None, Some(queued))
        };
        self.steps
            .entry(user_pair.clone())
            .or_default()
            .push_back(Step {
                learn,
                pair,
                queued: waiting,
                bytes,
                is_done: false,
            });
        Ok(back)
    }

    /// Takes the first step of two users out; with the last one they are forgotten.
    fn pop(&mut self, user_pair: &UserPair) {
        let Some(steps) = self.steps.get_mut(user_pair) else {
            return;
        };
        let Some(step) = steps.pop_front() else {
            return;
        };
        if steps.is_empty() {
            self.steps.remove(user_pair);
        }
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(step.bytes);
        if let Some(count) = self.users.get_mut(&user_pair.0) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.users.remove(&user_pair.0);
            }
        }
    }
}

/// What a step takes in memory, in bytes.
fn size(user_pair: &UserPair, queued: Option<&QueuedStanza>) -> usize {
    let addresses = user_pair.0.as_str().len() + user_pair.1.as_str().len();
    addresses + queued.map_or(0, |queued| queued.stanza.cost())
}

fn user_pair(stanza: &Validated<Written>) -> UserPair {
    (stanza.from.normal_bare(), stanza.to.normal_bare())
}

#[cfg(test)]
mod tests;
