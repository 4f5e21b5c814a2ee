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

use std::sync::Arc;
use std::time::Instant;

use super::close::{Closing, peer_error};
use super::features::Offer;
use super::inbound_admission::{Secured, admitted_again, allowed, judge_chain, set_limits, tls_of};
use super::inbound_dialback as dialback;
use super::wire::Wire;
use super::{Context, IdSource, Input, Machine, Now, Output, Record, header};
use crate::proto::auth::chain::{CertReport, TlsFacts, TlsVersion};
use crate::proto::auth::dialback::Pending;
use crate::proto::auth::{Authenticated, Pair, external};
use crate::proto::policy::{Method, Methods, Negotiation, Reason};
use crate::proto::stanza::{Refusal, from_partner};
use crate::proto::xml::writer::write_close;
use crate::proto::xml::{Dialect, Element, Event, Header, Limits, Ns};

/// RFC 6120 §6.4.5: a peer may try again, but not for ever.
const MAX_SASL_FAILURES: u8 = 3;

/// Most bytes of XML that are read before a pair is proven: a hundred times what is needed.
const MAX_UNPROVEN_BYTES: usize = 64 << 10;

/// A stream that a partner opened.
#[derive(Debug)]
pub struct Inbound {
    context: Arc<Context>,
    wire: Wire,
    ids: IdSource,
    establishment: Instant,
    /// What was read before a pair was proven, in bytes.
    unproven: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    ExpectHeader(Box<ExpectHeader>),
    Negotiating(Box<Negotiating>),
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
            wire: Wire::new(Dialect::Server, Limits::UNAUTHENTICATED),
            ids,
            establishment: now.monotonic + context.timing.establishment,
            context,
            unproven: 0,
            state: State::ExpectHeader(Box::default()),
        }
    }

    fn pump(&mut self, now: Now) {
        loop {
            // After `<proceed/>` the next byte belongs to TLS.
            if matches!(self.state, State::ExpectTls(_) | State::Closed) {
                return;
            }
            match self.wire.next_event() {
                Ok(Some(event)) => self.advance(now, |state, cx| state.handle(cx, event)),
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
            now,
        };
        match step(state, &mut cx) {
            Ok(state) => self.state = state,
            Err(reason) => self.begin_closing(now, reason, None),
        }
    }

    /// Whether nothing has been proven yet.
    fn establishment_is_due(&self) -> bool {
        match &self.state {
            State::ExpectHeader(state) => state.proven.is_empty(),
            State::Negotiating(open) => open.proven.is_empty(),
            State::ExpectTls(_) => true,
            State::Closing(..) | State::Closed => false,
        }
    }

    fn fail(&mut self, now: Now, reason: Reason) {
        match std::mem::replace(&mut self.state, State::Closed) {
            // A fault while closing ends the wait.
            State::Closing(closing, _) => closing.end(&mut self.wire),
            State::Closed => {}
            State::ExpectTls(_) => self.wire.push(Output::Close(reason)),
            State::Negotiating(open) if matches!(reason, Reason::Idle | Reason::Shutdown) => {
                self.begin_closing(now, reason, Some(open));
            }
            State::Negotiating(_) | State::ExpectHeader(_) => {
                self.begin_closing(now, reason, None);
            }
        }
    }

    fn begin_closing(&mut self, now: Now, reason: Reason, open: Option<Box<Negotiating>>) {
        // RFC 6120 §4.9.1.2: an error is sent inside a stream, so our header goes first.
        if !self.wire.header_sent() {
            let from = self.context.rules.local().first();
            let id = self.ids.next_id();
            header::send(
                &mut self.wire,
                &[
                    ("from", from.map_or("", |domain| domain.as_str())),
                    ("id", &id),
                    ("version", "1.0"),
                ],
            );
        }
        let closing = Closing::begin(&mut self.wire, now, reason);
        self.state = State::Closing(closing, open);
    }

    fn gone(&mut self, reason: Reason) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Closing(closing, _) => closing.end(&mut self.wire),
            State::Closed => {}
            _ => self.wire.push(Output::Close(reason)),
        }
    }
}

impl Machine for Inbound {
    fn handle(&mut self, now: Now, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => {
                if self.establishment_is_due() {
                    self.unproven += bytes.len();
                    if self.unproven > MAX_UNPROVEN_BYTES {
                        return self.fail(now, Reason::TooMuchUnproven);
                    }
                }
                self.wire.feed(bytes);
                self.pump(now);
            }
            Input::Eof => self.gone(Reason::PeerClosed),
            Input::TlsUp(facts) => self.advance(now, |state, cx| state.tls_up(cx, facts)),
            Input::Tick => {
                if let State::Closing(..) = self.state {
                    self.gone(Reason::PeerClosed);
                } else if self.deadline().is_some_and(|at| at <= now.monotonic) {
                    let reason = if self.is_open() {
                        Reason::Idle
                    } else {
                        Reason::EstablishmentTimeout
                    };
                    self.fail(now, reason);
                }
            }
            Input::Answer(answer) => self.advance(now, |state, cx| match state {
                State::Negotiating(mut open) => {
                    dialback::answered(&mut open, cx, &answer);
                    Ok(State::Negotiating(open))
                }
                other => Ok(other),
            }),
            Input::Context(context) => {
                self.context = context;
                self.advance(now, |state, cx| state.judge_again(cx));
            }
            Input::End(reason) => match reason {
                Reason::Transport(_) | Reason::TlsFailed { .. } => self.gone(reason),
                reason => self.fail(now, reason),
            },
            // A partner's stream is one-way (RFC 6120 §4.5), and it is the partner who speaks.
            Input::Connected | Input::Deliver(_) | Input::Pong(_) => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.wire.poll_output()
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::ExpectHeader(_) | State::ExpectTls(_) => Some(self.establishment),
            State::Negotiating(open) if open.proven.is_empty() => Some(self.establishment),
            State::Negotiating(open) => Some(open.last_stanza + self.context.timing.inactivity),
            State::Closing(closing, _) => Some(closing.deadline()),
            State::Closed => None,
        }
    }

    fn is_open(&self) -> bool {
        matches!(&self.state, State::Negotiating(open) if !open.proven.is_empty())
    }
}

/// What a transition may use.
pub(super) struct Cx<'a> {
    pub(super) context: &'a Context,
    pub(super) wire: &'a mut Wire,
    pub(super) ids: &'a mut IdSource,
    pub(super) now: Now,
}

impl State {
    fn handle(self, cx: &mut Cx<'_>, event: Event) -> Result<Self, Reason> {
        match (self, event) {
            (Self::ExpectHeader(state), Event::Header(header)) => state.header(cx, &header),
            (Self::Negotiating(mut open), Event::Element(element)) => {
                match open.element(cx, element)? {
                    Next::Stay => Ok(Self::Negotiating(open)),
                    Next::ExpectTls(state) => Ok(Self::ExpectTls(state)),
                    Next::ExpectHeader(state) => Ok(Self::ExpectHeader(state)),
                }
            }
            (Self::Closing(closing, Some(mut open)), Event::Element(element)) => {
                if open.is_stanza(&element) {
                    open.stanza(cx, element)?;
                }
                Ok(Self::Closing(closing, Some(open)))
            }
            (Self::Closing(closing, _), Event::Close) => {
                closing.end(cx.wire);
                Ok(Self::Closed)
            }
            // RFC 6120 §4.4: a closing tag is answered with one.
            (Self::Negotiating(_), Event::Close) => {
                cx.wire.send_with(write_close);
                cx.wire.push(Output::Close(Reason::PeerClosed));
                Ok(Self::Closed)
            }
            (state, _) => Ok(state),
        }
    }

    fn tls_up(self, cx: &Cx<'_>, facts: TlsFacts) -> Result<Self, Reason> {
        let Self::ExpectTls(before) = self else {
            return Ok(self);
        };
        let report = judge_chain(cx, &before.pair, &facts)?;
        Ok(Self::ExpectHeader(Box::new(ExpectHeader {
            tls: Some(Secured { facts, report }),
            before: Some(before.pair),
            proven: Vec::new(),
        })))
    }

    /// A reload: what the new rules would not admit, by the facts it was admitted on, ends here.
    fn judge_again(mut self, cx: &mut Cx<'_>) -> Result<Self, Reason> {
        let (tls, pair, proven) = match &mut self {
            Self::Negotiating(open) => (&mut open.tls, Some(&open.pair), &open.proven),
            Self::ExpectHeader(state) => (&mut state.tls, state.before.as_ref(), &state.proven),
            Self::ExpectTls(_) | Self::Closing(..) | Self::Closed => return Ok(self),
        };
        if let Some(pair) = pair {
            admitted_again(cx, tls, pair, proven)
                .map_err(|reason| Reason::PolicyChanged(Box::new(reason)))?;
            set_limits(cx, proven);
        }
        Ok(self)
    }
}

#[derive(Debug, Default)]
pub(super) struct ExpectHeader {
    tls: Option<Secured>,
    before: Option<Pair>,
    proven: Vec<Authenticated<Pair>>,
}

impl ExpectHeader {
    fn header(self, cx: &mut Cx<'_>, header: &Header) -> Result<State, Reason> {
        header::check(header, Dialect::Server)?;
        header::check_version(header)?;
        // RFC 6120 §4.7.1, §4.7.2: between servers both addresses are required.
        let local = header::domain(header, "to")?.ok_or(Reason::HeaderAddress("to"))?;
        let remote = header::domain(header, "from")?.ok_or(Reason::HeaderAddress("from"))?;
        let pair = Pair { local, remote };
        if let Some(before) = &self.before {
            if before.local != pair.local {
                return Err(Reason::HeaderChanged("to"));
            }
            if before.remote != pair.remote {
                return Err(Reason::HeaderChanged("from"));
            }
        }
        let tls = self.tls.as_ref().map(|tls| tls.facts.version);
        let methods = allowed(cx, &pair, None, tls)?;
        let stream_id = cx.ids.next_id();
        header::send(
            cx.wire,
            &[
                ("from", pair.local.as_str()),
                ("to", pair.remote.as_str()),
                ("id", &stream_id),
                ("version", "1.0"),
                ("xml:lang", "en"),
            ],
        );
        if let Some(tls) = &self.tls
            && self.proven.is_empty()
        {
            cx.wire.record(Record::Secured {
                pair: pair.clone(),
                version: tls.facts.version,
                fault: tls.report.verdict.clone().err(),
            });
        }
        let offer = self.offer(cx, &pair, methods)?;
        cx.wire.send(&offer.to_element());
        Ok(State::Negotiating(Box::new(Negotiating {
            pair,
            stream_id,
            offer,
            tls: self.tls,
            sasl_failures: 0,
            challenged: false,
            pending: Pending::default(),
            proven: self.proven,
            last_stanza: cx.now.monotonic,
        })))
    }

    /// What policy and the certificate leave to offer.
    fn offer(&self, cx: &Cx<'_>, pair: &Pair, methods: Methods) -> Result<Offer, Reason> {
        let Some(tls) = &self.tls else {
            let dialback = methods.contains(Method::TcpDialback);
            return Ok(Offer {
                starttls: tls_of(cx, pair)? != Negotiation::NotSupported,
                starttls_required: !dialback,
                external: false,
                dialback,
            });
        };
        // XEP-0178 §3, step 8: EXTERNAL is offered only to whom it would succeed for.
        let external = methods.contains(Method::SaslExternal)
            && tls.report.verdict.is_ok()
            && self.proven.is_empty();
        let dialback = methods.contains(Method::TlsDialback);
        match &tls.report.verdict {
            Err(fault) if !dialback => Err(Reason::Certificate(fault.clone())),
            _ => Ok(Offer {
                external,
                dialback,
                ..Offer::default()
            }),
        }
    }
}

/// `<proceed/>` was sent.
#[derive(Debug)]
pub(super) struct ExpectTls {
    pair: Pair,
}

/// Features were sent; the partner proves pairs and, once one is proven, sends stanzas.
#[derive(Debug)]
pub(super) struct Negotiating {
    pub(super) pair: Pair,
    pub(super) stream_id: String,
    offer: Offer,
    tls: Option<Secured>,
    sasl_failures: u8,
    /// An empty challenge was sent; the response is awaited.
    challenged: bool,
    pub(super) pending: Pending,
    pub(super) proven: Vec<Authenticated<Pair>>,
    last_stanza: Instant,
}

enum Next {
    Stay,
    ExpectTls(ExpectTls),
    ExpectHeader(Box<ExpectHeader>),
}

impl Negotiating {
    /// The method that dialback on this stream is.
    pub(super) fn dialback_method(&self) -> Method {
        match self.tls {
            Some(_) => Method::TlsDialback,
            None => Method::TcpDialback,
        }
    }

    /// The TLS that the stream runs on.
    pub(super) fn tls_version(&self) -> Option<TlsVersion> {
        self.tls.as_ref().map(|tls| tls.facts.version)
    }

    /// A pair is proven: larger limits from here on.
    pub(super) fn admit(&mut self, cx: &mut Cx<'_>, proof: Authenticated<Pair>) {
        self.last_stanza = cx.now.monotonic;
        announce(cx, &proof);
        self.proven.push(proof);
        set_limits(cx, &self.proven);
    }

    fn element(&mut self, cx: &mut Cx<'_>, element: Element) -> Result<Next, Reason> {
        if let Some(reason) = peer_error(&element) {
            return Err(reason);
        }
        if element.is(&Ns::TLS, "starttls") {
            return self.starttls(cx);
        }
        if *element.ns() == Ns::SASL {
            return self.sasl(cx, &element);
        }
        if *element.ns() == Ns::DIALBACK {
            dialback::element(self, cx, &element)?;
            return Ok(Next::Stay);
        }
        if self.is_stanza(&element) {
            self.stanza(cx, element)?;
            return Ok(Next::Stay);
        }
        // RFC 6120 §4.9.3.24: nothing else has a meaning here (compression included).
        Err(Reason::UnexpectedElement(element.name().to_owned()))
    }

    fn is_stanza(&self, element: &Element) -> bool {
        *element.ns() == Ns::CONTENT
    }

    fn stanza(&mut self, cx: &mut Cx<'_>, element: Element) -> Result<(), Reason> {
        // RFC 6120 §4.9.3.12: no stanza before authentication.
        if self.proven.is_empty() {
            return Err(Reason::NotAuthorized);
        }
        self.last_stanza = cx.now.monotonic;
        match from_partner(element, &self.proven, &cx.context.rules) {
            Ok(stanza) => cx.wire.push(Output::Stanza(stanza)),
            Err(Refusal::Stream(reason)) => return Err(reason),
            Err(Refusal::Stanza { reason, answer }) => {
                cx.wire.push(Output::Refused { reason, answer });
            }
        }
        Ok(())
    }

    fn starttls(&self, cx: &mut Cx<'_>) -> Result<Next, Reason> {
        // RFC 6120 §5.3.4: TLS is started once, and first of all.
        if !self.offer.starttls || !self.proven.is_empty() || !self.pending.is_empty() {
            return Err(Reason::TlsNotOffered);
        }
        cx.wire.begin_tls()?;
        cx.wire.send(&Element::new(Ns::TLS, "proceed"));
        cx.wire.push(Output::StartTls {
            local: self.pair.local.clone(),
            remote: self.pair.remote.clone(),
        });
        Ok(Next::ExpectTls(ExpectTls {
            pair: self.pair.clone(),
        }))
    }

    fn sasl(&mut self, cx: &mut Cx<'_>, element: &Element) -> Result<Next, Reason> {
        let response = match element.name() {
            "auth" => {
                if element.attribute("mechanism") != Some(external::MECHANISM) {
                    return self.sasl_failure(cx, "invalid-mechanism");
                }
                // RFC 6120 §6.4.2: an absent initial response is asked for with a challenge.
                if element.text().trim().is_empty() && self.offer.external {
                    self.challenged = true;
                    cx.wire.send(&Element::new(Ns::SASL, "challenge"));
                    return Ok(Next::Stay);
                }
                element.text()
            }
            "response" if self.challenged => element.text(),
            "abort" => return self.sasl_failure(cx, "aborted"),
            _ => return Err(Reason::UnexpectedElement(element.name().to_owned())),
        };
        self.challenged = false;
        let Some(tls) = &self.tls else {
            // RFC 6120 §6.5.4: EXTERNAL proves nothing without TLS.
            return self.sasl_failure(cx, "encryption-required");
        };
        if !self.offer.external {
            return self.sasl_failure(cx, "not-authorized");
        }
        if let Err(condition) = external::check_response(&response, &self.pair.remote) {
            return self.sasl_failure(cx, condition);
        }
        // The rules may have changed since EXTERNAL was offered.
        let method = Some(Method::SaslExternal);
        allowed(cx, &self.pair, method, self.tls_version())?;
        let proof = external::prove(self.pair.clone(), &tls.report).map_err(Reason::Certificate)?;
        cx.wire.send(&Element::new(Ns::SASL, "success"));
        cx.wire.restart();
        self.admit(cx, proof);
        Ok(Next::ExpectHeader(Box::new(ExpectHeader {
            tls: self.tls.take(),
            before: Some(self.pair.clone()),
            proven: std::mem::take(&mut self.proven),
        })))
    }

    fn sasl_failure(&mut self, cx: &mut Cx<'_>, condition: &'static str) -> Result<Next, Reason> {
        self.challenged = false;
        self.sasl_failures += 1;
        let reason = match &self.tls {
            Some(Secured {
                report:
                    CertReport {
                        verdict: Err(fault),
                        ..
                    },
                ..
            }) => Reason::Certificate(fault.clone()),
            _ => Reason::ExternalRefused(condition.to_owned()),
        };
        cx.wire.record(Record::MethodFailed {
            pair: self.pair.clone(),
            method: Method::SaslExternal,
            reason,
        });
        cx.wire
            .send(&Element::new(Ns::SASL, "failure").with_child(Element::new(Ns::SASL, condition)));
        if self.sasl_failures >= MAX_SASL_FAILURES {
            return Err(Reason::TooManyAttempts);
        }
        Ok(Next::Stay)
    }
}

/// Tells the shell and the operator of a proven pair.
fn announce(cx: &mut Cx<'_>, proof: &Authenticated<Pair>) {
    if let Some(method) = proof.method() {
        cx.wire.record(Record::Authenticated {
            pair: (**proof).clone(),
            method,
        });
    }
    cx.wire.push(Output::Authenticated(proof.clone()));
}
