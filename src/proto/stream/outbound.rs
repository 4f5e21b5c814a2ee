//! The initiating entity: a stream that we open, to carry a pair's stanzas or to ask one question.
//!
//! ```text
//!  connected ─► ExpectHeader ─► ExpectFeatures ─┬─ <starttls/> ─► ExpectProceed ─► ExpectTls ─┐
//!                  ▲                            ├─ <auth/> ──────► ExpectSasl ── <success/> ──┤
//!                  │                            │                      │ <failure/>           │
//!                  │                            ├─ <db:result/> ◄──────┘                      │
//!                  │                            │       └─────────► ExpectDialback ─► Open    │
//!                  │                            ├─ <db:verify/> ──► ExpectAnswer ─► Closing   │
//!                  │                            └─ after EXTERNAL ─────────────────► Open     │
//!                  └──────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! What to do with a set of features is decided by one function, `negotiation::next_step`. A header
//! that is not right leads to `Doubt`: the stream ends, but what the peer says next may say why.

mod doubt;
mod ending;
mod negotiation;
mod open;
mod steps;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use self::doubt::Doubt;
use self::negotiation::Encryption;
use self::open::{Due, Open};
use super::close::{Closing, peer_error};
use super::wire::Wire;
use super::{Context, IdSource, Input, Machine, Milestone, Now, Output, Record, Timing, header};
use crate::proto::auth::chain::{CertReport, TlsFacts, judge};
use crate::proto::auth::dialback::{Question, Requested};
use crate::proto::auth::{Authenticated, Pair};
use crate::proto::codes::Mark;
use crate::proto::jid::Domain;
use crate::proto::policy::{Decision, Facts, Method, Partner, Reason, evaluate};
use crate::proto::xml::{Condition, Event, Limits, StreamKind};

/// What a stream is opened for.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// To carry the stanzas of a pair.
    Carry,
    /// To ask the authoritative server about a dialback key, and nothing else.
    Ask(Question),
}

/// Where a stream of ours leads to, as the shell knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The address that was connected to.
    pub address: SocketAddr,
    /// Whether one of our own listeners is there.
    pub is_own: bool,
}

/// A stream that we open.
#[derive(Debug)]
pub struct Outbound {
    context: Arc<Context>,
    wire: Wire,
    ids: IdSource,
    pair: Pair,
    purpose: Purpose,
    /// Cleared where the partner is known to end the stream when it refuses EXTERNAL.
    try_external: bool,
    place: Option<Place>,
    establishment: Instant,
    /// When the first stream header of the other side is due.
    header_due: Instant,
    /// Whether the stream has opened, or its question was answered.
    is_done: bool,
    /// Whether it is said that neither will happen.
    has_failed: bool,
    /// TLS as it came up: a reload judges it again.
    tls: Option<TlsFacts>,
    state: State,
}

#[derive(Debug)]
enum State {
    Connecting,
    ExpectHeader(Channel),
    /// The header that came is not right.
    Doubt(Doubt),
    ExpectFeatures(Channel),
    ExpectProceed,
    ExpectTls,
    /// Whether the one challenge that EXTERNAL may bring has come.
    ExpectSasl(Channel, bool),
    ExpectDialback(Channel, Requested),
    ExpectAnswer(Question),
    Open(Open),
    Closing(Closing),
    Closed,
}

/// What is known of the stream while it is negotiated.
#[derive(Debug, Default)]
struct Channel {
    encryption: Encryption,
    /// The id in the partner's header: dialback keys are bound to it.
    stream_id: String,
    /// Whether that header says that stanzas of servers follow.
    is_for_servers: bool,
    proven: Option<Authenticated<Pair>>,
}

impl Outbound {
    /// A stream for a pair; `try_external` is false on a second try after the partner ended the
    /// first one upon refusing EXTERNAL.
    #[must_use]
    pub fn new(
        context: Arc<Context>,
        ids: IdSource,
        pair: Pair,
        purpose: Purpose,
        try_external: bool,
        now: Now,
    ) -> Self {
        Self {
            wire: Wire::of_answers(StreamKind::Server, &context.unproven),
            ids,
            pair,
            purpose,
            try_external,
            place: None,
            establishment: now.monotonic + context.timing.establishment,
            header_due: now.monotonic + Timing::HEADER_ANSWER.min(context.timing.establishment),
            is_done: false,
            has_failed: false,
            context,
            tls: None,
            state: State::Connecting,
        }
    }

    /// The same, and it is known where the stream leads to.
    #[must_use]
    pub fn at(self, place: Place) -> Self {
        Self {
            place: Some(place),
            ..self
        }
    }

    /// The same, but the stream is to be ready by `deadline` at the latest.
    #[must_use]
    pub fn until(self, deadline: Instant) -> Self {
        Self {
            establishment: self.establishment.min(deadline),
            header_due: self.header_due.min(deadline),
            ..self
        }
    }

    fn read(&mut self, now: Now, bytes: &[u8]) {
        match self.state {
            State::Closed => return,
            // RFC 6120 §5.4.3.3: after `<proceed/>` nothing in the clear means anything.
            State::ExpectTls => return self.gone(Reason::PlaintextInjection),
            _ => {}
        }
        match (self.wire.feed(bytes), &self.state) {
            (Ok(()), _) => {}
            (Err(reason), State::Closing(_)) => return self.gone(reason),
            (Err(reason), _) => return self.fail(now, reason),
        }
        // After `<proceed/>` the next byte belongs to TLS.
        while !matches!(self.state, State::ExpectTls | State::Closed) {
            match self.wire.next_event() {
                Ok(Some(event)) => self.event(now, event),
                Ok(None) => return,
                Err(reason) => return self.fail(now, reason),
            }
        }
    }

    fn event(&mut self, now: Now, event: Event) {
        let outcome = match event {
            Event::Close => return self.closed_by_peer(now),
            // What comes after our closing tag is read for the other one's sake only.
            _ if matches!(self.state, State::Closing(_)) => return,
            event if matches!(self.state, State::Doubt(_)) => self.hear(&event),
            Event::Header(header) => self.header(now, &header),
            Event::Excess(excess) => return self.fail(now, Reason::Xml(excess.fault)),
            Event::Element(element) => match peer_error(&element) {
                Some(reason) => Err(self.in_words(reason)),
                None => self.element(now, &element),
            },
        };
        if let Err(reason) = outcome {
            self.begin_closing(now, reason);
        }
    }

    /// What comes behind a header that is not right.
    fn hear(&mut self, event: &Event) -> Result<(), Reason> {
        match &mut self.state {
            State::Doubt(doubt) => match doubt.hear(event) {
                Some(reason) => Err(self.in_words(reason)),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// What an error of the partner's means to whoever runs this edge.
    fn in_words(&self, reason: Reason) -> Reason {
        match reason {
            // RFC 6120 §4.9.3.6: `to` is not served there. Later in a stream's life it would be
            // host-gone (RFC 6120 §4.9.3.5).
            Reason::PeerError {
                condition: Condition::HostUnknown,
                ..
            } if !self.is_done => Reason::NotServed {
                domain: self.pair.remote.clone(),
                address: self.place.map(|place| place.address),
            },
            reason => reason,
        }
    }

    /// The way ends where it began, or at a server that answers in the name of one of our domains.
    fn leads_back(&self, answers_as: Option<Domain>) -> Reason {
        Reason::LeadsBack {
            domain: self.pair.remote.clone(),
            address: self.place.map(|place| place.address),
            answers_as,
        }
    }

    fn send_header(&mut self, channel: Channel) {
        // RFC 6120 §4.7.1: the receiving side looks us up by `from`.
        header::send(
            &mut self.wire,
            &[
                ("from", self.pair.local.written()),
                ("to", self.pair.remote.written()),
                ("version", "1.0"),
                ("xml:lang", "en"),
            ],
        );
        self.state = State::ExpectHeader(channel);
    }

    fn open(&mut self, now: Now, proof: Authenticated<Pair>) -> Result<(), Reason> {
        let Some(method) = proof.method() else {
            return Err(Reason::NotAuthorized);
        };
        // The rules may have changed while the stream was negotiated.
        let until = self.admitted(now, method)?;
        self.wire.record(Record::Authenticated {
            pair: (*proof).clone(),
            method,
        });
        self.is_done = true;
        self.wire.push(Output::Authenticated(proof));
        // No stanza comes on a stream of ours (RFC 6120 §4.5): nothing too large is worth an answer.
        self.wire.proven(Limits {
            overrun: 1,
            ..self.context.limits(self.context.max_stanza_bytes)
        });
        self.state = State::Open(Open::new(method, until, now));
        Ok(())
    }

    /// Whether the rules in force admit the stream by the facts it has shown; until when its
    /// certificate proves it, in Unix time, where it does.
    fn admitted(&self, now: Now, method: Method) -> Result<Option<u64>, Reason> {
        let partner = self.partner(Some(method))?;
        match &self.tls {
            Some(facts) if method == Method::SaslExternal => {
                let report = self.report(now, partner, facts);
                report.verdict.map_err(Reason::Certificate)?;
                Ok(Some(report.until))
            }
            _ => Ok(None),
        }
    }

    fn report(&self, now: Now, partner: &Partner, facts: &TlsFacts) -> CertReport {
        let anchors = partner.anchors.as_ref().unwrap_or(&self.context.anchors);
        judge(
            &facts.chain,
            &self.pair.remote,
            anchors,
            &partner.pins,
            now.wall,
        )
    }

    fn tls_up(&mut self, now: Now, facts: TlsFacts) -> Result<(), Reason> {
        let version = facts.version;
        self.tls = Some(facts);
        let partner = self.partner(None)?;
        let fallback = partner.methods().contains(Method::TlsDialback);
        let Some(mut report) = self.tls.as_ref().map(|it| self.report(now, partner, it)) else {
            return Err(Reason::TlsMissing);
        };
        let fault = report.verdict.clone().err();
        self.wire.record(Record::Secured {
            pair: self.pair.clone(),
            version,
            fault: fault.clone(),
            shown: report.shown.take().map(Box::new),
        });
        if let Some(fault) = report.unpinned.take().map(Box::new) {
            let pair = self.pair.clone();
            self.wire.record(Record::NotPinned { pair, fault });
        }
        match fault {
            // Nothing but EXTERNAL is allowed, and the certificate rules it out.
            Some(fault) if !fallback => Err(Reason::Certificate(fault)),
            _ => {
                self.send_header(Channel {
                    encryption: Encryption::Tls(Box::new(report)),
                    ..Channel::default()
                });
                Ok(())
            }
        }
    }

    /// A reload: what the new rules would not admit, by the facts it was admitted on, ends here.
    fn judge_again(&self, now: Now) -> Result<(), Reason> {
        let outcome = match &self.state {
            State::Closing(_) | State::Closed => Ok(()),
            State::Open(open) => self.admitted(now, open.method).map(drop),
            // The method is judged when the stream opens.
            _ => self.partner(None).map(|_| ()),
        };
        outcome.map_err(|reason| Reason::PolicyChanged(Box::new(reason)))
    }

    fn tick(&mut self, now: Now) {
        // A timer that was set for an earlier deadline changes nothing.
        if self.deadline().is_none_or(|due| due > now.monotonic) {
            return;
        }
        let is_without_header = self.is_without_header();
        match &mut self.state {
            State::Closing(_) => self.gone(Reason::PeerClosed),
            State::Open(open) => match open.due(now, &self.context.timing) {
                Due::Expired(since) => self.fail(now, Reason::CertificateExpired(since)),
                Due::Nothing => {}
                Due::PingTimeout => self.fail(now, Reason::PingTimeout),
                Due::Idle => self.fail(now, Reason::Idle),
                Due::Ping => self.ping(now.monotonic + Timing::PING_ANSWER),
            },
            _ if is_without_header => self.fail(now, Reason::HeaderTimeout),
            _ => self.fail(now, Reason::EstablishmentTimeout(self.waiting_for())),
        }
    }

    /// What the partner still owes until the stream is open, or the question answered.
    fn waiting_for(&self) -> &'static str {
        match &self.state {
            State::Connecting => "the connection",
            State::ExpectHeader(channel) if channel.proven.is_some() => {
                "the stream header after SASL"
            }
            State::ExpectHeader(channel) if channel.encryption.report().is_some() => {
                "the stream header after TLS"
            }
            // What was wrong with the one that came is told in its place.
            State::ExpectHeader(_) | State::Doubt(_) => "the stream header",
            State::ExpectFeatures(_) => "the stream features",
            State::ExpectProceed => "the answer to <starttls/>",
            State::ExpectTls => "the end of the TLS handshake",
            State::ExpectSasl(..) => "the answer to SASL EXTERNAL",
            State::ExpectDialback(..) => "the answer to our dialback key",
            State::ExpectAnswer(_) => "the word on a dialback key",
            State::Open(_) | State::Closing(_) | State::Closed => "the closing tag",
        }
    }

    /// Asks whether the partner lives; the stream ends without an answer by `due`.
    fn ping(&mut self, due: Instant) {
        let State::Open(open) = &mut self.state else {
            return;
        };
        let id = self.ids.next_id();
        let ping = open.ping(&self.pair, id.clone(), due);
        self.wire.send(&ping);
        self.wire.push(Output::Pinged(id));
    }

    /// The partner may have restarted. Where it does not answer pings, nothing can be found out.
    fn probe(&mut self, now: Instant) {
        let keeps_alive = self.keeps_alive();
        let due = now + Timing::PROBE_ANSWER;
        if let State::Open(open) = &mut self.state
            && keeps_alive
            && open.probe(now, due)
        {
            self.ping(due);
        }
    }

    fn is_without_header(&self) -> bool {
        self.tls.is_none() && matches!(&self.state, State::ExpectHeader(it) if it.proven.is_none())
    }

    fn keeps_alive(&self) -> bool {
        self.partner(None).is_ok_and(|partner| partner.keep_alive)
    }

    fn partner(&self, method: Option<Method>) -> Result<&Arc<Partner>, Reason> {
        let facts = Facts {
            method,
            tls: self.tls.as_ref().map(|facts| facts.version),
            ..Facts::of_pair(&self.pair.local, &self.pair.remote)
        };
        match evaluate(facts, &self.context.rules) {
            Decision::Allow(partner) => Ok(partner),
            Decision::Refuse(reason) => Err(reason),
        }
    }
}

impl Machine for Outbound {
    fn handle(&mut self, now: Now, input: Input<'_>) {
        match input {
            Input::Connected => {
                let is_own = self.place.is_some_and(|place| place.is_own);
                match self.state {
                    // We have nothing to say to ourselves.
                    State::Connecting if is_own => self.gone(self.leads_back(None)),
                    State::Connecting => self.send_header(Channel::default()),
                    _ => {}
                }
            }
            Input::Bytes(bytes) => self.read(now, bytes),
            Input::Eof => self.gone(Reason::PeerClosed),
            Input::TlsUp(facts) => {
                if matches!(self.state, State::ExpectTls)
                    && let Err(reason) = self.tls_up(now, facts)
                {
                    self.begin_closing(now, reason);
                }
            }
            Input::Tick => self.tick(now),
            Input::Deliver(stanza) => {
                if let State::Open(open) = &mut self.state {
                    open.last_stanza = now.monotonic;
                    self.wire
                        .send_with(|bytes| bytes.extend_from_slice(stanza.bytes()));
                }
            }
            Input::Pong(id) => {
                if let State::Open(open) = &mut self.state
                    && open.pong(id, now.monotonic)
                {
                    self.wire.record(Record::Reached(Milestone::Pong));
                }
            }
            Input::Probe => self.probe(now.monotonic),
            Input::Context(context) => {
                self.context = context;
                if let Err(reason) = self.judge_again(now) {
                    self.fail(now, reason);
                }
            }
            Input::End(reason) if reason.has(Mark::Cut) => self.gone(reason),
            Input::End(reason) => self.fail(now, reason),
            Input::Answer(_) | Input::Held(_) => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.wire.poll_output()
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Open(open) => Some(open.deadline(&self.context.timing, self.keeps_alive())),
            State::Closing(closing) => Some(closing.deadline()),
            State::Closed => None,
            State::Doubt(doubt) => Some(doubt.due().min(self.establishment)),
            _ if self.is_without_header() => Some(self.header_due),
            _ => Some(self.establishment),
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }
}
