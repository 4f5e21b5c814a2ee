//! What policy says about an inbound stream: when it begins, when a pair is proven, after a reload.

use std::sync::Arc;

use super::super::expiry::Expiry;
use super::Cx;
use crate::proto::auth::chain::{CertReport, TlsFacts, TlsVersion, judge};
use crate::proto::auth::{Authenticated, Pair};
use crate::proto::policy::{Decision, Facts, Method, Partner, Reason, evaluate};

/// TLS as it came up, and the verdict on the partner's certificate.
#[derive(Debug)]
pub(super) struct Secured {
    /// With the chain where it is good, because the next reload may bring other trust anchors.
    pub(super) facts: TlsFacts,
    pub(super) report: CertReport,
    /// Until when a good certificate proves anything.
    pub(super) expiry: Option<Expiry>,
}

impl Secured {
    /// Judges the partner's certificate by the authorities that policy names for it.
    pub(super) fn judge(cx: &Cx<'_>, pair: &Pair, mut facts: TlsFacts) -> Result<Self, Reason> {
        let partner = cx.allowed(pair, None, Some(facts.version))?;
        let anchors = partner.anchors.as_ref().unwrap_or(&cx.context.anchors);
        let mut report = judge(
            &facts.chain,
            &pair.remote,
            anchors,
            &partner.pins,
            cx.now.wall,
        );
        if report.verdict.is_err() {
            // What proves nothing is not kept: a stranger may send much of it.
            facts.chain = Vec::new();
            report.certificate = None;
        }
        let is_good = report.verdict.is_ok();
        Ok(Self {
            expiry: is_good.then(|| Expiry::new(report.until, cx.now)),
            facts,
            report,
        })
    }
}

impl<'a> Cx<'a> {
    /// Asks policy about a pair, and about method and TLS as far as there are any.
    pub(super) fn allowed(
        &self,
        pair: &Pair,
        method: Option<Method>,
        tls: Option<TlsVersion>,
    ) -> Result<&'a Arc<Partner>, Reason> {
        let facts = Facts {
            method,
            tls,
            ..Facts::of_pair(&pair.local, &pair.remote)
        };
        match evaluate(facts, &self.context.rules) {
            Decision::Allow(partner) => Ok(partner),
            Decision::Refuse(reason) => Err(reason),
        }
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
    cx.allowed(pair, None, version)?;
    for pair in proven {
        cx.allowed(pair, pair.method(), version)?;
    }
    let Some(before) = tls.take_if(|tls| tls.report.verdict.is_ok()) else {
        return Ok(());
    };
    let tls = tls.insert(Secured::judge(cx, pair, before.facts)?);
    match &tls.report.verdict {
        Err(fault) if by_certificate(proven) => Err(Reason::Certificate(fault.clone())),
        _ => Ok(()),
    }
}

/// Whether any pair was proven by the certificate.
pub(super) fn by_certificate(proven: &[Authenticated<Pair>]) -> bool {
    let mut methods = proven.iter().map(|pair| pair.method());
    methods.any(|method| method == Some(Method::SaslExternal))
}

/// What a stanza may measure: as much as the most generous of the partners proven on the stream
/// may send, because its sender is not known before it is read.
pub(super) fn set_limits(cx: &mut Cx<'_>, proven: &[Authenticated<Pair>]) {
    let rules = &cx.context.rules;
    let partners = proven
        .iter()
        .filter_map(|pair| rules.partner_of(&pair.remote));
    if let Some(bytes) = partners.map(|it| it.terms.max_stanza_bytes).max() {
        cx.wire.proven(cx.context.limits(bytes));
    }
}
