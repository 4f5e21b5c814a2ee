//! A gateway's link: the accepting side of XEP-0114.
//!
//! ```text
//!  connect ─► ExpectHeader ── to='local domain' ─► ExpectHandshake ── digest ─► Open ─► Closing
//! ```
//!
//! One link carries one local domain. What is XEP-0114's own is here and nowhere else.

use std::sync::Arc;
use std::time::Instant;

use super::close::{Closing, peer_error};
use super::wire::Wire;
use super::{Context, IdSource, Input, Machine, Now, Output, header};
use crate::proto::auth::Authenticated;
use crate::proto::auth::handshake::{self, LinkSecret};
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::stanza::{Refusal, excess_from_gateway, from_gateway};
use crate::proto::xml::writer::write_close;
use crate::proto::xml::{Element, Event, Excess, Header, Ns, StreamKind};

/// A link that a gateway opened.
#[derive(Debug)]
pub struct Component {
    context: Arc<Context>,
    wire: Wire,
    ids: IdSource,
    secret: Arc<LinkSecret>,
    establishment: Instant,
    /// When what is still to be read came: reading stopped at a stanza.
    unread: Option<Now>,
    /// The domain that its header named, whatever became of it.
    asked: Option<Domain>,
    state: State,
}

#[derive(Debug)]
enum State {
    ExpectHeader,
    ExpectHandshake {
        domain: Domain,
        stream_id: String,
    },
    Open(Authenticated<Domain>),
    /// Stanzas that were already on their way are still taken.
    Closing(Closing, Option<Authenticated<Domain>>),
    Closed,
}

impl Component {
    /// A connection was accepted on the link's port; `secret` is the one of XEP-0114.
    #[must_use]
    pub fn new(context: Arc<Context>, ids: IdSource, secret: Arc<LinkSecret>, now: Now) -> Self {
        Self {
            wire: Wire::new(StreamKind::Component, &context.unproven),
            ids,
            secret,
            establishment: now.monotonic + context.timing.establishment,
            unread: None,
            asked: None,
            context,
            state: State::ExpectHeader,
        }
    }

    fn read(&mut self, now: Now, bytes: &[u8]) {
        if matches!(self.state, State::Closed) {
            return;
        }
        match (self.wire.feed(bytes), &self.state) {
            (Ok(()), _) => {}
            (Err(reason), State::Closing(..)) => return self.gone(reason),
            (Err(reason), _) => return self.fail(now, reason),
        }
        while !matches!(self.state, State::Closed) {
            let outcome = match self.wire.next_event() {
                // What is being closed is not opened again.
                Ok(Some(Event::Header(_))) if matches!(self.state, State::Closing(..)) => Ok(()),
                Ok(Some(Event::Header(header))) => self.header(&header),
                Ok(Some(Event::Element(element))) => self.element(element),
                Ok(Some(Event::Excess(excess))) => self.excess(excess),
                Ok(Some(Event::Close)) => return self.closed_by_peer(),
                Ok(None) => return,
                Err(reason) => return self.fail(now, reason),
            };
            if let Err(reason) = outcome {
                self.begin_closing(now, reason, None);
            }
            if self.wire.has_stanza() {
                self.unread = Some(now);
                return;
            }
        }
    }

    fn header(&mut self, header: &Header) -> Result<(), Reason> {
        header::check(header, StreamKind::Component)?;
        // XEP-0114 §3: `to` is the domain that the component serves.
        let domain = header::domain(header, "to")?.ok_or(Reason::HeaderAddress("to"))?;
        self.asked = Some(domain.clone());
        if !self.context.rules.is_local(&domain) {
            return Err(Reason::UnknownLocalDomain(domain.to_string()));
        }
        let stream_id = self.ids.next_id();
        header::send(
            &mut self.wire,
            &[("from", domain.written()), ("id", &stream_id)],
        );
        self.state = State::ExpectHandshake { domain, stream_id };
        Ok(())
    }

    fn element(&mut self, element: Element) -> Result<(), Reason> {
        let state = std::mem::replace(&mut self.state, State::Closed);
        if !matches!(state, State::Closing(..))
            && let Some(reason) = peer_error(&element)
        {
            return Err(reason);
        }
        self.state = match state {
            State::ExpectHandshake { domain, stream_id } => {
                self.handshake(domain, &stream_id, &element)?
            }
            State::Open(proof) => {
                self.stanza(element, &proof, true)?;
                State::Open(proof)
            }
            // RFC 6120 §4.4: what arrives until the other side has closed, too, still counts.
            State::Closing(closing, Some(proof)) => {
                let proof = self.stanza(element, &proof, false).is_ok().then_some(proof);
                if proof.is_none() {
                    self.wire.allow(self.context.unproven.bytes);
                }
                State::Closing(closing, proof)
            }
            other => other,
        };
        Ok(())
    }

    fn handshake(
        &mut self,
        domain: Domain,
        stream_id: &str,
        element: &Element,
    ) -> Result<State, Reason> {
        // XEP-0114 §3: nothing is accepted before the handshake.
        if !element.is(&Ns::CONTENT, "handshake") {
            return Err(Reason::NotAuthorized);
        }
        // XEP-0114 §3: a wrong digest ends the stream.
        let proof = handshake::prove(domain, stream_id, self.secret.expose(), &element.text())
            .ok_or(Reason::LinkSecret)?;
        self.set_limits();
        self.wire.send(&Element::new(Ns::CONTENT, "handshake"));
        self.wire.push(Output::LinkUp(proof.clone()));
        Ok(State::Open(proof))
    }

    fn stanza(
        &mut self,
        element: Element,
        proof: &Authenticated<Domain>,
        may_answer: bool,
    ) -> Result<(), Reason> {
        match from_gateway(element, proof, &self.context.rules) {
            Ok(stanza) => self.wire.push(Output::Stanza(stanza)),
            Err(refusal) => self.refused(refusal, may_answer)?,
        }
        Ok(())
    }

    /// A stanza that is not kept, because it exceeds a limit: refused alone.
    fn excess(&mut self, excess: Excess) -> Result<(), Reason> {
        let (refusal, may_answer) = match &self.state {
            State::Open(proof) => (excess_from_gateway(excess, proof), true),
            State::Closing(_, Some(proof)) => (excess_from_gateway(excess, proof), false),
            _ => return Ok(()),
        };
        match self.refused(refusal, may_answer) {
            // Our closing tag has been sent, and nothing may follow it.
            Err(_) if !may_answer => Ok(()),
            outcome => outcome,
        }
    }

    fn refused(&mut self, refusal: Refusal, may_answer: bool) -> Result<(), Reason> {
        match refusal {
            Refusal::Stream(reason) => return Err(reason),
            Refusal::Stanza {
                reason,
                pair,
                users,
                answer,
            } => {
                // The sender is at the other end of this very link: behind our closing tag the
                // shell has to find another way to it.
                let answer = match answer {
                    Some(answer) if may_answer => {
                        self.wire.send(&answer.element);
                        None
                    }
                    answer => answer,
                };
                self.wire.push(Output::Refused {
                    reason,
                    pair,
                    users,
                    answer,
                });
            }
        }
        Ok(())
    }

    fn set_limits(&mut self) {
        self.wire.proven(self.context.limits(self.link_limit()));
    }

    /// As much as the most generous partner takes; policy knows the limit of each.
    fn link_limit(&self) -> usize {
        let longest = self.context.rules.max_stanza_bytes();
        longest.max(self.context.max_stanza_bytes)
    }

    /// Ends the link.
    fn fail(&mut self, now: Now, reason: Reason) {
        match std::mem::replace(&mut self.state, State::Closed) {
            // What closes already closes for its first reason. If nothing can be read any more, the
            // grace is still the other side's, to read why.
            state @ (State::Closing(..) | State::Closed) => self.state = state,
            State::Open(proof) if reason == Reason::Shutdown => {
                self.begin_closing(now, reason, Some(proof));
            }
            _ => self.begin_closing(now, reason, None),
        }
    }

    fn begin_closing(&mut self, now: Now, reason: Reason, open: Option<Authenticated<Domain>>) {
        // RFC 6120 §4.9.1.2: an error is sent inside a stream, so our header goes first.
        if !self.wire.header_sent() {
            let id = self.ids.next_id();
            header::send(&mut self.wire, &[("id", &id)]);
        }
        let closing = Closing::begin_accepted(&mut self.wire, now, reason);
        if open.is_none() {
            self.wire.allow(self.context.unproven.bytes);
        }
        self.state = State::Closing(closing, open);
    }

    fn closed_by_peer(&mut self) {
        if !matches!(self.state, State::Closing(..)) {
            self.wire.send_with(write_close);
        }
        self.gone(Reason::PeerClosed);
    }

    fn gone(&mut self, reason: Reason) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Closing(closing, _) => closing.end(&mut self.wire),
            State::Closed => {}
            _ => self.wire.push(Output::Close(reason)),
        }
    }
}

impl Machine for Component {
    fn handle(&mut self, now: Now, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => self.read(now, bytes),
            Input::Eof => self.gone(Reason::PeerClosed),
            Input::Tick => {
                // A timer that was set for an earlier deadline changes nothing.
                if self.deadline().is_none_or(|due| due > now.monotonic) {
                    return;
                }
                match self.state {
                    State::Closing(..) => self.gone(Reason::PeerClosed),
                    State::ExpectHeader => {
                        self.fail(now, Reason::EstablishmentTimeout("the stream header"));
                    }
                    _ => self.fail(now, Reason::EstablishmentTimeout("the handshake")),
                }
            }
            Input::Deliver(stanza) => {
                if self.is_open() {
                    self.wire
                        .send_with(|bytes| bytes.extend_from_slice(stanza.bytes()));
                }
            }
            Input::Context(context) => {
                self.context = context;
                let domain = match &self.state {
                    State::Open(proof) => &**proof,
                    State::ExpectHandshake { domain, .. } => domain,
                    _ => return,
                };
                if !self.context.rules.is_local(domain) {
                    let reason = Reason::UnknownLocalDomain(domain.to_string());
                    self.fail(now, reason);
                } else if self.is_open() {
                    self.set_limits();
                }
            }
            Input::End(reason) => match reason {
                Reason::Transport(_) => self.gone(reason),
                reason => self.fail(now, reason),
            },
            Input::Connected
            | Input::TlsUp(_)
            | Input::Answer(_)
            | Input::Pong(_)
            | Input::Probe
            | Input::Held(_) => {}
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
            State::ExpectHeader | State::ExpectHandshake { .. } => Some(self.establishment),
            State::Closing(closing, _) => Some(closing.deadline()),
            State::Open(_) | State::Closed => None,
        }
    }

    fn asked(&self) -> Option<&Domain> {
        self.asked.as_ref()
    }

    fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }
}
