//! Chance that follows from a seed.

use std::time::Duration;

/// SplitMix64: all that a schedule needs of chance.
#[derive(Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, most: u64) -> usize {
        usize::try_from(self.next() % most).unwrap()
    }

    pub(super) fn time(&mut self) -> Duration {
        // From a moment to minutes, short times more often.
        let most = [5, 50, 500, 5_000, 40_000][self.below(5)];
        Duration::from_millis(self.next() % most)
    }
}
