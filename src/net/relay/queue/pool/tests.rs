use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

type Numbered = Pool<(u64, u64), ()>;

fn lane(name: u64) -> Domain {
    Domain::parse(&format!("p{name}.example")).unwrap()
}

/// Who has each of these conversations.
fn owners(pool: &Numbered, conversations: &[u64]) -> Vec<Consumer> {
    let owner = |conversation: &u64| pool.place_of(*conversation).unwrap();
    let links = &pool.links;
    conversations
        .iter()
        .map(|conversation| links[owner(conversation)].consumer)
        .collect()
}

fn shares(owners: &[Consumer]) -> BTreeMap<Consumer, usize> {
    let mut shares = BTreeMap::new();
    for owner in owners {
        *shares.entry(*owner).or_default() += 1;
    }
    shares
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Consumers are numbers that follow one another, conversations are anything.
    #[test]
    fn shares_are_even_and_who_comes_or_goes_moves_no_more_than_its_own(
        seed: u64, first in 0u64..10_000, links in 2u64..6, goes in 0u64..6
    ) {
        const CONVERSATIONS: u64 = 20_000;
        let conversations: Vec<_> = (0..CONVERSATIONS).map(|number| mix(number ^ seed)).collect();
        let mut pool = Numbered::default();
        for consumer in first..first + links {
            pool.attach(consumer, || ());
        }
        let before = owners(&pool, &conversations);
        let even = usize::try_from(CONVERSATIONS / links).unwrap();
        for (consumer, share) in shares(&before) {
            prop_assert!(share.abs_diff(even) <= even / 10, "{consumer}: {share}, not {even}");
        }
        let comes = first + links;
        pool.attach(comes, || ());
        let after = owners(&pool, &conversations);
        let moved = before.iter().zip(&after).filter(|(old, new)| old != new);
        let moved: Vec<_> = moved.map(|(_, new)| *new).collect();
        prop_assert!(moved.iter().all(|new| *new == comes));
        let even = usize::try_from(CONVERSATIONS / (links + 1)).unwrap();
        prop_assert!(moved.len().abs_diff(even) <= even / 10, "{} moved, not {even}", moved.len());
        let goes = first + goes % links;
        pool.detach(goes, Vec::new(), || ());
        for (old, new) in after.iter().zip(owners(&pool, &conversations)) {
            prop_assert!(*old == goes || *old == new);
        }
    }
}

/// What happens to a pool.
#[derive(Clone, Debug)]
enum Step {
    /// Something comes, in one of these conversations.
    Push(u64),
    /// One of the links, if there are any, has finished what it had, but for the last so many, and takes
    /// more.
    Take(usize, usize),
    /// A link comes.
    Come,
    /// One of the links dies, when it has begun this many of what it took.
    Die(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u64..12).prop_map(Step::Push),
        5 => (0usize..8, 0usize..4).prop_map(|(link, unfinished)| Step::Take(link, unfinished)),
        1 => Just(Step::Come),
        1 => (0usize..8, 0usize..6).prop_map(|(link, begun)| Step::Die(link, begun)),
    ]
}

/// A pool, what its links are writing, and what has come of each conversation.
#[derive(Default)]
struct World {
    pool: Numbered,
    writing: BTreeMap<Consumer, Vec<Entry<(u64, u64)>>>,
    /// Of each conversation: how many were pushed, and what is neither written nor lost, in order.
    pushed: BTreeMap<u64, u64>,
    open: BTreeMap<u64, VecDeque<u64>>,
    next: Consumer,
}

impl World {
    fn link(&self, which: usize) -> Option<Consumer> {
        let count = self.writing.len().max(1);
        self.writing.keys().nth(which % count).copied()
    }

    /// This one has left the pool for good, by a link or with it: all before it must have.
    fn ended(&mut self, entries: Vec<Entry<(u64, u64)>>) {
        for entry in entries {
            let (conversation, number) = entry.item;
            let open = self.open.get_mut(&conversation).unwrap();
            assert_eq!(open.pop_front(), Some(number), "of {conversation}");
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Push(conversation) => {
                let number = self.pushed.entry(conversation).or_default();
                *number += 1;
                let open = self.open.entry(conversation).or_default();
                open.push_back(*number);
                let entry = Entry {
                    item: (conversation, *number),
                    cost: 100,
                    bytes: 100,
                    conversation: mix(conversation),
                };
                self.pool.push(&lane(conversation % 4), entry, Some(()));
            }
            Step::Take(which, unfinished) => {
                let Some(link) = self.link(which) else { return };
                let mut written = self.writing.remove(&link).unwrap();
                let mut open = written.split_off(written.len().saturating_sub(unfinished));
                self.ended(written);
                let (batch, _) = self.pool.take(link, open.len(), 450, || ());
                open.extend(batch);
                self.writing.insert(link, open);
            }
            Step::Come => {
                self.next += 1;
                self.pool.attach(self.next, || ());
                self.writing.insert(self.next, Vec::new());
            }
            Step::Die(which, begun) => {
                let Some(link) = self.link(which) else { return };
                let mut batch = self.writing.remove(&link).unwrap();
                let untouched = batch.split_off(begun.min(batch.len()));
                // What was begun is lost.
                self.ended(batch);
                let back = untouched.into_iter();
                let back = back.map(|entry| (lane(entry.item.0 % 4), entry));
                self.pool.detach(link, back.collect(), || ());
            }
        }
        self.check();
    }

    /// What waits or is being written of a conversation is all with one link, and nothing is lost.
    fn check(&self) {
        let written: usize = self.writing.values().map(Vec::len).sum();
        let open: usize = self.open.values().map(VecDeque::len).sum();
        assert_eq!(self.pool.waiting() + written, open);
        for conversation in self.open.keys() {
            let mut with = self.writing.iter().filter(|(_, batch)| {
                batch
                    .iter()
                    .any(|entry| entry.conversation == mix(*conversation))
            });
            if let Some((link, _)) = with.next() {
                assert_eq!(with.next().map(|(other, _)| other), None, "besides {link}");
                let place = self.pool.place_of(mix(*conversation)).unwrap();
                assert_eq!(self.pool.links[place].consumer, *link);
            }
        }
    }
}

proptest! {
    #[test]
    fn a_conversation_keeps_its_order_whoever_comes_and_goes(
        steps in proptest::collection::vec(step(), 0..400)
    ) {
        let mut world = World::default();
        for step in steps {
            world.step(step);
        }
        // In the end somebody is there, and everything is written.
        world.step(Step::Come);
        for _ in 0..world.pool.waiting() + 1 {
            for which in 0..world.writing.len() {
                world.step(Step::Take(which, 0));
            }
        }
        for which in 0..world.writing.len() {
            world.step(Step::Take(which, 0));
        }
        prop_assert!(world.open.values().all(VecDeque::is_empty));
    }
}
