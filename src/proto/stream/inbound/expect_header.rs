//! Before each header of a partner's: in the clear, after TLS, after EXTERNAL.

use super::super::close::{one_line, peer_error};
use super::super::features::Offer;
use super::super::wire::Wire;
use super::super::{Output, Record, header};
use super::admission::Secured;
use super::negotiating::Negotiating;
use super::{Cx, State};
use crate::proto::auth::chain::TlsFacts;
use crate::proto::auth::{Authenticated, Pair};
use crate::proto::jid::Domain;
use crate::proto::policy::{Method, Negotiation, Partner, Reason, Rules};
use crate::proto::xml::{Element, Header, Ns, StreamKind};

/// The next thing must be a header.
#[derive(Debug, Default)]
pub(super) struct ExpectHeader {
    pub(super) tls: Option<Secured>,
    /// Whom the header before this one named.
    pub(super) before: Option<Pair>,
    pub(super) proven: Vec<Authenticated<Pair>>,
    /// Whether the header before this one named nobody.
    pub(super) after_nobody: bool,
}

/// `<proceed/>` was sent.
#[derive(Debug)]
pub(super) struct ExpectTls {
    /// `None` where the header named nobody.
    pub(super) pair: Option<Pair>,
}

/// The header named one of our domains and none of its own: our certificate may be looked at, and
/// nothing else is to be had.
#[derive(Debug)]
pub(super) struct Nameless {
    pub(super) local: Domain,
}

/// What a header leads to.
pub(super) enum Begun {
    Negotiating(Box<Negotiating>),
    Nameless(Nameless),
}

impl State {
    pub(super) fn tls_up(self, cx: &mut Cx<'_>, facts: TlsFacts) -> Result<Self, Reason> {
        let Self::ExpectTls(ExpectTls { pair }) = self else {
            return Ok(self);
        };
        let Some(pair) = pair else {
            return Ok(Self::ExpectHeader(Box::new(ExpectHeader {
                after_nobody: true,
                ..ExpectHeader::default()
            })));
        };
        let mut tls = Secured::judge(cx, &pair, facts)?;
        cx.wire.record(Record::Secured {
            pair: pair.clone(),
            version: tls.facts.version,
            fault: tls.report.verdict.clone().err(),
            shown: tls.report.shown.take().map(Box::new),
        });
        if let Some(fault) = tls.report.unpinned.take().map(Box::new) {
            let pair = pair.clone();
            cx.wire.record(Record::NotPinned { pair, fault });
        }
        Ok(Self::ExpectHeader(Box::new(ExpectHeader {
            tls: Some(tls),
            before: Some(pair),
            ..ExpectHeader::default()
        })))
    }
}

impl ExpectHeader {
    /// Which of the headers of a connection is due.
    pub(super) fn waiting_for(&self) -> &'static str {
        if !self.proven.is_empty() {
            "the stream header after SASL"
        } else if self.before.is_some() || self.after_nobody {
            "the stream header after TLS"
        } else {
            "the stream header"
        }
    }

    pub(super) fn header(
        mut self: Box<Self>,
        cx: &mut Cx<'_>,
        header: &Header,
    ) -> Result<Begun, Reason> {
        cx.claimed.note(header);
        if self.before.is_none() && !self.after_nobody {
            cx.wire.record(Record::Claimed {
                local: cx.claimed.local.clone(),
                remote: header.attribute("from").map(one_line),
            });
        }
        header::check(header, StreamKind::Server)?;
        header::check_version(header)?;
        // RFC 6120 §4.7.1, §4.7.2: between servers both addresses are required.
        let local = header::domain(header, "to")?.ok_or(Reason::HeaderAddress("to"))?;
        let Some(remote) = header::domain(header, "from")? else {
            return self.nameless(cx, local).map(Begun::Nameless);
        };
        if self.after_nobody {
            return Err(Reason::HeaderChanged("from"));
        }
        let pair = Pair { local, remote };
        if let Some(before) = &self.before {
            if before.local != pair.local {
                return Err(Reason::HeaderChanged("to"));
            }
            if before.remote != pair.remote {
                return Err(Reason::HeaderChanged("from"));
            }
        }
        let tls = self.tls.as_ref().map(|tls| tls.facts.version);
        let partner = cx.allowed(&pair, None, tls)?;
        let offer = self.offer(partner)?;
        if self.before.is_none() {
            cx.wire.push(Output::Claimed(pair.clone()));
        }
        let stream_id = cx.ids.next_id();
        cx.claimed
            .send_header(cx.wire, &cx.context.rules, &stream_id);
        cx.wire.send(&offer.to_element());
        Ok(Begun::Negotiating(Box::new(Negotiating::new(
            pair,
            stream_id,
            offer,
            self.tls.take(),
            std::mem::take(&mut self.proven),
            cx.now.monotonic,
        ))))
    }

    /// A header without `from`, as monitors of certificates send it. RFC 6120 §4.7.1 requires one
    /// between servers, so it leads to STARTTLS and no further: under TLS it is refused.
    fn nameless(&self, cx: &mut Cx<'_>, local: Domain) -> Result<Nameless, Reason> {
        if self.before.is_some() || self.after_nobody {
            return Err(Reason::HeaderAddress("from"));
        }
        if !cx.context.rules.is_local(&local) {
            return Err(Reason::UnknownLocalDomain(local.to_string()));
        }
        cx.wire.push(Output::ClaimedNobody);
        let offer = Offer {
            starttls: true,
            starttls_required: true,
            ..Offer::default()
        };
        let stream_id = cx.ids.next_id();
        cx.claimed
            .send_header(cx.wire, &cx.context.rules, &stream_id);
        cx.wire.send(&offer.to_element());
        Ok(Nameless { local })
    }

    /// What policy and the certificate leave to offer.
    fn offer(&self, partner: &Partner) -> Result<Offer, Reason> {
        let methods = partner.methods();
        let Some(tls) = &self.tls else {
            let dialback = methods.contains(Method::TcpDialback);
            return Ok(Offer {
                starttls: partner.tls != Negotiation::NotSupported,
                starttls_required: !dialback,
                external: false,
                dialback,
            });
        };
        let dialback = methods.contains(Method::TlsDialback);
        match &tls.report.verdict {
            Err(fault) if !dialback => Err(Reason::Certificate(fault.clone())),
            verdict => Ok(Offer {
                // XEP-0178 §3, step 8: EXTERNAL is offered only to whom it would succeed for.
                external: methods.contains(Method::SaslExternal)
                    && verdict.is_ok()
                    && self.proven.is_empty(),
                dialback,
                ..Offer::default()
            }),
        }
    }
}

impl Nameless {
    pub(super) fn element(self, cx: &mut Cx<'_>, element: &Element) -> Result<State, Reason> {
        if let Some(reason) = peer_error(element) {
            return Err(reason);
        }
        if !element.is(&Ns::TLS, "starttls") {
            // RFC 6120 §4.9.3.12: nothing was negotiated that would allow it.
            return Err(Reason::NotAuthorized);
        }
        cx.wire.begin_tls()?;
        cx.wire.send(&Element::new(Ns::TLS, "proceed"));
        cx.wire.push(Output::StartTls {
            // Nobody's terms hold but the usual ones.
            remote: self.local.clone(),
            local: self.local,
        });
        Ok(State::ExpectTls(ExpectTls { pair: None }))
    }
}

/// The addresses of a header, as far as they are any.
#[derive(Debug, Default)]
pub(super) struct Claimed {
    local: Option<Domain>,
    remote: Option<Domain>,
}

impl Claimed {
    /// Takes what a header says; what it does not say stays as it was.
    fn note(&mut self, header: &Header) {
        let address = |name| header::domain(header, name).ok().flatten();
        self.local = address("to").or_else(|| self.local.take());
        self.remote = address("from").or_else(|| self.remote.take());
    }

    /// Sends our header in answer.
    pub(super) fn send_header(&self, wire: &mut Wire, rules: &Rules, id: &str) {
        // RFC 6120 §4.9.1.3: where the domain asked for is not ours, one that is.
        let from = self
            .local
            .as_ref()
            .filter(|local| rules.is_local(local))
            .or_else(|| rules.local().first())
            .map_or("", Domain::written);
        let mut attributes = vec![("from", from)];
        // RFC 6120 §4.7.2: in answer to a `from`, a `to`.
        attributes.extend(self.remote.as_ref().map(|to| ("to", to.written())));
        // RFC 6120 §4.7.5: the lower of the two versions, which is ours.
        attributes.extend([("id", id), ("version", "1.0"), ("xml:lang", "en")]);
        header::send(wire, &attributes);
    }
}
