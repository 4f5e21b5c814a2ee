//! What we have received, and what of it we have told the other side.

use std::time::{Duration, Instant};

/// When we send an `<a/>`, and what stands in it.
///
/// How far stanzas are settled is told to this side from outside: [`Received::handled`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// How many were received, modulo 2^32.
    received: u32,
    /// How many of them are settled: our `h`.
    handled: u32,
    /// The `h` that we have sent last.
    told: u32,
    /// The other side asked when so many had been received, and our answer was lower.
    owed: Option<u32>,
    /// When an `<a/>` is due that nobody asked for.
    tell_at: Option<Instant>,
}

impl Received {
    /// After so many stanzas are settled, the other side is told, though it has not asked.
    pub const TELL_AFTER: u32 = 32;
    /// After the first stanza that is settled, it is told within this time.
    pub const TELL_WITHIN: Duration = Duration::from_millis(500);

    /// So many were received, and all of them are settled.
    #[must_use]
    pub fn at(received: u32) -> Self {
        Self {
            received,
            handled: received,
            told: received,
            ..Self::default()
        }
    }

    /// How many were received, modulo 2^32.
    #[must_use]
    pub fn in_all(&self) -> u32 {
        self.received
    }

    /// A stanza came.
    pub fn received(&mut self) {
        self.received = self.received.wrapping_add(1);
    }

    /// The first `h` stanzas are settled: whether an `<a/>` is to be sent now.
    #[must_use]
    pub fn handled(&mut self, h: u32, now: Instant) -> bool {
        self.handled = h;
        let is_paid = self.owed.is_some_and(|owed| !is_before(h, owed));
        if is_paid || self.untold() >= Self::TELL_AFTER {
            return true;
        }
        if self.untold() > 0 {
            self.tell_at.get_or_insert(now + Self::TELL_WITHIN);
        }
        self.is_due(now)
    }

    /// The same for what was settled before: an `<a/>` that is to be sent is due now.
    pub fn handled_before(&mut self, h: u32, now: Instant) {
        if self.handled(h, now) {
            self.tell_at = Some(now);
        }
    }

    /// A stanza came and is settled at once; nothing else is in hand. Whether an `<a/>` is to be sent now.
    #[must_use]
    pub fn took(&mut self, now: Instant) -> bool {
        self.received();
        self.handled(self.received, now)
    }

    /// The same while there is no connection.
    pub fn settled(&mut self, h: u32) {
        self.handled = h;
    }

    /// An `<r/>` came: it is answered at once (XEP-0198 §4). What is still in hand then follows in an
    /// answer of its own.
    pub fn asked(&mut self) -> u32 {
        self.owed = is_before(self.handled, self.received).then_some(self.received);
        self.tell()
    }

    /// Whether the time for an `<a/>` has come.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.tell_at.is_some_and(|at| at <= now)
    }

    /// When that is to be looked at.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.tell_at
    }

    /// An `<a/>` is sent: its `h`.
    pub fn tell(&mut self) -> u32 {
        self.told = self.handled;
        self.tell_at = None;
        self.owed = self.owed.filter(|owed| is_before(self.handled, *owed));
        self.handled
    }

    /// How many settled stanzas the other side has not been told of.
    #[must_use]
    pub fn untold(&self) -> u32 {
        self.handled.wrapping_sub(self.told)
    }

    /// How many stanzas are in hand.
    #[must_use]
    pub fn in_hand(&self) -> u32 {
        let in_hand = self.received.wrapping_sub(self.handled);
        // More can be settled than came only if somebody counts wrong: then nothing is in hand.
        if in_hand < 1 << 31 { in_hand } else { 0 }
    }
}

/// Whether one counter stands before another, less than half the circle apart.
pub(super) fn is_before(one: u32, other: u32) -> bool {
    one != other && other.wrapping_sub(one) < 1 << 31
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test needs some point in time to begin at"
    )]

    use super::*;

    fn with_received(count: u32) -> Received {
        let mut received = Received::default();
        (0..count).for_each(|_| received.received());
        received
    }

    #[test]
    fn who_asks_is_answered_at_once_and_again_when_all_is_settled() {
        let start = Instant::now();
        let mut received = with_received(3);
        assert!(!received.handled(1, start));
        assert_eq!(received.asked(), 1);
        assert!(!received.handled(2, start), "two of the three");
        assert!(received.handled(3, start));
        assert_eq!(received.tell(), 3);
        assert_eq!((received.deadline(), received.in_hand()), (None, 0));
    }

    #[test]
    fn who_does_not_ask_is_told_after_some_time_or_some_stanzas() {
        let start = Instant::now();
        let mut received = with_received(100);
        assert!(!received.handled(1, start));
        assert!(!received.is_due(start + Duration::from_millis(499)));
        assert!(received.is_due(start + Duration::from_millis(500)));
        assert_eq!(received.tell(), 1);
        assert!(!received.handled(32, start));
        assert!(received.handled(33, start));
    }

    #[test]
    fn an_answer_that_says_all_is_followed_by_none() {
        let start = Instant::now();
        let mut received = with_received(2);
        assert!(!received.handled(2, start));
        assert_eq!(received.asked(), 2);
        assert_eq!((received.deadline(), received.untold()), (None, 0));
    }

    #[test]
    fn what_is_owed_survives_the_end_of_the_circle() {
        let start = Instant::now();
        let mut received = Received {
            received: u32::MAX - 1,
            handled: u32::MAX - 1,
            told: u32::MAX - 1,
            ..Received::default()
        };
        (0..4).for_each(|_| received.received());
        assert_eq!(received.asked(), u32::MAX - 1);
        assert!(!received.handled(u32::MAX, start));
        assert!(!received.handled(1, start));
        assert!(received.handled(2, start));
    }
}
