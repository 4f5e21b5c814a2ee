//! Judges the edge's own chain as a partner will, who most likely trusts the same authorities.
//! A forgotten intermediate certificate shows nowhere else than at the partners.

use rustls::pki_types::{CertificateDer, UnixTime};

use super::problem::{Findings, Place, Problem};
use crate::proto::auth::cert_fault::CertFault;
use crate::proto::auth::certificate::utc;
use crate::proto::auth::chain::{self, Anchors};
use crate::proto::auth::pin::Pins;
use crate::proto::jid::Domain;

/// Warns where the chain does not lead to a trusted authority. It is a warning and no more: the
/// partners may trust an authority that this host does not know.
pub(super) fn judge(
    findings: &Findings,
    chain: &[CertificateDer<'_>],
    place: &Place,
    anchors: &Anchors,
    now: UnixTime,
) {
    let words = fault(chain, anchors, now).as_ref().and_then(words);
    if let Some((message, hint)) = words {
        let problem = Problem::warning("certificate-not-trusted", place, message, hint);
        findings.add(problem);
    }
}

/// What is wrong with the chain, whatever it names.
pub(super) fn fault(
    chain: &[CertificateDer<'_>],
    anchors: &Anchors,
    now: UnixTime,
) -> Option<CertFault> {
    // Names are checked by themselves, and are what is judged last, so any will do.
    let any = Domain::parse("domain.invalid").ok()?;
    let judged = chain::judge(chain, &any, anchors, &Pins::default(), now);
    let fault = judged.verdict.err()?;
    let is_about_names = matches!(
        fault,
        CertFault::WrongName { .. } | CertFault::UnconstrainedName { .. }
    );
    (!is_about_names).then_some(fault)
}

/// `None` for the faults that the other checks report.
fn words(fault: &CertFault) -> Option<(String, &'static str)> {
    const REINSTALL: &str = "put into the file what the authority delivered: the edge's own \
                             certificate first, then the intermediate ones";
    const CUT: &str = "put into the file what the authority delivered: the edge's own certificate \
                       first, then the intermediate ones; if that authority is one of your own, \
                       add it to trust-anchors, too";
    const PRIVATE: &str = "have the certificate issued by an authority that partners trust; else \
                           each partner must be given this one, or is left with dialback";
    const OWN: &str = "have the certificate issued by an authority that partners trust; if it is \
                       one of your own, add it to trust-anchors here, and give it to each partner";
    Some(match fault {
        CertFault::SelfSigned => ("the certificate is self-signed".to_owned(), PRIVATE),
        CertFault::UnknownIssuer {
            issuer,
            issuer_sent: false,
        } => (
            format!("the chain is cut off: {issuer} is neither in the file nor trusted"),
            CUT,
        ),
        CertFault::UnknownIssuer {
            issuer,
            issuer_sent: true,
        } => (
            format!("the chain ends at {issuer}, which is not a trusted authority"),
            OWN,
        ),
        CertFault::Expired {
            since,
            now: _,
            authority: Some(authority),
        } => (
            format!(
                "{authority}, further up in the chain, expired on {}",
                utc(*since)
            ),
            REINSTALL,
        ),
        CertFault::BadSignature => (
            "the certificates of the chain do not belong together".to_owned(),
            REINSTALL,
        ),
        CertFault::UnsupportedAlgorithm => (
            "the chain is signed with an outdated algorithm or a short key".to_owned(),
            PRIVATE,
        ),
        CertFault::AuthorityAsServer => (
            "the first certificate is that of an authority, not of a server".to_owned(),
            REINSTALL,
        ),
        CertFault::NameConstraint
        | CertFault::TooDeep
        | CertFault::TooManyCertificates
        | CertFault::KeyMayNotSign
        | CertFault::AuthorityMayNotSign { .. }
        | CertFault::Invalid { .. }
        | CertFault::NotYetValid {
            authority: Some(_), ..
        } => (
            format!("partners will refuse the chain ({})", fault.code()),
            REINSTALL,
        ),
        _ => return None,
    })
}
