//! How long a stream runs before it lets others run.
//!
//! A task that always has something to do would keep a processor for as long as the runtime lets it:
//! that is counted in operations, and one of a stream's may be a hundred stanzas. A quiet partner's stream would
//! wait for as long at each of its steps.

use std::time::{Duration, Instant};

use tokio::task::yield_now;

use crate::net::io::clock;

/// So much work at a stretch: some twenty stanzas.
const TURN: Duration = Duration::from_micros(100);
/// Whoever had nothing to do for so long has waited, and begins a new turn.
const PAUSE: Duration = Duration::from_micros(50);

/// A stream's turn on the processor.
#[derive(Debug)]
pub(super) struct Turn {
    begun: Instant,
    /// Since when it has nothing to do.
    idle_since: Option<Instant>,
}

impl Turn {
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            begun: now,
            idle_since: None,
        }
    }

    /// It has nothing to do.
    pub(super) fn pause(&mut self, now: Instant) {
        self.idle_since = Some(now);
    }

    /// It has something to do again: it goes on, or begins a new turn if it has waited.
    pub(super) fn resume(&mut self, now: Instant) {
        if let Some(since) = self.idle_since.take()
            && now.saturating_duration_since(since) >= PAUSE
        {
            self.begun = now;
        }
    }

    /// Lets others run if the turn is over; what time it is then.
    pub(super) async fn work(&mut self, now: Instant) -> Instant {
        if now.saturating_duration_since(self.begun) < TURN {
            return now;
        }
        yield_now().await;
        let now = clock::instant();
        *self = Self::begin(now);
        now
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn is_over(turn: &mut Turn, now: Instant) -> bool {
        let poll = pin!(turn.work(now)).poll(&mut Context::from_waker(Waker::noop()));
        poll == Poll::Pending
    }

    #[test]
    fn who_works_without_pause_lets_others_run_and_who_waited_begins_again() {
        let start = Instant::now();
        let at = |micros: u64| start + Duration::from_micros(micros);
        let mut turn = Turn::begin(start);
        assert!(!is_over(&mut turn, at(60)));
        turn.pause(at(60));
        turn.resume(at(70));
        assert!(is_over(&mut turn, at(120)));
        let mut turn = Turn::begin(start);
        turn.pause(at(60));
        turn.resume(at(60) + PAUSE);
        assert!(!is_over(&mut turn, at(200)));
        // Who reads for long has not waited.
        turn.resume(at(200) + PAUSE);
        assert!(is_over(&mut turn, at(60) + PAUSE + TURN));
    }
}
