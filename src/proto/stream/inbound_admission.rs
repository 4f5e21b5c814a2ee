//! What policy says about an inbound stream: when it begins, when a pair is proven, after a reload.

use super::inbound::Cx;
use crate::proto::auth::chain::{CertReport, TlsFacts, TlsVersion, judge};
use crate::proto::auth::{Authenticated, Pair};
use crate::proto::policy::{Decision, Facts, Method, Methods, Negotiation, Reason, evaluate};
use crate::proto::xml::Limits;

/// TLS as it came up, and the verdict on the partner's certificate.
#[derive(Debug)]
pub(super) struct Secured {
    pub(super) facts: TlsFacts,
    pub(super) report: CertReport,
}

/// Asks policy; what it leaves, or why not.
pub(super) fn allowed(
    cx: &Cx<'_>,
    pair: &Pair,
    method: Option<Method>,
    tls: Option<TlsVersion>,
) -> Result<Methods, Reason> {
    let facts = Facts {
        method,
        tls,
        ..Facts::of_pair(&pair.local, &pair.remote)
    };
    match evaluate(facts, &cx.context.rules) {
        Decision::Allow(partner) => Ok(partner.methods()),
        Decision::Refuse(reason) => Err(reason),
    }
}

/// Judges certificate, version and every proven pair by the rules in force.
pub(super) fn admitted_again(
    cx: &Cx<'_>,
    tls: &mut Option<Secured>,
    pair: &Pair,
    proven: &[Authenticated<Pair>],
) -> Result<(), Reason> {
    let version = tls.as_ref().map(|tls| tls.facts.version);
    allowed(cx, pair, None, version)?;
    for pair in proven {
        allowed(cx, pair, pair.method(), version)?;
    }
    let Some(tls) = tls else {
        return Ok(());
    };
    tls.report = judge_chain(cx, pair, &tls.facts)?;
    let by_certificate = proven
        .iter()
        .any(|pair| pair.method() == Some(Method::SaslExternal));
    match &tls.report.verdict {
        Err(fault) if by_certificate => Err(Reason::Certificate(fault.clone())),
        _ => Ok(()),
    }
}

/// What a stanza may measure: as much as the most generous of the partners proven on the stream
/// may send; policy holds each to its own.
pub(super) fn set_limits(cx: &mut Cx<'_>, proven: &[Authenticated<Pair>]) {
    let rules = &cx.context.rules;
    let partners = proven
        .iter()
        .filter_map(|pair| rules.partner_of(&pair.remote));
    if let Some(bytes) = partners.map(|it| it.terms.max_stanza_bytes).max() {
        cx.wire.set_limits(Limits::authenticated(bytes));
    }
}

pub(super) fn tls_of(cx: &Cx<'_>, pair: &Pair) -> Result<Negotiation, Reason> {
    cx.context
        .rules
        .partner_of(&pair.remote)
        .map(|partner| partner.tls)
        .ok_or_else(|| Reason::UnknownPartner(pair.remote.to_string()))
}

/// Judges the partner's certificate by the authorities that policy names for it.
pub(super) fn judge_chain(
    cx: &Cx<'_>,
    pair: &Pair,
    facts: &TlsFacts,
) -> Result<CertReport, Reason> {
    let partner = cx
        .context
        .rules
        .partner_of(&pair.remote)
        .ok_or_else(|| Reason::UnknownPartner(pair.remote.to_string()))?;
    let anchors = partner.anchors.as_ref().unwrap_or(&cx.context.anchors);
    Ok(judge(&facts.chain, &pair.remote, anchors, cx.now.wall))
}
