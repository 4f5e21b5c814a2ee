//! Makes the reports: reads what the edge knows, and holds nothing up by it.
//!
//! Whatever a stanza needs is read as single numbers. What is walked through, the registry, the memory
//! of attempts, the counters, is copied first and rendered afterwards, on a thread for blocking work.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::moment::{Moment, is_proven};
use super::report::{self, Live, Status};
use super::{nearest, render, steps};
use crate::net::edge::Edge;
use crate::net::live::attempts::Attempt;
use crate::net::live::facts::{Kind, StreamFacts};
use crate::net::live::knocks::Knock;
use crate::net::prepare::Settled;
use crate::ops::counters::{Counts, PartnerSnapshot};
use crate::proto::auth::certificate::{CertFacts, utc};
use crate::proto::auth::pin::Pin;
use crate::proto::jid::Domain;
use crate::proto::policy::{Direction, Method, Partner, Rules};

/// How many streams a report lists.
const MOST_STREAMS: usize = 500;
/// How many partners a report lists.
const MOST_PARTNERS: usize = 500;
/// How many knocks a report lists.
const MOST_KNOCKS: usize = 20;

/// Whom the admin socket asks.
#[derive(Debug)]
pub struct Desk {
    /// The running edge.
    pub edge: Arc<Edge>,
    /// Where the configuration was read from, and is read anew.
    pub file: PathBuf,
    /// What a reload cannot change.
    pub settled: Settled,
    /// Held while a reload is tried: one at a time.
    pub trying: tokio::sync::Mutex<()>,
    /// Where partners connect to, as bound.
    pub s2s: Vec<SocketAddr>,
    /// Where gateways connect to, as bound.
    pub gateway: Vec<SocketAddr>,
    /// Whether the edge is stopping.
    pub stopping: watch::Receiver<bool>,
    /// When the edge was started.
    pub began: Instant,
    /// The same in Unix time.
    pub since: u64,
}

impl Desk {
    /// How the edge is.
    #[must_use]
    pub fn status(&self) -> Status {
        let moment = Moment::now();
        let (context, settings) = (self.edge.context(), self.edge.settings.load_full());
        let rules = &context.rules;
        let all = self.edge.registry.facts();
        let ledger = self.edge.ledger.snapshot();
        let of_kind = |kind: Kind| all.iter().filter(move |facts| facts.kind == kind);
        let proven = |kind: Kind| of_kind(kind).filter(|facts| is_proven(facts)).count();
        let streams = || all.iter().filter(|facts| facts.kind != Kind::Link);
        let partners = self.partners(rules, &all, &ledger, &moment);
        let listed = |facts: &Arc<StreamFacts>| render::stream(facts, &moment, rules);
        let sum = |direction| sum(&ledger, direction);
        let (inbound, outbound) = (sum(Direction::Inbound), sum(Direction::Outbound));
        let (to_gateways, to_partners) = self.edge.hub.held();
        let (knocks, uncounted) = self.edge.knocks.list();
        Status {
            time: utc(moment.wall),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process: std::process::id(),
            state: match *self.stopping.borrow() {
                false => "running".to_owned(),
                true => "stopping".to_owned(),
            },
            started: utc(self.since),
            uptime_s: moment.now.saturating_duration_since(self.began).as_secs(),
            configuration: report::Configuration {
                hash: settings.fingerprint.clone(),
                loaded: utc(settings.loaded),
                partners_file: settings.partners_file.display().to_string(),
                partners: rules.partners().len(),
                default_partner: rules.default_partner().is_some(),
            },
            listeners: report::Listeners {
                partners: texts(&self.s2s),
                gateways: texts(&self.gateway),
            },
            gateways: self.gateways(rules, &all, &moment),
            refused_link: (self.edge.refused_link.get())
                .map(|link| render::refused_link(&link, &moment)),
            partners_left_out: partners.len().saturating_sub(MOST_PARTNERS),
            partners: partners.into_iter().take(MOST_PARTNERS).collect(),
            connections: report::Connections {
                inbound: proven(Kind::Inbound),
                outbound: proven(Kind::Outbound),
                links: proven(Kind::Link),
                unproven: all.iter().filter(|facts| !is_proven(facts)).count(),
            },
            streams: streams().take(MOST_STREAMS).map(listed).collect(),
            streams_left_out: streams().count().saturating_sub(MOST_STREAMS),
            queues: report::Queues {
                to_gateways: report::Queue {
                    stanzas: inbound.queued,
                    bytes: to_gateways,
                    limit: settings.queue_bytes / 2,
                },
                to_partners: report::Queue {
                    stanzas: outbound.queued,
                    bytes: to_partners,
                    limit: settings.queue_bytes / 2,
                },
            },
            delivery: report::Delivery {
                inbound: inbound.into(),
                outbound: outbound.into(),
                balances: balances(&ledger),
                bounced_by: by_reason(&ledger, |flow| &flow.bounced_by),
                dropped_by: by_reason(&ledger, |flow| &flow.dropped_by),
            },
            certificates: own_certificates(rules, &settings.shown, &moment),
            reasons: named(self.edge.ledger.reasons()),
            knocks_known: knocks.len(),
            knocks: (knocks.iter().take(MOST_KNOCKS))
                .map(|knock| render::knock(knock, rules, &moment))
                .collect(),
            knocks_uncounted: uncounted,
        }
    }

    /// What is known of one domain.
    #[must_use]
    pub fn live(&self, domain: &Domain) -> Live {
        let moment = Moment::now();
        let (context, settings) = (self.edge.context(), self.edge.settings.load_full());
        let rules = &context.rules;
        let entry = rules.partner_of(domain);
        let listed = entry.filter(|entry| rules.is_listed(entry));
        let all = self.edge.registry.facts();
        let is_his = |facts: &&Arc<StreamFacts>| {
            facts.with(|learned| {
                let pairs = learned.pairs.iter().map(|(pair, _)| &pair.remote);
                let mut domains = pairs.chain(learned.about.as_ref().map(|pair| &pair.remote));
                domains.any(|it| match listed {
                    Some(entry) => is_of(rules, it, entry),
                    None => it == domain,
                })
            })
        };
        let streams: Vec<_> = all.iter().filter(is_his).cloned().collect();
        let attempts = entry.map(|entry| self.edge.attempts.of(&entry.primary));
        let attempts = attempts.unwrap_or_default();
        // All that are partners by `[default-partner]` are remembered together.
        let is_meant = |it: &&Attempt| listed.is_some() || it.remote == *domain;
        let attempts: Vec<_> = attempts.iter().filter(is_meant).collect();
        let ledger = self.edge.ledger.snapshot();
        let (knocks, _) = self.edge.knocks.list();
        let own = knocks.iter().find(|knock| knock.domain == *domain);
        let is_similar = |knock: &&Knock| {
            let name = knock.domain.as_str();
            knock.domain != *domain
                && (name.ends_with(&format!(".{}", domain.as_str()))
                    || nearest::is_near(name, domain.as_str()))
        };
        Live {
            time: utc(moment.wall),
            domain: domain.as_str().to_owned(),
            rule: rule(
                rules,
                domain,
                entry,
                &settings.partners_file.display().to_string(),
            ),
            partner: listed.map(|entry| {
                let newest = attempts.iter().map(|attempt| (*attempt).clone()).collect();
                self.partner(entry, rules, &streams, newest, &ledger, &moment)
            }),
            streams: (streams.iter())
                .map(|facts| render::stream(facts, &moment, rules))
                .collect(),
            attempts: (attempts.iter())
                .map(|attempt| self.attempt(attempt, &moment))
                .collect(),
            pause_s: self.pause(domain, &moment),
            knock: own.map(|knock| render::knock(knock, rules, &moment)),
            similar_knocks: (knocks.iter().filter(is_similar).take(MOST_KNOCKS))
                .map(|knock| render::knock(knock, rules, &moment))
                .collect(),
        }
    }

    fn gateways(
        &self,
        rules: &Rules,
        all: &[Arc<StreamFacts>],
        moment: &Moment,
    ) -> Vec<report::Gateway> {
        let gateways = rules.local().iter().map(|domain| {
            let serves = |facts: &&Arc<StreamFacts>| {
                facts.with(|learned| learned.serves.as_ref() == Some(domain))
            };
            let look = self.edge.hub.look_inward(domain);
            report::Gateway {
                domain: domain.as_str().to_owned(),
                links: (all.iter().filter(serves))
                    .map(|facts| render::stream(facts, moment, rules))
                    .collect(),
                waiting: look.map_or(0, |look| look.waiting),
                waiting_s: look
                    .and_then(|look| look.unattended)
                    .map(|since| moment.now.saturating_duration_since(since).as_secs()),
            }
        });
        gateways.collect()
    }

    /// Those that fail come first, then by name.
    fn partners(
        &self,
        rules: &Rules,
        all: &[Arc<StreamFacts>],
        ledger: &[PartnerSnapshot],
        moment: &Moment,
    ) -> Vec<report::Partner> {
        let mut newest = self.edge.attempts.newest();
        let mut streams: HashMap<Domain, Vec<Arc<StreamFacts>>> = HashMap::new();
        for facts in all {
            let remotes = facts.with(|learned| {
                let pairs = learned.pairs.iter().map(|(pair, _)| pair.remote.clone());
                pairs.collect::<Vec<_>>()
            });
            let entries = remotes.iter().filter_map(|it| rules.partner_of(it));
            let mut primaries: Vec<_> = entries.map(|entry| entry.primary.clone()).collect();
            primaries.sort_unstable();
            primaries.dedup();
            for primary in primaries {
                streams.entry(primary).or_default().push(Arc::clone(facts));
            }
        }
        let entries = rules.partners().iter().chain(rules.default_partner());
        let mut partners: Vec<_> = entries
            .map(|entry| {
                let streams = streams.remove(&entry.primary).unwrap_or_default();
                let newest = newest.remove(&entry.primary).unwrap_or_default();
                self.partner(entry, rules, &streams, newest, ledger, moment)
            })
            .collect();
        partners.sort_by(|a, b| {
            let fails = |it: &report::Partner| it.failures.is_empty();
            (fails(a), &a.partner).cmp(&(fails(b), &b.partner))
        });
        partners
    }

    fn partner(
        &self,
        entry: &Arc<Partner>,
        rules: &Rules,
        streams: &[Arc<StreamFacts>],
        attempts: Vec<Attempt>,
        ledger: &[PartnerSnapshot],
        moment: &Moment,
    ) -> report::Partner {
        let of_kind = |kind: Kind| {
            let proven = streams.iter().filter(|it| it.kind == kind && is_proven(it));
            proven.count()
        };
        let (inbound, outbound) = (of_kind(Kind::Inbound), of_kind(Kind::Outbound));
        let (mut failures, mut claims) = (Vec::new(), Vec::new());
        for (direction, is_familiar, live) in [
            (Direction::Outbound, true, outbound),
            (Direction::Inbound, true, inbound),
            // Whoever has shown nothing but a name says nothing of how the partner is.
            (Direction::Inbound, false, inbound),
        ] {
            let is_meant =
                |it: &&Attempt| it.direction == direction && it.is_familiar == is_familiar;
            let last = attempts.iter().filter(is_meant);
            let last = last.max_by_key(|it| (it.last, it.stream));
            if let Some(last) = last.filter(|_| live == 0) {
                let told = match is_familiar {
                    true => &mut failures,
                    false => &mut claims,
                };
                told.extend(self.failure(last, moment));
            }
        }
        let counts = ledger
            .iter()
            .find(|it| it.partner.as_ref() == Some(&entry.primary));
        let flow = |direction| counts.map(|it| of(it, direction)).unwrap_or_default();
        let state = match (inbound + outbound, failures.is_empty()) {
            (1.., _) => "connected",
            (0, false) => "failing",
            (0, true) => "idle",
        };
        report::Partner {
            partner: match rules.is_listed(entry) {
                true => entry.primary.as_str().to_owned(),
                false => "[default-partner]".to_owned(),
            },
            state: state.to_owned(),
            inbound,
            outbound,
            failures,
            claims,
            received: flow(Direction::Inbound).into(),
            sent: flow(Direction::Outbound).into(),
        }
    }

    fn failure(&self, attempt: &Attempt, moment: &Moment) -> Option<report::Failure> {
        let reason = attempt.outcome.as_ref().err()?;
        let pause = match attempt.direction {
            Direction::Outbound => self.pause(&attempt.remote, moment),
            Direction::Inbound => None,
        };
        Some(render::failure(attempt, reason, pause, moment))
    }

    fn attempt(&self, attempt: &Attempt, moment: &Moment) -> report::Attempt {
        report::Attempt {
            direction: attempt.direction.as_str().to_owned(),
            stream: attempt.stream,
            local: attempt.local.as_ref().map(|it| it.as_str().to_owned()),
            remote: attempt.remote.as_str().to_owned(),
            address: attempt.address.map(|it| it.to_string()),
            method: attempt
                .outcome
                .as_ref()
                .ok()
                .map(|it| it.as_str().to_owned()),
            failure: self.failure(attempt, moment),
            first: utc(attempt.first),
            last: utc(attempt.last),
            last_s: moment.wall.saturating_sub(attempt.last),
            times: attempt.times,
            took_ms: u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
            steps: steps::of(&attempt.steps),
        }
    }

    fn pause(&self, domain: &Domain, moment: &Moment) -> Option<u64> {
        let left = self.edge.hub.backoff.left(domain, moment.now);
        // What is left of a second is a second.
        (left > Duration::ZERO).then(|| left.as_secs() + u64::from(left.subsec_nanos() > 0))
    }
}

fn rule(rules: &Rules, domain: &Domain, entry: Option<&Arc<Partner>>, file: &str) -> report::Rule {
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
        file: file.to_owned(),
        line: entry.map(|it| it.line),
        partner_type: entry.map(|it| it.terms.partner_type.as_str().to_owned()),
        methods: entry.map_or_else(Vec::new, |it| {
            let methods = it.methods().iter().map(Method::as_str);
            methods.map(str::to_owned).collect()
        }),
    }
}

fn own_certificates(
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
                not_after,
                pin,
            }),
        }
    }
    found
}

fn is_of(rules: &Rules, domain: &Domain, entry: &Arc<Partner>) -> bool {
    rules
        .partner_of(domain)
        .is_some_and(|it| Arc::ptr_eq(it, entry))
}

fn of(snapshot: &PartnerSnapshot, direction: Direction) -> Counts {
    match direction {
        Direction::Inbound => snapshot.inbound.counts,
        Direction::Outbound => snapshot.outbound.counts,
    }
}

fn sum(ledger: &[PartnerSnapshot], direction: Direction) -> Counts {
    let mut sum = Counts::default();
    for partner in ledger {
        sum += of(partner, direction);
    }
    sum
}

fn balances(ledger: &[PartnerSnapshot]) -> bool {
    let flows = ledger.iter().flat_map(|it| [&it.inbound, &it.outbound]);
    flows.into_iter().all(|flow| flow.counts.balances())
}

fn by_reason(
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

fn named(counts: BTreeMap<&'static str, u64>) -> BTreeMap<String, u64> {
    let counts = counts.into_iter();
    counts
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}

fn texts(addresses: &[SocketAddr]) -> Vec<String> {
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
