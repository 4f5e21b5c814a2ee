//! Between header and end: the partner proves pairs and, once one is proven, sends stanzas.

use std::time::{Duration, Instant};

use super::super::close::peer_error;
use super::super::expiry::Expiry;
use super::super::features::Offer;
use super::super::{Output, Record};
use super::admission::{Secured, by_certificate, set_limits};
use super::expect_header::{ExpectHeader, ExpectTls};
use super::{Cx, dialback};
use crate::proto::auth::chain::TlsVersion;
use crate::proto::auth::dialback::Pending;
use crate::proto::auth::{Authenticated, Pair};
use crate::proto::policy::{Method, Reason};
use crate::proto::stanza::{Refusal, excess_from_partner, from_partner};
use crate::proto::xml::{Element, Excess, Ns};

/// Most dialbacks that may fail on a stream that has proven nothing: each could make us dial.
const MAX_DIALBACK_FAILURES: u8 = 16;

/// So many stanzas with malformed addresses in one minute end the stream.
const MAX_BAD_ADDRESSES: u8 = 50;
const MINUTE: Duration = Duration::from_secs(60);

/// Features were sent.
#[derive(Debug)]
pub(super) struct Negotiating {
    pub(super) pair: Pair,
    pub(super) stream_id: String,
    pub(super) offer: Offer,
    pub(super) tls: Option<Secured>,
    pub(super) sasl_failures: u8,
    dialback_failures: u8,
    /// An empty challenge was sent; the response is awaited.
    pub(super) challenged: bool,
    pub(super) pending: Pending,
    pub(super) proven: Vec<Authenticated<Pair>>,
    pub(super) last_stanza: Instant,
    /// Since when malformed addresses are counted, and how many there were.
    bad_addresses: Option<(Instant, u8)>,
}

/// What comes after an element.
pub(super) enum Next {
    Stay,
    ExpectTls(ExpectTls),
    ExpectHeader(Box<ExpectHeader>),
}

impl Negotiating {
    pub(super) fn new(
        pair: Pair,
        stream_id: String,
        offer: Offer,
        tls: Option<Secured>,
        proven: Vec<Authenticated<Pair>>,
        now: Instant,
    ) -> Self {
        Self {
            pair,
            stream_id,
            offer,
            tls,
            sasl_failures: 0,
            dialback_failures: 0,
            challenged: false,
            pending: Pending::default(),
            proven,
            last_stanza: now,
            bad_addresses: None,
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

    pub(super) fn element(&mut self, cx: &mut Cx<'_>, element: Element) -> Result<Next, Reason> {
        let is_free = self.proven.is_empty() || *element.ns() == Ns::CONTENT;
        let next = self.handle(cx, element)?;
        // RFC 6120 §13.12, item 6: what a peer server makes us do is limited in rate, whatever it
        // is. Stanzas are counted where they are taken or refused.
        if !is_free {
            cx.wire.push(Output::Pace);
        }
        Ok(next)
    }

    fn handle(&mut self, cx: &mut Cx<'_>, element: Element) -> Result<Next, Reason> {
        if let Some(reason) = peer_error(&element) {
            return Err(reason);
        }
        if element.is(&Ns::TLS, "starttls") {
            return self.starttls(cx);
        }
        if *element.ns() == Ns::SASL {
            return self.sasl(cx, &element);
        }
        if *element.ns() == Ns::DIALBACK {
            dialback::element(self, cx, &element)?;
            return Ok(Next::Stay);
        }
        if *element.ns() == Ns::CONTENT {
            self.stanza(cx, element)?;
            return Ok(Next::Stay);
        }
        // RFC 6120 §4.9.3.24: nothing else has a meaning here (compression included).
        Err(Reason::UnexpectedElement(element.name().to_owned()))
    }

    /// An element that came after our closing tag: only stanzas still count.
    pub(super) fn late(&mut self, cx: &mut Cx<'_>, element: Element) -> Result<(), Reason> {
        if *element.ns() == Ns::CONTENT {
            self.stanza(cx, element)
        } else {
            cx.wire.push(Output::Pace);
            Ok(())
        }
    }

    /// A pair is proven: larger limits from here on.
    pub(super) fn admit(&mut self, cx: &mut Cx<'_>, proof: Authenticated<Pair>) {
        self.last_stanza = cx.now.monotonic;
        if let Some(method) = proof.method() {
            let pair = (*proof).clone();
            cx.wire.record(Record::Authenticated { pair, method });
        }
        cx.wire.push(Output::Authenticated(proof.clone()));
        self.proven.push(proof);
        set_limits(cx, &self.proven);
    }

    /// Until when the certificate proves what it has proven.
    pub(super) fn expiry(&mut self) -> Option<&mut Expiry> {
        let tls = self.tls.as_mut().filter(|_| by_certificate(&self.proven))?;
        tls.expiry.as_mut()
    }

    /// When that is to be looked at.
    pub(super) fn expires(&self) -> Option<Instant> {
        let tls = self.tls.as_ref().filter(|_| by_certificate(&self.proven))?;
        Some(tls.expiry.as_ref()?.deadline())
    }

    /// The TLS that the stream runs on.
    pub(super) fn tls_version(&self) -> Option<TlsVersion> {
        self.tls.as_ref().map(|tls| tls.facts.version)
    }

    /// The method that dialback on this stream is.
    pub(super) fn dialback_method(&self) -> Method {
        match self.tls {
            Some(_) => Method::TlsDialback,
            None => Method::TcpDialback,
        }
    }

    /// Counts a dialback that came to nothing.
    pub(super) fn dialback_failed(&mut self) -> Result<(), Reason> {
        if self.proven.is_empty() {
            self.dialback_failures += 1;
        }
        if self.dialback_failures >= MAX_DIALBACK_FAILURES {
            return Err(Reason::TooManyAttempts);
        }
        Ok(())
    }

    /// A stanza that is not kept, because it exceeds a limit: refused alone.
    pub(super) fn excess(&mut self, cx: &mut Cx<'_>, excess: Excess) -> Result<(), Reason> {
        // Before anything is proven no limit may be exceeded.
        if self.proven.is_empty() {
            return Err(Reason::NotAuthorized);
        }
        self.last_stanza = cx.now.monotonic;
        let refusal = excess_from_partner(excess, &self.proven);
        self.refused(cx, refusal)
    }

    fn stanza(&mut self, cx: &mut Cx<'_>, element: Element) -> Result<(), Reason> {
        // RFC 6120 §4.9.3.12: no stanza before authentication.
        if self.proven.is_empty() {
            return Err(Reason::NotAuthorized);
        }
        self.last_stanza = cx.now.monotonic;
        match from_partner(element, &self.proven) {
            Ok(stanza) => cx.wire.push(Output::Stanza(stanza)),
            Err(refusal) => self.refused(cx, refusal)?,
        }
        Ok(())
    }

    fn refused(&mut self, cx: &mut Cx<'_>, refusal: Refusal) -> Result<(), Reason> {
        match refusal {
            Refusal::Stream(reason) => return Err(reason),
            Refusal::Stanza {
                reason,
                pair,
                users,
                answer,
            } => {
                if matches!(reason, Reason::MalformedAddress { .. }) {
                    self.bad_address(cx.now.monotonic)?;
                }
                cx.wire.push(Output::Refused {
                    reason,
                    pair,
                    users,
                    answer,
                });
            }
        }
        Ok(())
    }

    /// Counts a malformed address: a server that makes one in each stanza is broken, or hostile.
    fn bad_address(&mut self, now: Instant) -> Result<(), Reason> {
        match &mut self.bad_addresses {
            Some((since, count)) if now.saturating_duration_since(*since) < MINUTE => {
                *count += 1;
                if *count >= MAX_BAD_ADDRESSES {
                    return Err(Reason::TooManyBadAddresses);
                }
            }
            window => *window = Some((now, 1)),
        }
        Ok(())
    }

    fn starttls(&self, cx: &mut Cx<'_>) -> Result<Next, Reason> {
        // RFC 6120 §5.3.4: TLS is started once, and first of all.
        if !self.offer.starttls || !self.proven.is_empty() || !self.pending.is_empty() {
            // RFC 6120 §5.4.2.2: this element is the answer, and no stream error.
            cx.wire.send(&Element::new(Ns::TLS, "failure"));
            return Err(Reason::TlsNotOffered);
        }
        cx.wire.begin_tls()?;
        cx.wire.send(&Element::new(Ns::TLS, "proceed"));
        cx.wire.push(Output::StartTls {
            local: self.pair.local.clone(),
            remote: self.pair.remote.clone(),
        });
        Ok(Next::ExpectTls(ExpectTls {
            pair: Some(self.pair.clone()),
        }))
    }
}
