//! The small parts of a report.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::net::admin::moment::Moment;
use crate::net::admin::{nearest, render, report};
use crate::net::edge::Settings;
use crate::ops::counters::{Counts, PartnerSnapshot};
use crate::proto::auth::certificate::{CertFacts, utc};
use crate::proto::auth::pin::Pin;
use crate::proto::jid::Domain;
use crate::proto::policy::{Direction, Method, Partner, Rules};

/// The name of an entry in reports.
pub(super) fn name_of(rules: &Rules, entry: &Arc<Partner>) -> String {
    match rules.is_listed(entry) {
        true => entry.primary.as_str().to_owned(),
        false => "[default-partner]".to_owned(),
    }
}

pub(super) fn rule(
    rules: &Rules,
    domain: &Domain,
    entry: Option<&Arc<Partner>>,
    settings: &Settings,
) -> report::Rule {
    let covered = match entry {
        Some(entry) if rules.is_listed(entry) => "listed",
        Some(_) => "default",
        None if rules.is_local(domain) => "local",
        None => "unknown",
    };
    report::Rule {
        covered: covered.to_owned(),
        partner: entry.map(|it| it.primary.as_str().to_owned()),
        listed_as: rules.listed_as(domain).map(|it| it.to_string()),
        file: settings.partners_file.display().to_string(),
        loaded: utc(settings.loaded),
        hash: settings.fingerprint.clone(),
        line: entry.map(|it| it.line),
        partner_type: entry.map(|it| it.terms.partner_type.as_str().to_owned()),
        methods: entry.map_or_else(Vec::new, |it| {
            let methods = it.methods().iter().map(Method::as_str);
            methods.map(str::to_owned).collect()
        }),
        nearest: match covered {
            "unknown" => nearest::listed(domain.as_str(), rules),
            _ => None,
        },
    }
}

pub(super) fn own_certificates(
    rules: &Rules,
    shown: &[Vec<rustls::pki_types::CertificateDer<'static>>],
    moment: &Moment,
) -> Vec<report::OwnCertificate> {
    // The first is the default; the others are in the order of the local domains.
    let mut found: Vec<report::OwnCertificate> = Vec::new();
    for (domain, chain) in rules.local().iter().zip(shown.iter().skip(1)) {
        let Some(facts) = chain.first().and_then(CertFacts::of) else {
            continue;
        };
        let pin = Pin(facts.spki_sha256).to_string();
        let not_after = utc(facts.not_after);
        let name = domain.as_str().to_owned();
        let same = |it: &&mut report::OwnCertificate| it.pin == pin && it.not_after == not_after;
        match found.iter_mut().find(same) {
            Some(known) => known.domains.push(name),
            None => found.push(report::OwnCertificate {
                domains: vec![name],
                subject: facts.subject,
                issuer: facts.issuer,
                days_left: render::days_left(facts.not_after, moment),
                until: facts.not_after,
                not_after,
                pin,
            }),
        }
    }
    found
}

pub(super) fn is_of(rules: &Rules, domain: &Domain, entry: &Arc<Partner>) -> bool {
    rules
        .partner_of(domain)
        .is_some_and(|it| Arc::ptr_eq(it, entry))
}

pub(super) fn of(snapshot: &PartnerSnapshot, direction: Direction) -> Counts {
    match direction {
        Direction::Inbound => snapshot.inbound.counts,
        Direction::Outbound => snapshot.outbound.counts,
    }
}

pub(super) fn sum(ledger: &[PartnerSnapshot], direction: Direction) -> Counts {
    let mut sum = Counts::default();
    for partner in ledger {
        sum += of(partner, direction);
    }
    sum
}

pub(super) fn balances(ledger: &[PartnerSnapshot]) -> bool {
    let flows = ledger.iter().flat_map(|it| [&it.inbound, &it.outbound]);
    flows.into_iter().all(|flow| flow.counts.balances())
}

pub(super) fn by_reason(
    ledger: &[PartnerSnapshot],
    of: impl Fn(&crate::ops::counters::FlowSnapshot) -> &BTreeMap<&'static str, u64>,
) -> BTreeMap<String, u64> {
    let mut sum = BTreeMap::new();
    for flow in ledger.iter().flat_map(|it| [&it.inbound, &it.outbound]) {
        for (reason, count) in of(flow) {
            *sum.entry((*reason).to_owned()).or_default() += count;
        }
    }
    sum
}

pub(super) fn named(counts: BTreeMap<&'static str, u64>) -> BTreeMap<String, u64> {
    let counts = counts.into_iter();
    counts
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}

pub(super) fn texts(addresses: &[SocketAddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

impl From<Counts> for report::Counts {
    fn from(counts: Counts) -> Self {
        Self {
            accepted: counts.accepted,
            delivered: counts.delivered,
            bounced: counts.bounced,
            dropped: counts.dropped,
            queued: counts.queued,
        }
    }
}
