//! What we have written, and how much of it the other side has taken on.

use std::time::{Duration, Instant};

/// Stanzas written on one stream, since acknowledgements were agreed on.
///
/// One request is under way at a time. The next one goes when it is answered and enough was
/// written, or has waited long enough: on a busy stream that is one request a round trip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// How many stanzas were written, modulo 2^32.
    written: u32,
    /// The last `h` of the other side.
    acknowledged: u32,
    /// When the answer to the open request is due.
    answer_due: Option<Instant>,
    /// When the next request is to be sent, if none is open.
    ask_at: Option<Instant>,
    /// How many stanzas were written since the last request.
    unasked: u32,
    /// Since when the oldest stanza that is unacknowledged is that.
    stuck_since: Option<Instant>,
    /// Up to which number stanzas were written then: all of these are to be acknowledged in one time.
    owed: Option<(u32, Instant)>,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// Send a request.
    Request,
    /// The answer to our request is late: the other side does not live, or does not do its part.
    Late,
}

/// The other side has acknowledged more stanzas than were sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooHigh {
    /// What it acknowledged.
    pub h: u32,
    /// How many it was sent, modulo 2^32.
    pub sent: u32,
}

impl Sent {
    /// After so many stanzas a request follows at once, if none is open.
    pub const ASK_AFTER: u32 = 32;
    /// After the first stanza behind the last request, the next one follows within this time.
    pub const ASK_WITHIN: Duration = Duration::from_millis(100);
    /// After an answer that leaves stanzas unacknowledged, a request follows in this time: the other
    /// side sends the rest unasked, if it does as we do.
    pub const ASK_AGAIN: Duration = Duration::from_secs(1);
    /// How long the other side may leave a request unanswered.
    ///
    /// XEP-0198 §4: an answer must not be withheld but for a timeout.
    pub const ANSWER_WITHIN: Duration = Duration::from_secs(60);
    /// How long the other side may answer and acknowledge nothing of what it has: a stanza that nobody
    /// takes on holds back what we owe to its sender, and to all who wait behind it.
    pub const PROGRESS_WITHIN: Duration = Duration::from_secs(120);
    /// How long any stanza may be unacknowledged, though others are acknowledged meanwhile: what is
    /// unacknowledged at one moment is to be acknowledged within this time.
    pub const ALL_WITHIN: Duration = Duration::from_secs(600);
    /// How many stanzas may be unacknowledged before no more are written.
    pub const WINDOW: u32 = 4096;

    /// So many were written, and of these acknowledged; nothing is due.
    #[must_use]
    pub fn at(written: u32, acknowledged: u32) -> Self {
        Self {
            written,
            acknowledged,
            ..Self::default()
        }
    }

    /// A stanza was written: what is to follow it at once.
    #[must_use]
    pub fn wrote(&mut self, now: Instant) -> Due {
        self.written = self.written.wrapping_add(1);
        self.unasked = self.unasked.saturating_add(1);
        self.stuck_since.get_or_insert(now);
        self.owed.get_or_insert((self.written, now));
        let ask_at = now + Self::ASK_WITHIN;
        self.ask_at = Some(self.ask_at.map_or(ask_at, |at| at.min(ask_at)));
        self.due(now)
    }

    /// The last `count` of the stanzas that were counted never left.
    pub fn unwritten(&mut self, count: u32) {
        self.written = self.written.wrapping_sub(count.min(self.unacknowledged()));
    }

    /// Whether the other side may say that it has taken on so many.
    #[must_use]
    pub fn may_have(&self, h: u32) -> bool {
        h.wrapping_sub(self.acknowledged) <= self.unacknowledged()
    }

    /// What is to be done now.
    #[must_use]
    pub fn due(&self, now: Instant) -> Due {
        let is_stuck = self.stuck_until().is_some_and(|until| until <= now);
        match (self.answer_due, self.ask_at) {
            _ if is_stuck => Due::Late,
            (Some(due), _) if due <= now => Due::Late,
            (Some(_), _) => Due::Nothing,
            (None, Some(at)) if at <= now || self.unasked >= Self::ASK_AFTER => Due::Request,
            (None, _) => Due::Nothing,
        }
    }

    /// When [`Sent::due`] is to be asked.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let next = self.answer_due.or(self.ask_at);
        [next, self.stuck_until()].into_iter().flatten().min()
    }

    fn stuck_until(&self) -> Option<Instant> {
        let progress = self.stuck_since.map(|since| since + Self::PROGRESS_WITHIN);
        let all = self.owed.map(|(_, since)| since + Self::ALL_WITHIN);
        [progress, all].into_iter().flatten().min()
    }

    /// A request is sent.
    pub fn requested(&mut self, now: Instant) {
        self.answer_due = Some(now + Self::ANSWER_WITHIN);
        self.ask_at = None;
        self.unasked = 0;
    }

    /// An `<a/>` came: how many more stanzas the other side has taken on.
    ///
    /// Any answer closes the open request: it shows that the other side lives, and which request it
    /// answers it does not say.
    ///
    /// # Errors
    /// XEP-0198 §6: it acknowledges more than it was sent.
    pub fn acknowledged(&mut self, h: u32, now: Instant) -> Result<u32, TooHigh> {
        // XEP-0198 §4: the counters begin again at 0 after 2^32 - 1.
        let more = h.wrapping_sub(self.acknowledged);
        if !self.may_have(h) {
            let sent = self.written;
            return Err(TooHigh { h, sent });
        }
        self.acknowledged = h;
        self.answer_due = None;
        if self.unacknowledged() == 0 {
            self.ask_at = None;
            self.unasked = 0;
            self.stuck_since = None;
            self.owed = None;
        } else {
            let behind = |number| self.written.wrapping_sub(number);
            if (self.owed).is_some_and(|(number, _)| behind(number) >= self.unacknowledged()) {
                self.owed = Some((self.written, now));
            }
            if more > 0 {
                self.stuck_since = Some(now);
            }
            self.ask_at.get_or_insert(now + Self::ASK_AGAIN);
        }
        Ok(more)
    }

    /// How many stanzas the other side has acknowledged, modulo 2^32.
    #[must_use]
    pub fn acknowledged_in_all(&self) -> u32 {
        self.acknowledged
    }

    /// How many stanzas the other side has not acknowledged.
    #[must_use]
    pub fn unacknowledged(&self) -> u32 {
        self.written.wrapping_sub(self.acknowledged)
    }

    /// Whether so much is unacknowledged that no more is to be written.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.unacknowledged() >= Self::WINDOW
    }

    /// The stream was resumed on another connection, and the other side has said how much it has:
    /// how many more that is. What it has not is to be written again, and counted anew.
    ///
    /// # Errors
    /// XEP-0198 §6, as above.
    pub fn resumed(&mut self, h: u32, now: Instant) -> Result<u32, TooHigh> {
        let more = self.acknowledged(h, now)?;
        // XEP-0198 §5: what is unhandled is sent again, under the numbers that it had.
        *self = Self::at(h, h);
        Ok(more)
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test needs some point in time to begin at"
    )]

    use proptest::prelude::*;

    use super::*;

    fn write(sent: &mut Sent, now: Instant) {
        assert_ne!(sent.wrote(now), Due::Late);
    }

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn one_request_is_open_at_a_time() {
        let start = Instant::now();
        let mut sent = Sent::default();
        for _ in 1..Sent::ASK_AFTER {
            assert_eq!(sent.wrote(start), Due::Nothing);
        }
        assert_eq!(sent.wrote(start), Due::Request);
        sent.requested(start);
        for _ in 0..100 {
            assert_eq!(sent.wrote(start), Due::Nothing);
        }
        assert_eq!(sent.acknowledged(32, start), Ok(32));
        assert_eq!(sent.due(start), Due::Request);
    }

    #[test]
    fn a_single_stanza_is_asked_about_soon_and_an_answer_that_does_not_come_is_late() {
        let start = Instant::now();
        let mut sent = Sent::default();
        assert_eq!(sent.wrote(start), Due::Nothing);
        assert_eq!(sent.deadline(), Some(after(start, 100)));
        assert_eq!(sent.due(after(start, 99)), Due::Nothing);
        assert_eq!(sent.due(after(start, 100)), Due::Request);
        sent.requested(after(start, 100));
        assert_eq!(sent.due(after(start, 60_099)), Due::Nothing);
        assert_eq!(sent.due(after(start, 60_100)), Due::Late);
    }

    #[test]
    fn a_low_answer_is_followed_by_another_request() {
        let start = Instant::now();
        let mut sent = Sent::default();
        write(&mut sent, start);
        sent.requested(start);
        assert_eq!(sent.acknowledged(0, start), Ok(0));
        assert_eq!(sent.due(after(start, 999)), Due::Nothing);
        assert_eq!(sent.due(after(start, 1000)), Due::Request);
        // The rest comes unasked.
        assert_eq!(sent.acknowledged(1, start), Ok(1));
        assert_eq!(sent.deadline(), None);
    }

    #[test]
    fn who_answers_and_takes_nothing_on_is_late_all_the_same() {
        let start = Instant::now();
        let mut sent = Sent::default();
        write(&mut sent, start);
        write(&mut sent, start);
        // One of two: the time begins anew.
        assert_eq!(sent.acknowledged(1, after(start, 100_000)), Ok(1));
        for second in 101..220 {
            let now = after(start, second * 1000);
            assert_ne!(sent.due(now), Due::Late, "{second}");
            sent.requested(now);
            assert_eq!(sent.acknowledged(1, now), Ok(0));
        }
        assert_eq!(sent.due(after(start, 220_000)), Due::Late);
    }

    #[test]
    fn who_takes_one_on_now_and_then_is_late_all_the_same() {
        let start = Instant::now();
        let mut sent = Sent::default();
        for _ in 0..100 {
            write(&mut sent, start);
        }
        // The first of them alone stands when the time begins, and is acknowledged.
        assert_eq!(sent.acknowledged(1, start), Ok(1));
        for step in 1..10 {
            let now = after(start, step * 60_000);
            assert_ne!(sent.due(now), Due::Late, "{step}");
            sent.requested(now);
            assert_eq!(
                sent.acknowledged(1 + u32::try_from(step).unwrap(), now),
                Ok(1)
            );
        }
        assert_ne!(sent.due(after(start, 599_999)), Due::Late);
        assert_eq!(sent.due(after(start, 600_000)), Due::Late);
    }

    #[test]
    fn who_keeps_up_is_never_late_however_much_is_unacknowledged() {
        let start = Instant::now();
        let mut sent = Sent::default();
        for second in 0..3600 {
            let now = after(start, second * 1000);
            assert_ne!(sent.due(now), Due::Late, "{second}");
            write(&mut sent, now);
            // A minute behind.
            if let Some(h) = u32::try_from(second).unwrap().checked_sub(60) {
                assert!(sent.acknowledged(h, now).is_ok());
            }
        }
    }

    #[test]
    fn nothing_is_asked_where_everything_is_acknowledged() {
        let start = Instant::now();
        let mut sent = Sent::default();
        write(&mut sent, start);
        assert_eq!(sent.acknowledged(1, start), Ok(1));
        assert_eq!((sent.deadline(), sent.unacknowledged()), (None, 0));
    }

    #[test]
    fn more_than_was_sent_cannot_be_acknowledged() {
        let start = Instant::now();
        let mut sent = Sent::default();
        write(&mut sent, start);
        let too_high = TooHigh { h: 2, sent: 1 };
        assert_eq!(sent.acknowledged(2, start), Err(too_high));
        assert_eq!(sent.acknowledged(1, start), Ok(1));
        // An `h` that goes back acknowledges 2^32 - 1 more.
        let too_high = TooHigh { h: 0, sent: 1 };
        assert_eq!(sent.acknowledged(0, start), Err(too_high));
    }

    #[test]
    fn a_resumed_stream_counts_on_from_where_the_other_side_is() {
        let start = Instant::now();
        let mut sent = Sent::default();
        for _ in 0..10 {
            write(&mut sent, start);
        }
        sent.requested(start);
        assert_eq!(sent.resumed(7, start), Ok(7));
        assert_eq!((sent.unacknowledged(), sent.deadline()), (0, None));
        for _ in 0..3 {
            write(&mut sent, start);
        }
        assert_eq!(sent.acknowledged(10, start), Ok(3));
    }

    proptest! {
        /// Whatever the counters stand at, what is acknowledged in all is what was written.
        #[test]
        fn counters_go_round(begin: u32, steps in prop::collection::vec((0u32..50, 0u32..60), 1..50)) {
            let start = Instant::now();
            let mut sent = Sent { written: begin, acknowledged: begin, ..Sent::default() };
            let (mut written, mut acknowledged) = (0u32, 0u32);
            for (writes, acknowledges) in steps {
                for _ in 0..writes {
                    write(&mut sent, start);
                }
                written += writes;
                let wanted = acknowledged + acknowledges;
                let outcome = sent.acknowledged(begin.wrapping_add(wanted), start);
                prop_assert_eq!(outcome.is_ok(), wanted <= written);
                if outcome.is_ok() {
                    acknowledged = wanted;
                    prop_assert_eq!(outcome, Ok(acknowledges));
                }
                prop_assert_eq!(sent.unacknowledged(), written - acknowledged);
                prop_assert_eq!(sent.deadline().is_some(), written > acknowledged);
            }
        }
    }
}
