//! What a report says of gateways and of partners.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::Desk;
use super::parts::{is_of, name_of, of};
use crate::net::admin::moment::{Moment, is_proven};
use crate::net::admin::{render, report, steps};
use crate::net::live::attempts::Attempt;
use crate::net::live::facts::{Kind, StreamFacts};
use crate::ops::counters::PartnerSnapshot;
use crate::proto::auth::certificate::utc;
use crate::proto::jid::Domain;
use crate::proto::policy::{Direction, Partner, Rules};

impl Desk {
    pub(super) fn gateways(
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
    pub(super) fn partners(
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

    pub(super) fn partner(
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
        let opened = counts.map(|it| it.opened).unwrap_or_default();
        report::Partner {
            partner: name_of(rules, entry),
            state: state.to_owned(),
            inbound,
            outbound,
            proven: proven(streams, rules, entry),
            failures,
            claims,
            failed: report::FailedAttempts {
                inbound: opened.failed_inbound,
                claimed: opened.failed_claims,
                outbound: opened.failed_outbound,
            },
            certificate: opened.certificate.map(|until| report::Validity {
                not_after: utc(until),
                days_left: render::days_left(until, moment),
                until,
            }),
            received: flow(Direction::Inbound).into(),
            sent: flow(Direction::Outbound).into(),
        }
    }

    fn failure(&self, attempt: &Attempt, moment: &Moment) -> Option<report::Failure> {
        let reason = attempt.outcome.as_ref().err()?;
        let (cause, pause) = match attempt.direction {
            Direction::Outbound => {
                let context = self.edge.context();
                let partner = context.rules.partner_of(&attempt.remote);
                let is_routed = partner.is_some_and(|it| !it.route.is_empty());
                let pause = self.pause(&attempt.remote, moment);
                (reason.cause(is_routed), pause)
            }
            Direction::Inbound => (reason.code(), None),
        };
        Some(render::failure(attempt, (reason, cause), pause, moment))
    }

    pub(super) fn attempt(&self, attempt: &Attempt, moment: &Moment) -> report::Attempt {
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

    pub(super) fn pause(&self, domain: &Domain, moment: &Moment) -> Option<u64> {
        let left = self.edge.hub.backoff.left(domain, moment.now);
        // What is left of a second is a second.
        (left > Duration::ZERO).then(|| left.as_secs() + u64::from(left.subsec_nanos() > 0))
    }
}

/// The streams that are proven for an entry, by direction, method and version of TLS. One that is proven
/// for several of its pairs counts once, by the strongest method.
fn proven(
    streams: &[Arc<StreamFacts>],
    rules: &Rules,
    entry: &Arc<Partner>,
) -> Vec<report::Proven> {
    let mut found: BTreeMap<_, usize> = BTreeMap::new();
    for facts in streams.iter().filter(|facts| facts.kind != Kind::Link) {
        let key = facts.with(|learned| {
            let own = learned.pairs.iter();
            let own = own.filter(|(pair, _)| is_of(rules, &pair.remote, entry));
            let method = own.map(|(_, method)| *method).min()?;
            let tls = learned.tls.as_ref().map(|tls| tls.version.as_str());
            Some((facts.kind.as_str(), method, tls))
        });
        if let Some(key) = key {
            *found.entry(key).or_default() += 1;
        }
    }
    let found = found.into_iter();
    let of_kind = |((direction, method, tls), streams): ((&str, _, Option<&str>), usize)| {
        let method: crate::proto::policy::Method = method;
        report::Proven {
            direction: direction.to_owned(),
            method: method.as_str().to_owned(),
            tls: tls.map(str::to_owned),
            streams,
        }
    };
    found.map(of_kind).collect()
}
