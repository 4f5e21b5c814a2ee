//! From what a check met to the fault that the operator reads.

use rustls::pki_types::UnixTime;

use super::select::Candidate;
use crate::proto::auth::cert_fault::CertFault;
use crate::proto::auth::certificate::CertFacts;
use crate::proto::auth::identity::printable;
use crate::proto::words;

/// What an authority's signature would not mend: checked where there is no authority.
pub(super) fn own_faults(facts: &CertFacts, now: UnixTime) -> Result<(), CertFault> {
    let now = now.as_secs();
    if now < facts.not_before {
        return Err(CertFault::NotYetValid {
            from: facts.not_before,
            now,
            authority: None,
        });
    }
    if now > facts.not_after {
        return Err(CertFault::Expired {
            since: facts.not_after,
            now,
            authority: None,
        });
    }
    if facts.purposes.allow_server() {
        Ok(())
    } else {
        Err(purpose_fault(facts))
    }
}

fn purpose_fault(facts: &CertFacts) -> CertFault {
    if facts.purposes.client_auth && !facts.purposes.server_auth {
        CertFault::ClientAuthOnly
    } else {
        CertFault::NotForServers
    }
}

pub(super) fn chain_fault(
    error: &webpki::Error,
    facts: &CertFacts,
    above: &[&Candidate<'_>],
    now: UnixTime,
) -> CertFault {
    use webpki::Error as E;
    if facts.self_issued {
        return CertFault::SelfSigned;
    }
    match error {
        E::CertExpired { not_after, .. } => {
            let since = not_after.as_secs();
            let own = now.as_secs() > facts.not_after;
            let authority = authority_where(above, own, |facts| facts.not_after == since);
            CertFault::Expired {
                since,
                now: now.as_secs(),
                authority,
            }
        }
        E::CertNotValidYet { not_before, .. } => {
            let from = not_before.as_secs();
            let own = now.as_secs() < facts.not_before;
            let authority = authority_where(above, own, |facts| facts.not_before == from);
            CertFault::NotYetValid {
                from,
                now: now.as_secs(),
                authority,
            }
        }
        E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => purpose_fault(facts),
        // RFC 6120 §13.7.1.1: a server's certificate is not an authority's.
        E::CaUsedAsEndEntity => CertFault::AuthorityAsServer,
        E::UnknownIssuer => unknown_issuer(facts, above),
        E::InvalidSignatureForPublicKey | E::SignatureAlgorithmMismatch => CertFault::BadSignature,
        E::UnsupportedSignatureAlgorithmContext(_)
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => CertFault::UnsupportedAlgorithm,
        E::NameConstraintViolation => CertFault::NameConstraint,
        E::MaximumPathDepthExceeded
        | E::PathLenConstraintViolated
        | E::MaximumPathBuildCallsExceeded
        | E::MaximumSignatureChecksExceeded
        | E::MaximumNameConstraintComparisonsExceeded => CertFault::TooDeep,
        other => CertFault::Invalid {
            detail: printable(&words::of_name(&other.to_string())),
        },
    }
}

fn authority_where(
    above: &[&Candidate<'_>],
    own: bool,
    wanted: impl Fn(&CertFacts) -> bool,
) -> Option<String> {
    if own {
        return None;
    }
    let facts = above.iter().map(|one| &one.facts).find(|it| wanted(it));
    Some(facts.map_or_else(|| "above it".to_owned(), |it| it.subject.clone()))
}

/// Where the path ends.
fn unknown_issuer(leaf: &CertFacts, above: &[&Candidate<'_>]) -> CertFault {
    let top = above.last().map_or(leaf, |one| &one.facts);
    CertFault::UnknownIssuer {
        issuer: top.issuer.clone(),
        issuer_sent: top.self_issued,
    }
}

pub(super) fn malformed(error: &webpki::Error) -> CertFault {
    CertFault::Malformed {
        detail: printable(&words::of_name(&error.to_string())),
    }
}
