//! Acknowledgements that are agreed on, both ways, on one stream.

use std::time::Instant;

use super::received::is_before;
use super::{Due, Nonza, Received, Sent, TooHigh};

/// Both counters of one side of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    sent: Sent,
    received: Received,
    /// So many of the next stanzas are copies of what is in hand already.
    copies: u32,
    /// How many of those that were received are settled, modulo 2^32.
    settled: u32,
}

/// What an element of the other side's, or the time, asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write this.
    Send(Nonza),
    /// So many more of our stanzas are acknowledged.
    Acknowledged(u32),
}

/// Why a stream with acknowledgements is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// More was acknowledged than was sent.
    TooHigh(TooHigh),
    /// A request was not answered in time.
    Late,
}

/// Whether a stanza that came is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is.
    New,
    /// It came on the connection before this one, and is in hand: nothing is to be done with it.
    Before,
}

impl Agreed {
    /// Goes on with what an earlier connection has left, of which `handled` stanzas are settled by
    /// now: our `h`. The other side sends again what stands behind it, and what of that is in hand is
    /// not taken twice.
    #[must_use]
    pub fn resumed(mut self, handled: u32) -> (u32, Self) {
        self.settled = handled;
        self.received.settled(self.may_tell());
        let h = self.received.tell();
        self.copies = self.received.in_hand();
        (h, self)
    }

    /// As a session on which nothing comes that is not settled at once has it: how many stanzas were written, how
    /// many of these are acknowledged, and how many came.
    #[must_use]
    pub fn at(written: u32, acknowledged: u32, received: u32) -> Self {
        Self {
            sent: Sent::at(written, acknowledged),
            received: Received::at(received),
            copies: 0,
            settled: received,
        }
    }

    /// What [`Agreed::at`] takes.
    #[must_use]
    pub fn counted(&self) -> (u32, u32, u32) {
        let acknowledged = self.sent.acknowledged_in_all();
        let written = acknowledged.wrapping_add(self.sent.unacknowledged());
        (written, acknowledged, self.received.in_all())
    }

    /// Our `h` in `<resume/>`: how much we have taken on of what came on the session that is to go on.
    #[must_use]
    pub fn resume(&mut self) -> u32 {
        self.received.tell()
    }

    /// The last `count` of the stanzas that were counted as written never left.
    pub fn unwritten(&mut self, count: u32) {
        self.sent.unwritten(count);
    }

    /// A stanza was written: what is to follow it at once.
    #[must_use]
    pub fn wrote(&mut self, now: Instant) -> Option<Nonza> {
        (self.sent.wrote(now) == Due::Request).then(|| self.request(now))
    }

    /// Whether the other side may have taken on so many of our stanzas: no fewer than it has said
    /// before, and no more than it was sent.
    #[must_use]
    pub fn may_have(&self, h: u32) -> bool {
        self.sent.may_have(h)
    }

    /// A stanza came.
    #[must_use]
    pub fn stanza(&mut self, now: Instant) -> Seen {
        if let Some(copies) = self.copies.checked_sub(1) {
            self.copies = copies;
            self.received.handled_before(self.may_tell(), now);
            return Seen::Before;
        }
        self.received.received();
        Seen::New
    }

    /// A stanza came, and is settled as soon as it was read: the answer to a ping of ours.
    #[must_use]
    pub fn took(&mut self, now: Instant) -> Option<Nonza> {
        let is_due = self.received.took(now);
        self.settled = self.received.in_all();
        is_due.then(|| Nonza::Ack(self.received.tell()))
    }

    /// An `<r/>` or an `<a/>` came; anything else asks for nothing.
    ///
    /// # Errors
    /// More is acknowledged than was sent.
    pub fn read(&mut self, nonza: &Nonza, now: Instant) -> Result<Option<Step>, Broken> {
        match nonza {
            Nonza::Request => Ok(Some(Step::Send(Nonza::Ack(self.received.asked())))),
            Nonza::Ack(h) => {
                let more = self.sent.acknowledged(*h, now).map_err(Broken::TooHigh)?;
                Ok((more > 0).then_some(Step::Acknowledged(more)))
            }
            _ => Ok(None),
        }
    }

    /// The first `h` of what was received are settled.
    #[must_use]
    pub fn handled(&mut self, h: u32, now: Instant) -> Option<Nonza> {
        self.settled = h;
        let is_due = self.received.handled(self.may_tell(), now);
        is_due.then(|| Nonza::Ack(self.received.tell()))
    }

    /// What the time asks for.
    ///
    /// # Errors
    /// An answer is late.
    pub fn due(&mut self, now: Instant) -> Result<Option<Nonza>, Broken> {
        if self.received.is_due(now) {
            return Ok(Some(Nonza::Ack(self.received.tell())));
        }
        match self.sent.due(now) {
            Due::Nothing => Ok(None),
            Due::Request => Ok(Some(self.request(now))),
            Due::Late => Err(Broken::Late),
        }
    }

    /// When [`Agreed::due`] is to be asked.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let both = [self.sent.deadline(), self.received.deadline()];
        both.into_iter().flatten().min()
    }

    /// Our last word before the closing tag: what we have taken on, where the other side does not
    /// know.
    ///
    /// XEP-0198 §4: without it, stanzas are sent again that were received.
    #[must_use]
    pub fn last_word(&mut self) -> Option<Nonza> {
        (self.received.untold() > 0).then(|| Nonza::Ack(self.received.tell()))
    }

    /// Whether so much is unacknowledged that no more is to be written.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.sent.is_full()
    }

    /// How many of our stanzas are acknowledged, modulo 2^32.
    #[must_use]
    pub fn acknowledged(&self) -> u32 {
        self.sent.acknowledged_in_all()
    }

    /// How many of our stanzas are not acknowledged.
    #[must_use]
    pub fn unacknowledged(&self) -> u32 {
        self.sent.unacknowledged()
    }

    /// The other side has resumed the session, and has taken on the first `h` of our stanzas: how
    /// many more these are.
    ///
    /// # Errors
    /// More than was sent.
    pub fn peer_resumed(&mut self, h: u32, now: Instant) -> Result<u32, Broken> {
        self.sent.resumed(h, now).map_err(Broken::TooHigh)
    }

    /// Our `h`. XEP-0198 §5: the other side counts what it sends again from the `h` that it was told, so what is
    /// settled is acknowledged when it has come again, and not before: that would be more than was sent.
    fn may_tell(&self) -> u32 {
        let came = self.received.in_all().wrapping_sub(self.copies);
        if is_before(came, self.settled) {
            came
        } else {
            self.settled
        }
    }

    fn request(&mut self, now: Instant) -> Nonza {
        self.sent.requested(now);
        Nonza::Request
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test needs some point in time to begin at"
    )]

    use std::time::Duration;

    use super::*;

    #[test]
    fn a_conversation_with_itself_leaves_nothing_unacknowledged() {
        let mut now = Instant::now();
        let (mut one, mut other) = (Agreed::default(), Agreed::default());
        let mut to_other = Vec::new();
        for _ in 0..100 {
            let request = one.wrote(now);
            assert_eq!(other.stanza(now), Seen::New);
            to_other.extend(request);
        }
        let mut settled = 0;
        while one.unacknowledged() > 0 {
            now += Duration::from_millis(50);
            to_other.extend(one.due(now).unwrap());
            settled = (settled + 30).min(100);
            let mut answers: Vec<_> = other.handled(settled, now).into_iter().collect();
            answers.extend(other.due(now).unwrap());
            for nonza in to_other.drain(..) {
                if let Some(Step::Send(answer)) = other.read(&nonza, now).unwrap() {
                    answers.push(answer);
                }
            }
            for nonza in answers {
                one.read(&nonza, now).unwrap();
            }
        }
        assert_eq!((one.deadline(), other.deadline()), (None, None));
    }

    #[test]
    fn after_a_resumption_copies_are_not_taken_twice() {
        let now = Instant::now();
        let mut receiver = Agreed::default();
        for _ in 0..5 {
            assert_eq!(receiver.stanza(now), Seen::New);
        }
        assert_eq!(receiver.handled(2, now), None);
        // The connection is lost; `<resumed h='2'/>` makes the other side send three again.
        let (h, mut receiver) = receiver.resumed(2);
        assert_eq!(h, 2);
        let seen = [(); 4].map(|()| receiver.stanza(now));
        assert_eq!(seen, [Seen::Before, Seen::Before, Seen::Before, Seen::New]);
        assert_eq!(
            receiver.read(&Nonza::Request, now),
            Ok(Some(Step::Send(Nonza::Ack(2))))
        );
        assert_eq!(receiver.handled(6, now), Some(Nonza::Ack(6)));
    }

    #[test]
    fn what_is_settled_before_it_has_come_again_is_acknowledged_when_it_has() {
        let start = Instant::now();
        let (mut sender, mut receiver) = (Agreed::default(), Agreed::default());
        for _ in 0..5 {
            assert_eq!(sender.wrote(start), None);
            assert_eq!(receiver.stanza(start), Seen::New);
        }
        let (h, mut receiver) = receiver.resumed(1);
        assert_eq!(sender.peer_resumed(h, start), Ok(1));
        // All are settled, and two have come again by now.
        assert_eq!(receiver.handled(5, start), None);
        let mut tells = |sent: u32| {
            (0..sent).for_each(|_| {
                assert_eq!(sender.wrote(start), None);
                assert_eq!(receiver.stanza(start), Seen::Before);
            });
            let soon = start + Received::TELL_WITHIN;
            assert_eq!(receiver.deadline(), Some(soon));
            let nonza = receiver.due(soon).unwrap().unwrap();
            sender.read(&nonza, soon).unwrap();
            nonza
        };
        assert_eq!(tells(2), Nonza::Ack(3));
        assert_eq!(tells(2), Nonza::Ack(5));
        assert_eq!((sender.unacknowledged(), receiver.deadline()), (0, None));
    }

    #[test]
    fn a_second_resumption_tells_no_more_than_has_come_again_on_the_first() {
        let now = Instant::now();
        let mut receiver = Agreed::default();
        for _ in 0..5 {
            assert_eq!(receiver.stanza(now), Seen::New);
        }
        let (_, mut receiver) = receiver.resumed(1);
        assert_eq!(receiver.stanza(now), Seen::Before);
        let (h, mut receiver) = receiver.resumed(5);
        assert_eq!(h, 2);
        let seen = [(); 4].map(|()| receiver.stanza(now));
        assert_eq!(seen, [Seen::Before, Seen::Before, Seen::Before, Seen::New]);
    }

    #[test]
    fn what_cannot_be_ends_the_stream() {
        let now = Instant::now();
        let mut agreed = Agreed::default();
        let too_high = Broken::TooHigh(TooHigh { h: 1, sent: 0 });
        assert_eq!(agreed.read(&Nonza::Ack(1), now), Err(too_high));
        assert_eq!(agreed.wrote(now), None);
        let asked = now + Sent::ASK_WITHIN;
        assert_eq!(agreed.due(asked), Ok(Some(Nonza::Request)));
        assert_eq!(agreed.due(asked + Sent::ANSWER_WITHIN), Err(Broken::Late));
    }

    #[test]
    fn before_the_end_the_other_side_is_told_what_it_does_not_know() {
        let now = Instant::now();
        let mut agreed = Agreed::default();
        assert_eq!(agreed.stanza(now), Seen::New);
        assert_eq!(agreed.last_word(), None);
        assert_eq!(agreed.handled(1, now), None);
        assert_eq!(agreed.last_word(), Some(Nonza::Ack(1)));
        assert_eq!(agreed.last_word(), None);
    }
}
