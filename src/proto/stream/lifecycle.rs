//! The life of a stream, from its first byte to its last: the same for all three negotiations.

mod ending;

use std::mem::replace;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::acks::{Found, Suspended};
use super::close::{Closing, peer_error};
use super::context::{Context, Now};
use super::cx::{Cx, View};
use super::established::Established;
use super::id::IdSource;
use super::machine::{Input, Machine, Output};
use super::negotiation::{Negotiation, Next, Step};
use super::security::{Judged, Security};
use super::wire::Wire;
use crate::proto::auth::Pair;
use crate::proto::auth::chain::TlsFacts;
use crate::proto::auth::dialback::Answer;
use crate::proto::codes::Mark;
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::stanza::{Validated, Written};
use crate::proto::xml::Event;

/// A stream, with the negotiation that makes it what it is.
#[derive(Debug)]
pub struct Stream<N: Negotiation> {
    pub(super) context: Arc<Context>,
    pub(super) wire: Wire,
    pub(super) ids: IdSource,
    pub(super) security: Security,
    /// When something must be established.
    pub(super) establishment: Instant,
    /// When what is still to be read came: reading stopped at a stanza, or at a session to be found.
    unread: Option<Now>,
    pub(super) negotiation: N,
    /// What a connection that was lost has left behind.
    suspended: Option<Box<Suspended>>,
    phase: Phase<N>,
}

#[derive(Debug)]
enum Phase<N: Negotiation> {
    /// Nothing is established.
    Negotiating(N::State),
    /// `<proceed/>` is said; the next byte belongs to TLS.
    Handshake(N::Handshake),
    /// Stanzas pass; more may be negotiated beside them.
    Established(Box<Established>, N::Further),
    /// Our closing tag is sent. Stanzas that were already on their way may still be taken.
    Closing(Closing, Option<Box<Established>>),
    Closed,
}

impl<N: Negotiation> Stream<N> {
    /// A stream on a new connection.
    pub(super) fn begin(
        context: Arc<Context>,
        ids: IdSource,
        wire: Wire,
        (negotiation, state): (N, N::State),
        now: Now,
    ) -> Self {
        Self {
            wire,
            ids,
            security: Security::default(),
            establishment: now.monotonic + context.timing.establishment,
            unread: None,
            context,
            negotiation,
            suspended: None,
            phase: Phase::Negotiating(state),
        }
    }

    fn read(&mut self, now: Now, bytes: &[u8]) {
        match self.phase {
            Phase::Closed => return,
            // RFC 6120 §5.4.3.3: after `<proceed/>` nothing in the clear means anything.
            Phase::Handshake(_) => return self.gone(Reason::PlaintextInjection),
            _ => {}
        }
        match (self.wire.feed(bytes), &self.phase) {
            (Ok(()), _) => {}
            (Err(reason), Phase::Closing(..)) => return self.gone(reason),
            (Err(reason), _) => return self.fail(now, reason),
        }
        while !matches!(self.phase, Phase::Handshake(_) | Phase::Closed) {
            if self.is_looking() {
                self.unread = Some(now);
                return;
            }
            match self.wire.next_event(now.monotonic) {
                Ok(Some(Event::Close)) => return self.closed_by_peer(now),
                Ok(Some(event)) => self.event(now, event),
                Ok(None) => return,
                Err(reason) => return self.fail(now, reason),
            }
            if self.wire.has_stanza() {
                self.unread = Some(now);
                return;
            }
        }
    }

    fn event(&mut self, now: Now, event: Event) {
        match (&self.phase, &event) {
            (Phase::Negotiating(_), Event::Excess(excess)) => {
                let reason = Reason::Xml(excess.fault.clone());
                self.fail(now, reason);
            }
            (Phase::Negotiating(_), _) => self.step(now, |negotiation, cx, state| match event {
                Event::Header(header) => negotiation.header(cx, state, &header),
                Event::Element(element) => match negotiation.peer_error(&state, &element) {
                    Some(reason) => Err(reason),
                    None => negotiation.element(cx, state, &element),
                },
                // Nothing is proven, so none is given.
                Event::Stanza(_) | Event::Excess(_) | Event::Close => Ok(Next::Negotiate(state)),
            }),
            (Phase::Established(..), _) => {
                if let Err(reason) = self.traffic(now, event) {
                    self.begin_closing(now, reason, None);
                }
            }
            (Phase::Closing(_, Some(_)), _) => self.late(now, event),
            // What is being closed is not opened again, and nothing else is waited for.
            (Phase::Closing(_, None) | Phase::Handshake(_) | Phase::Closed, _) => {}
        }
    }

    /// Something came on an established stream.
    fn traffic(&mut self, now: Now, event: Event) -> Result<(), Reason> {
        let (negotiation, phase, mut cx) = self.parts(now);
        let Phase::Established(established, further) = phase else {
            return Ok(());
        };
        match event {
            Event::Element(element) => {
                if let Some(reason) = peer_error(&element) {
                    return Err(reason);
                }
                let Some(other) = established.element(&mut cx, element)? else {
                    return Ok(());
                };
                negotiation.element_beside(&mut cx, (further, established), &other)?;
                // RFC 6120 §13.12, item 6: what a peer server makes us do is limited in rate,
                // whatever it is. Stanzas are counted where they are taken or refused.
                cx.wire.push(Output::Pace);
                Ok(())
            }
            Event::Stanza(span) => established.stanza(&mut cx, span),
            Event::Excess(excess) => established.excess(&mut cx, excess),
            Event::Header(_) | Event::Close => Ok(()),
        }
    }

    /// Something came after our closing tag. RFC 6120 §4.4: what arrives until the other side has
    /// closed, too, still counts.
    fn late(&mut self, now: Now, event: Event) {
        let (_, phase, mut cx) = self.parts(now);
        let Phase::Closing(_, established) = phase else {
            return;
        };
        let outcome = match (established.as_mut(), event) {
            (Some(open), Event::Element(element)) => open.late_element(&mut cx, element),
            (Some(open), Event::Stanza(span)) => open.late_stanza(&mut cx, span),
            (Some(open), Event::Excess(excess)) => open.late_excess(&mut cx, excess),
            _ => Ok(()),
        };
        if outcome.is_err() {
            // Nothing may follow our closing tag, so the reason is not sent: no more stanzas are taken.
            cx.wire.allow(cx.context.unproven.bytes);
            *established = None;
        }
    }

    /// One step of the negotiation.
    fn step(&mut self, now: Now, step: impl FnOnce(&mut N, &mut Cx<'_>, N::State) -> Step<N>) {
        let (negotiation, phase, mut cx) = self.parts(now);
        match replace(phase, Phase::Closed) {
            Phase::Negotiating(state) => {
                let next = step(negotiation, &mut cx, state);
                self.go_on(now, next);
            }
            other => *phase = other,
        }
    }

    fn secured(&mut self, now: Now, facts: TlsFacts) {
        let (negotiation, phase, mut cx) = self.parts(now);
        match replace(phase, Phase::Closed) {
            Phase::Handshake(handshake) => {
                *cx.security = Security::Unjudged(facts);
                let next = negotiation.secured(&mut cx, handshake);
                self.go_on(now, next);
            }
            other => *phase = other,
        }
    }

    fn go_on(&mut self, now: Now, next: Step<N>) {
        self.phase = match next {
            Ok(Next::Negotiate(state)) => Phase::Negotiating(state),
            Ok(Next::Handshake(handshake)) => Phase::Handshake(handshake),
            Ok(Next::Establish(established, further)) => Phase::Established(established, further),
            Err(reason) => return self.begin_closing(now, reason, None),
        };
    }

    fn connected(&mut self, now: Now) -> Result<(), Reason> {
        match self.parts(now) {
            (negotiation, Phase::Negotiating(state), mut cx) => {
                negotiation.connected(&mut cx, state)
            }
            _ => Ok(()),
        }
    }

    fn found(&mut self, now: Now, found: Option<Box<Found>>) -> Result<(), Reason> {
        match self.parts(now) {
            (_, Phase::Established(established, _), mut cx) => {
                established.found(&mut cx, found.map(|found| *found))
            }
            _ => Ok(()),
        }
    }

    fn share(&mut self, now: Now, pair: Pair) {
        if let (negotiation, Phase::Established(established, further), mut cx) = self.parts(now) {
            negotiation.share(&mut cx, (further, &mut **established), pair);
        } else if !matches!(self.phase, Phase::Closed) {
            let reason = Reason::NotAuthorized;
            self.wire.push(Output::NotShared(pair, reason));
        }
    }

    fn answered(&mut self, now: Now, answer: &Answer) {
        if let (negotiation, Phase::Established(established, further), mut cx) = self.parts(now) {
            let beside = (further, &mut **established);
            if let Err(reason) = negotiation.answered_beside(&mut cx, beside, answer) {
                self.begin_closing(now, reason, None);
            }
        } else {
            self.step(now, |negotiation, cx, state| {
                negotiation.answered(cx, state, answer)
            });
        }
    }

    /// A reload: what the new rules would not admit, by the facts it was admitted on, ends here.
    fn judge_again(&mut self, now: Now) -> Result<(), Reason> {
        let judged = self.judged_again(&self.context, now)?;
        let (negotiation, phase, mut cx) = self.parts(now);
        cx.put_in_force(judged);
        match phase {
            Phase::Negotiating(state) => negotiation.rules_changed(&mut cx, Some(state)),
            Phase::Handshake(_) => negotiation.rules_changed(&mut cx, None),
            Phase::Established(established, _) => established.rules_changed(&mut cx),
            Phase::Closing(..) | Phase::Closed => {}
        }
        Ok(())
    }

    /// Whether rules, in force or not, admit the stream, and what they find the chain worth.
    fn judged_again(&self, context: &Context, now: Now) -> Result<Option<Box<Judged>>, Reason> {
        let view = View {
            context,
            security: &self.security,
            now,
        };
        match &self.phase {
            Phase::Negotiating(state) => self.negotiation.judged_again(view, Some(state)),
            Phase::Handshake(_) => self.negotiation.judged_again(view, None),
            Phase::Established(established, further) => {
                self.negotiation.judge_further(view, further)?;
                established.judged_again(view)
            }
            Phase::Closing(..) | Phase::Closed => Ok(None),
        }
    }

    fn tick(&mut self, now: Now) {
        // A timer that was set for an earlier deadline changes nothing.
        if self.deadline().is_none_or(|due| due > now.monotonic) {
            return;
        }
        let (negotiation, phase, mut cx) = self.parts(now);
        let outcome = match phase {
            Phase::Negotiating(state) => Err(negotiation.overdue(Some(state))),
            Phase::Handshake(_) => Err(negotiation.overdue(None)),
            Phase::Established(established, further) => {
                negotiation.tick_beside(&mut cx, further);
                established.tick(&mut cx)
            }
            Phase::Closing(..) | Phase::Closed => return self.gone(Reason::PeerClosed),
        };
        if let Err(reason) = outcome {
            self.fail(now, reason);
        }
    }

    /// Whether nothing is read on until the shell has found a session: only then is it known whether
    /// what follows is counted.
    fn is_looking(&self) -> bool {
        matches!(&self.phase, Phase::Established(established, _) if established.is_looking())
    }

    /// For so long the shell has not read.
    fn held(&mut self, time: Duration) {
        self.wire.held(time);
        if let Phase::Established(established, _) = &mut self.phase {
            established.held(time);
        }
    }

    fn parts(&mut self, now: Now) -> (&mut N, &mut Phase<N>, Cx<'_>) {
        let cx = Cx {
            context: &self.context,
            wire: &mut self.wire,
            ids: &mut self.ids,
            security: &mut self.security,
            now,
        };
        (&mut self.negotiation, &mut self.phase, cx)
    }
}

impl<N: Negotiation> Machine for Stream<N> {
    fn handle(&mut self, now: Now, input: Input<'_>) {
        let outcome = match input {
            Input::Connected => self.connected(now),
            Input::Context(context) => {
                self.context = context;
                self.judge_again(now)
            }
            Input::End(reason) if !reason.has(Mark::Cut) => Err(reason),
            Input::End(reason) => return self.gone(reason),
            Input::Eof => return self.gone(Reason::PeerClosed),
            Input::Bytes(bytes) => return self.read(now, bytes),
            Input::TlsUp(facts) => return self.secured(now, facts),
            Input::Answer(answer) => return self.answered(now, &answer),
            Input::Tick => return self.tick(now),
            Input::Held(time) => return self.held(time),
            Input::Settled(h) => {
                if let (_, Phase::Established(established, _), mut cx) = self.parts(now) {
                    established.settled(&mut cx, h);
                }
                return;
            }
            Input::Found(found) => self.found(now, found),
            Input::Share(pair) => return self.share(now, pair),
            Input::Deliver(_) | Input::Pong(_) | Input::Probe => {
                if let (_, Phase::Established(established, _), mut cx) = self.parts(now) {
                    established.handle(&mut cx, &input);
                }
                return;
            }
        };
        if let Err(reason) = outcome {
            self.fail(now, reason);
        }
    }

    fn deliver(&mut self, now: Now, stanza: &Validated<Written>, out: &mut Vec<u8>) {
        if let (_, Phase::Established(established, _), cx) = self.parts(now) {
            established.deliver(&cx, stanza, out);
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.wire.poll_output() {
                return Some(output);
            }
            if self.is_looking() {
                return None;
            }
            let now = self.unread.take()?;
            self.read(now, &[]);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Negotiating(state) => Some(self.negotiation.due(state, self.establishment)),
            Phase::Handshake(_) => Some(self.establishment),
            Phase::Established(established, further) => {
                let timing = &self.context.timing;
                let traffic = established.deadline(timing, &self.security, &self.wire);
                let beside = self.negotiation.due_beside(further);
                traffic.into_iter().chain(beside).min()
            }
            Phase::Closing(closing, _) => Some(closing.deadline()),
            Phase::Closed => None,
        }
    }

    fn asked(&self) -> Option<&Domain> {
        self.negotiation.asked()
    }

    fn suspended(&mut self) -> Option<Suspended> {
        self.suspended.take().map(|suspended| *suspended)
    }

    fn would_admit(&self, context: &Context, now: Now) -> Result<(), Reason> {
        self.judged_again(context, now).map(drop)
    }

    fn is_between(&self) -> bool {
        self.unread.is_none() && self.wire.is_drained()
    }

    fn is_open(&self) -> bool {
        matches!(&self.phase, Phase::Established(established, _) if established.is_writable())
    }
}
