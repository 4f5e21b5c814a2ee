//! What stands in one certificate, as all reports show it.

use rustls::pki_types::CertificateDer;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::cli::report::days_until;
use crate::proto::auth::certificate::{CertFacts, Purposes, utc};
use crate::proto::auth::pin::Pin;

/// One certificate.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) struct Shown {
    pub(in crate::cli) subject: String,
    pub(in crate::cli) issuer: String,
    /// Each name it presents; one that is no dNSName has its kind before it.
    pub(in crate::cli) names: Vec<String>,
    pub(in crate::cli) not_before: String,
    pub(in crate::cli) not_after: String,
    /// Negative where it has expired.
    pub(in crate::cli) days_left: i64,
    /// Whether it may speak for a server, and for a client.
    pub(in crate::cli) server_auth: bool,
    pub(in crate::cli) client_auth: bool,
    /// Whether it names no extended key usage at all, which allows any.
    pub(in crate::cli) any_purpose: bool,
    pub(in crate::cli) authority: bool,
    /// What `certificate-pins` of a partner takes.
    pub(in crate::cli) pin: String,
    /// The digest of the whole certificate, in hex.
    pub(in crate::cli) sha256: String,
}

impl Shown {
    /// `None` for what cannot be read.
    pub(in crate::cli) fn of(certificate: &CertificateDer<'_>, now: u64) -> Option<Self> {
        let facts = CertFacts::of(certificate)?;
        let Purposes {
            unrestricted,
            client_auth,
            ..
        } = facts.purposes;
        let digest: Vec<_> = Sha256::digest(certificate)
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        Some(Self {
            names: facts.names.iter().map(ToString::to_string).collect(),
            not_before: utc(facts.not_before),
            not_after: utc(facts.not_after),
            days_left: days_until(facts.not_after, now),
            server_auth: facts.purposes.allow_server(),
            client_auth: unrestricted || client_auth,
            any_purpose: unrestricted,
            authority: facts.is_authority,
            pin: Pin(facts.spki_sha256).to_string(),
            sha256: digest.join(":"),
            subject: facts.subject,
            issuer: facts.issuer,
        })
    }

    /// The digest with a space in its middle, where a line may be broken.
    pub(in crate::cli) fn fingerprint(&self) -> String {
        let (first, second) = self.sha256.split_at(self.sha256.len() / 2 + 1);
        format!("{first} {second}")
    }

    /// The extended key usages in words.
    pub(in crate::cli) fn purposes(&self) -> &'static str {
        match (self.any_purpose, self.server_auth, self.client_auth) {
            (true, ..) => "any (no extended key usages)",
            (_, true, true) => "serverAuth, clientAuth",
            (_, true, false) => "serverAuth",
            (_, false, true) => "clientAuth alone",
            (_, false, false) => "neither serverAuth nor clientAuth",
        }
    }
}
