//! What a driver waits for.
//!
//! ```text
//!   told? ─► settled? ─► queue or socket, by turns ─► late? ─► asleep
//!     └───────────┴──────────────┴──────────────────────┴─► the machine hears of it
//! ```
//!
//! What is rare comes first: it costs next to nothing to see that there is none of it, and a stream that always has
//! something to read or to write still hears of it at once. A time that has come lets one thing pass: what was there
//! before it, because a process that was stopped for long must not end a stream whose answer has come.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::{Driver, OUT_BYTES, Side, now};
use crate::net::io::transport::{ANY_NUMBER, Progress, Wanted};
use crate::net::live::mailbox::Command;
use crate::net::relay::queue::{BATCH_BYTES, Consumer, Queue, QueuedStanza};
use crate::ops::receipts::Receipts;
use crate::proto::policy::Reason;
use crate::proto::stream::{Input, Machine};

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Whether the queue is looked at before the socket: after something was read or written, until something was taken.
    takes_first: bool,
    /// Whether something has passed before a time that had come.
    has_passed: bool,
}

impl Turns {
    /// Whose turn it is next. A word, or a stanza that is settled, takes nobody's turn: each read may settle some.
    fn note(&mut self, happened: &Happened) {
        match happened {
            Happened::Taken(_) => self.takes_first = false,
            Happened::Progress(_) => self.takes_first = true,
            Happened::Late => self.has_passed = false,
            Happened::Told(_) | Happened::Settled(_) => {}
        }
    }
}

/// What has happened.
enum Happened {
    Told(Command),
    Settled(u32),
    /// A time has come.
    Late,
    Taken(Vec<QueuedStanza>),
    Progress(std::io::Result<Progress>),
}

impl<M: Machine + Send, S: Side> Driver<M, S> {
    /// Waits for the next thing to happen, and tells the machine.
    pub(super) async fn wait(&mut self) {
        if let Err(error) = self.write_now().await {
            return self.broke(&error);
        }
        if self.records_left == 0 {
            self.records_left = ANY_NUMBER;
            return self.end(Reason::KeyUsedUp);
        }
        // New rules may have come before this stream was registered. Then no word tells of them.
        if self.renew() {
            return;
        }
        match self.happened().await {
            Happened::Told(command) => self.told(command),
            Happened::Settled(h) => {
                self.machine.handle(now(), Input::Settled(h));
                self.end_if_settled();
            }
            Happened::Late => self.time_is_up(),
            Happened::Taken(stanzas) => self.deliver(stanzas),
            Happened::Progress(Ok(Progress::End)) => self.machine.handle(now(), Input::Eof),
            Happened::Progress(Ok(progress)) => self.written(progress),
            Happened::Progress(Err(error)) => self.broke(&error),
        }
    }

    async fn happened(&mut self) -> Happened {
        let held_until = self.held_until();
        // Nothing is borrowed here that would keep its place in the future.
        let takes = held_until.is_none() && self.has_room();
        let queue = if takes { self.side.queue() } else { None };
        let most = self.side.unread().map_or(BATCH_BYTES, |it| it.batch());
        let receipts = self.side.receipts();
        let due = self.due(held_until);
        let Turns {
            takes_first,
            has_passed,
        } = self.turns;
        let wanted = Wanted {
            write: self.send_buffer.unwritten(),
            flush: !self.send_buffer.is_idle(),
            read: self.send_buffer.len() < OUT_BYTES && !self.noted.gather.is_resting(),
        };
        // What comes after a reload is judged by the new rules, whichever of the two is seen first.
        let mut read = |bytes: &[u8]| {
            let now = now();
            self.turn.resume(now.monotonic);
            self.noted.read(bytes.len(), now.monotonic);
            if self.context.has_changed().unwrap_or_default() {
                let new = Arc::clone(&self.context.borrow_and_update());
                self.machine.handle(now, Input::Context(new));
            }
            self.machine.handle(now, Input::Bytes(bytes));
        };
        let mut settled = pin!(settled(receipts));
        let mut taken = pin!(take(queue, self.send_buffer.in_flight(), most));
        let happened = poll_fn(|cx| {
            if let Poll::Ready(command) = self.mailbox.1.poll_next(cx) {
                return Poll::Ready(Happened::Told(command));
            }
            if let Poll::Ready(h) = settled.as_mut().poll(cx) {
                return Poll::Ready(Happened::Settled(h));
            }
            let is_late = due.is_some_and(|due| self.alarm.poll(cx, due).is_ready());
            self.turns.has_passed = is_late;
            if is_late && has_passed {
                return Poll::Ready(Happened::Late);
            }
            if takes_first && let Poll::Ready(stanzas) = taken.as_mut().poll(cx) {
                return Poll::Ready(Happened::Taken(stanzas));
            }
            if let Poll::Ready(done) = self.transport.poll_progress(cx, wanted, &mut read) {
                return Poll::Ready(Happened::Progress(done));
            }
            if !takes_first && let Poll::Ready(stanzas) = taken.as_mut().poll(cx) {
                return Poll::Ready(Happened::Taken(stanzas));
            }
            match is_late {
                true => Poll::Ready(Happened::Late),
                false => Poll::Pending,
            }
        })
        .await;
        self.turns.note(&happened);
        happened
    }

    fn told(&mut self, command: Command) {
        match command {
            Command::Answer(answer) => self.machine.handle(now(), Input::Answer(*answer)),
            Command::Pong(id) => self.machine.handle(now(), Input::Pong(&id)),
            Command::Probe => self.machine.handle(now(), Input::Probe),
            Command::Share(pair) => self.machine.handle(now(), Input::Share(*pair)),
            Command::Renew => _ = self.renew(),
            Command::Try(trial) => self.judge(trial),
            Command::Abort => self.is_aborted = true,
            Command::Settle => self.settle(),
            Command::End(reason) => self.end(*reason),
        }
    }

    /// Puts new rules in force; false, if there are none.
    fn renew(&mut self) -> bool {
        let are_new = self.context.has_changed().unwrap_or_default();
        if are_new {
            let context = Arc::clone(&self.context.borrow_and_update());
            self.machine.handle(now(), Input::Context(context));
        }
        are_new
    }
}

async fn take(
    queue: Option<(Arc<Queue>, Consumer)>,
    unfinished: usize,
    most: usize,
) -> Vec<QueuedStanza> {
    match queue {
        Some((queue, consumer)) => queue.take_besides(unfinished, consumer, most).await,
        None => std::future::pending().await,
    }
}

async fn settled(receipts: Option<Arc<Receipts>>) -> u32 {
    match receipts {
        Some(receipts) => {
            receipts.grown().await;
            receipts.handled()
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_first_after_the_socket_and_the_socket_after_the_queue() {
        let mut turns = Turns::default();
        let mut first = |happened: &Happened| {
            turns.note(happened);
            turns.takes_first
        };
        let read = Happened::Progress(Ok(Progress::Read));
        for _ in 0..2 {
            assert!(first(&read));
            for other in [
                Happened::Settled(1),
                Happened::Told(Command::Renew),
                Happened::Late,
            ] {
                assert!(first(&other));
            }
            assert!(first(&read));
            assert!(!first(&Happened::Taken(Vec::new())));
            assert!(!first(&Happened::Settled(2)));
        }
    }
}
