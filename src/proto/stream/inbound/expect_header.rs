//! Before each header of a partner's: in the clear, after TLS, after EXTERNAL.

use super::super::features::Offer;
use super::super::wire::Wire;
use super::super::{Output, Record, header};
use super::negotiating::Negotiating;
use super::{Receiving, State};
use crate::proto::auth::Pair;
use crate::proto::jid::Domain;
use crate::proto::policy::{Method, Negotiation, Partner, Reason, Rules};
use crate::proto::stream::cx::Cx;
use crate::proto::stream::established::Established;
use crate::proto::stream::negotiation::{Next, Step};
use crate::proto::xml::{Element, Header, Ns, StreamKind};

/// The next thing must be a header.
#[derive(Debug, Default)]
pub struct ExpectHeader {
    /// What the header before this one has led to, if there was one.
    pub(super) before: Option<Before>,
}

/// Whom a header named, and what came of it.
#[derive(Debug)]
pub(super) enum Before {
    /// A pair; it carries stanzas from the next header on, if it was proven.
    Pair(Pair, Option<Box<Established>>),
    Nobody,
}

/// `<proceed/>` was sent.
#[derive(Debug)]
pub struct ExpectTls {
    /// `None` where the header named nobody.
    pub(super) pair: Option<Pair>,
}

/// The header named one of our domains and none of its own: our certificate may be looked at, and
/// nothing else is to be had.
#[derive(Debug)]
pub struct Nameless {
    pub(super) local: Domain,
}

impl ExpectTls {
    pub(super) fn secured(self, cx: &mut Cx<'_>) -> Step<Receiving> {
        let before = match self.pair {
            Some(pair) => {
                cx.judge(&pair)?;
                Before::Pair(pair, None)
            }
            None => {
                cx.security.forget_chain();
                Before::Nobody
            }
        };
        Ok(Next::Negotiate(State::ExpectHeader(Box::new(
            ExpectHeader {
                before: Some(before),
            },
        ))))
    }
}

impl ExpectHeader {
    /// Which of the headers of a connection is due.
    pub(super) fn waiting_for(&self) -> &'static str {
        match &self.before {
            Some(Before::Pair(_, Some(_))) => "the stream header after SASL",
            Some(Before::Pair(_, None) | Before::Nobody) => "the stream header after TLS",
            None => "the stream header",
        }
    }

    pub(super) fn header(
        self,
        cx: &mut Cx<'_>,
        claimed: &mut Claimed,
        header: &Header,
    ) -> Step<Receiving> {
        let (to, from) = claimed.note(header);
        if self.before.is_none() {
            cx.wire.record(Record::Claimed {
                local: claimed.local.clone(),
                remote: header.attribute("from").map(as_it_came),
            });
        }
        header::check(header, StreamKind::Server)?;
        header::check_version(header)?;
        // RFC 6120 §4.7.1, §4.7.2: between servers both addresses are required.
        let local = to?.ok_or(Reason::HeaderAddress("to"))?;
        let Some(remote) = from? else {
            return nameless(cx, claimed, local);
        };
        let pair = Pair { local, remote };
        let is_first = self.before.is_none();
        let established = self.same(&pair)?;
        // TLS may have been there before it was known whose it should be.
        cx.judge(&pair)?;
        let partner = cx.allowed(&pair, None)?;
        let offer = offer(cx, partner, established.is_some())?;
        if is_first {
            cx.wire.push(Output::Claimed(pair.clone()));
        }
        let stream_id = cx.ids.next_id();
        claimed.send_header(cx.wire, &cx.context.rules, &stream_id);
        cx.wire.send(&offer.to_element());
        let negotiating = Box::new(Negotiating::new(pair, stream_id, offer));
        Ok(match established {
            Some(mut established) => {
                established.begin(cx.now.monotonic);
                Next::Establish(established, negotiating)
            }
            None => Next::Negotiate(State::Negotiating(negotiating)),
        })
    }

    /// Whether the header names whom the one before it named; what was established by then.
    fn same(self, pair: &Pair) -> Result<Option<Box<Established>>, Reason> {
        match self.before {
            None => Ok(None),
            Some(Before::Nobody) => Err(Reason::HeaderChanged("from")),
            Some(Before::Pair(before, _)) if before.local != pair.local => {
                Err(Reason::HeaderChanged("to"))
            }
            Some(Before::Pair(before, _)) if before.remote != pair.remote => {
                Err(Reason::HeaderChanged("from"))
            }
            Some(Before::Pair(_, established)) => Ok(established),
        }
    }
}

/// Whom a header names. Nothing is taken out of it, because what is left might be the name of somebody else:
/// whoever shows it escapes it.
fn as_it_came(from: &str) -> String {
    /// A domain has 255 bytes at most.
    const KEPT: usize = 300;
    from.chars().take(KEPT).collect()
}

/// A header without `from`, as monitors of certificates send it. RFC 6120 §4.7.1 requires one
/// between servers, so it leads to STARTTLS and no further: under TLS it is refused.
fn nameless(cx: &mut Cx<'_>, claimed: &Claimed, local: Domain) -> Step<Receiving> {
    if cx.security.version().is_some() {
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
    claimed.send_header(cx.wire, &cx.context.rules, &stream_id);
    cx.wire.send(&offer.to_element());
    Ok(Next::Negotiate(State::Nameless(Nameless { local })))
}

/// What policy and the certificate leave to offer.
fn offer(cx: &Cx<'_>, partner: &Partner, is_proven: bool) -> Result<Offer, Reason> {
    let methods = partner.methods();
    let Some(report) = cx.security.report() else {
        let dialback = methods.contains(Method::TcpDialback);
        return Ok(Offer {
            starttls: partner.tls != Negotiation::NotSupported,
            starttls_required: !dialback,
            dialback,
            ..Offer::default()
        });
    };
    let dialback = methods.contains(Method::TlsDialback);
    match &report.verdict {
        Err(fault) if !dialback => Err(Reason::Certificate(fault.clone())),
        verdict => Ok(Offer {
            // XEP-0178 §3, step 8: EXTERNAL is offered only to whom it would succeed for.
            external: methods.contains(Method::SaslExternal) && verdict.is_ok() && !is_proven,
            dialback,
            // XEP-0198 §3: not before the other side is authenticated.
            acks: is_proven,
            ..Offer::default()
        }),
    }
}

impl Nameless {
    pub(super) fn element(self, cx: &mut Cx<'_>, element: &Element) -> Step<Receiving> {
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
        Ok(Next::Handshake(ExpectTls { pair: None }))
    }
}

/// An address of a header: a domain, none, or something that is none.
type Named = Result<Option<Domain>, Reason>;

/// The addresses of a header, as far as they are any.
#[derive(Debug, Default)]
pub(super) struct Claimed {
    local: Option<Domain>,
    remote: Option<Domain>,
}

impl Claimed {
    /// Takes what a header says in `to` and `from`, and returns it; what it does not say stays as it was.
    fn note(&mut self, header: &Header) -> (Named, Named) {
        let to = header::domain_again(header, "to", self.local.as_ref());
        let from = header::domain_again(header, "from", self.remote.as_ref());
        for (named, known) in [(&to, &mut self.local), (&from, &mut self.remote)] {
            if let Ok(Some(domain)) = named {
                *known = Some(domain.clone());
            }
        }
        (to, from)
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
        let mut attributes = Vec::with_capacity(5);
        attributes.push(("from", from));
        // RFC 6120 §4.7.2: in answer to a `from`, a `to`.
        attributes.extend(self.remote.as_ref().map(|to| ("to", to.written())));
        // RFC 6120 §4.7.5: the lower of the two versions, which is ours.
        attributes.extend([("id", id), ("version", "1.0"), ("xml:lang", "en")]);
        header::send(wire, &attributes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_of_a_domain_is_not_made_one() {
        let name = "fabrikam.example";
        assert_eq!(as_it_came(name), name);
        for hidden in ["\u{200b}", "\u{202e}", "\u{feff}", " ", "\n", "\u{9b}"] {
            for from in [format!("{hidden}{name}"), format!("{name}{hidden}")] {
                let noted = Domain::parse(&as_it_came(&from)).ok();
                assert_eq!(noted, Domain::parse(&from).ok(), "{from:?}");
            }
        }
        let label = "x".repeat(60);
        let longest = format!("{label}.{label}.{label}.{label}.example");
        assert!(Domain::parse(&as_it_came(&longest)).is_ok());
        assert_eq!(as_it_came(&"x".repeat(10_000)).len(), 300);
    }
}
