//! The receiving entity: a partner's stream, from its first byte to its last.
//!
//! ```text
//!                  ┌──────────────────────────────────────────────────────────┐
//!                  ▼                                                          │
//!  connect ─► ExpectHeader ─► Negotiating ── <starttls/> ─► ExpectTls ─ TLS up┤
//!                  │            │   ▲  │                                      │
//!                  │            │   │  └── <auth/> EXTERNAL, <success/> ──────┘
//!                  │            │   └───── <db:result/>, asked, answered: one more proven pair
//!                  │            └───────── stanzas, once a pair is proven
//!                  └── any fault, idle, shutdown ─► Closing ─► Closed
//! ```
//!
//! Each of up to three headers (in the clear, after TLS, after EXTERNAL) passes the same checks.
//! A pair is proven by a good certificate or by dialback; nothing else makes a stanza pass.

mod admission;
mod dialback;
mod expect_header;
mod negotiating;
mod sasl;

use std::sync::Arc;
use std::time::Instant;

use self::admission::{admitted_again, set_limits};
use self::expect_header::{Begun, Claimed, ExpectHeader, ExpectTls, Nameless};
use self::negotiating::{Negotiating, Next};
use super::close::Closing;
use super::wire::Wire;
use super::{Context, IdSource, Input, Machine, Now, Output};
use crate::proto::codes::Mark;
use crate::proto::policy::Reason;
use crate::proto::xml::writer::write_close;
use crate::proto::xml::{Event, StreamKind};

/// A stream that a partner opened.
#[derive(Debug)]
pub struct Inbound {
    context: Arc<Context>,
    wire: Wire,
    ids: IdSource,
    establishment: Instant,
    /// Since when something is there that is not yet whole.
    begun: Option<Instant>,
    /// When what is still to be read came: reading stopped at a stanza.
    unread: Option<Now>,
    /// Whom the last header named, for a header of ours that only carries an error.
    claimed: Claimed,
    state: State,
}

#[derive(Debug)]
enum State {
    ExpectHeader(Box<ExpectHeader>),
    Negotiating(Box<Negotiating>),
    Nameless(Nameless),
    ExpectTls(ExpectTls),
    /// Stanzas that were already on their way are still taken.
    Closing(Closing, Option<Box<Negotiating>>),
    Closed,
}

impl Inbound {
    /// A connection was accepted.
    #[must_use]
    pub fn new(context: Arc<Context>, ids: IdSource, now: Now) -> Self {
        Self {
            wire: Wire::new(StreamKind::Server, &context.unproven),
            ids,
            establishment: now.monotonic + context.timing.establishment,
            context,
            begun: None,
            unread: None,
            claimed: Claimed::default(),
            state: State::ExpectHeader(Box::default()),
        }
    }

    fn read(&mut self, now: Now, bytes: &[u8]) {
        match self.state {
            State::Closed => return,
            // RFC 6120 §5.4.3.3: after `<proceed/>` nothing in the clear means anything.
            State::ExpectTls(_) => return self.gone(Reason::PlaintextInjection),
            _ => {}
        }
        match (self.wire.feed(bytes), &self.state) {
            (Ok(()), _) => {}
            (Err(reason), State::Closing(..)) => return self.gone(reason),
            (Err(reason), _) => return self.fail(now, reason),
        }
        // After `<proceed/>` the next byte belongs to TLS.
        while !matches!(self.state, State::ExpectTls(_) | State::Closed) {
            match self.wire.next_event() {
                Ok(Some(event)) => {
                    self.begun = None;
                    self.advance(now, |state, cx| state.handle(cx, event));
                    if self.wire.has_stanza() {
                        self.unread = Some(now);
                        return;
                    }
                }
                Ok(None) if self.wire.is_unfinished() => {
                    self.begun.get_or_insert(now.monotonic);
                    return;
                }
                Ok(None) => return,
                Err(reason) => return self.fail(now, reason),
            }
        }
    }

    /// Runs one transition; an error is the end of the stream.
    fn advance(
        &mut self,
        now: Now,
        step: impl FnOnce(State, &mut Cx<'_>) -> Result<State, Reason>,
    ) {
        let state = std::mem::replace(&mut self.state, State::Closed);
        let mut cx = Cx {
            context: &self.context,
            wire: &mut self.wire,
            ids: &mut self.ids,
            claimed: &mut self.claimed,
            now,
        };
        match step(state, &mut cx) {
            Ok(state) => self.state = state,
            Err(reason) => self.begin_closing(now, reason, None),
        }
    }

    /// Ends the stream.
    fn fail(&mut self, now: Now, reason: Reason) {
        match std::mem::replace(&mut self.state, State::Closed) {
            // What closes already closes for its first reason. If nothing can be read any more, the
            // grace is still the other side's, to read why.
            state @ (State::Closing(..) | State::Closed) => self.state = state,
            // No XML can be written while TLS is being set up.
            State::ExpectTls(_) => self.wire.push(Output::Close(reason)),
            // The partner has done nothing wrong.
            State::Negotiating(open) if reason.has(Mark::TakesTheRest) => {
                self.begin_closing(now, reason, Some(open));
            }
            State::Negotiating(_) | State::ExpectHeader(_) | State::Nameless(_) => {
                self.begin_closing(now, reason, None);
            }
        }
    }

    fn begin_closing(&mut self, now: Now, reason: Reason, open: Option<Box<Negotiating>>) {
        // RFC 6120 §4.9.1.2: an error is sent inside a stream, so our header goes first.
        if !self.wire.header_sent() {
            let id = self.ids.next_id();
            self.claimed
                .send_header(&mut self.wire, &self.context.rules, &id);
        }
        let closing = Closing::begin_accepted(&mut self.wire, now, reason);
        if open.is_none() {
            self.wire.allow(self.context.unproven.bytes);
        }
        self.state = State::Closing(closing, open);
    }

    /// The connection is over, or as good as that.
    fn gone(&mut self, reason: Reason) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Closing(closing, _) => closing.end(&mut self.wire),
            State::Closed => {}
            _ => self.wire.push(Output::Close(reason)),
        }
    }

    /// RFC 6120 §13.7.2.3: a certificate that has expired proves nothing any more.
    fn expired(&mut self, now: Now) -> Option<Reason> {
        let State::Negotiating(open) = &mut self.state else {
            return None;
        };
        let expiry = open.expiry()?;
        if expiry.deadline() > now.monotonic {
            return None;
        }
        expiry.look(now).map(Reason::CertificateExpired)
    }

    /// What the partner, or its authoritative server, still owes until something is proven.
    fn waiting_for(&self) -> &'static str {
        match &self.state {
            State::ExpectHeader(state) => state.waiting_for(),
            State::Negotiating(open) => open.waiting_for(),
            State::Nameless(_) => "<starttls/>",
            State::ExpectTls(_) => "the end of the TLS handshake",
            State::Closing(..) | State::Closed => "the closing tag",
        }
    }

    /// When a stanza that was begun must be whole: whoever has proven a pair may send much, but
    /// not keep it here in pieces.
    fn stanza_due(&self) -> Option<Instant> {
        Some(self.begun? + self.context.timing.establishment)
    }
}

impl Machine for Inbound {
    fn handle(&mut self, now: Now, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => self.read(now, bytes),
            Input::Eof => self.gone(Reason::PeerClosed),
            Input::TlsUp(facts) => self.advance(now, |state, cx| state.tls_up(cx, facts)),
            Input::Tick => {
                // A timer that was set for an earlier deadline changes nothing.
                if self.deadline().is_none_or(|due| due > now.monotonic) {
                    return;
                }
                match self.state {
                    State::Closing(..) => self.gone(Reason::PeerClosed),
                    State::Negotiating(_) if self.is_open() => {
                        if let Some(reason) = self.expired(now) {
                            return self.fail(now, reason);
                        }
                        // It may be that only the certificate was to be looked at.
                        if self.deadline().is_none_or(|due| due > now.monotonic) {
                            return;
                        }
                        let stuck = self.stanza_due().is_some_and(|due| due <= now.monotonic);
                        let reason = if stuck {
                            Reason::StanzaUnfinished
                        } else {
                            Reason::Idle
                        };
                        self.fail(now, reason);
                    }
                    _ => self.fail(now, Reason::EstablishmentTimeout(self.waiting_for())),
                }
            }
            Input::Answer(answer) => self.advance(now, |state, cx| match state {
                State::Negotiating(mut open) => {
                    dialback::answered(&mut open, cx, &answer)?;
                    Ok(State::Negotiating(open))
                }
                other => Ok(other),
            }),
            Input::Context(context) => {
                self.context = context;
                self.advance(now, |state, cx| state.judge_again(cx));
            }
            Input::End(reason) if reason.has(Mark::Cut) => self.gone(reason),
            Input::End(reason) => self.fail(now, reason),
            Input::Held(time) => {
                self.begun = self.begun.map(|begun| begun + time);
                if let State::Negotiating(open) = &mut self.state {
                    open.last_stanza += time;
                }
            }
            // A partner's stream is one-way (RFC 6120 §4.5), and it is the partner who speaks.
            Input::Connected | Input::Deliver(_) | Input::Pong(_) | Input::Probe => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.wire.poll_output() {
                return Some(output);
            }
            let now = self.unread.take()?;
            self.read(now, &[]);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::ExpectHeader(_) | State::ExpectTls(_) | State::Nameless(_) => {
                Some(self.establishment)
            }
            State::Negotiating(open) if open.proven.is_empty() => Some(self.establishment),
            State::Negotiating(open) => {
                let idle = open.last_stanza + self.context.timing.inactivity;
                let others = [self.stanza_due(), open.expires()];
                Some(others.into_iter().flatten().fold(idle, Instant::min))
            }
            State::Closing(closing, _) => Some(closing.deadline()),
            State::Closed => None,
        }
    }

    fn is_open(&self) -> bool {
        matches!(&self.state, State::Negotiating(open) if !open.proven.is_empty())
    }
}

impl State {
    fn handle(self, cx: &mut Cx<'_>, event: Event) -> Result<Self, Reason> {
        match (self, event) {
            (Self::ExpectHeader(state), Event::Header(header)) => {
                Ok(match state.header(cx, &header)? {
                    Begun::Negotiating(open) => Self::Negotiating(open),
                    Begun::Nameless(nameless) => Self::Nameless(nameless),
                })
            }
            (Self::Nameless(nameless), Event::Element(element)) => nameless.element(cx, &element),
            (Self::Negotiating(mut open), Event::Element(element)) => {
                match open.element(cx, element)? {
                    Next::Stay => Ok(Self::Negotiating(open)),
                    Next::ExpectTls(state) => Ok(Self::ExpectTls(state)),
                    Next::ExpectHeader(state) => Ok(Self::ExpectHeader(state)),
                }
            }
            (Self::Negotiating(mut open), Event::Excess(excess)) => {
                open.excess(cx, excess)?;
                Ok(Self::Negotiating(open))
            }
            // RFC 6120 §4.4: what arrives until the other side has closed, too, still counts.
            (Self::Closing(closing, Some(mut open)), Event::Element(element)) => {
                let outcome = open.late(cx, element);
                Ok(Self::after_late(cx, closing, open, outcome))
            }
            (Self::Closing(closing, Some(mut open)), Event::Excess(excess)) => {
                let outcome = open.excess(cx, excess);
                Ok(Self::after_late(cx, closing, open, outcome))
            }
            (Self::Closing(closing, _), Event::Close) => {
                closing.end(cx.wire);
                Ok(Self::Closed)
            }
            // RFC 6120 §4.4: a closing tag is answered with one.
            (Self::Negotiating(_) | Self::Nameless(_), Event::Close) => {
                cx.wire.send_with(write_close);
                cx.wire.push(Output::Close(Reason::PeerClosed));
                Ok(Self::Closed)
            }
            (state, _) => Ok(state),
        }
    }

    /// Something came after our closing tag.
    fn after_late(
        cx: &mut Cx<'_>,
        closing: Closing,
        open: Box<Negotiating>,
        outcome: Result<(), Reason>,
    ) -> Self {
        if outcome.is_ok() {
            return Self::Closing(closing, Some(open));
        }
        // Nothing may follow our closing tag, so the reason is not sent: no more stanzas are taken.
        cx.wire.allow(cx.context.unproven.bytes);
        Self::Closing(closing, None)
    }

    /// A reload: what the new rules would not admit, by the facts it was admitted on, ends here.
    fn judge_again(mut self, cx: &mut Cx<'_>) -> Result<Self, Reason> {
        let (tls, pair, proven) = match &mut self {
            Self::Negotiating(open) => (&mut open.tls, Some(&open.pair), &open.proven),
            Self::ExpectHeader(state) => (&mut state.tls, state.before.as_ref(), &state.proven),
            Self::Nameless(Nameless { local }) if !cx.context.rules.is_local(local) => {
                return Err(Reason::UnknownLocalDomain(local.to_string()));
            }
            // What is asked once TLS is up is asked of the rules of then.
            Self::ExpectTls(_) | Self::Nameless(_) | Self::Closing(..) | Self::Closed => {
                return Ok(self);
            }
        };
        if let Some(pair) = pair {
            admitted_again(cx, tls, pair, proven)
                .map_err(|reason| Reason::PolicyChanged(Box::new(reason)))?;
            set_limits(cx, proven);
        }
        Ok(self)
    }
}

/// What a transition may use.
struct Cx<'a> {
    context: &'a Context,
    wire: &'a mut Wire,
    ids: &'a mut IdSource,
    claimed: &'a mut Claimed,
    now: Now,
}
