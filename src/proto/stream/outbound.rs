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
//! What to do with a set of features is decided by one function, `negotiate::next_step`.

use std::sync::Arc;
use std::time::Instant;

use super::close::{Closing, peer_error};
use super::features::Offered;
use super::keep_alive::{PING_PREFIX, Ping, ping};
use super::outbound_negotiation::{Encryption, Step, next_step};
use super::wire::Wire;
use super::{Context, IdSource, Input, Machine, Now, Output, Record, Timing, header};
use crate::proto::auth::chain::{CertReport, TlsFacts, judge};
use crate::proto::auth::dialback::{Answer, Message, Question, Requested, read, request};
use crate::proto::auth::{Authenticated, Pair, external};
use crate::proto::policy::{Decision, Facts, Method, Partner, Reason, evaluate};
use crate::proto::xml::writer::write_close;
use crate::proto::xml::{Dialect, Element, Event, Header, Limits, Ns};

/// What a stream is opened for.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// To carry the stanzas of a pair.
    Carry,
    /// To ask the authoritative server about a dialback key, and nothing else.
    Ask(Question),
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
    establishment: Instant,
    /// TLS as it came up: a reload judges it again.
    tls: Option<TlsFacts>,
    state: State,
}

#[derive(Debug)]
enum State {
    Connecting,
    ExpectHeader(Channel),
    ExpectFeatures(Channel),
    ExpectProceed,
    ExpectTls,
    ExpectSasl(Channel),
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
    proven: Option<Authenticated<Pair>>,
}

/// The stream carries stanzas.
#[derive(Debug)]
struct Open {
    method: Method,
    last_stanza: Instant,
    /// When the stream last showed that the partner lives.
    last_alive: Instant,
    ping: Option<Ping>,
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
            wire: Wire::new(Dialect::Server, Limits::UNAUTHENTICATED),
            ids,
            pair,
            purpose,
            try_external,
            establishment: now.monotonic + context.timing.establishment,
            context,
            tls: None,
            state: State::Connecting,
        }
    }

    fn pump(&mut self, now: Now) {
        loop {
            // After `<proceed/>` the next byte belongs to TLS.
            if matches!(self.state, State::ExpectTls | State::Closed) {
                return;
            }
            match self.wire.next_event() {
                Ok(Some(event)) => self.event(now, event),
                Ok(None) => return,
                Err(reason) => return self.fail(now, reason),
            }
        }
    }

    fn event(&mut self, now: Now, event: Event) {
        let outcome = match event {
            Event::Header(header) => self.header(&header),
            Event::Element(element) => match peer_error(&element) {
                Some(reason) => Err(reason),
                None => self.element(now, &element),
            },
            Event::Close => return self.closed_by_peer(),
        };
        if let Err(reason) = outcome {
            self.fail(now, reason);
        }
    }

    fn send_header(&mut self, channel: Channel) {
        // RFC 6120 §4.7.1: the receiving side looks us up by `from`.
        header::send(
            &mut self.wire,
            &[
                ("from", self.pair.local.as_str()),
                ("to", self.pair.remote.as_str()),
                ("version", "1.0"),
                ("xml:lang", "en"),
            ],
        );
        self.state = State::ExpectHeader(channel);
    }

    fn header(&mut self, header: &Header) -> Result<(), Reason> {
        let channel = match std::mem::replace(&mut self.state, State::Closed) {
            State::ExpectHeader(channel) => channel,
            // A certificate refused before the partner's header came: it comes all the same.
            State::Closing(closing) => {
                self.state = State::Closing(closing);
                return Ok(());
            }
            _ => return Err(Reason::InvalidNamespace),
        };
        header::check(header, Dialect::Server)?;
        header::check_version(header)?;
        // RFC 6120 §4.7.1: an answer in another name is not an answer to us.
        if header::domain(header, "from")?.is_some_and(|from| from != self.pair.remote) {
            return Err(Reason::HeaderChanged("from"));
        }
        // RFC 6120 §4.7.3: the receiving entity gives the stream its id.
        let stream_id = header
            .attribute("id")
            .filter(|id| !id.is_empty())
            .ok_or(Reason::MissingStreamId)?
            .to_owned();
        self.state = State::ExpectFeatures(Channel {
            stream_id,
            ..channel
        });
        Ok(())
    }

    fn element(&mut self, now: Now, element: &Element) -> Result<(), Reason> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::ExpectFeatures(channel) => {
                let offered = Offered::read(element).ok_or_else(|| unexpected(element))?;
                self.features(now, channel, offered)
            }
            State::ExpectProceed if element.is(&Ns::TLS, "proceed") => {
                self.wire.begin_tls()?;
                self.wire.push(Output::StartTls {
                    local: self.pair.local.clone(),
                    remote: self.pair.remote.clone(),
                });
                self.state = State::ExpectTls;
                Ok(())
            }
            State::ExpectProceed if element.is(&Ns::TLS, "failure") => Err(Reason::TlsRefused),
            State::ExpectSasl(channel) if *element.ns() == Ns::SASL => self.sasl(channel, element),
            State::ExpectDialback(channel, requested) if *element.ns() == Ns::DIALBACK => {
                self.dialback(now, channel, requested, element)
            }
            State::ExpectAnswer(question) if *element.ns() == Ns::DIALBACK => {
                self.answer(now, question, element)
            }
            State::Open(open) => {
                // RFC 6120 §4.5: this stream is one-way; without bidi nothing is carried back.
                if *element.ns() == Ns::CONTENT {
                    return Err(Reason::NotAuthorized);
                }
                self.wire.record(Record::Ignored(unexpected(element)));
                self.state = State::Open(open);
                Ok(())
            }
            State::Closing(closing) => {
                self.state = State::Closing(closing);
                Ok(())
            }
            _ => Err(unexpected(element)),
        }
    }

    fn features(&mut self, now: Now, channel: Channel, offered: Offered) -> Result<(), Reason> {
        if let Some(proof) = &channel.proven {
            let proof = proof.clone();
            return self.open(now, proof);
        }
        let partner = Arc::clone(self.partner(None)?);
        let asking = matches!(self.purpose, Purpose::Ask(_));
        match next_step(
            &partner,
            asking,
            &channel.encryption,
            offered,
            self.try_external,
        )? {
            Step::StartTls => {
                self.wire.send(&Element::new(Ns::TLS, "starttls"));
                self.state = State::ExpectProceed;
            }
            Step::External => {
                let response = external::initial_response(&self.pair.local);
                self.wire.send(
                    &Element::new(Ns::SASL, "auth")
                        .with_attribute("mechanism", external::MECHANISM)
                        .with_text(&response),
                );
                self.state = State::ExpectSasl(channel);
            }
            Step::Dialback(method) => self.request(channel, method),
            Step::Ask => self.ask(),
        }
        Ok(())
    }

    /// XEP-0220 §2.1.1: we want to send as `local`, here is the key for this very stream.
    fn request(&mut self, channel: Channel, method: Method) {
        let Pair { local, remote } = &self.pair;
        let key = self
            .context
            .dialback
            .generate(remote, local, &channel.stream_id);
        self.wire
            .send(&request("result", local, remote, None, &key));
        let requested = Requested::new(self.pair.clone(), method);
        self.state = State::ExpectDialback(channel, requested);
    }

    /// XEP-0220 §2.1.2: is this key yours?
    fn ask(&mut self) {
        let Purpose::Ask(question) = self.purpose.clone() else {
            return;
        };
        let Pair { local, remote } = &question.pair;
        let id = Some(question.stream_id.as_str());
        self.wire
            .send(&request("verify", local, remote, id, &question.key));
        self.state = State::ExpectAnswer(question);
    }

    fn sasl(&mut self, mut channel: Channel, element: &Element) -> Result<(), Reason> {
        match element.name() {
            "success" => {
                let report = channel
                    .encryption
                    .report()
                    .ok_or_else(|| unexpected(element))?;
                let proof =
                    external::prove(self.pair.clone(), report).map_err(Reason::Certificate)?;
                channel.proven = Some(proof);
                self.wire.restart();
                self.send_header(channel);
                Ok(())
            }
            "challenge" => {
                let response = external::initial_response(&self.pair.local);
                self.wire
                    .send(&Element::new(Ns::SASL, "response").with_text(&response));
                self.state = State::ExpectSasl(channel);
                Ok(())
            }
            "failure" => {
                let condition = element
                    .children()
                    .find(|child| child.name() != "text")
                    .map_or("no condition", Element::name);
                let text = element.child(&Ns::SASL, "text").map(Element::text);
                let reason = Reason::ExternalRefused(match text {
                    Some(text) => format!("{condition} ({text})"),
                    None => condition.to_owned(),
                });
                // XEP-0178 §3, step 11: the stream may go on, and dialback may do instead.
                if !self.partner(None)?.methods().contains(Method::TlsDialback) {
                    return Err(reason);
                }
                self.wire.record(Record::MethodFailed {
                    pair: self.pair.clone(),
                    method: Method::SaslExternal,
                    reason,
                });
                self.request(channel, Method::TlsDialback);
                Ok(())
            }
            _ => Err(unexpected(element)),
        }
    }

    fn dialback(
        &mut self,
        now: Now,
        channel: Channel,
        requested: Requested,
        element: &Element,
    ) -> Result<(), Reason> {
        if let Message::Result(verdict, claim) = read(element)? {
            match requested.close(&verdict, &claim) {
                Ok(proof) => self.open(now, proof)?,
                Err(Err(reason)) => return Err(reason),
                // Not our question: nothing changes.
                Err(Ok(requested)) => {
                    self.wire.record(Record::Ignored(unexpected(element)));
                    self.state = State::ExpectDialback(channel, requested);
                }
            }
        } else {
            self.wire.record(Record::Ignored(unexpected(element)));
            self.state = State::ExpectDialback(channel, requested);
        }
        Ok(())
    }

    fn answer(&mut self, now: Now, question: Question, element: &Element) -> Result<(), Reason> {
        match read(element)? {
            // XEP-0220 §2.2.2: from, to and id say which question is answered.
            Message::Answer(verdict, claim, id)
                if claim.from == question.pair.remote
                    && claim.to == question.pair.local
                    && id == question.stream_id =>
            {
                let answer = Answer::assertion(question, verdict);
                self.wire.push(Output::Answered(answer));
                self.begin_closing(now, Reason::Finished);
            }
            _ => {
                self.wire.record(Record::Ignored(unexpected(element)));
                self.state = State::ExpectAnswer(question);
            }
        }
        Ok(())
    }

    fn open(&mut self, now: Now, proof: Authenticated<Pair>) -> Result<(), Reason> {
        let Some(method) = proof.method() else {
            return Err(Reason::NotAuthorized);
        };
        // The rules may have changed while the stream was negotiated.
        self.admitted(now, method)?;
        self.wire.record(Record::Authenticated {
            pair: (*proof).clone(),
            method,
        });
        self.wire.push(Output::Authenticated(proof));
        self.wire
            .set_limits(Limits::authenticated(self.context.max_stanza_bytes));
        self.state = State::Open(Open {
            method,
            last_stanza: now.monotonic,
            last_alive: now.monotonic,
            ping: None,
        });
        Ok(())
    }

    /// Whether the rules in force admit the stream by the facts it has shown.
    fn admitted(&self, now: Now, method: Method) -> Result<(), Reason> {
        let partner = self.partner(Some(method))?;
        match &self.tls {
            Some(facts) if method == Method::SaslExternal => {
                let verdict = self.report(now, partner, facts).verdict;
                verdict.map_err(Reason::Certificate)
            }
            _ => Ok(()),
        }
    }

    fn report(&self, now: Now, partner: &Partner, facts: &TlsFacts) -> CertReport {
        let anchors = partner.anchors.as_ref().unwrap_or(&self.context.anchors);
        judge(&facts.chain, &self.pair.remote, anchors, now.wall)
    }

    fn tls_up(&mut self, now: Now, facts: TlsFacts) -> Result<(), Reason> {
        let partner = self.partner(None)?;
        let report = self.report(now, partner, &facts);
        let fault = report.verdict.clone().err();
        let fallback = partner.methods().contains(Method::TlsDialback);
        self.wire.record(Record::Secured {
            pair: self.pair.clone(),
            version: facts.version,
            fault: fault.clone(),
        });
        self.tls = Some(facts);
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

    fn tick(&mut self, now: Now) {
        let timing = self.context.timing;
        match &mut self.state {
            State::Closing(_) => self.gone(Reason::PeerClosed),
            State::Open(open) => {
                if open
                    .ping
                    .as_ref()
                    .is_some_and(|ping| ping.due <= now.monotonic)
                {
                    return self.fail(now, Reason::PingTimeout);
                }
                if open.last_stanza + timing.inactivity <= now.monotonic {
                    return self.fail(now, Reason::Idle);
                }
                if open.ping.is_none() && open.last_alive + timing.keep_alive <= now.monotonic {
                    let id = format!("{PING_PREFIX}{}", self.ids.next_id());
                    open.ping = Some(Ping {
                        id: id.clone(),
                        due: now.monotonic + Timing::PING_ANSWER,
                    });
                    let ping = ping(&self.pair, &id);
                    self.wire.send(&ping);
                }
            }
            _ if self.establishment <= now.monotonic => {
                self.fail(now, Reason::EstablishmentTimeout);
            }
            _ => {}
        }
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

    fn fail(&mut self, now: Now, reason: Reason) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Closing(closing) => closing.end(&mut self.wire),
            State::Connecting | State::ExpectTls => self.wire.push(Output::Close(reason)),
            _ => self.begin_closing(now, reason),
        }
    }

    fn begin_closing(&mut self, now: Now, reason: Reason) {
        // After TLS our header of the new document may not have left yet.
        if !self.wire.header_sent() {
            self.send_header(Channel::default());
        }
        self.state = State::Closing(Closing::begin(&mut self.wire, now, reason));
    }

    fn closed_by_peer(&mut self) {
        if !matches!(self.state, State::Closing(_)) {
            self.wire.send_with(write_close);
        }
        self.gone(Reason::PeerClosed);
    }

    fn gone(&mut self, reason: Reason) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Closing(closing) => closing.end(&mut self.wire),
            State::Closed => {}
            _ => self.wire.push(Output::Close(reason)),
        }
    }
}

impl Machine for Outbound {
    fn handle(&mut self, now: Now, input: Input<'_>) {
        match input {
            Input::Connected => self.send_header(Channel::default()),
            Input::Bytes(bytes) => {
                self.wire.feed(bytes);
                self.pump(now);
            }
            Input::Eof => self.gone(Reason::PeerClosed),
            Input::TlsUp(facts) => {
                if let Err(reason) = self.tls_up(now, facts) {
                    self.state = State::ExpectHeader(Channel::default());
                    self.fail(now, reason);
                }
            }
            Input::Tick => self.tick(now),
            Input::Deliver(stanza) => {
                if let State::Open(open) = &mut self.state {
                    open.last_stanza = now.monotonic;
                    self.wire.send(&stanza.element);
                }
            }
            Input::Pong(id) => {
                if let State::Open(open) = &mut self.state
                    && open.ping.as_ref().is_some_and(|ping| ping.id == id)
                {
                    open.ping = None;
                    open.last_alive = now.monotonic;
                }
            }
            Input::Context(context) => {
                self.context = context;
                let verdict = match &self.state {
                    State::Open(open) => self.admitted(now, open.method),
                    State::Closing(_) | State::Closed => return,
                    _ => self.partner(None).map(|_| ()),
                };
                if let Err(reason) = verdict {
                    self.fail(now, Reason::PolicyChanged(Box::new(reason)));
                }
            }
            Input::End(reason) => match reason {
                Reason::Transport(_) | Reason::TlsFailed { .. } => self.gone(reason),
                reason => self.fail(now, reason),
            },
            Input::Answer(_) => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.wire.poll_output()
    }

    fn deadline(&self) -> Option<Instant> {
        let timing = self.context.timing;
        match &self.state {
            State::Open(open) => {
                let idle = open.last_stanza + timing.inactivity;
                let keep_alive = match (&open.ping, self.partner(None)) {
                    (Some(ping), _) => Some(ping.due),
                    (None, Ok(partner)) if partner.keep_alive => {
                        Some(open.last_alive + timing.keep_alive)
                    }
                    _ => None,
                };
                Some(keep_alive.map_or(idle, |at| at.min(idle)))
            }
            State::Closing(closing) => Some(closing.deadline()),
            State::Closed => None,
            _ => Some(self.establishment),
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }
}

fn unexpected(element: &Element) -> Reason {
    Reason::UnexpectedElement(element.name().to_owned())
}
