//! How fast a partner is read: a bucket of stanzas that fills at a steady rate.

use std::time::{Duration, Instant};

/// How much of the rate may be used at once, after a quiet time.
pub const BURST: Duration = Duration::from_secs(5);

/// A token bucket, kept as the one instant at which it will be full again.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    rate: u32,
    full_at: Instant,
}

impl Budget {
    /// A full bucket of `rate` stanzas a second; 0: no limit.
    #[must_use]
    pub fn new(rate: u32, now: Instant) -> Self {
        Self { rate, full_at: now }
    }

    /// The rate in force.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Whether the whole burst is there: such a bucket need not be remembered.
    #[must_use]
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }

    /// Takes one stanza, and says how long to wait before the next is read. Taking is never
    /// refused: what was read passes, and only reading slows.
    pub fn take(&mut self, now: Instant) -> Duration {
        if self.rate == 0 {
            return Duration::ZERO;
        }
        self.full_at = self.full_at.max(now) + Duration::from_secs(1) / self.rate;
        self.full_at
            .saturating_duration_since(now)
            .saturating_sub(BURST)
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant to start from"
    )]

    use super::*;

    #[test]
    fn five_seconds_worth_pass_at_once_and_then_the_rate() {
        let start = Instant::now();
        let mut budget = Budget::new(10, start);
        for _ in 0..50 {
            assert_eq!(budget.take(start), Duration::ZERO);
        }
        assert_eq!(budget.take(start), Duration::from_millis(100));
        assert_eq!(budget.take(start), Duration::from_millis(200));
        // LogLimiter for as long as it takes, and the whole burst is there again.
        let later = start + BURST + Duration::from_millis(200);
        for _ in 0..50 {
            assert_eq!(budget.take(later), Duration::ZERO);
        }
        assert_eq!(budget.take(later), Duration::from_millis(100));
    }

    #[test]
    fn no_rate_is_no_limit() {
        let now = Instant::now();
        let mut budget = Budget::new(0, now);
        assert!((0..10_000).all(|_| budget.take(now) == Duration::ZERO));
    }

    proptest::proptest! {
        /// Whoever waits as told, however long between, never gets more than burst and rate.
        #[test]
        fn never_more_than_burst_and_rate(
            rate in 1u32..200,
            // Mostly none: who is never in a haste would be within the rate without any budget.
            pauses in proptest::collection::vec(
                proptest::prop_oneof![20 => proptest::strategy::Just(0), 1 => 0u64..2000],
                1..1500,
            ),
        ) {
            let start = Instant::now();
            let mut now = start;
            let mut budget = Budget::new(rate, start);
            for (taken, pause) in pauses.iter().enumerate() {
                let wait = budget.take(now);
                now += wait + Duration::from_millis(*pause);
                let elapsed = now.duration_since(start) + BURST;
                let most = elapsed.as_secs_f64() * f64::from(rate) + 1.0;
                proptest::prop_assert!((taken as f64) < most);
            }
        }
    }
}
