//! What the three negotiations tell the lifecycle: their states, and what each event leads to.

use std::fmt::Debug;
use std::time::Instant;

use super::close::{Closing, peer_error};
use super::cx::{Cx, View};
use super::established::Established;
use super::machine::Output;
use super::security::Judged;
use super::wire::Wire;
use crate::proto::auth::Pair;
use crate::proto::auth::dialback::Answer;
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::xml::{Element, Header};

/// The way from a connection to something proven. What it holds itself lives as long as the stream.
pub trait Negotiation: Debug + Sized {
    /// Where it stands: one struct a state.
    type State: Debug;
    /// What is kept while TLS is being set up.
    type Handshake: Debug;
    /// What may be negotiated further, beside the traffic.
    type Further: Debug;

    /// The connection is there.
    fn connected(&mut self, _: &mut Cx<'_>, _: &mut Self::State) -> Result<(), Reason> {
        Ok(())
    }

    /// The other side's header came.
    fn header(&mut self, cx: &mut Cx<'_>, state: Self::State, header: &Header) -> Step<Self>;

    /// An element came before anything is established.
    fn element(&mut self, cx: &mut Cx<'_>, state: Self::State, element: &Element) -> Step<Self>;

    /// TLS is up.
    fn secured(&mut self, cx: &mut Cx<'_>, handshake: Self::Handshake) -> Step<Self>;

    /// The authoritative server's answer came.
    fn answered(&mut self, _: &mut Cx<'_>, state: Self::State, _: &Answer) -> Step<Self> {
        Ok(Next::Negotiate(state))
    }

    /// An element came on an established stream, and it is no stanza.
    fn element_beside(
        &mut self,
        cx: &mut Cx<'_>,
        beside: (&mut Self::Further, &mut Established),
        element: &Element,
    ) -> Result<(), Reason>;

    /// The authoritative server's answer came on an established stream.
    fn answered_beside(
        &mut self,
        _: &mut Cx<'_>,
        _: (&mut Self::Further, &mut Established),
        _: &Answer,
    ) -> Result<(), Reason> {
        Ok(())
    }

    /// Another pair wants to share the stream.
    fn share(&mut self, cx: &mut Cx<'_>, _: (&mut Self::Further, &mut Established), pair: Pair) {
        cx.wire.push(Output::NotShared(pair, Reason::NotAuthorized));
    }

    /// When something is due that is negotiated beside the traffic.
    fn due_beside(&self, _: &Self::Further) -> Option<Instant> {
        None
    }

    /// A time is up.
    fn tick_beside(&mut self, _: &mut Cx<'_>, _: &mut Self::Further) {}

    /// Whether other rules admit what is being negotiated, and what they find the chain worth;
    /// `None` is the state during a handshake.
    fn judged_again(
        &self,
        view: View<'_>,
        state: Option<&Self::State>,
    ) -> Result<Option<Box<Judged>>, Reason>;

    /// Other rules are in force, and admit what is being negotiated.
    fn rules_changed(&mut self, _: &mut Cx<'_>, _: Option<&mut Self::State>) {}

    /// Whether other rules admit what may be negotiated further.
    fn judge_further(&self, _: View<'_>, _: &Self::Further) -> Result<(), Reason> {
        Ok(())
    }

    /// Whether a stream error may be written in this state.
    fn can_speak(&self, _: &Self::State) -> bool {
        true
    }

    /// Why the other side ended the stream, if `element` is its stream error.
    fn peer_error(&self, _: &Self::State, element: &Element) -> Option<Reason> {
        peer_error(element)
    }

    /// When this state is over; `establishment` is when all of the negotiation is.
    fn due(&self, _: &Self::State, establishment: Instant) -> Instant {
        establishment
    }

    /// What the time was up for; `None` during a handshake.
    fn overdue(&self, state: Option<&Self::State>) -> Reason;

    /// Writes our header, where only an error follows it (RFC 6120 §4.9.1.2).
    fn send_header(&mut self, cx: &mut Cx<'_>);

    /// What the end means: what was seen before it may say more.
    fn weighed(&self, _: Option<&Self::State>, reason: Reason) -> Reason {
        reason
    }

    /// Writes the last that the other side gets to read.
    fn close(&mut self, cx: &mut Cx<'_>, reason: Reason) -> Closing {
        Closing::begin_accepted(cx.wire, cx.now, reason)
    }

    /// The connection is over.
    fn gone(&mut self, _: &mut Wire, _: &Reason) {}

    /// The domain that the other side asked to serve: of a gateway only.
    fn asked(&self) -> Option<&Domain> {
        None
    }
}

/// What comes after an event.
#[derive(Debug)]
pub enum Next<N: Negotiation> {
    /// This state.
    Negotiate(N::State),
    /// TLS, as soon as everything is written.
    Handshake(N::Handshake),
    /// Traffic, and what may be negotiated beside it.
    Establish(Box<Established>, N::Further),
}

/// One step; an error is the end of the stream.
pub(super) type Step<N> = Result<Next<N>, Reason>;
