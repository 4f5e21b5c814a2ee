//! One task a connection: it pumps bytes and outputs between a socket and a machine.
//!
//! ```text
//!   socket ──read──► machine ──outputs──► Side (hub, dialback, log)
//!      ▲                │ Send
//!      └──write── out ◄─┘◄── queue (only while open, and only when the last batch has left)
//! ```
//!
//! The driver decides nothing. It owns the order: what a machine puts out before `StartTls` or
//! `Close` is written first, and what comes out of the queue is counted as delivered only when
//! the socket has taken the last byte of it.

mod alarm;
mod ending;
mod gather;
mod holding;
mod noted;
mod securing;
mod side;
mod turn;
mod unread;
mod waiting;
mod writing;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use tokio::sync::watch;

use self::alarm::Alarm;
use self::noted::Noted;
use self::turn::Turn;
use self::waiting::Turns;
use self::writing::after;
use crate::net::io::clock;
use crate::net::io::tls::TlsFault;
use crate::net::io::transport::{Progress, Transport, Wanted};
use crate::net::live::facts::StreamFacts;
use crate::net::live::mailbox::{Incoming, Mailbox, Trial};
use crate::net::relay::queue::QueuedStanza;
use crate::net::session::send_buffer::{Leftovers, SendBuffer};
use crate::ops::receipts::Receipts;
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::stream::acks::Suspended;
use crate::proto::stream::{AckChange, Context, Input, Machine, Now, Output};
use crate::proto::words;

pub use self::side::Side;
pub use self::unread::Unread;

/// A connection, its machine, and what is on the way between them.
#[derive(Debug)]
pub struct Driver<M, S> {
    machine: M,
    side: S,
    transport: Transport,
    mailbox: (Mailbox, Incoming),
    context: watch::Receiver<Arc<Context>>,
    send_buffer: SendBuffer,
    /// Taken, and given back before anything of it was written.
    spared: Vec<QueuedStanza>,
    stall: Duration,
    alarm: Alarm,
    turn: Turn,
    noted: Noted,
    /// Whether it was told to end without a goodbye.
    is_aborted: bool,
    /// Whether it was told that the edge is stopping.
    is_settling: bool,
    /// Until when nothing is taken to be written, because it would not be acknowledged.
    held_until: Option<Instant>,
    /// Whose turn it is.
    turns: Turns,
    /// How many records of TLS may still be sent.
    records_left: u32,
}

/// How a stream ended.
#[derive(Debug)]
pub struct Ended<S> {
    /// Why.
    pub reason: Reason,
    /// The side, with what it has learned.
    pub side: S,
    /// What the other side asked for, proven or not.
    pub asked: Option<Domain>,
    /// The stanzas that were not delivered.
    pub left: Leftovers,
    /// What may go on on another connection.
    pub suspended: Option<Suspended>,
}

/// A gateway may read nothing for this long, or be gone without a word, before its link is given up.
pub const WRITE_STALL: Duration = Duration::from_secs(60);
/// How much may wait to be written before reading pauses, in bytes. What one read makes us answer
/// comes on top of it.
pub const OUT_BYTES: usize = 256 << 10;
/// How long the last bytes and the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(5);
/// The same where another connection waits to go on with the session.
const SHORT_GOODBYE: Duration = Duration::from_millis(200);
/// So many outputs are acted on between two looks at the clock: some twenty microseconds.
const LOOK_EACH: usize = 8;
/// Shorter than this, a pause in reading is not worth a word.
const NOTICEABLE: Duration = Duration::from_millis(1);

/// Both clocks, now.
#[must_use]
pub fn now() -> Now {
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Now {
        monotonic: clock::instant(),
        wall: UnixTime::since_unix_epoch(wall),
    }
}

impl<M: Machine + Send, S: Side> Driver<M, S> {
    /// A connection that is there, and the machine that is to speak on it.
    #[must_use]
    pub fn new(
        transport: Transport,
        machine: M,
        side: S,
        mailbox: (Mailbox, Incoming),
        context: watch::Receiver<Arc<Context>>,
    ) -> Self {
        Self {
            records_left: transport.most_records(),
            machine,
            side,
            transport,
            mailbox,
            context,
            send_buffer: SendBuffer::default(),
            spared: Vec::new(),
            stall: WRITE_STALL,
            alarm: Alarm::default(),
            turn: Turn::begin(clock::instant()),
            noted: Noted::begin(clock::instant()),
            is_aborted: false,
            is_settling: false,
            held_until: None,
            turns: Turns::default(),
        }
    }

    /// How long the other side may read nothing before the stream is given up.
    #[must_use]
    pub fn with_stall(self, stall: Duration) -> Self {
        Self { stall, ..self }
    }

    /// Counts what passes, and keeps what TLS shows.
    #[must_use]
    pub fn known_by(mut self, facts: &Arc<StreamFacts>) -> Self {
        self.noted.facts = Some(Arc::clone(facts));
        self
    }

    /// Runs the stream to its end.
    ///
    /// Thousands of streams are idle, and each keeps room for the longest way through this future. So
    /// what a stream does once in its life (TLS, the end) is in boxes of its own, made when it is due.
    pub fn run(self) -> impl Future<Output = Ended<S>> {
        let mut driver = Box::new(self);
        async move {
            let reason = driver.run_to_end().await;
            driver.ended(reason)
        }
    }

    async fn run_to_end(&mut self) -> Reason {
        self.machine.handle(now(), Input::Connected);
        let reason = loop {
            match self.drain().await {
                Ok(Some(reason)) => break reason,
                Ok(None) => {}
                Err(reason) => {
                    self.machine.handle(now(), Input::End(reason.clone()));
                    // The connection went down with the handshake.
                    self.note_what_has_left(&reason).await;
                    return reason;
                }
            }
            self.wait().await;
            if self.is_aborted {
                // What is not acknowledged may go on, on another connection.
                let cut = Reason::Transport("it was given up".to_owned());
                self.machine.handle(now(), Input::End(cut));
                self.note_what_has_left(&Reason::Shutdown).await;
                return Reason::Shutdown;
            }
        };
        Box::pin(self.goodbye(&reason)).await;
        self.note_what_has_left(&reason).await;
        reason
    }

    /// Acts on all outputs; the reason, if the stream is over.
    async fn drain(&mut self) -> Result<Option<Reason>, Reason> {
        let (mut held, mut begun) = (Duration::ZERO, clock::instant());
        self.turn.resume(begun);
        let (mut stanzas, mut since_look) = (0, 0);
        #[expect(
            clippy::while_let_loop,
            reason = "there the future would keep room for the output, beside what it is moved to"
        )]
        loop {
            let Some(output) = self.machine.poll_output() else {
                break;
            };
            match output {
                Output::Send(bytes) => self.send_buffer.append(bytes),
                Output::StartTls { local, remote } => {
                    Box::pin(self.start_tls(local, remote)).await?;
                    begun = clock::instant();
                }
                Output::ShutWrite => {
                    Box::pin(self.shut_write()).await;
                    begun = clock::instant();
                }
                Output::Acks(AckChange::Sought { id, h }) => Box::pin(self.sought(id, h)).await,
                Output::Acks(change) => self.acks(change),
                Output::Pinged(id) => self.mailbox.1.await_pong(id),
                Output::Close(reason) => return Ok(Some(reason)),
                other => {
                    stanzas += usize::from(matches!(other, Output::Stanza(_)));
                    let (acted, has_waited) = self.act(other, begun).await;
                    since_look += 1;
                    // Most are done at once: then the clock has little to say.
                    if has_waited || since_look == LOOK_EACH {
                        since_look = 0;
                        let ended = clock::instant();
                        held += ended.duration_since(begun);
                        begun = self.turn.work(ended).await;
                    }
                    if let Err(reason) = acted {
                        self.machine.handle(now(), Input::End(reason));
                    }
                }
            }
        }
        self.turn.pause(clock::instant()).await;
        if let Some(facts) = self.noted.facts.as_ref().filter(|_| stanzas > 0) {
            facts.traffic.stanzas_in.add(stanzas);
        }
        if held >= NOTICEABLE {
            self.machine.handle(now(), Input::Held(held));
        }
        Ok(None)
    }

    fn acks(&mut self, change: AckChange) {
        match change {
            AckChange::Begun(id) => {
                self.send_buffer.await_acknowledgements();
                self.side.acks_begun(id, &self.mailbox.0);
            }
            AckChange::Refused => self.send_buffer.expect_no_acknowledgements(),
            AckChange::Acknowledged(count) => self.send_buffer.acknowledged(count),
            AckChange::Resumed(h) => {
                self.send_buffer.await_acknowledgements();
                self.side.goes_on(Some(h));
            }
            AckChange::NotResumed(h) => self.side.goes_on(h),
            // See [`Self::sought`].
            AckChange::Sought { .. } => {}
        }
    }

    async fn sought(&mut self, id: String, h: u32) {
        let found = self.side.sought(&id, h).await.map(Box::new);
        self.machine.handle(now(), Input::Found(found));
    }

    /// Acts on an output. What waits to be written is written meanwhile: a partner that is ahead of
    /// its rate still gets the answers to what it sent before. Says also whether it had to wait.
    async fn act(&mut self, output: Output, now: Instant) -> (Result<(), Reason>, bool) {
        let mut acting = pin!(self.side.act(output, &self.mailbox.0, now));
        let at_once = poll_fn(|cx| Poll::Ready(acting.as_mut().poll(cx))).await;
        if let Poll::Ready(acted) = at_once {
            return (acted, false);
        }
        loop {
            let wanted = Wanted {
                write: self.send_buffer.unwritten(),
                flush: true,
                read: false,
            };
            tokio::select! {
                biased;
                acted = &mut acting => return (acted, true),
                progress = self.transport.progress(wanted, |_| {}), if !self.send_buffer.is_idle() => {
                    match progress {
                        Ok(Progress::Written(count)) => {
                            self.send_buffer.written(count);
                            self.noted.wrote(count);
                            self.records_left = after(self.records_left, count);
                        }
                        Ok(Progress::Flushed) => self.send_buffer.flushed(),
                        Ok(Progress::Read | Progress::End) => {}
                        // The next look at the connection finds the same, and ends the stream.
                        Err(_) => return (acting.await, true),
                    }
                }
            }
        }
    }

    /// A time has come. Where only a rest is over, the machine has nothing to do, and a trace nothing to record.
    fn time_is_up(&mut self) {
        let now = now();
        let is_up = |at: Option<Instant>| at.is_some_and(|at| at <= now.monotonic);
        if is_up(self.send_buffer.stalled_at(self.stall)) {
            let reason = Reason::Transport("the other side does not read".to_owned());
            self.machine.handle(now, Input::End(reason));
        } else if is_up(self.machine.deadline()) {
            self.machine.handle(now, Input::Tick);
        }
    }

    /// The connection is broken.
    fn broke(&mut self, error: &std::io::Error) {
        let reason = match TlsFault::of(error) {
            TlsFault::Io { .. } | TlsFault::Closed | TlsFault::TimedOut => {
                Reason::Transport(words::of_error(error))
            }
            fault => Reason::TlsFailed {
                code: fault.code(),
                detail: fault.to_string(),
            },
        };
        self.machine.handle(now(), Input::End(reason));
    }

    /// When there is something to do though nothing happens.
    fn due(&mut self, held_until: Option<Instant>) -> Option<Instant> {
        let stalled = self.send_buffer.stalled_at(self.stall);
        let rests_until = self.noted.gather.rests_until(clock::instant);
        let all = [self.machine.deadline(), held_until, rests_until, stalled];
        all.into_iter().flatten().min()
    }

    /// Says whether the stream would live by other rules, if anybody still waits for that.
    fn judge(&self, trial: Trial) {
        if let Some(context) = trial.context.upgrade() {
            let word = self.machine.would_admit(&context, now());
            // Whoever asked may have gone this very moment.
            trial.word.send(word).unwrap_or_default();
        }
    }

    fn deliver(&mut self, stanzas: Vec<QueuedStanza>) {
        if let Some(facts) = &self.noted.facts {
            facts.traffic.stanzas_out.add(stanzas.len());
            facts.alive(clock::instant());
        }
        // One buffer and one look at the clock for all of them.
        let now = now();
        let length = stanzas.iter().map(|it| it.stanza.bytes().len()).sum();
        let mut bytes = Vec::with_capacity(length);
        if let Some(unread) = self.side.unread() {
            unread.took(length, now.monotonic);
        }
        let base = self.send_buffer.end();
        self.send_buffer.reserve(stanzas.len());
        let mut ends = Vec::with_capacity(stanzas.len());
        for queued in &stanzas {
            self.machine.deliver(now, &queued.stanza, &mut bytes);
            ends.push(base + bytes.len() as u64);
        }
        self.send_buffer.append(bytes);
        let mut begin = base;
        for (queued, end) in stanzas.into_iter().zip(ends) {
            // The machine writes nothing for whom nothing is proven here.
            match begin == end {
                true => self.spared.push(queued),
                false => self.send_buffer.carries_at((begin, end), queued),
            }
            begin = end;
        }
    }
}

/// Whether what has come counts as never read: the edge is stopping, and its sender, which has heard
/// nothing of it, sends it again elsewhere.
#[must_use]
pub fn is_left_to_sender(output: &Output, receipts: Option<&Receipts>) -> bool {
    let has_come = matches!(output, Output::Stanza(_) | Output::Refused { .. });
    has_come && receipts.is_some_and(Receipts::is_closed)
}

#[cfg(test)]
mod tests;
