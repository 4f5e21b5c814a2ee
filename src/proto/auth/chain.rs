//! Does a certificate chain prove a domain? One function decides, for both directions.
//!
//! Handshakes accept any chain; what it is worth is judged here, afterwards. A server's
//! certificate is wanted whichever side dialled: certification authorities no longer issue
//! `clientAuth` to servers, and check it by other rules where they do.

mod algorithms;
mod anchors;
mod faults;
mod path;
mod select;
mod sent;
mod signatures;

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

pub use super::certificate::{MOST_CANDIDATES, MOST_SENT};
pub use anchors::Anchors;
pub use sent::Chain;
pub use signatures::{CheckSignature, Checker, Signature};

use super::cert_fault::CertFault;
use super::certificate::CertFacts;
use super::continuity::Shown;
use super::pin::{PathCert, Pins};
use crate::proto::jid::Domain;
use faults::{chain_fault, malformed, own_faults};
use select::{Candidate, MOST_ON_PATH, candidates, paths};

/// What a finished handshake showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// The protocol version agreed.
    pub version: TlsVersion,
    /// The certificates the other side sent, its own first; empty when it sent none.
    pub chain: Chain,
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

/// By what a chain is judged.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'t> {
    /// Who may vouch.
    pub anchors: &'t Anchors,
    /// Keys that must be on the way.
    pub pins: &'t Pins,
    /// Who checks the signatures.
    pub checker: &'t Checker,
}

/// The outcome of [`judge`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertReport {
    /// The domain that was to be proven.
    pub domain: Domain,
    /// Whether the chain proves the domain, and if not, the first fault in the order of [`judge`].
    pub verdict: Result<(), CertFault>,
    /// Of a chain that proves the domain: the last second at which every certificate of it is valid,
    /// in Unix time.
    pub until: u64,
    /// What stands in the certificate; `None` when there is none, or it cannot be read.
    pub certificate: Option<Arc<CertFacts>>,
    /// Of a chain that proves the domain: what it is compared by with those shown before.
    pub shown: Option<Shown>,
    /// Of such a chain: that it has none of the pins, where that is only to be told.
    pub unpinned: Option<CertFault>,
}

/// Judges a chain, the other side's own certificate first, as a server's certificate for `domain`.
///
/// Of several faults the first of this order is reported: none sent; unreadable or version 1;
/// self-signed; the certificate's own dates, purpose and kind; the chain above it; the use of its
/// key; the name; the pins. So a fault is named before those that would be mended along with it.
///
/// A certificate that is itself an anchor needs no authority; its dates, purpose and name count
/// all the same.
#[must_use]
pub fn judge(
    chain: &[CertificateDer<'_>],
    domain: &Domain,
    anchors: &Anchors,
    pins: &Pins,
    now: UnixTime,
) -> CertReport {
    let certificate = chain.first().and_then(CertFacts::of).map(Arc::new);
    let trust = Trust {
        anchors,
        pins,
        checker: &Checker::default(),
    };
    judge_read((chain, certificate), domain, &trust, now)
}

/// The same, where the first certificate of the chain was read before.
fn judge_read(
    (chain, certificate): (&[CertificateDer<'_>], Option<Arc<CertFacts>>),
    domain: &Domain,
    trust: &Trust<'_>,
    now: UnixTime,
) -> CertReport {
    let mut unpinned = None;
    let verified = verify(chain, certificate.as_deref(), domain, trust, now).and_then(|verified| {
        match trust.pins.check(&verified.path) {
            Err(fault) if trust.pins.enforced => return Err(fault),
            checked => unpinned = checked.err(),
        }
        Ok(verified)
    });
    let shown = match (&verified, &certificate) {
        (Ok(verified), Some(leaf)) => Some(Shown::of(leaf, &verified.path)),
        _ => None,
    };
    CertReport {
        domain: domain.clone(),
        until: verified.as_ref().map_or(0, |verified| verified.until),
        verdict: verified.map(drop),
        certificate,
        shown,
        unpinned,
    }
}

/// The way from the certificate to an anchor, where there is one and the certificate is good.
fn verify(
    chain: &[CertificateDer<'_>],
    facts: Option<&CertFacts>,
    domain: &Domain,
    trust: &Trust<'_>,
    now: UnixTime,
) -> Result<Verified, CertFault> {
    let (leaf, above) = chain.split_first().ok_or(CertFault::Absent)?;
    let parsed = EndEntityCert::try_from(leaf).map_err(|error| match error {
        webpki::Error::UnsupportedCertVersion => CertFault::VersionOne,
        error => malformed(&error),
    })?;
    let facts = facts.ok_or_else(|| CertFault::Malformed {
        detail: "not in distinguished encoding".to_owned(),
    })?;
    let verified = if trust.anchors.holds(leaf) {
        own_faults(facts, now)?;
        Verified::alone(facts)
    } else {
        let candidates = candidates(facts, above)?;
        best_path(&parsed, facts, &candidates, trust, now)?
    };
    // RFC 5280 §4.2.1.3: with this key the other side has signed the handshake.
    if !facts.signs.handshakes {
        return Err(CertFault::KeyMayNotSign);
    }
    if !facts.names.covers(domain) {
        return Err(CertFault::WrongName {
            domain: domain.clone(),
            presented: facts.names.clone(),
        });
    }
    // RFC 9525 §7.6: where an authority is limited in one kind of name, a kind in which it is not
    // limited must not be believed. webpki holds it to dNSName only.
    if verified.constrains_names && !facts.names.dns_covers(domain) {
        return Err(CertFault::UnconstrainedName {
            domain: domain.clone(),
        });
    }
    Ok(verified)
}

/// The first path that leads to an anchor; else the fault of the first that says more than that
/// an issuer is not known.
fn best_path(
    leaf: &EndEntityCert<'_>,
    facts: &CertFacts,
    candidates: &[Candidate<'_>],
    trust: &Trust<'_>,
    now: UnixTime,
) -> Result<Verified, CertFault> {
    let mut fault = None;
    for path in paths(facts, candidates) {
        match along(leaf, facts, &path, trust, now) {
            Ok(verified) => return Ok(verified),
            Err(found) => {
                let says_more = !matches!(found, CertFault::UnknownIssuer { .. });
                if fault.is_none() || says_more {
                    fault.get_or_insert(found);
                }
            }
        }
    }
    Err(fault.unwrap_or(CertFault::TooDeep))
}

/// Verifies one path.
fn along(
    leaf: &EndEntityCert<'_>,
    facts: &CertFacts,
    path: &[&Candidate<'_>],
    trust: &Trust<'_>,
    now: UnixTime,
) -> Result<Verified, CertFault> {
    if path.len() > MOST_ON_PATH {
        return Err(CertFault::TooDeep);
    }
    let above: Vec<_> = path.iter().map(|one| one.certificate.clone()).collect();
    let asked = trust.checker.asked();
    let algorithms = (asked.each_ref()).map(|it| it as &dyn SignatureVerificationAlgorithm);
    let verified = leaf
        .verify_for_usage(
            &algorithms,
            trust.anchors.roots(),
            &above,
            now,
            // A server's certificate in both directions: see the head of this file.
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map_err(|error| chain_fault(&error, facts, path, now))?;
    let used = verified.intermediate_certificates().count();
    let used: Vec<_> = path.iter().take(used).map(|one| &one.facts).collect();
    // RFC 5280 §6.1.4 (n).
    if let Some(authority) = used.iter().find(|facts| !facts.signs.certificates) {
        return Err(CertFault::AuthorityMayNotSign {
            authority: authority.subject.clone(),
        });
    }
    let until = used.iter().map(|authority| authority.not_after);
    Ok(Verified {
        path: path::certificates(facts, &verified),
        constrains_names: verified.anchor().name_constraints.is_some()
            || used.iter().any(|authority| authority.constrains_names),
        until: until.fold(facts.not_after, u64::min),
    })
}

/// What was found on the way to an anchor.
struct Verified {
    path: Vec<PathCert>,
    constrains_names: bool,
    /// The last second at which all certificates of the path are valid, in Unix time.
    until: u64,
}

impl Verified {
    fn alone(facts: &CertFacts) -> Self {
        Self {
            path: path::alone(facts),
            constrains_names: false,
            until: facts.not_after,
        }
    }
}

#[cfg(test)]
mod tests;
