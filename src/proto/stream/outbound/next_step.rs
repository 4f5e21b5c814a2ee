//! What an initiating stream does with a set of features: one pure function of what is known.

use super::super::features::Offered;
use crate::proto::auth::chain::CertReport;
use crate::proto::policy::{Method, Negotiation, Partner, Reason};

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    StartTls,
    External,
    Dialback(Method),
    /// Ask about a key: needs encryption where policy wants it, and no authentication.
    Ask,
}

/// The strongest step that policy, the partner's offer and its certificate leave; without a report there
/// is no TLS.
pub(super) fn next_step(
    partner: &Partner,
    asking: bool,
    report: Option<&CertReport>,
    offered: Offered,
    try_external: bool,
) -> Result<Step, Reason> {
    let methods = partner.methods();
    let by_dialback = |method: Method| {
        if asking {
            Step::Ask
        } else {
            Step::Dialback(method)
        }
    };
    let Some(report) = report else {
        return match partner.tls {
            // RFC 6120 §5.4.2: TLS before everything else.
            Negotiation::Required | Negotiation::Optional if offered.starttls => Ok(Step::StartTls),
            Negotiation::Required => Err(Reason::TlsMissing),
            Negotiation::NotSupported if offered.starttls_required => Err(Reason::TlsDemanded),
            _ if methods.contains(Method::TcpDialback) => Ok(by_dialback(Method::TcpDialback)),
            _ => Err(Reason::TlsMissing),
        };
    };
    let by_certificate = methods.contains(Method::SaslExternal) && report.verdict.is_ok();
    if !asking && by_certificate && offered.external && try_external {
        return Ok(Step::External);
    }
    // XEP-0220 §2.4: dialback may be tried where it is not announced; old servers do not.
    if methods.contains(Method::TlsDialback) {
        return Ok(by_dialback(Method::TlsDialback));
    }
    match &report.verdict {
        Err(fault) => Err(Reason::Certificate(fault.clone())),
        Ok(()) if asking => Err(Reason::MethodNotAllowed(Method::TlsDialback)),
        // An absent mechanism and an empty list both mean: not available.
        Ok(()) => Err(Reason::ExternalMissing),
    }
}
