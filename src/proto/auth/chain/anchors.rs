//! What is trusted.

use std::collections::HashMap;

use rustls::pki_types::{CertificateDer, TrustAnchor};

use crate::proto::auth::certificate::CertFacts;

/// The certificates that are trusted: authorities, which vouch for others, and single
/// certificates, each of which counts only where it is itself the one shown.
#[derive(Debug, Default)]
pub struct Anchors {
    roots: Vec<TrustAnchor<'static>>,
    /// The subjects of those that are no authorities.
    singles: Vec<String>,
    /// Each with its subject.
    certificates: HashMap<CertificateDer<'static>, String>,
}

/// Two sets are equal when the same certificates are in them.
impl PartialEq for Anchors {
    fn eq(&self, other: &Self) -> bool {
        let is_in_other = |certificate| other.certificates.contains_key(certificate);
        self.certificates.len() == other.certificates.len()
            && self.certificates.keys().all(is_in_other)
    }
}

impl Eq for Anchors {}

impl Anchors {
    /// Takes certificates as anchors, and gives back those that cannot be read.
    pub fn from_der(
        certificates: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> (Self, Vec<CertificateDer<'static>>) {
        let mut anchors = Self::default();
        let mut rejected = Vec::new();
        for certificate in certificates {
            let root = webpki::anchor_from_trusted_cert(&certificate).map(|root| root.to_owned());
            let facts = CertFacts::of(&certificate);
            match (root, facts) {
                (Ok(root), Some(facts)) => {
                    // RFC 5280 §4.2.1.9: only `cA TRUE` makes an authority; a certificate of version 1
                    // cannot say so.
                    let subject = facts.subject.clone();
                    if anchors.certificates.insert(certificate, subject).is_some() {
                        continue;
                    }
                    if facts.is_authority {
                        anchors.roots.push(root);
                    } else {
                        anchors.singles.push(facts.subject);
                    }
                }
                _ => rejected.push(certificate),
            }
        }
        (anchors, rejected)
    }

    /// How many different certificates there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// Whether nothing is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// How many of them are authorities.
    #[must_use]
    pub fn authorities(&self) -> usize {
        self.roots.len()
    }

    /// The subjects of the single certificates among them.
    #[must_use]
    pub fn singles(&self) -> &[String] {
        &self.singles
    }

    /// The authorities, as a chain check takes them.
    #[must_use]
    pub fn roots(&self) -> &[TrustAnchor<'static>] {
        &self.roots
    }

    /// The anchors that may be at the end of a chain: those that bear the name of who issued one of its
    /// certificates, and those that are in it.
    #[must_use]
    pub fn above(&self, chain: &[CertificateDer<'_>]) -> Vec<&CertificateDer<'static>> {
        let issuers = chain.iter().filter_map(CertFacts::of);
        let issuers: Vec<_> = issuers.map(|facts| facts.issuer).collect();
        let all = self.certificates.iter();
        all.filter(|(certificate, subject)| {
            issuers.contains(subject) || chain.iter().any(|it| it == *certificate)
        })
        .map(|(certificate, _)| certificate)
        .collect()
    }

    /// Whether this very certificate is an anchor.
    pub(super) fn holds(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates.contains_key(certificate)
    }
}
