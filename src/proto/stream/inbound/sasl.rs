//! SASL on an inbound stream: EXTERNAL, for whom the certificate is good (XEP-0178 §3).

use super::super::Record;
use super::expect_header::{Before, ExpectHeader};
use super::negotiating::Negotiating;
use super::{Receiving, State};
use crate::proto::auth::external;
use crate::proto::policy::{Method, Reason};
use crate::proto::stream::cx::Cx;
use crate::proto::stream::established::Established;
use crate::proto::stream::negotiation::{Next, Step};
use crate::proto::xml::{Element, Ns};

/// RFC 6120 §6.4.5: a peer may try again, but not for ever.
const MAX_SASL_FAILURES: u8 = 3;

impl Negotiating {
    /// An element of SASL's came.
    pub(super) fn sasl(mut self: Box<Self>, cx: &mut Cx<'_>, element: &Element) -> Step<Receiving> {
        // A stream that is on its way by dialback stays on it: what is asked is bound to its id.
        let is_offered = self.offer.external && self.pending.is_empty();
        let Some(response) = self.response(cx, is_offered, element)? else {
            return Ok(Next::Negotiate(State::Negotiating(self)));
        };
        if let Err(condition) = external::check_response(&response, &self.pair.remote) {
            self.sasl_failure(cx, condition)?;
            return Ok(Next::Negotiate(State::Negotiating(self)));
        }
        // The rules may have changed since EXTERNAL was offered.
        cx.allowed(&self.pair, Some(Method::SaslExternal))?;
        let Some(report) = cx.security.report() else {
            self.sasl_failure(cx, "encryption-required")?;
            return Ok(Next::Negotiate(State::Negotiating(self)));
        };
        let proof = external::prove(self.pair.clone(), report).map_err(Reason::Certificate)?;
        cx.wire.send(&Element::new(Ns::SASL, "success"));
        cx.wire.restart();
        let established = Established::from_partner(cx, proof);
        Ok(Next::Negotiate(State::ExpectHeader(Box::new(
            ExpectHeader {
                before: Some(Before::Pair(self.pair, Some(established))),
            },
        ))))
    }

    /// An element of SASL's came where a pair is proven: nothing more is proven by it.
    pub(super) fn sasl_beside(&mut self, cx: &mut Cx<'_>, element: &Element) -> Result<(), Reason> {
        self.response(cx, false, element).map(drop)
    }

    /// What the partner says for itself, as soon as it says so and EXTERNAL can be had.
    fn response(
        &mut self,
        cx: &mut Cx<'_>,
        is_offered: bool,
        element: &Element,
    ) -> Result<Option<String>, Reason> {
        let unavailable = match cx.security.version() {
            // RFC 6120 §6.5.4: EXTERNAL proves nothing without TLS.
            None => Some("encryption-required"),
            Some(_) => (!is_offered).then_some("not-authorized"),
        };
        match element.name() {
            // RFC 6120 §6.5.7.
            "auth" if element.attribute("mechanism") != Some(external::MECHANISM) => {
                return self.sasl_failure(cx, "invalid-mechanism");
            }
            // RFC 6120 §6.4.2: an absent initial response is asked for with a challenge.
            "auth" if unavailable.is_none() && element.text().trim().is_empty() => {
                self.challenged = true;
                cx.wire.send(&Element::new(Ns::SASL, "challenge"));
                return Ok(None);
            }
            "auth" => {}
            // Between challenge and response a dialback may have begun.
            "response" if self.challenged => {}
            "abort" => return self.sasl_failure(cx, "aborted"),
            _ => return Err(Reason::UnexpectedElement(element.name().to_owned())),
        }
        self.challenged = false;
        match unavailable {
            Some(condition) => self.sasl_failure(cx, condition),
            None => Ok(Some(element.text().into_owned())),
        }
    }

    fn sasl_failure(
        &mut self,
        cx: &mut Cx<'_>,
        condition: &'static str,
    ) -> Result<Option<String>, Reason> {
        self.challenged = false;
        self.sasl_failures += 1;
        let fault = cx.security.fault().cloned();
        cx.wire.record(Record::MethodFailed {
            pair: self.pair.clone(),
            method: Method::SaslExternal,
            reason: fault.map_or(Reason::SaslFailed(condition), Reason::Certificate),
        });
        cx.wire
            .send(&Element::new(Ns::SASL, "failure").with_child(Element::new(Ns::SASL, condition)));
        if self.sasl_failures >= MAX_SASL_FAILURES {
            return Err(Reason::TooManyAttempts);
        }
        Ok(None)
    }
}
