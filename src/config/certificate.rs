//! Judges the edge's own certificates: dates, purpose, key, and the names they must carry.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::sign::CertifiedKey;

use super::files;
use super::problem::{Place, Problem};
use super::reader::{Item, Section};
use crate::proto::auth::certificate::{CertFacts, utc};
use crate::proto::auth::identity::Names;
use crate::proto::jid::Domain;

/// Reads `certificate-chain` and `private-key` of a section and checks all but the names.
pub(super) fn read(section: &Section<'_>, now: UnixTime) -> Option<(Arc<CertifiedKey>, Place)> {
    let chain = section.required_text("certificate-chain", "tls/fullchain.pem");
    let key = section.required_text("private-key", "tls/privkey.pem");
    let findings = section.findings;
    let certificates = chain.as_ref().and_then(|chain| {
        let path = section.resolve(&chain.value);
        let certificates = files::certificates(&path, &chain.place, findings)?;
        check_leaf(&certificates, &path, &chain.place, section, now).then_some(certificates)
    });
    let private = key
        .as_ref()
        .and_then(|key| files::private_key(&section.resolve(&key.value), &key.place, findings));
    let (chain, key) = (chain?, key?);
    match CertifiedKey::from_der(certificates?, private?, &aws_lc_rs::default_provider()) {
        Ok(certified) => Some((Arc::new(certified), chain.place)),
        Err(rustls::Error::InconsistentKeys(_)) => {
            findings.add(
                Problem::error(
                    "key-mismatch",
                    &key.place,
                    "the private key does not belong to the certificate",
                    "name the key that the certificate was requested with",
                )
                .related(&chain.place, "the certificate"),
            );
            None
        }
        Err(error) => {
            let reason = match error {
                rustls::Error::General(reason) => reason,
                error => error.to_string(),
            };
            findings.add(Problem::error(
                "unusable-key",
                &key.place,
                format!("the private key cannot be used: {reason}"),
                "use an ECDSA P-256 or P-384 key, an Ed25519 key, or RSA of 2048 bits or more",
            ));
            None
        }
    }
}

/// Reports the domains that a certificate does not name.
pub(super) fn check_names(
    section: &Section<'_>,
    certified: &CertifiedKey,
    place: &Place,
    domains: &[Domain],
) {
    let names = certified
        .end_entity_cert()
        .map(Names::of)
        .unwrap_or_default();
    for domain in domains.iter().filter(|domain| !names.covers(domain)) {
        section.findings.add(
            Problem::error(
                "certificate-lacks-domain",
                place,
                format!("the certificate does not name the local domain {domain}"),
                format!(
                    "get a certificate whose subject alternative names include {domain}, or give \
                     {domain} an [[identity]] of its own"
                ),
            )
            .label(format!("it names {names}")),
        );
    }
}

/// Reads a list of authorities for the internal link.
pub(super) fn root_store(section: &Section<'_>, file: &Item<String>) -> Option<Arc<RootCertStore>> {
    let path = section.resolve(&file.value);
    let certificates = files::certificates(&path, &file.place, section.findings)?;
    let mut store = RootCertStore::empty();
    for certificate in certificates {
        // RFC 5280 §4.2.1.9: the TLS library would let any certificate here vouch for others.
        if let Some(facts) = CertFacts::of(&certificate).filter(|facts| !facts.is_authority) {
            section.findings.add(Problem::error(
                "not-an-authority",
                &file.place,
                format!(
                    "{} holds a certificate that is no authority's: {}",
                    path.display(),
                    facts.subject
                ),
                "a gateway is proven by a certificate that an authority has issued: name that \
                 authority's certificate (cA TRUE, and keyCertSign if it has key usages)",
            ));
            return None;
        }
        if let Err(error) = store.add(certificate) {
            section.findings.add(Problem::error(
                "bad-certificate",
                &file.place,
                format!("{} holds a bad certificate: {error}", path.display()),
                "name a PEM file with the certificates of certification authorities",
            ));
            return None;
        }
    }
    Some(Arc::new(store))
}

/// How long before its end a certificate is warned about.
const SOON: Duration = Duration::from_secs(30 * 86400);

/// Checks dates and purpose of the first certificate; says whether it can be read at all.
fn check_leaf(
    chain: &[CertificateDer<'static>],
    path: &Path,
    place: &Place,
    section: &Section<'_>,
    now: UnixTime,
) -> bool {
    let add = |problem| section.findings.add(problem);
    let Some(leaf) = chain.first().and_then(CertFacts::of) else {
        add(Problem::error(
            "bad-certificate",
            place,
            format!("the first certificate of {} is malformed", path.display()),
            "put the edge's own certificate first, then the intermediate ones",
        ));
        return false;
    };
    let now = now.as_secs();
    let left = Duration::from_secs(leaf.not_after.saturating_sub(now));
    if now > leaf.not_after {
        add(Problem::error(
            "certificate-expired",
            place,
            format!("the certificate expired on {}", utc(leaf.not_after)),
            format!("renew it, and put the new one into {}", path.display()),
        ));
    } else if now < leaf.not_before {
        add(Problem::error(
            "certificate-not-yet-valid",
            place,
            format!(
                "the certificate is valid only from {}",
                utc(leaf.not_before)
            ),
            "check this host's clock, or use a certificate that is valid now",
        ));
    } else if left < SOON {
        let days = match left.as_secs() / 86400 {
            0 => "in less than a day".to_owned(),
            1 => "in 1 day".to_owned(),
            days => format!("in {days} days"),
        };
        add(Problem::warning(
            "certificate-expires-soon",
            place,
            format!("the certificate expires {days}, on {}", utc(leaf.not_after)),
            "renew it, and put the new one into the same file",
        ));
    }
    if !leaf.purposes.allow_server() {
        add(Problem::error(
            "certificate-not-for-servers",
            place,
            "the certificate is not for servers: it has key usages without serverAuth",
            "get a server certificate: partners judge it as one in both directions",
        ));
    }
    true
}
