//! Between header and end: the partner proves a pair and, beside its stanzas, further ones.

use super::super::Output;
use super::super::features::Offer;
use super::expect_header::ExpectTls;
use super::{Receiving, State, dialback};
use crate::proto::auth::dialback::Pending;
use crate::proto::auth::{Authenticated, Pair};
use crate::proto::policy::Reason;
use crate::proto::stream::cx::Cx;
use crate::proto::stream::negotiation::{Next, Step};
use crate::proto::xml::{Element, Ns};

/// Most dialbacks that may fail on a stream that has proven nothing: each could make us dial.
const MAX_DIALBACK_FAILURES: u8 = 16;

/// Features were sent.
#[derive(Debug)]
pub struct Negotiating {
    pub(super) pair: Pair,
    pub(super) stream_id: String,
    pub(super) offer: Offer,
    pub(super) sasl_failures: u8,
    dialback_failures: u8,
    /// An empty challenge was sent; the response is awaited.
    pub(super) challenged: bool,
    pub(super) pending: Pending,
}

impl Negotiating {
    pub(super) fn new(pair: Pair, stream_id: String, offer: Offer) -> Self {
        Self {
            pair,
            stream_id,
            offer,
            sasl_failures: 0,
            dialback_failures: 0,
            challenged: false,
            pending: Pending::default(),
        }
    }

    /// What the next step to a proven pair is.
    pub(super) fn waiting_for(&self) -> &'static str {
        let Offer {
            starttls,
            external,
            dialback,
            ..
        } = self.offer;
        if !self.pending.is_empty() {
            "the authoritative server's word on a dialback key"
        } else if self.challenged {
            "the response to a SASL challenge"
        } else if starttls && dialback {
            "<starttls/> or a dialback key"
        } else if starttls {
            "<starttls/>"
        } else if external && dialback {
            "SASL EXTERNAL or a dialback key"
        } else if external {
            "SASL EXTERNAL"
        } else {
            "a dialback key"
        }
    }

    /// An element came while nothing is proven.
    pub(super) fn element(
        mut self: Box<Self>,
        cx: &mut Cx<'_>,
        element: &Element,
    ) -> Step<Receiving> {
        if element.is(&Ns::TLS, "starttls") {
            return self.starttls(cx);
        }
        if *element.ns() == Ns::SASL {
            return self.sasl(cx, element);
        }
        if *element.ns() == Ns::DIALBACK {
            dialback::element(&mut self, cx, &[], element)?;
            return Ok(Next::Negotiate(State::Negotiating(self)));
        }
        if *element.ns() == Ns::CONTENT {
            // RFC 6120 §4.9.3.12: no stanza before authentication.
            return Err(Reason::NotAuthorized);
        }
        Err(unsupported(element))
    }

    /// An element that is no stanza came beside the traffic of the pairs that are proven.
    pub(super) fn element_beside(
        &mut self,
        cx: &mut Cx<'_>,
        proven: &[Authenticated<Pair>],
        element: &Element,
    ) -> Result<(), Reason> {
        if element.is(&Ns::TLS, "starttls") {
            return Err(refuse_tls(cx));
        }
        if *element.ns() == Ns::SASL {
            return self.sasl_beside(cx, element);
        }
        if *element.ns() == Ns::DIALBACK {
            return dialback::element(self, cx, proven, element);
        }
        Err(unsupported(element))
    }

    /// Counts a dialback that came to nothing.
    pub(super) fn dialback_failed(&mut self, proven: &[Authenticated<Pair>]) -> Result<(), Reason> {
        if proven.is_empty() {
            self.dialback_failures += 1;
        }
        if self.dialback_failures >= MAX_DIALBACK_FAILURES {
            return Err(Reason::TooManyAttempts);
        }
        Ok(())
    }

    fn starttls(self, cx: &mut Cx<'_>) -> Step<Receiving> {
        // RFC 6120 §5.3.4: TLS is started once, and first of all.
        if !self.offer.starttls || !self.pending.is_empty() {
            return Err(refuse_tls(cx));
        }
        cx.wire.begin_tls()?;
        cx.wire.send(&Element::new(Ns::TLS, "proceed"));
        cx.wire.push(Output::StartTls {
            local: self.pair.local.clone(),
            remote: self.pair.remote.clone(),
        });
        Ok(Next::Handshake(ExpectTls {
            pair: Some(self.pair),
        }))
    }
}

/// RFC 6120 §5.4.2.2: this element is the answer, and no stream error.
fn refuse_tls(cx: &mut Cx<'_>) -> Reason {
    cx.wire.send(&Element::new(Ns::TLS, "failure"));
    Reason::TlsNotOffered
}

/// RFC 6120 §4.9.3.24: nothing else has a meaning here (compression included).
fn unsupported(element: &Element) -> Reason {
    Reason::UnexpectedElement(element.name().to_owned())
}
