//! What is trusted.

use std::collections::HashSet;

use rustls::pki_types::{CertificateDer, TrustAnchor};

/// The certification authorities, or single certificates, that are trusted.
#[derive(Debug, Default)]
pub struct Anchors {
    roots: Vec<TrustAnchor<'static>>,
    certificates: HashSet<CertificateDer<'static>>,
}

/// Two sets are equal when the same certificates are in them.
impl PartialEq for Anchors {
    fn eq(&self, other: &Self) -> bool {
        self.certificates == other.certificates
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

    /// The anchors, as a chain check takes them.
    #[must_use]
    pub fn roots(&self) -> &[TrustAnchor<'static>] {
        &self.roots
    }

    /// Whether this very certificate is an anchor.
    pub(super) fn holds(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates.contains(certificate)
    }
}
