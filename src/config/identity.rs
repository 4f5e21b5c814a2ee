//! `[tls]` and `[[identity]]`: which certificate speaks for which local domain, and whom we trust.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::pki_types::UnixTime;
use rustls::sign::CertifiedKey;

use super::certificate;
use super::files;
use super::model::{Identities, NamedCertificate, Tls};
use super::problem::{Place, Problem};
use super::reader::{Item, Section};
use super::terms::TLS_VERSIONS;
use super::trust;
use crate::proto::auth::certificate::{CertFacts, utc};
use crate::proto::auth::chain::{Anchors, TlsVersion};
use crate::proto::jid::Domain;

/// What both sections say.
#[derive(Default)]
pub(super) struct Read {
    pub(super) tls: Option<Tls>,
    pub(super) identities: Option<Identities>,
    /// Each certificate that is named; `None` where it cannot be told for which domains.
    pub(super) certificates: Option<Vec<NamedCertificate>>,
    /// Whom we trust, also where the certificates are not sound.
    pub(super) anchors: Option<Arc<Anchors>>,
}

/// Reads both sections. The certificate of `[tls]` answers for all domains without an identity.
pub(super) fn read(root: &Section<'_>, locals: &[Item<Domain>], now: UnixTime) -> Read {
    let Claimed {
        claims: others,
        mut shown,
        named,
        are_sound,
    } = identities(root, locals, now);
    let rest: Vec<_> = locals
        .iter()
        .map(|local| local.value.clone())
        .filter(|local| !others.contains_key(local))
        .collect();
    let section = root.section("tls");
    let certificates = |chain, key| {
        let own = NamedCertificate {
            section: "[tls]",
            domains: rest.clone(),
            chain,
            key,
        };
        are_sound.then(|| std::iter::once(own).chain(named).collect())
    };
    if !section.is_present() {
        root.findings.add(Problem::error(
            "missing-section",
            &section.place(),
            "the section [tls] is missing",
            "add [tls] with certificate-chain and private-key",
        ));
        return Read {
            certificates: certificates(None, None),
            ..Read::default()
        };
    }
    let own = certificate::read(&section, now);
    let certified = own.certified;
    if let Some((certified, place)) = &certified {
        certificate::check_names(section.findings, &certified.cert, place, &rest);
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
            trust::judge(section.findings, &certified.cert, place, anchors, now);
        }
    }
    let tls = anchors.clone().map(|anchors| Tls {
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
    Read {
        tls,
        identities,
        certificates: certificates(own.chain, own.key),
        anchors,
    }
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

/// What the sections `[[identity]]` say.
struct Claimed {
    claims: Claims,
    shown: Vec<Shown>,
    named: Vec<NamedCertificate>,
    /// Whether each names domains, of ours, and no other section's.
    are_sound: bool,
}

fn identities(root: &Section<'_>, locals: &[Item<Domain>], now: UnixTime) -> Claimed {
    let mut claims = Claims::new();
    let mut shown = Vec::new();
    let mut named = Vec::new();
    let mut are_sound = true;
    for section in root.sections("identity") {
        let mark = root.findings.len();
        section.require("domains", "[\"eu.contoso.example\"]");
        let domains = super::sections::domains(&section).unwrap_or_default();
        are_sound &= !root.findings.has_error_since(mark);
        let certificate::Read {
            chain,
            key,
            certified,
        } = certificate::read(&section, now);
        let mut own = Vec::new();
        for domain in domains {
            if !locals.iter().any(|local| local.value == domain.value) {
                root.findings.add(Problem::error(
                    "identity-not-local",
                    &domain.place,
                    format!("{} is not a local domain", domain.value),
                    "list it under `domains` at the top of the file, or remove it here",
                ));
                are_sound = false;
                continue;
            }
            let claim = (
                certified
                    .as_ref()
                    .map(|(certified, _)| Arc::clone(certified)),
                domain.place.clone(),
            );
            if let Some((_, first)) = claims.insert(domain.value.clone(), claim) {
                are_sound = false;
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
            certificate::check_names(section.findings, &certified.cert, place, &own);
        }
        section.finish();
        shown.extend(certified);
        named.push(NamedCertificate {
            section: "[[identity]]",
            domains: own,
            chain,
            key,
        });
    }
    Claimed {
        claims,
        shown,
        named,
        are_sound,
    }
}
