//! Several links take from one queue: which of them gets what.
//!
//! ```text
//!   conversation ─ pinned ─► the link that is writing some of it
//!                └ else ──► the link with the highest score for it   ─► lanes of that link ─► a batch
//! ```
//!
//! A conversation (two users, whoever writes) has one link, so its stanzas stay in order. Which one is
//! found by rendezvous hashing: each link has a score for the conversation, and the highest wins. So a
//! link that comes takes its share and nothing else changes place; when it goes, only that share does.
//!
//! What waits of a conversation moves with it. What a link has taken may be half written, or come back where
//! it is not acknowledged. So a conversation of which a link has something in its hands stays with that
//! link until that is finished: it is *pinned*. At any time all that waits of a conversation is in the lanes of one link: that is what keeps
//! the order, and what every function here leaves true.

use std::collections::{HashSet, VecDeque};

use super::lanes::{Entry, Lanes};
use crate::proto::jid::Domain;

/// So many small stanzas are in a batch.
const USUAL_BATCH: usize = 128;

/// Who takes from a queue: the number of its connection.
pub type Consumer = u64;

/// What waits, and who takes it. `R` is what a lane itself takes, as in [`Lanes`].
#[derive(Debug)]
pub struct Pool<T, R> {
    links: Vec<LinkLanes<T, R>>,
    /// What waits while there is no link.
    absent: Lanes<T, R>,
}

#[derive(Debug)]
struct LinkLanes<T, R> {
    consumer: Consumer,
    lanes: Lanes<T, R>,
    /// The conversations of what it has taken and not finished, in its order: written, or acknowledged where
    /// acknowledgements are agreed on.
    taken: VecDeque<u64>,
    /// Those of them that another link would have, if it were not for what is being written.
    pinned: HashSet<u64>,
}

impl<T, R> Default for Pool<T, R> {
    fn default() -> Self {
        Self {
            links: Vec::new(),
            absent: Lanes::default(),
        }
    }
}

impl<T, R> Pool<T, R> {
    /// What waits in a lane takes so much in memory, over all links, in bytes.
    #[must_use]
    pub fn cost(&self, lane: &Domain) -> usize {
        self.all().filter_map(|lanes| lanes.cost(lane)).sum()
    }

    /// Whether there is a lane already where something of this conversation would wait.
    #[must_use]
    pub fn has_lane(&self, conversation: u64, lane: &Domain) -> bool {
        let lanes = match self
            .place_of(conversation)
            .and_then(|at| self.links.get(at))
        {
            Some(link) => &link.lanes,
            None => &self.absent,
        };
        lanes.cost(lane).is_some()
    }

    /// Both at once: whether there is such a lane, and what waits in it.
    #[must_use]
    pub fn look(&self, conversation: u64, lane: &Domain) -> (bool, usize) {
        let place = self.place_of(conversation).unwrap_or(self.links.len());
        let (mut has_lane, mut waiting) = (false, 0);
        for (at, lanes) in self.all().enumerate() {
            if let Some(cost) = lanes.cost(lane) {
                has_lane |= at == place;
                waiting += cost;
            }
        }
        (has_lane, waiting)
    }

    /// How many things wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.all().map(Lanes::waiting).sum()
    }

    /// Whether this is one that takes.
    #[must_use]
    pub fn has(&self, consumer: Consumer) -> bool {
        self.links.iter().any(|link| link.consumer == consumer)
    }

    /// How many take.
    #[must_use]
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// Puts something behind all that waits in its lane; `room` is what a new lane takes. Returns who is
    /// to take it, if anybody is there.
    pub fn push(&mut self, lane: &Domain, entry: Entry<T>, room: Option<R>) -> Option<Consumer> {
        let place = self.place_of(entry.conversation);
        match place.and_then(|at| self.links.get_mut(at)) {
            Some(link) => {
                link.lanes.push(lane, entry, room);
                Some(link.consumer)
            }
            None => {
                self.absent.push(lane, entry, room);
                None
            }
        }
    }

    /// A link has come: what waits of its share moves to it, but for what is pinned. `room` is for a
    /// lane that begins with it.
    pub fn attach(&mut self, consumer: Consumer, room: impl FnMut() -> R) {
        let mut newest = LinkLanes {
            consumer,
            lanes: Lanes::default(),
            taken: VecDeque::new(),
            pinned: HashSet::new(),
        };
        if self.links.is_empty() {
            newest.lanes = std::mem::take(&mut self.absent);
            return self.links.push(newest);
        }
        self.links.push(newest);
        let consumers = self.consumers();
        let mut moves = Vec::new();
        for link in &mut self.links {
            let goes = |conversation: u64| best(&consumers, conversation) != Some(link.consumer);
            let going = link.taken.iter().copied().filter(|taken| goes(*taken));
            link.pinned.extend(going);
            let pinned = &link.pinned;
            let is_going = |entry: &Entry<T>| {
                goes(entry.conversation) && !pinned.contains(&entry.conversation)
            };
            moves.extend(link.lanes.extract(is_going));
        }
        self.place(moves, room);
    }

    /// A link has gone, and gives back what it has taken and not begun to write. What waits for it
    /// moves to the others, in its order; where none is left, it waits for the next.
    pub fn detach(
        &mut self,
        consumer: Consumer,
        untouched: Vec<(Domain, Entry<T>)>,
        room: impl FnMut() -> R,
    ) {
        let Some(at) = self.at(consumer) else {
            // It was not there: what it gives back waits like anything new.
            return self.place(untouched, room);
        };
        let mut gone = self.links.swap_remove(at);
        for (lane, entry) in untouched.into_iter().rev() {
            gone.lanes.put_back(&lane, entry);
        }
        if self.links.is_empty() {
            self.absent = gone.lanes;
        } else {
            self.place(gone.lanes.extract(|_| true), room);
        }
    }

    /// Takes up to a batch of a link, each time from the lane that was given least; whoever comes for
    /// more has finished what it took before, but for the last `unfinished`, which are not acknowledged and
    /// may come back. `true`: something has moved to other links.
    pub fn take(
        &mut self,
        consumer: Consumer,
        unfinished: usize,
        batch_bytes: usize,
        room: impl FnMut() -> R,
    ) -> (Vec<Entry<T>>, bool) {
        let consumers = self.consumers();
        let Some(link) = self.at(consumer).and_then(|at| self.links.get_mut(at)) else {
            return (Vec::new(), false);
        };
        let finished = link.taken.len().saturating_sub(unfinished);
        link.taken.drain(..finished);
        let mut moves = Vec::new();
        if finished > 0 && !link.pinned.is_empty() {
            let open: HashSet<u64> = link.taken.iter().copied().collect();
            link.pinned.retain(|pinned| open.contains(pinned));
            let pinned = &link.pinned;
            let goes = |entry: &Entry<T>| {
                let conversation = entry.conversation;
                best(&consumers, conversation) != Some(consumer) && !pinned.contains(&conversation)
            };
            moves = link.lanes.extract(goes);
        }
        let most = link.lanes.waiting().min(USUAL_BATCH);
        let (mut batch, mut bytes) = (Vec::with_capacity(most), 0);
        while bytes < batch_bytes {
            let Some(entry) = link.lanes.pop() else {
                break;
            };
            bytes += entry.bytes;
            link.taken.push_back(entry.conversation);
            batch.push(entry);
        }
        let has_moved = !moves.is_empty();
        self.place(moves, room);
        (batch, has_moved)
    }

    /// Takes from the front of each lane what `is_wanted`.
    pub fn drain(&mut self, is_wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let links = self.links.iter_mut().map(|link| &mut link.lanes);
        let all = links.chain([&mut self.absent]);
        all.flat_map(|lanes| lanes.drain(&is_wanted)).collect()
    }

    /// Takes what `is_wanted` from anywhere.
    pub fn extract(&mut self, is_wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let links = self.links.iter_mut().map(|link| &mut link.lanes);
        let all = links.chain([&mut self.absent]);
        all.flat_map(|lanes| lanes.extract(|entry| is_wanted(&entry.item)))
            .map(|(_, entry)| entry.item)
            .collect()
    }

    /// Puts each behind what waits where it belongs.
    fn place(&mut self, entries: Vec<(Domain, Entry<T>)>, mut room: impl FnMut() -> R) {
        for (lane, entry) in entries {
            let room = (!self.has_lane(entry.conversation, &lane)).then(&mut room);
            self.push(&lane, entry, room);
        }
    }

    /// Where a conversation is; nowhere, where there is no link.
    fn place_of(&self, conversation: u64) -> Option<usize> {
        let links = match self.links.as_slice() {
            [] => return None,
            [_] => return Some(0),
            links => links,
        };
        let pinned = links
            .iter()
            .position(|link| link.pinned.contains(&conversation));
        pinned.or_else(|| {
            let all = links.iter().enumerate();
            let best = all.max_by_key(|(_, link)| score(link.consumer, conversation));
            best.map(|(at, _)| at)
        })
    }

    fn at(&self, consumer: Consumer) -> Option<usize> {
        self.links.iter().position(|link| link.consumer == consumer)
    }

    fn consumers(&self) -> Vec<Consumer> {
        self.links.iter().map(|link| link.consumer).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Lanes<T, R>> {
        let links = self.links.iter().map(|link| &link.lanes);
        links.chain([&self.absent])
    }
}

/// The link that a conversation would have.
fn best(consumers: &[Consumer], conversation: u64) -> Option<Consumer> {
    let all = consumers.iter().copied();
    all.max_by_key(|consumer| score(*consumer, conversation))
}

/// What a link scores for a conversation. Equal for no two links, because each step can be undone.
fn score(consumer: Consumer, conversation: u64) -> u64 {
    mix(conversation ^ mix(consumer))
}

/// Every bit of the result depends on every bit of the number (the finalizer of `SplitMix64`).
const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests;
