//! Judges the edge's own certificates: dates, purpose, key, and the names they must carry.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};

use super::files;
use super::key_kind;
use super::problem::{Findings, Place, Problem};
use super::reader::{Item, Section};
use crate::proto::auth::certificate::{CertFacts, utc};
use crate::proto::auth::identity::Names;
use crate::proto::auth::pin::Pin;
use crate::proto::jid::Domain;

/// What a section says of its certificate.
pub(super) struct Read {
    /// The file of `certificate-chain`.
    pub(super) chain: Option<PathBuf>,
    /// The file of `private-key`.
    pub(super) key: Option<PathBuf>,
    /// Both, if they are sound, and where the chain is named.
    pub(super) certified: Option<(Arc<CertifiedKey>, Place)>,
}

/// Reads `certificate-chain` and `private-key` of a section and checks all but the names.
pub(super) fn read(section: &Section<'_>, now: UnixTime) -> Read {
    let chain = section.required_text("certificate-chain", "tls/fullchain.pem");
    let key = section.required_text("private-key", "tls/privkey.pem");
    let place = |item: &Item<String>| (section.resolve(&item.value), item.place.clone());
    let (chain, key) = (chain.as_ref().map(place), key.as_ref().map(place));
    let findings = section.findings;
    let certificates = chain
        .as_ref()
        .and_then(|(path, place)| certificates(path, place, findings, now));
    let private = key
        .as_ref()
        .and_then(|(path, place)| files::private_key(path, place, findings));
    let certified = match (certificates, private, &chain, &key) {
        (Some(certificates), Some(private), Some((_, chain)), Some((_, key))) => {
            certified(certificates, private, (chain, key), findings)
                .map(|certified| (certified, chain.clone()))
        }
        _ => None,
    };
    Read {
        chain: chain.map(|(path, _)| path),
        key: key.map(|(path, _)| path),
        certified,
    }
}

/// The certificates of a file, of which the first is a server's that is valid now. Faults of its dates
/// and purpose are found, and do not keep it from being looked at further.
pub(super) fn certificates(
    path: &Path,
    place: &Place,
    findings: &Findings,
    now: UnixTime,
) -> Option<Vec<CertificateDer<'static>>> {
    let certificates = files::certificates(path, place, findings)?;
    check_leaf(&certificates, path, place, findings, now).then_some(certificates)
}

/// The chain with its key, if the key is of use and belongs to it.
pub(super) fn certified(
    certificates: Vec<CertificateDer<'static>>,
    private: PrivateKeyDer<'static>,
    (chain, key): (&Place, &Place),
    findings: &Findings,
) -> Option<Arc<CertifiedKey>> {
    let kind = key_kind::describe(&private);
    let Ok(private) = aws_lc_rs::default_provider()
        .key_provider
        .load_private_key(private)
    else {
        let message = match kind {
            Some(kind) => format!("the private key cannot be used: it is {kind}, or damaged"),
            None => "the private key cannot be used: it is damaged".to_owned(),
        };
        findings.add(Problem::error(
            "unusable-key",
            key,
            message,
            "use an ECDSA P-256 or P-384 key, an Ed25519 key, or RSA of 2048 to 8192 bits",
        ));
        return None;
    };
    let certified = CertifiedKey::new(certificates, private);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
            return Some(Arc::new(certified));
        }
        Err(Error::InconsistentKeys(_)) => findings.add(mismatch(&certified, key, chain)),
        Err(error) => findings.add(unusable(&error, chain)),
    }
    None
}

/// The key is not the first certificate's: perhaps it is that of another one in the file.
fn mismatch(certified: &CertifiedKey, key: &Place, chain: &Place) -> Problem {
    let own = certified.key.public_key().map(|key| Pin::of(&key));
    let facts = certified.cert.iter().map(CertFacts::of);
    let owner = facts
        .enumerate()
        .skip(1)
        .filter_map(|(index, facts)| Some((index, facts?)))
        .find(|(_, facts)| own == Some(Pin(facts.spki_sha256)));
    match owner {
        // RFC 8446 §4.4.2: the sender's certificate comes first.
        Some((index, facts)) => Problem::error(
            "chain-order",
            chain,
            format!(
                "the chain is in the wrong order: the key belongs to certificate {} of {}, {}",
                index + 1,
                certified.cert.len(),
                facts.subject
            ),
            "put that certificate first, then its issuer's, and so on upwards",
        )
        .related(key, "the key"),
        None if authority(certified).is_some() => Problem::error(
            "key-mismatch",
            chain,
            format!(
                "the first certificate is that of an authority, {}, and not the edge's",
                authority(certified).unwrap_or_default()
            ),
            "put the edge's own certificate first, then the intermediate ones; an authority's own \
             belongs in trust-anchors, if anywhere",
        )
        .related(key, "the key"),
        None => Problem::error(
            "key-mismatch",
            key,
            "the private key does not belong to the certificate",
            "name the key that the certificate was requested with",
        )
        .related(chain, "the certificate"),
    }
}

/// The subject of the first certificate, where it is an authority's.
fn authority(certified: &CertifiedKey) -> Option<String> {
    let facts = CertFacts::of(certified.cert.first()?)?;
    facts.is_authority.then_some(facts.subject)
}

/// The TLS library cannot read the first certificate.
fn unusable(error: &Error, chain: &Place) -> Problem {
    let is_version_one = matches!(
        error,
        Error::InvalidCertificate(CertificateError::Other(other))
            if other.0.downcast_ref() == Some(&webpki::Error::UnsupportedCertVersion)
    );
    let (message, hint) = if is_version_one {
        (
            "the certificate is X.509 version 1, which cannot carry a domain name",
            "get a certificate of version 3",
        )
    } else {
        (
            "the first certificate of the chain cannot be read",
            "have it issued anew, and put the edge's own certificate first",
        )
    };
    Problem::error("bad-certificate", chain, message, hint)
}

/// Reports the domains that the first certificate of a chain does not name.
pub(super) fn check_names(
    findings: &Findings,
    chain: &[CertificateDer<'_>],
    place: &Place,
    domains: &[Domain],
) {
    let names = chain.first().map(Names::of).unwrap_or_default();
    for domain in domains.iter().filter(|domain| !names.covers(domain)) {
        findings.add(
            Problem::error(
                "certificate-lacks-domain",
                place,
                format!("the certificate does not name {domain}"),
                format!(
                    "get a certificate whose subject alternative names include {domain}; if it is a \
                     local domain, it may have an [[identity]] of its own instead"
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
        if store.add(certificate).is_err() {
            section.findings.add(Problem::error(
                "bad-certificate",
                &file.place,
                format!("{} holds a malformed certificate", path.display()),
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
pub(super) fn check_leaf(
    chain: &[CertificateDer<'static>],
    path: &Path,
    place: &Place,
    findings: &Findings,
    now: UnixTime,
) -> bool {
    let add = |problem| findings.add(problem);
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
    // A clock that is wrong looks like a certificate that is.
    if now > leaf.not_after {
        add(Problem::error(
            "certificate-expired",
            place,
            format!(
                "the certificate expired on {}; this host's clock says {}",
                utc(leaf.not_after),
                utc(now)
            ),
            format!(
                "renew it, and put the new one into {}; or set the clock, if it is ahead",
                path.display()
            ),
        ));
    } else if now < leaf.not_before {
        let hint = match written(path).filter(|written| *written > now + DAY) {
            Some(written) => format!(
                "set the clock: it is behind, for the file was written on {}",
                utc(written)
            ),
            None => "set the clock, if it is behind; else use a certificate that is valid now"
                .to_owned(),
        };
        add(Problem::error(
            "certificate-not-yet-valid",
            place,
            format!(
                "the certificate is valid only from {}; this host's clock says {}",
                utc(leaf.not_before),
                utc(now)
            ),
            hint,
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

/// When the file was written, in Unix time.
fn written(path: &Path) -> Option<u64> {
    let written = std::fs::metadata(path).ok()?.modified().ok()?;
    Some(written.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

const DAY: u64 = 86400;
