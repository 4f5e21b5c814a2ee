//! The receiving entity: what a partner's stream goes through until a pair is proven on it.
//!
//! ```text
//!                  ┌──────────────────────────────────────────────────────────┐
//!                  ▼                                                          │
//!  connect ─► ExpectHeader ─► Negotiating ── <starttls/> ─► ExpectTls ─ TLS up┤
//!                  │            │   ▲  │                                      │
//!                  │            │   │  └── <auth/> EXTERNAL, <success/> ──────┘
//!                  │            │   └───── <db:result/>: the authoritative server is asked
//!                  │            └───────── it has answered: a proven pair ─► Established
//!                  └── the header after EXTERNAL ──────────────────────────► Established
//! ```
//!
//! Each of up to three headers (in the clear, after TLS, after EXTERNAL) passes the same checks.
//! A pair is proven by a good certificate or by dialback; nothing else makes a stanza pass. Beside the
//! traffic more pairs may be proven, by dialback.

mod dialback;
mod expect_header;
mod negotiating;
mod sasl;

use std::sync::Arc;

use self::expect_header::{Before, Claimed, ExpectHeader, ExpectTls, Nameless};
use self::negotiating::Negotiating;
use super::cx::{Cx, View};
use super::established::Established;
use super::lifecycle::Stream;
use super::negotiation::{Negotiation, Next, Step};
use super::security::{Judged, Security};
use super::wire::Wire;
use super::{Context, IdSource, Now};
use crate::proto::auth::chain::TlsFacts;
use crate::proto::auth::dialback::Answer;
use crate::proto::policy::Reason;
use crate::proto::xml::{Element, Header, StreamKind};

/// A stream that a partner opened.
pub type Inbound = Stream<Receiving>;

/// What is known of a stream that a partner opened, as long as it lives.
#[derive(Debug, Default)]
pub struct Receiving {
    /// Whom the last header named, for a header of ours that only carries an error.
    claimed: Claimed,
}

/// The states before anything is proven.
#[derive(Debug)]
pub enum State {
    ExpectHeader(Box<ExpectHeader>),
    Negotiating(Box<Negotiating>),
    Nameless(Nameless),
}

impl Inbound {
    /// A connection was accepted.
    #[must_use]
    pub fn new(context: Arc<Context>, ids: IdSource, now: Now) -> Self {
        let wire = Wire::new(StreamKind::Server, &context.unproven);
        let state = State::ExpectHeader(Box::default());
        Self::begin(context, ids, wire, (Receiving::default(), state), now)
    }

    /// A connection was accepted, and TLS came up on it before anything was said: its header will tell
    /// whose chain it should be.
    #[must_use]
    pub fn over_tls(context: Arc<Context>, ids: IdSource, facts: TlsFacts, now: Now) -> Self {
        let mut stream = Self::new(context, ids, now);
        stream.security = Security::Unjudged(facts);
        stream
    }
}

impl Negotiation for Receiving {
    type State = State;
    type Handshake = ExpectTls;
    type Further = Box<Negotiating>;

    fn header(&mut self, cx: &mut Cx<'_>, state: State, header: &Header) -> Step<Self> {
        match state {
            State::ExpectHeader(state) => state.header(cx, &mut self.claimed, header),
            other => Ok(Next::Negotiate(other)),
        }
    }

    fn element(&mut self, cx: &mut Cx<'_>, state: State, element: &Element) -> Step<Self> {
        match state {
            State::Negotiating(open) => open.element(cx, element),
            State::Nameless(nameless) => nameless.element(cx, element),
            State::ExpectHeader(_) => Ok(Next::Negotiate(state)),
        }
    }

    fn secured(&mut self, cx: &mut Cx<'_>, handshake: ExpectTls) -> Step<Self> {
        handshake.secured(cx)
    }

    fn answered(&mut self, cx: &mut Cx<'_>, state: State, answer: &Answer) -> Step<Self> {
        match state {
            State::Negotiating(mut open) => {
                Ok(match dialback::answered(&mut open, cx, &[], answer)? {
                    Some(proof) => Next::Establish(Established::from_partner(cx, proof), open),
                    None => Next::Negotiate(State::Negotiating(open)),
                })
            }
            other => Ok(Next::Negotiate(other)),
        }
    }

    fn element_beside(
        &mut self,
        cx: &mut Cx<'_>,
        (further, established): (&mut Box<Negotiating>, &mut Established),
        element: &Element,
    ) -> Result<(), Reason> {
        further.element_beside(cx, established.pairs(), element)
    }

    fn answered_beside(
        &mut self,
        cx: &mut Cx<'_>,
        (further, established): (&mut Box<Negotiating>, &mut Established),
        answer: &Answer,
    ) -> Result<(), Reason> {
        if let Some(proof) = dialback::answered(further, cx, established.pairs(), answer)? {
            established.admit(cx, proof);
        }
        Ok(())
    }

    fn judged_again(
        &self,
        view: View<'_>,
        state: Option<&State>,
    ) -> Result<Option<Box<Judged>>, Reason> {
        let pair = match state {
            Some(State::Negotiating(open)) => &open.pair,
            Some(State::ExpectHeader(state)) => match &state.before {
                Some(Before::Pair(_, Some(established))) => return established.judged_again(view),
                Some(Before::Pair(pair, None)) => pair,
                Some(Before::Nobody) | None => return Ok(None),
            },
            Some(State::Nameless(Nameless { local })) if !view.context.rules.is_local(local) => {
                return Err(Reason::UnknownLocalDomain(local.to_string()));
            }
            // What is asked once TLS is up is asked of the rules of then.
            Some(State::Nameless(_)) | None => return Ok(None),
        };
        view.allowed(pair, None)
            .and_then(|_| view.judged_again())
            .map_err(|reason| Reason::PolicyChanged(Box::new(reason)))
    }

    fn rules_changed(&mut self, cx: &mut Cx<'_>, state: Option<&mut State>) {
        if let Some(State::ExpectHeader(state)) = state
            && let Some(Before::Pair(_, Some(established))) = &mut state.before
        {
            established.rules_changed(cx);
        }
    }

    fn judge_further(&self, view: View<'_>, further: &Box<Negotiating>) -> Result<(), Reason> {
        match view.allowed(&further.pair, None) {
            Ok(_) => Ok(()),
            Err(reason) => Err(Reason::PolicyChanged(Box::new(reason))),
        }
    }

    /// What the partner, or its authoritative server, still owes until something is proven.
    fn overdue(&self, state: Option<&State>) -> Reason {
        Reason::EstablishmentTimeout(match state {
            Some(State::ExpectHeader(state)) => state.waiting_for(),
            Some(State::Negotiating(open)) => open.waiting_for(),
            Some(State::Nameless(_)) => "<starttls/>",
            None => "the end of the TLS handshake",
        })
    }

    fn send_header(&mut self, cx: &mut Cx<'_>) {
        let id = cx.ids.next_id();
        self.claimed.send_header(cx.wire, &cx.context.rules, &id);
    }
}
