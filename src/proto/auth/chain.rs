//! Does a certificate chain prove a domain? One function decides, for both directions.
//!
//! Handshakes accept any chain; what it is worth is judged here, afterwards. A server's
//! certificate is wanted whichever side dialled: certification authorities no longer issue
//! `clientAuth` to servers, and check it by other rules where they do.

mod anchors;
mod faults;
mod path;

use std::fmt;

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

pub use anchors::Anchors;
pub(in crate::proto::auth) use path::Link;

use super::cert_fault::CertFault;
use super::certificate::CertFacts;
use super::continuity::Shown;
use super::pin::Pins;
use crate::proto::jid::Domain;
use faults::{chain_fault, malformed, own_faults};

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

/// The outcome of [`judge`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertReport {
    /// The domain that was to be proven.
    pub domain: Domain,
    /// Whether the chain proves the domain, and if not, the first fault in the order of [`judge`].
    pub verdict: Result<(), CertFault>,
    /// What stands in the certificate; `None` when there is none, or it cannot be read.
    pub certificate: Option<CertFacts>,
    /// Of a chain that proves the domain: what it is compared by with those shown before.
    pub shown: Option<Shown>,
    /// Of such a chain: that it has none of the pins, where that is only to be told.
    pub unpinned: Option<CertFault>,
}

/// Judges a chain, the other side's own certificate first, as a server's certificate for `domain`.
///
/// Of several faults the first of this order is reported: none sent; unreadable or version 1;
/// self-signed; the certificate's own dates, purpose and kind; the chain above it; the name; the
/// pins. So a fault is named before those that would be mended along with it.
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
    let certificate = chain.first().and_then(CertFacts::of);
    let mut unpinned = None;
    let path = verify(chain, certificate.as_ref(), domain, anchors, now).and_then(|path| {
        match pins.check(&path) {
            Err(fault) if pins.enforced => return Err(fault),
            checked => unpinned = checked.err(),
        }
        Ok(path)
    });
    let shown = match (&path, &certificate) {
        (Ok(path), Some(leaf)) => Some(Shown::of(leaf, path)),
        _ => None,
    };
    CertReport {
        domain: domain.clone(),
        verdict: path.map(drop),
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
    anchors: &Anchors,
    now: UnixTime,
) -> Result<Vec<Link>, CertFault> {
    let (leaf, above) = chain.split_first().ok_or(CertFault::Absent)?;
    let parsed = EndEntityCert::try_from(leaf).map_err(|error| match error {
        webpki::Error::UnsupportedCertVersion => CertFault::VersionOne,
        error => malformed(&error),
    })?;
    let facts = facts.ok_or_else(|| CertFault::Malformed {
        detail: "not in distinguished encoding".to_owned(),
    })?;
    let (path, names_constrained) = if anchors.holds(leaf) {
        own_faults(facts, now)?;
        (path::alone(facts), false)
    } else {
        let path = parsed
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                anchors.roots(),
                above,
                now,
                // A server's certificate in both directions: see the head of this file.
                KeyUsage::server_auth(),
                None,
                None,
            )
            .map_err(|error| chain_fault(&error, facts, above, now))?;
        (path::links(facts, &path), constrains_names(&path))
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
    Ok(path)
}

fn constrains_names(path: &VerifiedPath<'_>) -> bool {
    path.anchor().name_constraints.is_some()
        || path.intermediate_certificates().any(|authority| {
            // What cannot be read again is taken to be limited.
            CertFacts::of(&authority.der()).is_none_or(|facts| facts.constrains_names)
        })
}

#[cfg(test)]
mod tests;
