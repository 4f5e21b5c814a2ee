//! The way to a partner, as it is gone, and what is known of it besides.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use tokio::time::{Instant, sleep_until};

use crate::config::Config;
use crate::net::edge::Edge;
use crate::net::live::trail::{Fact, Step, Trail};
use crate::net::session::outbound::try_out;
use crate::proto::auth::Pair;
use crate::proto::auth::certificate::CertFacts;
use crate::proto::auth::chain::TlsVersion;
use crate::proto::discover::{Target, Via};
use crate::proto::jid::Domain;
use crate::proto::policy::{Method, Partner, Reason};

/// How long nothing may happen before it is said that it is still waited.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many letters a mistyped domain may have wrong.
const MISTYPED: usize = 3;

/// One attempt, and all that its steps are judged by.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) pair: Pair,
    /// The local domains there are to choose from.
    pub(super) locals: Vec<Domain>,
    /// The primary domain of each entry.
    pub(super) known: Vec<Domain>,
    pub(super) partners_file: PathBuf,
    /// The certificate that we show.
    pub(super) own: Option<CertFacts>,
    /// After how much silence a stream of ours ends.
    pub(super) idle: Duration,
    /// When it began, in Unix time.
    pub(super) since: u64,
    pub(super) steps: Vec<Step>,
    pub(super) outcome: Result<(), Reason>,
    pub(super) took: Duration,
}

/// What happens while the way is gone.
#[derive(Debug)]
pub(super) enum Happened {
    /// A step was taken: the last one that is known.
    Step,
    /// Nothing has, for so long.
    Nothing(Duration),
}

impl Walk {
    pub(super) fn new(pair: Pair, config: &Config) -> Self {
        let leaf = config.identities.of(&pair.local).end_entity_cert();
        let primaries = config.rules.partners().iter();
        Self {
            own: leaf.ok().and_then(CertFacts::of),
            pair,
            locals: config.domains.clone(),
            known: primaries.map(|partner| partner.primary.clone()).collect(),
            partners_file: config.partners_file.clone(),
            idle: config.s2s.inactivity_timeout,
            since: UnixTime::now().as_secs(),
            steps: Vec::new(),
            outcome: Ok(()),
            took: Duration::ZERO,
        }
    }

    /// Goes the way, and tells of each step as it is taken.
    pub(super) async fn go(&mut self, edge: &Arc<Edge>, tell: impl Fn(&Self, Happened)) {
        let trail = Arc::<Trail>::default();
        let pair = self.pair.clone();
        let mut trying = pin!(try_out(edge, &pair, &trail));
        let mut quiet_since = Instant::now();
        let mut next_word = quiet_since + PATIENCE;
        loop {
            let count = self.steps.len();
            let outcome = tokio::select! {
                biased;
                () = trail.more_than(count) => None,
                outcome = &mut trying => Some(outcome),
                () = sleep_until(next_word) => {
                    tell(self, Happened::Nothing(quiet_since.elapsed()));
                    next_word += PATIENCE;
                    continue;
                }
            };
            for step in trail.since(count) {
                self.steps.push(step);
                tell(self, Happened::Step);
            }
            quiet_since = Instant::now();
            next_word = quiet_since + PATIENCE;
            if let Some(outcome) = outcome {
                self.outcome = outcome;
                self.took = trail.age();
                return;
            }
        }
    }

    /// The entry that covers the partner, if one does.
    pub(super) fn partner(&self) -> Option<&Partner> {
        self.facts().find_map(|fact| match fact {
            Fact::Permitted { partner, .. } => Some(&**partner),
            _ => None,
        })
    }

    /// Where the entry stands.
    pub(super) fn entry(&self) -> String {
        let file = self.partners_file.display();
        match self.partner() {
            Some(partner) => format!("{file}:{}", partner.line),
            None => file.to_string(),
        }
    }

    /// Whether the edge speaks for a domain.
    pub(super) fn is_local(&self, domain: &Domain) -> bool {
        self.locals.contains(domain)
    }

    /// The partner that a mistyped domain was most likely meant to be.
    pub(super) fn nearest(&self) -> Option<&Domain> {
        let meant = self.pair.remote.as_str();
        let distance = |it: &&Domain| strsim::damerau_levenshtein(it.as_str(), meant);
        let nearest = self.known.iter().min_by_key(distance)?;
        (distance(&nearest) <= MISTYPED).then_some(nearest)
    }

    /// The place that was tried last.
    pub(super) fn target(&self) -> Option<&Target> {
        self.facts().rev().find_map(|fact| match fact {
            Fact::Place { target, .. } => Some(target),
            _ => None,
        })
    }

    /// Whether a setting of ours, and not DNS, names the place.
    pub(super) fn is_routed(&self) -> bool {
        self.partner()
            .is_some_and(|partner| !partner.route.is_empty())
            || self.target().is_some_and(|target| target.via == Via::Route)
    }

    /// What was connected to last.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.facts().rev().find_map(|fact| match fact {
            Fact::Connected {
                address,
                outcome: Ok(()),
                ..
            } => Some(*address),
            _ => None,
        })
    }

    /// The version and the cipher suite of the last handshake.
    pub(super) fn tls(&self) -> Option<(TlsVersion, &str)> {
        self.facts().rev().find_map(|fact| match fact {
            Fact::Tls {
                version, cipher, ..
            } => Some((*version, cipher.as_str())),
            _ => None,
        })
    }

    /// The limits that the partner has told, in bytes and seconds, with the last features that have any.
    pub(super) fn offered_limits(&self) -> Option<(Option<u32>, Option<u32>)> {
        self.facts().rev().find_map(|fact| match fact {
            Fact::Features(it) if it.max_bytes.is_some() || it.idle_seconds.is_some() => {
                Some((it.max_bytes, it.idle_seconds))
            }
            _ => None,
        })
    }

    /// How the stream was proven, once it was.
    pub(super) fn method(&self) -> Option<Method> {
        self.facts().rev().find_map(|fact| match fact {
            Fact::Opened(method) => Some(*method),
            _ => None,
        })
    }

    /// What was met, in its order.
    pub(super) fn facts(&self) -> impl DoubleEndedIterator<Item = &Fact> {
        self.steps.iter().map(|step| &step.fact)
    }
}
