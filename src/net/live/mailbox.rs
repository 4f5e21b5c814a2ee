//! Where a stream hears from other tasks: one slot for each thing that it may be told.
//!
//! A slot cannot overflow, so nothing that a peer does makes a mailbox grow, and the word to end
//! is never lost.
//!
//! A stream looks into its mailbox each time it waits, thousands of times for each word that it is told. So the one
//! task that reads leaves its waker here and finds it again, where several readers would have to enter themselves
//! in a list each time.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{self, Poll, Waker};

use tokio::sync::{Notify, oneshot};

use crate::proto::auth::Pair;
use crate::proto::auth::dialback::{Answer, MAX_OPEN};
use crate::proto::policy::Reason;
use crate::proto::stream::Context;

/// What other tasks may tell a stream.
#[derive(Debug)]
pub enum Command {
    /// The authoritative server's answer.
    Answer(Box<Answer>),
    /// The answer to the ping that is awaited: the id of its iq.
    Pong(Box<str>),
    /// Find out now whether the other side lives.
    Probe,
    /// Another pair wants to share the stream.
    Share(Box<Pair>),
    /// There are new rules.
    Renew,
    /// Say whether it would live by other rules; nothing changes.
    Try(Trial),
    /// The edge is stopping: take nothing more on, and come to an account.
    Settle,
    /// End the stream.
    End(Box<Reason>),
    /// End without a goodbye, and give back what is not written.
    Abort,
}

/// Rules that are not in force, and where a stream says whether it would live by them.
#[derive(Debug)]
pub struct Trial {
    /// Gone when nobody waits for the word any more.
    pub context: Weak<Context>,
    /// Takes the word: the reason for which the stream would end.
    pub word: oneshot::Sender<Result<(), Reason>>,
}

/// The side of other tasks. Clones tell the same stream.
#[derive(Clone, Debug)]
pub struct Mailbox(Arc<Shared>);

/// The stream's side. When it is dropped, the mailbox is closed.
#[derive(Debug)]
pub struct Incoming(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    slots: Mutex<Slots>,
    /// The stream is gone, or is to go at once.
    gone: Notify,
}

#[derive(Debug, Default)]
struct Slots {
    end: Option<Box<Reason>>,
    /// At most [`MAX_OPEN`]: a stream asks no more questions at once, and each is answered once.
    answers: VecDeque<Box<Answer>>,
    /// The id of the ping whose answer is awaited.
    ping: Option<Box<str>>,
    pong: Option<Box<str>>,
    probe: bool,
    renew: bool,
    /// Pairs that want to share the stream, each once.
    shares: VecDeque<Box<Pair>>,
    /// The last one that was asked for.
    trial: Option<Box<Trial>>,
    /// Whether it is to come to an account, was told so, and has.
    settle: bool,
    is_settling: bool,
    is_settled: bool,
    /// For good.
    abort: bool,
    is_closed: bool,
    /// Who waits for something to be told.
    waiting: Option<Waker>,
}

/// An empty mailbox.
#[must_use]
pub fn mailbox() -> (Mailbox, Incoming) {
    let shared = Arc::<Shared>::default();
    (Mailbox(Arc::clone(&shared)), Incoming(shared))
}

impl Mailbox {
    /// Tells the stream to end. The first reason that it has not heard yet stands.
    pub fn end(&self, reason: Reason) {
        self.tell(|slots| {
            slots.end.get_or_insert_with(|| Box::new(reason));
        });
    }

    /// Tells the stream the answer to one of its questions.
    pub fn answer(&self, answer: Answer) {
        self.tell(|slots| {
            // More answers than questions can be open answer nothing.
            if slots.answers.len() < MAX_OPEN && !slots.is_closed {
                slots.answers.push_back(Box::new(answer));
            }
        });
    }

    /// Tells the stream that its ping was answered. False, and nothing happens, where no ping with
    /// this id is awaited.
    #[must_use]
    pub fn pong(&self, id: &str) -> bool {
        let is_awaited = |slots: &Slots| !slots.is_closed && slots.ping.as_deref() == Some(id);
        if !is_awaited(&self.0.lock()) {
            return false;
        }
        self.tell(|slots| {
            let is_awaited = is_awaited(slots);
            if is_awaited {
                slots.pong = slots.ping.take();
            }
            is_awaited
        })
    }

    /// Tells the stream to find out whether the other side lives.
    pub fn probe(&self) {
        self.tell(|slots| slots.probe = true);
    }

    /// Tells the stream that there are new rules.
    pub fn renew(&self) {
        self.tell(|slots| slots.renew = true);
    }

    /// Tells the stream that another pair wants to share it.
    pub fn share(&self, pair: Pair) {
        self.tell(|slots| {
            if !slots.is_closed && !slots.shares.iter().any(|known| **known == pair) {
                slots.shares.push_back(Box::new(pair));
            }
        });
    }

    /// Tells the stream, once, that the edge is stopping.
    pub fn settle(&self) {
        self.tell(|slots| {
            slots.settle |= !slots.is_settling;
            slots.is_settling = true;
        });
    }

    /// Whether the stream has come to an account, or is gone.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let slots = self.0.lock();
        slots.is_settled || slots.is_closed
    }

    /// Asks the stream whether it would live by other rules. A stream that is gone says nothing: its
    /// sender is dropped.
    pub fn try_by(&self, trial: Trial) {
        self.tell(|slots| {
            if !slots.is_closed {
                slots.trial = Some(Box::new(trial));
            }
        });
    }

    /// Tells the stream to end without a goodbye. Nothing else counts from here on.
    pub fn abort(&self) {
        self.tell(|slots| slots.abort = true);
        self.0.gone.notify_waiters();
    }

    /// Resolves when the stream is gone.
    pub async fn closed(&self) {
        self.wait(|slots| slots.is_closed).await;
    }

    /// Resolves when the stream is told to end without a goodbye.
    pub async fn aborted(&self) {
        self.wait(|slots| slots.abort).await;
    }

    /// Fills a slot, and wakes the stream.
    fn tell<T>(&self, fill: impl FnOnce(&mut Slots) -> T) -> T {
        let mut slots = self.0.lock();
        let filled = fill(&mut slots);
        let waiting = slots.waiting.take();
        // The woken task needs the lock, so it is freed first.
        drop(slots);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
        filled
    }

    async fn wait(&self, is_so: impl Fn(&Slots) -> bool) {
        loop {
            let gone = self.0.gone.notified();
            if is_so(&self.0.lock()) {
                return;
            }
            gone.await;
        }
    }
}

impl Incoming {
    /// From here on the answer to the ping with this id is awaited, and to no earlier one.
    pub fn await_pong(&self, id: String) {
        self.0.lock().ping = Some(id.into());
    }

    /// Whatever is owed to the other side for what it sent before [`Mailbox::settle`] is said.
    pub fn settled(&self) {
        self.0.lock().is_settled = true;
    }

    /// The next thing that the stream is told. Nothing is lost between two calls.
    pub fn poll_next(&mut self, cx: &mut task::Context<'_>) -> Poll<Command> {
        self.poll(cx, Slots::next)
    }

    /// Waits for the word that the stream is to end; nothing else means anything yet.
    pub async fn end(&mut self) -> Reason {
        poll_fn(|cx| self.poll(cx, Slots::end)).await
    }

    fn poll<T>(
        &self,
        cx: &task::Context<'_>,
        next: impl FnOnce(&mut Slots) -> Option<T>,
    ) -> Poll<T> {
        let mut slots = self.0.lock();
        if let Some(told) = next(&mut slots) {
            return Poll::Ready(told);
        }
        let is_known = |it: &Waker| it.will_wake(cx.waker());
        if !slots.waiting.as_ref().is_some_and(is_known) {
            slots.waiting = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let closed = Slots {
            is_closed: true,
            ..Slots::default()
        };
        // The old contents are dropped after the lock is freed.
        let told = std::mem::replace(&mut *self.0.lock(), closed);
        drop(told);
        self.0.gone.notify_waiters();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    fn end(&mut self) -> Option<Reason> {
        if self.abort || self.settle {
            return Some(Reason::Shutdown);
        }
        self.end.take().map(|reason| *reason)
    }

    /// Answers come before the end: there are only so many.
    fn next(&mut self) -> Option<Command> {
        if self.abort {
            return Some(Command::Abort);
        }
        if std::mem::take(&mut self.renew) {
            return Some(Command::Renew);
        }
        let answer = self.answers.pop_front().map(Command::Answer);
        answer
            .or_else(|| self.pong.take().map(Command::Pong))
            .or_else(|| std::mem::take(&mut self.probe).then_some(Command::Probe))
            .or_else(|| self.shares.pop_front().map(Command::Share))
            .or_else(|| std::mem::take(&mut self.settle).then_some(Command::Settle))
            .or_else(|| self.end.take().map(Command::End))
            .or_else(|| self.trial.take().map(|trial| Command::Try(*trial)))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake};

    use super::*;
    use crate::proto::auth::Pair;
    use crate::proto::auth::dialback::Question;
    use crate::proto::jid::Domain;

    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    fn next(incoming: &mut Incoming) -> Option<Command> {
        now(poll_fn(|cx| incoming.poll_next(cx)))
    }

    fn answer(number: usize) -> Answer {
        let question = Question {
            pair: Pair {
                local: Domain::parse("contoso.example").unwrap(),
                remote: Domain::parse("fabrikam.example").unwrap(),
            },
            stream_id: number.to_string(),
            key: String::new(),
        };
        Answer::unreachable(question, &Reason::Shutdown)
    }

    #[test]
    fn a_mailbox_holds_no_more_than_its_slots_and_never_loses_the_end() {
        let (mailbox, mut incoming) = mailbox();
        for number in 0..10_000 {
            mailbox.answer(answer(number));
            assert!(!mailbox.pong("guessed"));
            mailbox.end(Reason::Shutdown);
        }
        mailbox.end(Reason::Idle);
        for number in 0..MAX_OPEN {
            let Some(Command::Answer(said)) = next(&mut incoming) else {
                panic!("no answer {number}");
            };
            assert_eq!(said.question().stream_id, number.to_string());
        }
        let Some(Command::End(reason)) = next(&mut incoming) else {
            panic!("no end");
        };
        assert_eq!(*reason, Reason::Shutdown);
        assert!(next(&mut incoming).is_none());
    }

    #[test]
    fn only_the_ping_that_is_awaited_is_answered_and_once() {
        let (mailbox, mut incoming) = mailbox();
        assert!(!mailbox.pong("one"));
        incoming.await_pong("one".to_owned());
        incoming.await_pong("two".to_owned());
        assert!(!mailbox.pong("one"));
        assert!(mailbox.pong("two"));
        assert!(!mailbox.pong("two"));
        let told = next(&mut incoming);
        assert!(matches!(told, Some(Command::Pong(id)) if &*id == "two"));
        assert!(next(&mut incoming).is_none());
        incoming.await_pong("three".to_owned());
        drop(incoming);
        assert!(!mailbox.pong("three"));
    }

    #[tokio::test]
    async fn who_is_told_to_go_at_once_hears_nothing_else() {
        let (mailbox, mut incoming) = mailbox();
        mailbox.probe();
        mailbox.probe();
        assert!(matches!(next(&mut incoming), Some(Command::Probe)));
        assert!(next(&mut incoming).is_none());
        let watching = mailbox.clone();
        let watching = tokio::spawn(async move { watching.aborted().await });
        tokio::task::yield_now().await;
        mailbox.end(Reason::Idle);
        mailbox.abort();
        watching.await.unwrap();
        for _ in 0..2 {
            assert!(matches!(next(&mut incoming), Some(Command::Abort)));
        }
        assert_eq!(now(incoming.end()), Some(Reason::Shutdown));
    }

    #[test]
    fn the_last_who_asks_is_answered_and_nobody_by_a_stream_that_is_gone() {
        let (mailbox, mut incoming) = mailbox();
        let ask = || {
            let (word, answer) = oneshot::channel();
            let context = Weak::new();
            mailbox.try_by(Trial { context, word });
            answer
        };
        let (mut first, mut second) = (ask(), ask());
        assert_eq!(first.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        let Some(Command::Try(trial)) = next(&mut incoming) else {
            panic!("not asked");
        };
        trial.word.send(Ok(())).unwrap();
        assert_eq!(second.try_recv(), Ok(Ok(())));
        assert!(next(&mut incoming).is_none());
        let mut late = ask();
        drop(incoming);
        assert_eq!(late.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert_eq!(ask().try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn that_the_edge_is_stopping_is_told_once_and_ends_who_cannot_settle() {
        let (mailbox, mut incoming) = mailbox();
        mailbox.settle();
        mailbox.settle();
        assert_eq!(now(incoming.end()), Some(Reason::Shutdown));
        assert!(matches!(next(&mut incoming), Some(Command::Settle)));
        mailbox.settle();
        assert!(next(&mut incoming).is_none() && !mailbox.is_settled());
        incoming.settled();
        assert!(mailbox.is_settled());
        let (mailbox, incoming) = super::mailbox();
        drop(incoming);
        assert!(mailbox.is_settled());
    }

    /// How often it was woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_word_wakes_who_looked_last_once_until_it_looks_again() {
        let (mailbox, mut incoming) = mailbox();
        let (first, last) = (Arc::<Woken>::default(), Arc::<Woken>::default());
        let mut look = |woken: &Arc<Woken>| {
            let waker = Waker::from(Arc::clone(woken));
            incoming.poll_next(&mut Context::from_waker(&waker))
        };
        let count = |woken: &Woken| woken.0.load(Ordering::Relaxed);
        assert!(look(&first).is_pending());
        assert!(look(&last).is_pending());
        mailbox.renew();
        mailbox.probe();
        assert_eq!((count(&first), count(&last)), (0, 1));
        assert!(matches!(look(&last), Poll::Ready(Command::Renew)));
        assert!(matches!(look(&last), Poll::Ready(Command::Probe)));
        assert!(look(&last).is_pending());
        assert!(!mailbox.pong("not awaited"));
        assert_eq!(count(&last), 1);
        mailbox.end(Reason::Idle);
        assert_eq!((count(&first), count(&last)), (0, 2));
        drop(incoming);
        mailbox.probe();
        // Nobody is kept by a mailbox that is closed.
        assert_eq!(
            (Arc::strong_count(&first), Arc::strong_count(&last)),
            (1, 1)
        );
    }

    #[tokio::test]
    async fn what_is_told_wakes_the_stream_and_its_end_wakes_who_waits_for_it() {
        let (mailbox, mut incoming) = mailbox();
        let waiting = tokio::spawn(async move {
            let reason = incoming.end().await;
            drop(incoming);
            reason
        });
        let watching = mailbox.clone();
        let watching = tokio::spawn(async move { watching.closed().await });
        tokio::task::yield_now().await;
        mailbox.end(Reason::Shutdown);
        assert_eq!(waiting.await.unwrap(), Reason::Shutdown);
        watching.await.unwrap();
        mailbox.closed().await;
    }
}
