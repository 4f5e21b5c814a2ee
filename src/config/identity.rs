//! `[tls]` and `[[identity]]`: which certificate speaks for which local domain, and whom we trust.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::pki_types::UnixTime;
use rustls::sign::CertifiedKey;

use super::certificate;
use super::files;
use super::model::{Identities, Tls};
use super::problem::{Place, Problem};
use super::reader::{Item, Section};
use super::terms::TLS_VERSIONS;
use super::trust;
use crate::proto::auth::certificate::{CertFacts, utc};
use crate::proto::auth::chain::{Anchors, TlsVersion};
use crate::proto::jid::Domain;

/// Reads both sections. The certificate of `[tls]` answers for all domains without an identity.
pub(super) fn read(
    root: &Section<'_>,
    locals: &[Item<Domain>],
    now: UnixTime,
) -> (Option<Tls>, Option<Identities>) {
    let (others, mut shown) = identities(root, locals, now);
    let section = root.section("tls");
    if !section.is_present() {
        root.findings.add(Problem::error(
            "missing-section",
            &section.place(),
            "the section [tls] is missing",
            "add [tls] with certificate-chain and private-key",
        ));
        return (None, None);
    }
    let certified = certificate::read(&section, now);
    if let Some((certified, place)) = &certified {
        let rest: Vec<_> = locals
            .iter()
            .map(|local| local.value.clone())
            .filter(|local| !others.contains_key(local))
            .collect();
        certificate::check_names(&section, certified, place, &rest);
    }
    let minimum_version = section
        .choice("minimum-version", &TLS_VERSIONS)
        .map_or(TlsVersion::Tls12, |version| version.value);
    let anchors = match section.text("trust-anchors") {
        Some(name) => anchors(&section, &name, now),
        None => system_anchors(&section, &section.place()),
    };
    section.finish();
    shown.extend(certified.clone());
    if let Some(anchors) = &anchors {
        for (certified, place) in &shown {
            trust::judge(&section, certified, place, anchors, now);
        }
    }
    let tls = anchors.map(|anchors| Tls {
        anchors,
        minimum_version,
    });
    let identities = certified.map(|(default, _)| Identities {
        default,
        others: others
            .into_iter()
            .filter_map(|(domain, (certified, _))| Some((domain, certified?)))
            .collect(),
    });
    (tls, identities)
}

/// The system's authorities, or those of a PEM file, in which each certificate must be sound.
///
/// RFC 5280 §6.1.1 (d): an anchor's own dates do not count, so one that has expired still vouches,
/// and is warned about.
pub(super) fn anchors(
    section: &Section<'_>,
    file: &Item<String>,
    now: UnixTime,
) -> Option<Arc<Anchors>> {
    if file.value == "system" {
        return system_anchors(section, &file.place);
    }
    let path = section.resolve(&file.value);
    let certificates = files::certificates(&path, &file.place, section.findings)?;
    for facts in certificates.iter().filter_map(CertFacts::of) {
        if facts.is_authority && facts.not_after < now.as_secs() {
            section.findings.add(Problem::warning(
                "anchor-expired",
                &file.place,
                format!(
                    "the authority {} expired on {}, and still vouches for partners",
                    facts.subject,
                    utc(facts.not_after)
                ),
                format!(
                    "remove it from {}, or replace it by its successor",
                    path.display()
                ),
            ));
        }
    }
    let (anchors, rejected) = Anchors::from_der(certificates);
    if !rejected.is_empty() {
        section.findings.add(Problem::error(
            "bad-certificate",
            &file.place,
            format!("{} holds a malformed certificate", path.display()),
            "name a PEM file with the certificates of certification authorities",
        ));
        return None;
    }
    Some(Arc::new(anchors))
}

/// The system's authorities. One of them that cannot be read is passed over: it is not the
/// administrator's to mend, and trusting fewer is safe.
fn system_anchors(section: &Section<'_>, place: &Place) -> Option<Arc<Anchors>> {
    let (anchors, _) = Anchors::from_der(rustls_native_certs::load_native_certs().certs);
    if anchors.is_empty() {
        section.findings.add(Problem::error(
            "no-system-anchors",
            place,
            "this system has no trusted certification authorities",
            "install the package ca-certificates, or name a PEM file in trust-anchors",
        ));
        return None;
    }
    Some(Arc::new(anchors))
}

/// By domain: the certificate, if it could be read, and where the domain is claimed.
type Claims = HashMap<Domain, (Option<Arc<CertifiedKey>>, Place)>;

/// A certificate that partners will see, and where its chain is named.
type Shown = (Arc<CertifiedKey>, Place);

fn identities(root: &Section<'_>, locals: &[Item<Domain>], now: UnixTime) -> (Claims, Vec<Shown>) {
    let mut claims = Claims::new();
    let mut shown = Vec::new();
    for section in root.sections("identity") {
        section.require("domains", "[\"eu.contoso.example\"]");
        let domains = super::sections::domains(&section).unwrap_or_default();
        let certified = certificate::read(&section, now);
        let mut own = Vec::new();
        for domain in domains {
            if !locals.iter().any(|local| local.value == domain.value) {
                root.findings.add(Problem::error(
                    "identity-not-local",
                    &domain.place,
                    format!("{} is not a local domain", domain.value),
                    "list it under `domains` at the top of the file, or remove it here",
                ));
                continue;
            }
            let claim = (
                certified
                    .as_ref()
                    .map(|(certified, _)| Arc::clone(certified)),
                domain.place.clone(),
            );
            if let Some((_, first)) = claims.insert(domain.value.clone(), claim) {
                root.findings.add(
                    Problem::error(
                        "identity-overlap",
                        &domain.place,
                        format!("two identities claim {}", domain.value),
                        "leave the domain to one of them",
                    )
                    .related(&first, "first claimed here"),
                );
            }
            own.push(domain.value);
        }
        if let Some((certified, place)) = &certified {
            certificate::check_names(&section, certified, place, &own);
        }
        section.finish();
        shown.extend(certified);
    }
    (claims, shown)
}
