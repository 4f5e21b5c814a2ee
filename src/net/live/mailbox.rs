//! Where a stream hears from other tasks: one slot for each thing that it may be told.
//!
//! A slot cannot overflow, so nothing that a peer does makes a mailbox grow, and the word to end
//! is never lost.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

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
    /// Something was told.
    told: Notify,
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
        self.0.lock().end.get_or_insert_with(|| Box::new(reason));
        self.0.told.notify_one();
    }

    /// Tells the stream the answer to one of its questions.
    pub fn answer(&self, answer: Answer) {
        let mut slots = self.0.lock();
        // More answers than questions can be open answer nothing.
        if slots.answers.len() < MAX_OPEN && !slots.is_closed {
            slots.answers.push_back(Box::new(answer));
        }
        drop(slots);
        self.0.told.notify_one();
    }

    /// Tells the stream that its ping was answered. False, and nothing happens, where no ping with
    /// this id is awaited.
    #[must_use]
    pub fn pong(&self, id: &str) -> bool {
        let mut slots = self.0.lock();
        if slots.is_closed || slots.ping.as_deref() != Some(id) {
            return false;
        }
        slots.pong = slots.ping.take();
        drop(slots);
        self.0.told.notify_one();
        true
    }

    /// Tells the stream to find out whether the other side lives.
    pub fn probe(&self) {
        self.0.lock().probe = true;
        self.0.told.notify_one();
    }

    /// Tells the stream that another pair wants to share it.
    pub fn share(&self, pair: Pair) {
        let mut slots = self.0.lock();
        if !slots.is_closed && !slots.shares.iter().any(|known| **known == pair) {
            slots.shares.push_back(Box::new(pair));
        }
        drop(slots);
        self.0.told.notify_one();
    }

    /// Tells the stream, once, that the edge is stopping.
    pub fn settle(&self) {
        let mut slots = self.0.lock();
        if slots.is_settling {
            return;
        }
        (slots.settle, slots.is_settling) = (true, true);
        drop(slots);
        self.0.told.notify_one();
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
        let mut slots = self.0.lock();
        if !slots.is_closed {
            slots.trial = Some(Box::new(trial));
        }
        drop(slots);
        self.0.told.notify_one();
    }

    /// Tells the stream to end without a goodbye. Nothing else counts from here on.
    pub fn abort(&self) {
        self.0.lock().abort = true;
        self.0.told.notify_one();
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

    /// The next thing that the stream is told. May be dropped and called again without losing one.
    pub async fn next(&mut self) -> Command {
        loop {
            if let Some(command) = self.0.lock().next() {
                return command;
            }
            self.0.told.notified().await;
        }
    }

    /// Waits for the word that the stream is to end; nothing else means anything yet.
    pub async fn end(&mut self) -> Reason {
        loop {
            if let Some(reason) = self.0.lock().end() {
                return reason;
            }
            self.0.told.notified().await;
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let mut slots = self.0.lock();
        *slots = Slots {
            is_closed: true,
            ..Slots::default()
        };
        drop(slots);
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
    use std::task::{Context, Poll, Waker};

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
            let Some(Command::Answer(said)) = now(incoming.next()) else {
                panic!("no answer {number}");
            };
            assert_eq!(said.question().stream_id, number.to_string());
        }
        let Some(Command::End(reason)) = now(incoming.next()) else {
            panic!("no end");
        };
        assert_eq!(*reason, Reason::Shutdown);
        assert!(now(incoming.next()).is_none());
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
        let told = now(incoming.next());
        assert!(matches!(told, Some(Command::Pong(id)) if &*id == "two"));
        assert!(now(incoming.next()).is_none());
        incoming.await_pong("three".to_owned());
        drop(incoming);
        assert!(!mailbox.pong("three"));
    }

    #[tokio::test]
    async fn who_is_told_to_go_at_once_hears_nothing_else() {
        let (mailbox, mut incoming) = mailbox();
        mailbox.probe();
        mailbox.probe();
        assert!(matches!(now(incoming.next()), Some(Command::Probe)));
        assert!(now(incoming.next()).is_none());
        let watching = mailbox.clone();
        let watching = tokio::spawn(async move { watching.aborted().await });
        tokio::task::yield_now().await;
        mailbox.end(Reason::Idle);
        mailbox.abort();
        watching.await.unwrap();
        for _ in 0..2 {
            assert!(matches!(now(incoming.next()), Some(Command::Abort)));
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
        let Some(Command::Try(trial)) = now(incoming.next()) else {
            panic!("not asked");
        };
        trial.word.send(Ok(())).unwrap();
        assert_eq!(second.try_recv(), Ok(Ok(())));
        assert!(now(incoming.next()).is_none());
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
        assert!(matches!(now(incoming.next()), Some(Command::Settle)));
        mailbox.settle();
        assert!(now(incoming.next()).is_none() && !mailbox.is_settled());
        incoming.settled();
        assert!(mailbox.is_settled());
        let (mailbox, incoming) = super::mailbox();
        drop(incoming);
        assert!(mailbox.is_settled());
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
