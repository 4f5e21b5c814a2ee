//! What a stream that a partner opened has met, kept for whoever asks why it came to nothing.
//!
//! Whoever says nothing, or names nobody that an entry covers, leaves no trail: such are counted.

use std::net::SocketAddr;
use std::time::Instant;

use crate::net::edge::Edge;
use crate::net::io::clock;
use crate::net::live::attempts::Attempt;
use crate::net::live::facts::StreamFacts;
use crate::net::live::log_limiter::Known;
use crate::net::live::trail::{Fact, Trail};
use crate::net::session::driver::now;
use crate::proto::auth::chain::TlsFacts;
use crate::proto::codes::Mark;
use crate::proto::jid::Domain;
use crate::proto::policy::{Direction, Method, Reason};
use crate::proto::stream::Record;

/// One stream that came in.
#[derive(Debug)]
pub struct Visit {
    stream: u64,
    address: SocketAddr,
    /// Whom it claims to be, where an entry covers that.
    claimed: Option<Claimed>,
    /// Whether it asked about a key of ours: then it may have come for nothing else.
    has_asked: bool,
}

#[derive(Debug)]
struct Claimed {
    partner: Known,
    local: Option<Domain>,
    remote: Domain,
    since: Instant,
    /// What it has met on its way in, until that is at its end.
    trail: Option<Box<Trail>>,
}

impl Visit {
    /// Somebody has come, and has said nothing yet.
    #[must_use]
    pub fn new(facts: &StreamFacts) -> Self {
        Self {
            stream: facts.id,
            address: facts.address,
            claimed: None,
            has_asked: false,
        }
    }

    /// Notes what the machine reports.
    pub fn record(&mut self, record: &Record, edge: &Edge, is_familiar: bool) {
        match record {
            Record::Claimed { local, remote } => {
                let text = remote.as_deref().unwrap_or_default();
                let remote = Domain::parse(text).ok();
                let found = remote.and_then(|it| Some((edge.hub.known(&it)?, it)));
                self.claimed = found.map(|(partner, remote)| Claimed {
                    partner,
                    local: local.clone(),
                    remote,
                    since: clock::instant(),
                    trail: Some(Box::new(Trail::short())),
                });
                self.note(|| Fact::Called(local.clone()));
            }
            Record::DialbackAnswered { .. } => self.has_asked = true,
            record => {
                if let Some(trail) = self.trail() {
                    trail.record(record);
                }
            }
        }
        match record {
            Record::Authenticated { pair, method } => {
                self.met(edge, &pair.remote, Ok(*method), is_familiar);
            }
            Record::MethodFailed {
                pair,
                reason: Reason::UnknownPartner { .. },
                ..
            } => {
                edge.knocks
                    .note(&pair.remote, self.address.ip(), now().monotonic);
            }
            _ => {}
        }
    }

    /// Notes a step that the machine does not report.
    pub fn note(&self, fact: impl FnOnce() -> Fact) {
        if let Some(trail) = self.trail() {
            trail.note(fact());
        }
    }

    /// The handshake is over.
    pub fn secured(&self, facts: &TlsFacts, cipher: String) {
        if let Some(trail) = self.trail() {
            trail.secured(facts, cipher);
        }
    }

    /// The stream has ended, and nothing was proven on it.
    pub fn in_vain(mut self, edge: &Edge, reason: &Reason, is_familiar: bool) {
        if let Reason::UnknownPartner { domain, .. } = reason
            && let Ok(domain) = Domain::parse(domain)
        {
            edge.knocks
                .note(&domain, self.address.ip(), now().monotonic);
        }
        // Whoever came to ask has its answer; and that the edge stops is nobody's failure.
        if self.has_asked || matches!(reason, Reason::Shutdown) {
            return;
        }
        let is_refusal = !reason.has(Mark::NoRefusal);
        if let Some(trail) = self.trail() {
            trail.fail(reason);
        }
        if let Some(claimed) = &self.claimed {
            let remote = claimed.remote.clone();
            let partner = claimed.partner.partner.clone();
            let was_its_own = self.met(edge, &remote, Err(reason.clone()), is_familiar);
            if let Some(was_its_own) = was_its_own.filter(|_| is_refusal) {
                let counters = edge.ledger.partner(&partner);
                counters.openings.failed_inbound(was_its_own);
            }
        } else if is_refusal {
            edge.ledger.unlisted().openings.failed_inbound(false);
        }
    }

    fn trail(&self) -> Option<&Trail> {
        self.claimed.as_ref()?.trail.as_deref()
    }

    /// Remembers what it came to, where an entry covers the domain, and whether it was the partner's own for
    /// all that is known.
    fn met(
        &mut self,
        edge: &Edge,
        remote: &Domain,
        outcome: Result<Method, Reason>,
        is_familiar: bool,
    ) -> Option<bool> {
        let claimed = self.claimed.as_mut()?;
        // A further pair may be of another partner.
        let partner = match *remote == claimed.remote {
            true => Some(claimed.partner.partner.clone()),
            false => edge.hub.partner(remote),
        };
        let partner = partner?;
        let took = claimed.since.elapsed();
        let timings = edge.ledger.timings();
        timings
            .opening(Direction::Inbound, outcome.is_ok())
            .observe(took);
        let wall = now().wall.as_secs();
        let steps = match outcome {
            // What is met later is no part of the way in, and is not kept.
            Ok(_) => claimed.trail.take().map(|trail| trail.close()),
            Err(_) => claimed.trail.as_ref().map(|trail| trail.since(0)),
        };
        let steps = steps.unwrap_or_default();
        let attempt = Attempt {
            stream: Some(self.stream),
            direction: Direction::Inbound,
            local: claimed.local.clone(),
            remote: remote.clone(),
            address: Some(self.address),
            // A good certificate is the partner's, whatever else is wrong.
            is_familiar: is_familiar || outcome.is_ok() || { steps.iter() }
                .any(|step| matches!(step.fact, Fact::Judged(Ok(())))),
            first: wall,
            last: wall,
            times: 1,
            took,
            outcome,
            steps,
        };
        Some(edge.attempts.note(&partner, attempt))
    }
}
