//! SASL on an inbound stream: EXTERNAL, for whom the certificate is good (XEP-0178 §3).

use super::super::Record;
use super::Cx;
use super::expect_header::ExpectHeader;
use super::negotiating::{Negotiating, Next};
use crate::proto::auth::external;
use crate::proto::policy::{Method, Reason};
use crate::proto::xml::{Element, Ns};

/// RFC 6120 §6.4.5: a peer may try again, but not for ever.
const MAX_SASL_FAILURES: u8 = 3;

impl Negotiating {
    /// An element of SASL's came.
    pub(super) fn sasl(&mut self, cx: &mut Cx<'_>, element: &Element) -> Result<Next, Reason> {
        let response = match element.name() {
            "auth" => {
                // RFC 6120 §6.5.7.
                if element.attribute("mechanism") != Some(external::MECHANISM) {
                    return self.sasl_failure(cx, "invalid-mechanism");
                }
                if let Some(condition) = self.unavailable() {
                    return self.sasl_failure(cx, condition);
                }
                // RFC 6120 §6.4.2: an absent initial response is asked for with a challenge.
                if element.text().trim().is_empty() {
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
        // Between challenge and response a dialback may have begun.
        if let Some(condition) = self.unavailable() {
            return self.sasl_failure(cx, condition);
        }
        if let Err(condition) = external::check_response(&response, &self.pair.remote) {
            return self.sasl_failure(cx, condition);
        }
        // The rules may have changed since EXTERNAL was offered.
        cx.allowed(&self.pair, Some(Method::SaslExternal), self.tls_version())?;
        let Some(tls) = self.tls.take() else {
            return self.sasl_failure(cx, "encryption-required");
        };
        let proof = external::prove(self.pair.clone(), &tls.report).map_err(Reason::Certificate)?;
        cx.wire.send(&Element::new(Ns::SASL, "success"));
        cx.wire.restart();
        self.admit(cx, proof);
        Ok(Next::ExpectHeader(Box::new(ExpectHeader {
            tls: Some(tls),
            before: Some(self.pair.clone()),
            proven: std::mem::take(&mut self.proven),
            after_nobody: false,
        })))
    }

    /// The condition to answer with, where EXTERNAL cannot be had now.
    fn unavailable(&self) -> Option<&'static str> {
        // RFC 6120 §6.5.4: EXTERNAL proves nothing without TLS.
        if self.tls.is_none() {
            return Some("encryption-required");
        }
        // A stream that is on its way by dialback stays on it: what is asked is bound to its id.
        let offered = self.offer.external && self.proven.is_empty() && self.pending.is_empty();
        (!offered).then_some("not-authorized")
    }

    fn sasl_failure(&mut self, cx: &mut Cx<'_>, condition: &'static str) -> Result<Next, Reason> {
        self.challenged = false;
        self.sasl_failures += 1;
        let fault = self
            .tls
            .as_ref()
            .and_then(|tls| tls.report.verdict.clone().err());
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
        Ok(Next::Stay)
    }
}
