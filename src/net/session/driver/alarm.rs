//! One timer for all that a stream waits for.
//!
//! With each stanza the time moves at which a stream would be idle, by the time since the last one. A timer that moved
//! along would be taken out of the runtime's table and put in again each time. So it is left where it is as long as it
//! rings early enough: when it rings, it is set to what is due then.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

/// The timer of a stream.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When it rings, if it has not rung.
    set_to: Option<Instant>,
}

impl Alarm {
    /// Ready when `due` has come.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let sleep = (self.sleep).get_or_insert_with(|| Box::pin(sleep_until(due.into())));
        if self.set_to.is_none_or(|set_to| set_to > due) {
            sleep.as_mut().reset(due.into());
            self.set_to = Some(due);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if self.set_to.replace(due).is_none_or(|rang| rang >= due) {
                self.set_to = None;
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::time::{Instant, advance, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn begun(alarm: &mut Alarm, due: Instant) -> bool {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        alarm.poll(&mut cx, due.into_std()).is_ready()
    }

    async fn at(alarm: &mut Alarm, due: Instant) {
        poll_fn(|cx| alarm.poll(cx, due.into_std())).await;
    }

    #[tokio::test(start_paused = true)]
    async fn it_rings_when_something_is_due_however_often_that_has_moved() {
        let mut alarm = Alarm::default();
        let start = Instant::now();
        // What is due moves away, further than it was set to, and comes back.
        for seconds in [60, 61, 90, 70, 3] {
            assert!(!begun(&mut alarm, start + seconds * SECOND));
        }
        at(&mut alarm, start + 5 * SECOND).await;
        assert_eq!(start.elapsed(), 5 * SECOND);
        // Once it has rung, it rings again.
        for seconds in [7, 9] {
            at(&mut alarm, start + seconds * SECOND).await;
            assert_eq!(start.elapsed(), seconds * SECOND);
        }
        // What is late rings at once.
        at(&mut alarm, start).await;
        assert_eq!(start.elapsed(), 9 * SECOND);
        let late = start + 1000 * SECOND;
        assert!(timeout(900 * SECOND, at(&mut alarm, late)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_rings_too_early_wakes_nobody() {
        let mut alarm = Alarm::default();
        let start = Instant::now();
        assert!(!begun(&mut alarm, start + SECOND));
        assert!(!begun(&mut alarm, start + 3 * SECOND));
        advance(2 * SECOND).await;
        assert!(!begun(&mut alarm, start + 3 * SECOND));
        advance(SECOND).await;
        assert!(begun(&mut alarm, start + 3 * SECOND));
    }
}
