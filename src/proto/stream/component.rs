//! A gateway's link: the accepting side of XEP-0114.
//!
//! ```text
//!  connect ─► ExpectHeader ── to='local domain' ─► ExpectHandshake ── digest ─► Established
//! ```
//!
//! One link carries one local domain. What is XEP-0114's own is here and nowhere else.

use std::convert::Infallible;
use std::sync::Arc;

use super::cx::{Cx, View};
use super::directions::Directions;
use super::established::Established;
use super::lifecycle::Stream;
use super::negotiation::{Negotiation, Next, Step};
use super::security::Judged;
use super::wire::Wire;
use super::{Context, IdSource, Now, Output, header};
use crate::proto::auth::handshake::{self, LinkSecret};
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::xml::{Element, Header, Ns, StreamKind};

/// A link that a gateway opened.
pub type Component = Stream<Serving>;

/// What is known of a link, as long as it lives.
#[derive(Debug)]
pub struct Serving {
    secret: Arc<LinkSecret>,
    /// The domain that its header named, whatever became of it.
    asked: Option<Domain>,
    /// Whether its header says that it reads stream features (RFC 6120 §4.7.5).
    reads_features: bool,
}

/// The states before the handshake.
#[derive(Debug)]
pub enum State {
    ExpectHeader,
    ExpectHandshake { domain: Domain, stream_id: String },
}

impl Component {
    /// A connection was accepted on the link's port; `secret` is the one of XEP-0114.
    #[must_use]
    pub fn new(context: Arc<Context>, ids: IdSource, secret: Arc<LinkSecret>, now: Now) -> Self {
        let wire = Wire::new(StreamKind::Component, &context.unproven);
        let serving = Serving {
            secret,
            asked: None,
            reads_features: false,
        };
        let begin = (serving, State::ExpectHeader);
        Self::begin(context, ids, wire, begin, now)
    }
}

impl Negotiation for Serving {
    type State = State;
    /// TLS is up before a link begins, or there is none.
    type Handshake = Infallible;
    type Further = ();

    fn header(&mut self, cx: &mut Cx<'_>, _: State, header: &Header) -> Step<Self> {
        header::check(header, StreamKind::Component)?;
        // XEP-0114 §3: `to` is the domain that the component serves.
        let domain = header::domain(header, "to")?.ok_or(Reason::HeaderAddress("to"))?;
        self.asked = Some(domain.clone());
        if !cx.context.rules.is_local(&domain) {
            return Err(Reason::UnknownLocalDomain(domain.to_string()));
        }
        let stream_id = cx.ids.next_id();
        self.reads_features = header.attribute("version") == Some("1.0");
        let mut attributes = vec![("from", domain.written()), ("id", &stream_id)];
        if self.reads_features {
            attributes.push(("version", "1.0"));
        }
        header::send(cx.wire, &attributes);
        Ok(Next::Negotiate(State::ExpectHandshake {
            domain,
            stream_id,
        }))
    }

    fn element(&mut self, cx: &mut Cx<'_>, state: State, element: &Element) -> Step<Self> {
        let State::ExpectHandshake { domain, stream_id } = state else {
            return Ok(Next::Negotiate(state));
        };
        // XEP-0114 §3: nothing is accepted before the handshake.
        if !element.is(&Ns::CONTENT, "handshake") {
            return Err(Reason::NotAuthorized);
        }
        // XEP-0114 §3: a wrong digest ends the stream.
        let proof = handshake::prove(domain, &stream_id, self.secret.expose(), &element.text())
            .ok_or(Reason::LinkSecret)?;
        let mut established = Established::new(cx, Directions::of_link(proof.clone()));
        cx.wire.send(&Element::new(Ns::CONTENT, "handshake"));
        if self.reads_features {
            // XEP-0198 §3: not before the other side is authenticated.
            established.offer_acks(cx);
        }
        cx.wire.push(Output::LinkUp(proof));
        Ok(Next::Establish(established, ()))
    }

    fn secured(&mut self, _: &mut Cx<'_>, handshake: Infallible) -> Step<Self> {
        match handshake {}
    }

    fn element_beside(
        &mut self,
        _: &mut Cx<'_>,
        _: (&mut (), &mut Established),
        element: &Element,
    ) -> Result<(), Reason> {
        Err(Reason::UnexpectedElement(element.name().to_owned()))
    }

    fn judged_again(
        &self,
        view: View<'_>,
        state: Option<&State>,
    ) -> Result<Option<Box<Judged>>, Reason> {
        match state {
            Some(State::ExpectHandshake { domain, .. }) if !view.context.rules.is_local(domain) => {
                Err(Reason::UnknownLocalDomain(domain.to_string()))
            }
            _ => Ok(None),
        }
    }

    fn overdue(&self, state: Option<&State>) -> Reason {
        Reason::EstablishmentTimeout(match state {
            Some(State::ExpectHeader) => "the stream header",
            _ => "the handshake",
        })
    }

    fn send_header(&mut self, cx: &mut Cx<'_>) {
        let id = cx.ids.next_id();
        header::send(cx.wire, &[("id", &id)]);
    }

    fn asked(&self) -> Option<&Domain> {
        self.asked.as_ref()
    }
}
