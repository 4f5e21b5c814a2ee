//! Which of the stanzas that we received are settled: delivered, bounced, or dropped.

use std::collections::VecDeque;

/// The place of a stanza among those that were received on one stream, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Serial(u64);

/// The stanzas of one stream that are not settled, or stand behind one that is not.
///
/// They settle in any order, because they go different ways: only the part without a gap counts.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// All before this one are settled.
    first: u64,
    /// Whether those from `first` on are.
    marks: VecDeque<bool>,
}

impl Settled {
    /// How many stanzas may stand behind one that is not settled. Beyond that we take the first one on
    /// ourselves (XEP-0198 §4 leaves it to us what "handled" means): nobody's stanza holds back what all
    /// others are owed for ever, nor takes memory without bound.
    pub const MOST: usize = 1 << 16;

    /// A stanza was received.
    pub fn received(&mut self) -> Serial {
        if self.marks.len() >= Self::MOST {
            self.settle(Serial(self.first));
        }
        let serial = Serial(self.first + self.marks.len() as u64);
        self.marks.push_back(false);
        serial
    }

    /// A stanza is settled: whether [`Settled::handled`] has grown. One that was settled before, or
    /// never received, changes nothing.
    pub fn settle(&mut self, serial: Serial) -> bool {
        let place = serial.0.checked_sub(self.first).map(usize::try_from);
        let Some(Ok(place)) = place else {
            return false;
        };
        let Some(mark) = self.marks.get_mut(place) else {
            return false;
        };
        *mark = true;
        let before = self.first;
        while self.marks.pop_front_if(|settled| *settled).is_some() {
            self.first += 1;
        }
        // What a flood has needed is given back.
        if self.marks.is_empty() && self.marks.capacity() > KEPT {
            self.marks = VecDeque::new();
        }
        self.first != before
    }

    /// How many are settled before the first that is not: our `h`, modulo 2^32.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "XEP-0198 §4: counters are modulo 2^32"
    )]
    pub fn handled(&self) -> u32 {
        self.first as u32
    }

    /// How many were received, modulo 2^32.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "XEP-0198 §4: counters are modulo 2^32"
    )]
    pub fn in_all(&self) -> u32 {
        (self.first + self.marks.len() as u64) as u32
    }
}

/// So many marks are kept for the next stanzas.
const KEPT: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_gap_holds_back_what_stands_behind_it() {
        let mut settled = Settled::default();
        let [a, b, c] = [(); 3].map(|()| settled.received());
        assert!(!settled.settle(c));
        assert!(!settled.settle(b));
        assert_eq!((settled.handled(), settled.in_all()), (0, 3));
        assert!(settled.settle(a));
        assert_eq!(settled.handled(), 3);
        assert!(!settled.settle(a), "a stanza is settled once");
    }

    #[test]
    fn one_that_never_settles_holds_back_so_many_and_no_more() {
        let mut settled = Settled::default();
        let stuck = settled.received();
        for _ in 1..Settled::MOST {
            let serial = settled.received();
            settled.settle(serial);
        }
        assert_eq!(settled.handled(), 0);
        let last = settled.received();
        assert_eq!(settled.handled() as usize, Settled::MOST);
        assert!(!settled.settle(stuck));
        assert!(settled.settle(last));
        assert!(settled.marks.capacity() <= KEPT.max(16));
    }

    #[test]
    fn the_count_goes_round() {
        let mut settled = Settled {
            first: u64::from(u32::MAX),
            ..Settled::default()
        };
        let [a, b] = [(); 2].map(|()| settled.received());
        assert_eq!(settled.handled(), u32::MAX);
        assert!(settled.settle(a));
        assert_eq!(settled.handled(), 0);
        assert!(settled.settle(b));
        assert_eq!(settled.handled(), 1);
    }

    proptest! {
        #[test]
        fn what_is_handled_is_the_part_without_a_gap(order in Just((0..40usize).collect::<Vec<_>>()).prop_shuffle()) {
            let mut settled = Settled::default();
            let serials: Vec<Serial> = order.iter().map(|_| settled.received()).collect();
            let mut is_settled = vec![false; serials.len()];
            for place in order {
                settled.settle(serials[place]);
                is_settled[place] = true;
                let expected = is_settled.iter().take_while(|it| **it).count();
                prop_assert_eq!(settled.handled() as usize, expected);
            }
        }
    }
}
