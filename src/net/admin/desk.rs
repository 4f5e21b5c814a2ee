//! Makes the reports: reads what the edge knows, and holds nothing up by it.
//!
//! Whatever a stanza needs is read as single numbers. What is walked through, the registry, the memory
//! of attempts, the counters, is copied first and rendered afterwards, on a thread for blocking work.

mod figures;
mod partners;
mod parts;

pub use figures::{Figures, NOBODY};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::moment::{Moment, is_proven};
use super::report::{self, Live, Status};
use super::{nearest, render};
use crate::net::edge::Edge;
use crate::net::live::attempts::Attempt;
use crate::net::live::facts::{Kind, StreamFacts};
use crate::net::live::knocks::Knock;
use crate::net::prepare::Settled;
use crate::ops::counters::PartnerSnapshot;
use crate::proto::auth::certificate::utc;
use crate::proto::jid::Domain;
use crate::proto::policy::Direction;
use parts::{balances, by_reason, is_of, named, own_certificates, rule, sum, texts};

/// How many partners, and how many streams, a report lists.
const MOST: Most = Most {
    partners: 500,
    streams: 500,
};
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
    /// Where HTTP is spoken, as bound.
    pub http: Option<SocketAddr>,
    /// Whether the edge is stopping.
    pub stopping: watch::Receiver<bool>,
    /// When the edge was started.
    pub began: Instant,
    /// The same in Unix time.
    pub since: u64,
}

/// How much a report lists.
#[derive(Clone, Copy, Debug)]
struct Most {
    partners: usize,
    streams: usize,
}

impl Desk {
    /// How the edge is.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status_of(MOST, &self.edge.ledger.snapshot())
    }

    fn status_of(&self, most: Most, ledger: &[PartnerSnapshot]) -> Status {
        let moment = Moment::now();
        let (context, settings) = (self.edge.context(), self.edge.settings.load_full());
        let rules = &context.rules;
        let all = self.edge.registry.facts();
        let of_kind = |kind: Kind| all.iter().filter(move |facts| facts.kind == kind);
        let proven = |kind: Kind| of_kind(kind).filter(|facts| is_proven(facts)).count();
        let streams = || all.iter().filter(|facts| facts.kind != Kind::Link);
        let partners = self.partners(rules, &all, ledger, &moment);
        let listed = |facts: &Arc<StreamFacts>| render::stream(facts, &moment, rules);
        let sum = |direction| sum(ledger, direction);
        let (inbound, outbound) = (sum(Direction::Inbound), sum(Direction::Outbound));
        let (to_gateways, to_partners) = self.edge.hub.held();
        let (knocks, uncounted) = self.edge.knocks.list();
        let undone = self.edge.last_reload.undone();
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
                refused_reload: (undone.refused).map(|it| report::RefusedReload {
                    at: utc(it.at),
                    ago_s: moment.wall.saturating_sub(it.at),
                    why: it.why,
                }),
                waits_for_restart: (undone.waits_for_restart.iter())
                    .map(|it| (*it).to_owned())
                    .collect(),
            },
            listeners: report::Listeners {
                partners: texts(&self.s2s),
                gateways: texts(&self.gateway),
                admin: texts(self.http.as_slice()),
            },
            gateways: self.gateways(rules, &all, &moment),
            refused_link: (self.edge.refused_link.get())
                .map(|link| render::refused_link(&link, &moment)),
            partners_left_out: partners.len().saturating_sub(most.partners),
            partners: partners.into_iter().take(most.partners).collect(),
            connections: report::Connections {
                inbound: proven(Kind::Inbound),
                outbound: proven(Kind::Outbound),
                links: proven(Kind::Link),
                unproven: all.iter().filter(|facts| !is_proven(facts)).count(),
            },
            streams: streams().take(most.streams).map(listed).collect(),
            streams_left_out: streams().count().saturating_sub(most.streams),
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
                balances: balances(ledger),
                bounced_by: by_reason(ledger, |flow| &flow.bounced_by),
                dropped_by: by_reason(ledger, |flow| &flow.dropped_by),
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
            rule: rule(rules, domain, entry, &settings),
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
}
