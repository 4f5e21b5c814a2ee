//! How long a stream runs before it lets others run.
//!
//! A task that always has something to do would keep a processor for as long as the runtime lets it:
//! that is counted in operations, and one of a stream's may be a hundred stanzas. A quiet partner's stream would
//! wait for as long at each of its steps.

use std::time::{Duration, Instant};

use tokio::task::yield_now;

use crate::net::io::clock;

/// So much work at a stretch, reading included: some twenty stanzas.
const TURN: Duration = Duration::from_micros(100);
/// Whoever had nothing to do for so long has waited, and begins a new turn.
const PAUSE: Duration = Duration::from_micros(50);

/// A stream's turn on the processor.
#[derive(Debug)]
pub(super) struct Turn {
    begun: Instant,
    /// Since when it has nothing to do.
    idle_since: Option<Instant>,
    /// Whether it had waited before what it does now: then it is likely to wait again.
    has_waited: bool,
}

impl Turn {
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            begun: now,
            idle_since: None,
            has_waited: false,
        }
    }

    /// It has something to do again: it goes on, or begins a new turn if it has waited.
    pub(super) fn resume(&mut self, now: Instant) {
        if let Some(since) = self.idle_since.take() {
            self.has_waited = now.saturating_duration_since(since) >= PAUSE;
            if self.has_waited {
                self.begun = now;
            }
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

    /// It has nothing more to do. Others run now, if the turn is over and it did not wait before it: whoever
    /// waits for the other side at each step lets them run anyway.
    pub(super) async fn pause(&mut self, now: Instant) {
        let now = match self.has_waited {
            true => now,
            false => self.work(now).await,
        };
        self.idle_since = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn at_once<T>(future: impl Future<Output = T>) -> bool {
        let poll = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
        matches!(poll, Poll::Ready(_))
    }

    #[test]
    fn who_works_without_pause_lets_others_run_and_who_waited_begins_again() {
        let start = Instant::now();
        let at = |micros: u64| start + Duration::from_micros(micros);
        let mut turn = Turn::begin(start);
        assert!(at_once(turn.pause(at(60))));
        turn.resume(at(70));
        assert!(at_once(turn.work(at(90))));
        assert!(!at_once(turn.pause(at(120))));
        let mut turn = Turn::begin(start);
        assert!(at_once(turn.pause(at(60))));
        turn.resume(at(60) + PAUSE);
        assert!(at_once(turn.work(at(200))));
        // Reading for long is no waiting.
        turn.resume(at(200) + PAUSE);
        assert!(!at_once(turn.work(at(60) + PAUSE + TURN)));
    }

    #[test]
    fn who_waits_at_each_step_need_not_let_others_run_besides() {
        let start = Instant::now();
        let mut turn = Turn::begin(start);
        assert!(at_once(turn.pause(start)));
        turn.resume(start + PAUSE);
        assert!(at_once(turn.pause(start + 2 * TURN)));
        // What comes at once is one step more, and the last one.
        turn.resume(start + 2 * TURN);
        assert!(!at_once(turn.pause(start + 2 * TURN)));
    }
}
