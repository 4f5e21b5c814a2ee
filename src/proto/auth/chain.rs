//! Does a certificate chain prove a domain? One function decides, for both directions.
//!
//! Handshakes accept any chain; what it is worth is judged here, afterwards. A server's
//! certificate is wanted whichever side dialled: certification authorities no longer issue
//! `clientAuth` to servers, and check it by other rules where they do.

use std::collections::HashSet;
use std::fmt;

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use super::cert_fault::CertFault;
use super::certificate::CertFacts;
use super::identity::printable;
use crate::proto::jid::Domain;

/// What a finished handshake showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// The protocol version agreed.
    pub version: TlsVersion,
    /// The certificates the other side sent, its own first; empty when it sent none.
    pub chain: Vec<CertificateDer<'static>>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl TlsVersion {
    /// The number, as in configuration and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The certification authorities, or single certificates, that are trusted.
#[derive(Debug, Default)]
pub struct Anchors {
    roots: Vec<TrustAnchor<'static>>,
    certificates: HashSet<CertificateDer<'static>>,
}

impl Anchors {
    /// Takes certificates as anchors, and gives back those that cannot be read.
    pub fn from_der(
        certificates: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> (Self, Vec<CertificateDer<'static>>) {
        let mut anchors = Self::default();
        let mut rejected = Vec::new();
        for certificate in certificates {
            match webpki::anchor_from_trusted_cert(&certificate).map(|root| root.to_owned()) {
                Ok(root) => {
                    if anchors.certificates.insert(certificate) {
                        anchors.roots.push(root);
                    }
                }
                Err(_) => rejected.push(certificate),
            }
        }
        (anchors, rejected)
    }

    /// How many different anchors there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.roots.len()
    }

    /// Whether nothing is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// The anchors, for a stock verifier.
    pub fn roots(&self) -> impl Iterator<Item = &TrustAnchor<'static>> {
        self.roots.iter()
    }
}

/// The outcome of [`judge`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertReport {
    /// Whether the chain proves the domain, and if not, the first fault in the order of [`judge`].
    pub verdict: Result<(), CertFault>,
    /// What stands in the certificate; `None` when there is none, or it cannot be read.
    pub certificate: Option<CertFacts>,
}

/// Judges a chain, the other side's own certificate first, as a server's certificate for `domain`.
///
/// Of several faults the first of this order is reported: none sent; unreadable or version 1;
/// self-signed; the certificate's own dates, purpose and kind; the chain above it; the name. So a
/// fault is named before those that would be mended along with it.
///
/// A certificate that is itself an anchor needs no authority; its dates, purpose and name count
/// all the same.
#[must_use]
pub fn judge(
    chain: &[CertificateDer<'_>],
    domain: &Domain,
    anchors: &Anchors,
    now: UnixTime,
) -> CertReport {
    let certificate = chain.first().and_then(CertFacts::of);
    let verdict = verdict(chain, certificate.as_ref(), domain, anchors, now);
    CertReport {
        verdict,
        certificate,
    }
}

fn verdict(
    chain: &[CertificateDer<'_>],
    facts: Option<&CertFacts>,
    domain: &Domain,
    anchors: &Anchors,
    now: UnixTime,
) -> Result<(), CertFault> {
    let (leaf, above) = chain.split_first().ok_or(CertFault::Absent)?;
    let parsed = EndEntityCert::try_from(leaf).map_err(|error| match error {
        webpki::Error::UnsupportedCertVersion => CertFault::VersionOne,
        error => malformed(&error),
    })?;
    let facts = facts.ok_or_else(|| CertFault::Malformed {
        detail: "not in distinguished encoding".to_owned(),
    })?;
    let names_constrained = if anchors.certificates.contains(leaf) {
        own_faults(facts, now)?;
        false
    } else {
        let path = parsed
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &anchors.roots,
                above,
                now,
                // A server's certificate in both directions: see the head of this file.
                KeyUsage::server_auth(),
                None,
                None,
            )
            .map_err(|error| chain_fault(&error, facts, above, now))?;
        constrains_names(&path)
    };
    if !facts.names.covers(domain) {
        return Err(CertFault::WrongName {
            domain: domain.clone(),
            presented: facts.names.clone(),
        });
    }
    // RFC 9525 §7.6: where an authority is limited in one kind of name, a kind in which it is not
    // limited must not be believed. webpki holds it to dNSName only.
    if names_constrained && !facts.names.dns_covers(domain) {
        return Err(CertFault::UnconstrainedName {
            domain: domain.clone(),
        });
    }
    Ok(())
}

/// What an authority's signature would not mend: checked where there is no authority.
fn own_faults(facts: &CertFacts, now: UnixTime) -> Result<(), CertFault> {
    let now = now.as_secs();
    if now < facts.not_before {
        return Err(CertFault::NotYetValid {
            from: facts.not_before,
            authority: None,
        });
    }
    if now > facts.not_after {
        return Err(CertFault::Expired {
            since: facts.not_after,
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

fn constrains_names(path: &VerifiedPath<'_>) -> bool {
    path.anchor().name_constraints.is_some()
        || path.intermediate_certificates().any(|authority| {
            // What cannot be read again is taken to be limited.
            CertFacts::of(&authority.der()).is_none_or(|facts| facts.constrains_names)
        })
}

fn chain_fault(
    error: &webpki::Error,
    facts: &CertFacts,
    above: &[CertificateDer<'_>],
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
            CertFault::Expired { since, authority }
        }
        E::CertNotValidYet { not_before, .. } => {
            let from = not_before.as_secs();
            let own = now.as_secs() < facts.not_before;
            let authority = authority_where(above, own, |facts| facts.not_before == from);
            CertFault::NotYetValid { from, authority }
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
            detail: printable(&other.to_string()),
        },
    }
}

fn authority_where(
    above: &[CertificateDer<'_>],
    own: bool,
    wanted: impl Fn(&CertFacts) -> bool,
) -> Option<String> {
    if own {
        return None;
    }
    let facts = above.iter().filter_map(CertFacts::of).find(wanted);
    Some(facts.map_or_else(|| "above it".to_owned(), |facts| facts.subject))
}

/// Follows the issuers as far as the certificates that were sent lead.
fn unknown_issuer(leaf: &CertFacts, above: &[CertificateDer<'_>]) -> CertFault {
    let mut rest: Vec<_> = above.iter().filter_map(CertFacts::of).collect();
    let mut top = leaf.clone();
    while !top.self_issued {
        let Some(index) = rest
            .iter()
            .position(|facts| facts.subject_der == top.issuer_der)
        else {
            break;
        };
        top = rest.swap_remove(index);
    }
    CertFault::UnknownIssuer {
        issuer: top.issuer,
        issuer_sent: top.self_issued,
    }
}

fn malformed(error: &webpki::Error) -> CertFault {
    CertFault::Malformed {
        detail: printable(&error.to_string()),
    }
}

#[cfg(test)]
mod tests;
