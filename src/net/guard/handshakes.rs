//! What strangers may compute at once: a crowd of handshakes must not delay honest streams.
//!
//! A place is held while a handshake computes, and not while it waits for the other side: one that
//! stalls keeps nobody out. Those who wait for a place wait in a queue of their own, so whatever
//! else the edge does comes up after one step of a handshake, not after all of them.

use std::future::poll_fn;
use std::num::NonZero;
use std::pin::pin;
use std::task::Poll;
use std::thread::available_parallelism;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Lets so many through at a time, one step each.
#[derive(Debug)]
pub struct HandshakeLimiter(Semaphore);

impl HandshakeLimiter {
    /// With so many places.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self(Semaphore::new(places))
    }

    /// A place for what is computed at once and waits for nobody; given back when dropped.
    pub async fn place(&self) -> Option<SemaphorePermit<'_>> {
        // Nobody closes the handshakes; and if so, work is not to be lost for it.
        self.0.acquire().await.ok()
    }

    /// Does some work; each of its steps needs a place.
    pub async fn pass<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        loop {
            let place = self.place().await;
            let step = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await;
            drop(place);
            if let Poll::Ready(output) = step {
                return output;
            }
            // The step has seen to it that this task is woken.
            let mut woken = false;
            poll_fn(|_| match std::mem::replace(&mut woken, true) {
                false => Poll::Pending,
                true => Poll::Ready(()),
            })
            .await;
        }
    }
}

/// Half of the processors, so that the other half is never busy with strangers.
impl Default for HandshakeLimiter {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        Self::new((processors / 2).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use tokio::sync::Notify;
    use tokio::task::yield_now;

    #[tokio::test]
    async fn one_that_stalls_keeps_nobody_out() {
        let handshakes = Arc::new(HandshakeLimiter::new(1));
        let stalled = tokio::spawn({
            let handshakes = Arc::clone(&handshakes);
            async move { handshakes.pass(std::future::pending::<()>()).await }
        });
        yield_now().await;
        assert_eq!(handshakes.pass(async { 7 }).await, 7);
        assert!(!stalled.is_finished());
        stalled.abort();
    }

    #[tokio::test]
    async fn work_goes_on_when_what_it_waits_for_comes() {
        let handshakes = Arc::new(HandshakeLimiter::new(1));
        let word = Arc::new(Notify::new());
        let waiting = tokio::spawn({
            let (handshakes, word) = (Arc::clone(&handshakes), Arc::clone(&word));
            async move {
                let work = async {
                    for _ in 0..3 {
                        word.notified().await;
                    }
                };
                handshakes.pass(work).await;
            }
        });
        for _ in 0..3 {
            word.notify_one();
            yield_now().await;
        }
        waiting.await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_more_compute_at_once_than_there_are_places() {
        let handshakes = Arc::new(HandshakeLimiter::new(2));
        let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let crowd: Vec<_> = (0..50)
            .map(|_| {
                let (handshakes, inside, most) = (
                    Arc::clone(&handshakes),
                    Arc::clone(&inside),
                    Arc::clone(&most),
                );
                tokio::spawn(async move {
                    let work = async {
                        for _ in 0..10 {
                            let now = inside.fetch_add(1, SeqCst) + 1;
                            most.fetch_max(now, SeqCst);
                            // While this one computes, others would, too, if they were let in.
                            for _ in 0..10 {
                                std::thread::yield_now();
                            }
                            inside.fetch_sub(1, SeqCst);
                            yield_now().await;
                        }
                    };
                    handshakes.pass(work).await;
                })
            })
            .collect();
        for member in crowd {
            member.await.unwrap();
        }
        assert!(most.load(SeqCst) <= 2);
    }
}
