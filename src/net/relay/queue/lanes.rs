//! Lanes that are served by bytes: the lane that was given least goes next.
//!
//! ```text
//!   level of a lane  = bytes that it was given, counted from where it began
//!   a lane begins at   the level of the lane that was served last
//!   next             = the lowest level; of several, the one that has waited longest
//! ```
//!
//! This is start-time fair queueing. Of two lanes in which always something waits, neither is ever
//! ahead of the other by more than one stanza, however long stanzas are. A lane that was empty for a
//! while has no claim to what it did not use, and a lane that is empty for a moment owes what it
//! was given.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

use twox_hash::XxHash3_64;

use crate::proto::jid::Domain;

/// Lanes of things that wait. `R` is what a lane itself takes, given back with the lane.
#[derive(Debug)]
pub struct Lanes<T, R> {
    lanes: HashMap<Domain, Lane<T, R>, Keyed>,
    /// Each lane in which something waits, once with the ticket that it holds. Older tickets are void.
    order: BinaryHeap<Reverse<(u64, Ticket, Domain)>>,
    last_ticket: Ticket,
    /// The level of the lane that was served last.
    floor: u64,
    waiting: usize,
    /// Lanes in which something waits.
    busy: usize,
}

/// One thing that waits.
#[derive(Debug)]
pub struct Entry<T> {
    /// What it is.
    pub item: T,
    /// What it takes in memory, in bytes.
    pub cost: usize,
    /// What it takes of the connection, in bytes.
    pub bytes: usize,
    /// Between whom it is; lanes do not ask.
    pub conversation: u64,
}

type Ticket = u64;

#[derive(Debug)]
struct Lane<T, R> {
    entries: VecDeque<Entry<T>>,
    cost: usize,
    level: u64,
    ticket: Ticket,
    room: Option<R>,
}

/// How many empty lanes may be remembered, beside twice those in which something waits.
const IDLE: usize = 64;
/// What a lane may owe that is forgotten first, in bytes.
const LITTLE: u64 = 16 << 10;

impl<T, R> Default for Lanes<T, R> {
    fn default() -> Self {
        Self {
            lanes: HashMap::default(),
            order: BinaryHeap::new(),
            last_ticket: 0,
            floor: 0,
            waiting: 0,
            busy: 0,
        }
    }
}

impl<T, R> Lanes<T, R> {
    /// What an entry takes in its lane besides the thing itself, in bytes.
    pub const ENTRY_BYTES: usize = size_of::<Entry<T>>();
    /// What a lane takes besides its entries, in bytes, without its name: its place in a table and in
    /// the order, both of which have grown by doubling.
    pub const LANE_BYTES: usize =
        2 * size_of::<Lane<T, R>>() + 4 * size_of::<(u64, Ticket, Domain)>();

    /// What waits in a lane takes so much in memory, in bytes; `None` where there is no such lane.
    #[must_use]
    pub fn cost(&self, name: &Domain) -> Option<usize> {
        self.lanes.get(name).map(|lane| lane.cost)
    }

    /// Puts something behind all that waits in its lane; `room` is what a new lane takes.
    pub fn push(&mut self, name: &Domain, entry: Entry<T>, room: Option<R>) {
        self.waiting += 1;
        let lane = self.lane(name);
        lane.room = lane.room.take().or(room);
        lane.cost += entry.cost;
        lane.entries.push_back(entry);
        if lane.entries.len() == 1 {
            self.enter(name);
        }
    }

    /// Puts something back that was taken last of its lane: it is as if it had never been taken.
    pub fn put_back(&mut self, name: &Domain, entry: Entry<T>) {
        self.waiting += 1;
        let lane = self.lane(name);
        lane.level = lane.level.saturating_sub(level_of(entry.bytes));
        lane.cost += entry.cost;
        lane.entries.push_front(entry);
        self.enter(name);
    }

    /// Takes the next thing of the lane that was given least.
    pub fn pop(&mut self) -> Option<Entry<T>> {
        loop {
            let Reverse((level, ticket, name)) = self.order.pop()?;
            let Some(lane) = self.lanes.get_mut(&name) else {
                continue;
            };
            if lane.ticket != ticket {
                continue;
            }
            let Some(entry) = lane.entries.pop_front() else {
                continue;
            };
            self.floor = level;
            self.waiting -= 1;
            lane.level = level + level_of(entry.bytes);
            lane.cost = lane.cost.saturating_sub(entry.cost);
            if lane.entries.is_empty() {
                self.busy -= 1;
                self.tidy();
            } else {
                self.last_ticket += 1;
                lane.ticket = self.last_ticket;
                self.order.push(Reverse((lane.level, lane.ticket, name)));
            }
            return Some(entry);
        }
    }

    /// Takes from the front of each lane what `is_wanted`.
    pub fn drain(&mut self, is_wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let mut out = Vec::new();
        for lane in self.lanes.values_mut() {
            let was_busy = !lane.entries.is_empty();
            while let Some(entry) = lane.entries.pop_front_if(|entry| is_wanted(&entry.item)) {
                lane.cost = lane.cost.saturating_sub(entry.cost);
                out.push(entry.item);
            }
            if was_busy && lane.entries.is_empty() {
                self.busy -= 1;
            }
        }
        self.waiting -= out.len();
        self.tidy();
        out
    }

    /// Takes what `is_wanted` from anywhere in each lane, with the lane's name; what is taken from one
    /// lane stays in its order.
    pub fn extract(&mut self, is_wanted: impl Fn(&Entry<T>) -> bool) -> Vec<(Domain, Entry<T>)> {
        let mut out = Vec::new();
        for (name, lane) in &mut self.lanes {
            if !lane.entries.iter().any(&is_wanted) {
                continue;
            }
            let (taken, kept) = std::mem::take(&mut lane.entries)
                .into_iter()
                .partition::<VecDeque<_>, _>(&is_wanted);
            lane.entries = kept;
            let cost: usize = taken.iter().map(|entry| entry.cost).sum();
            lane.cost = lane.cost.saturating_sub(cost);
            if lane.entries.is_empty() {
                self.busy -= 1;
            }
            out.extend(taken.into_iter().map(|entry| (name.clone(), entry)));
        }
        self.waiting -= out.len();
        self.tidy();
        out
    }

    /// How many things wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    fn lane(&mut self, name: &Domain) -> &mut Lane<T, R> {
        let floor = self.floor;
        let lane = self.lanes.entry(name.clone()).or_insert_with(|| Lane {
            entries: VecDeque::with_capacity(1),
            cost: 0,
            level: floor,
            ticket: 0,
            room: None,
        });
        if lane.entries.is_empty() {
            lane.level = lane.level.max(floor);
            self.busy += 1;
        }
        lane
    }

    /// Gives a lane a new ticket for its level.
    fn enter(&mut self, name: &Domain) {
        let Some(lane) = self.lanes.get_mut(name) else {
            return;
        };
        self.last_ticket += 1;
        lane.ticket = self.last_ticket;
        let place = (lane.level, lane.ticket, name.clone());
        self.order.push(Reverse(place));
        if self.order.len() > IDLE + 2 * self.busy {
            let lanes = &self.lanes;
            self.order.retain(|Reverse((_, ticket, name))| {
                lanes.get(name).is_some_and(|lane| lane.ticket == *ticket)
            });
        }
    }

    /// Forgets empty lanes: all of them, where nothing waits; where there are many, those that owe
    /// little, and if those were few, all.
    fn tidy(&mut self) {
        if self.waiting == 0 {
            self.lanes.clear();
            self.order.clear();
            self.floor = 0;
        }
        let most = IDLE + 3 * self.busy;
        for debt in [LITTLE, u64::MAX] {
            if self.lanes.len() > most {
                let floor = self.floor;
                self.lanes.retain(|_, lane| {
                    !lane.entries.is_empty() || lane.level.saturating_sub(floor) > debt
                });
            }
        }
    }
}

/// A schedule of the fault laboratory is the same in each process.
#[cfg(test)]
type Key = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;
#[cfg(not(test))]
type Key = std::hash::RandomState;

/// A quick hash of texts. The key is this process's own, so that nobody can choose names that fall
/// together.
#[derive(Clone, Copy, Debug)]
pub struct Keyed(u64);

impl Default for Keyed {
    fn default() -> Self {
        static KEY: LazyLock<u64> = LazyLock::new(|| Key::default().hash_one(0));
        Self(*KEY)
    }
}

impl BuildHasher for Keyed {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        *self
    }
}

impl Hasher for Keyed {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = XxHash3_64::oneshot_with_seed(self.0, bytes);
    }

    /// The end of a text: there is nothing behind it.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A stanza without bytes would be given for nothing.
fn level_of(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests;
