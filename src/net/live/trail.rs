//! One attempt to reach a partner, as a value: each step that was taken, and what came of it.
//!
//! Facts, and no words: whoever shows them finds the words. A stream that nobody watches has no
//! trail, and then nothing is noted.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::net::io::clock;
use crate::net::io::connect::{AttemptFault, Family, Looked, Watch};
use crate::net::io::resolve::LookupFault;
use crate::proto::auth::cert_fault::CertFault;
use crate::proto::auth::certificate::{CertFacts, Purposes};
use crate::proto::auth::chain::{TlsFacts, TlsVersion};
use crate::proto::discover::Target;
use crate::proto::jid::Domain;
use crate::proto::policy::{DomainPattern, Method, Partner, Reason};
use crate::proto::stream::{Milestone, Offered, Pong, Record};

/// How many steps are kept of one attempt. Twenty places with two addresses and two tries each
/// take fewer.
const MOST_STEPS: usize = 512;
/// The same of an attempt that the daemon remembers, where nobody watches.
const SHORT: usize = 96;
/// How many certificates are kept of one chain: those in use have one to four.
const MOST_CERTIFICATES: usize = 8;

/// An attempt to reach a partner.
#[derive(Debug)]
pub struct Trail {
    begun: Instant,
    most: usize,
    steps: Mutex<Vec<Step>>,
    is_closed: AtomicBool,
    /// Wakes whoever waits for more steps. Most trails are watched by nobody.
    more: Notify,
}

/// One step of an attempt.
#[derive(Clone, Debug)]
pub struct Step {
    /// How long after the beginning.
    pub at: Duration,
    /// What was met.
    pub fact: Fact,
}

/// What was met on the way.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fact {
    /// Policy lets a stream to the domain be opened.
    Permitted {
        /// By this entry.
        partner: Arc<Partner>,
        /// As what it lists the domain; `None` where `[default-partner]` covers it.
        listed_as: Option<DomainPattern>,
    },
    /// Somebody has come with the partner's name, and asked for this domain of ours.
    Called(Option<Domain>),
    /// The authoritative server of this domain is asked about a dialback key.
    AsksAuthority(Domain),
    /// DNS is asked for the domain's servers.
    AsksDns,
    /// The places that will be tried, in this order.
    Places {
        /// The places.
        targets: Vec<Target>,
        /// For how many seconds SRV records may be kept, where there are any.
        ttl: Option<u32>,
    },
    /// A place is being tried.
    Place {
        /// Which one.
        target: Target,
        /// Whether SASL EXTERNAL may be tried there. It may not the second time, where the partner
        /// has ended the stream upon refusing it.
        try_external: bool,
    },
    /// The addresses of the place.
    Addresses {
        /// Of which family.
        family: Family,
        /// What DNS said.
        answer: Result<Vec<Looked>, LookupFault>,
    },
    /// An address is being connected to.
    Connecting(SocketAddr),
    /// An address was connected to, or not.
    Connected {
        /// The address.
        address: SocketAddr,
        /// Why not.
        outcome: Result<(), AttemptFault>,
        /// How long it took.
        took: Duration,
    },
    /// The partner has answered our stream header.
    Header,
    /// The partner has said what it offers.
    Features(Offered),
    /// The handshake of TLS begins.
    TlsBegins,
    /// The handshake of TLS is over.
    Tls {
        /// The version agreed.
        version: TlsVersion,
        /// The cipher suite agreed, as IANA names it.
        cipher: String,
        /// The certificates that were sent, the partner's own first.
        chain: Vec<Shown>,
        /// How many there were.
        sent: usize,
    },
    /// The chain was judged.
    Judged(Result<(), CertFault>),
    /// It has none of the pins, which is only to be told.
    NotPinned(CertFault),
    /// A method of proof is tried.
    Tries(Method),
    /// A method was refused; the stream goes on.
    MethodFailed(Method, Reason),
    /// The stream is open.
    Opened(Method),
    /// A ping was sent over it. Its answer comes on the partner's own stream, which is not heard here.
    Pinged,
    /// No ping was sent: the entry says so.
    NotPinged,
    /// The ping was answered.
    Pong(Pong),
    /// The place, or the whole way, came to nothing.
    Failed(Reason),
    /// Where DNS would lead in the place of a `route` that came to nothing.
    WithoutRoute(Vec<Target>),
}

/// One certificate of a chain, in the words that fit a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The subject.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// The first second of validity, in Unix time.
    pub not_before: u64,
    /// The last second of validity, in Unix time.
    pub not_after: u64,
    /// What the key may be used for.
    pub purposes: Purposes,
    /// Whether it is an authority's.
    pub is_authority: bool,
    /// The names, ten at most.
    pub names: String,
}

impl Shown {
    fn of(facts: &CertFacts) -> Self {
        Self {
            subject: facts.subject.clone(),
            issuer: facts.issuer.clone(),
            not_before: facts.not_before,
            not_after: facts.not_after,
            purposes: facts.purposes,
            is_authority: facts.is_authority,
            names: facts.names.to_string(),
        }
    }
}

impl Default for Trail {
    fn default() -> Self {
        Self {
            begun: clock::instant(),
            most: MOST_STEPS,
            steps: Mutex::default(),
            is_closed: AtomicBool::new(false),
            more: Notify::new(),
        }
    }
}

impl Trail {
    /// One that the daemon remembers.
    #[must_use]
    pub fn short() -> Self {
        Self {
            most: SHORT,
            ..Self::default()
        }
    }

    /// Notes a step. After very many, no more are kept.
    pub fn note(&self, fact: Fact) {
        if self.is_closed.load(Relaxed) {
            return;
        }
        let at = self.begun.elapsed();
        let mut steps = self.lock();
        if steps.len() < self.most {
            steps.push(Step { at, fact });
        }
        drop(steps);
        self.more.notify_waiters();
    }

    /// Gives the steps away: the way has been gone, and what comes is no part of it.
    #[must_use]
    pub fn close(&self) -> Vec<Step> {
        self.is_closed.store(true, Relaxed);
        std::mem::take(&mut *self.lock())
    }

    /// Notes why the whole way failed, where the last step does not say so.
    pub fn fail(&self, reason: &Reason) {
        let is_told =
            matches!(self.lock().last(), Some(step) if matches!(step.fact, Fact::Failed(_)));
        if !is_told {
            self.note(Fact::Failed(reason.clone()));
        }
    }

    /// Notes what a finished handshake showed.
    pub fn secured(&self, facts: &TlsFacts, cipher: String) {
        let chain = &facts.chain;
        // What cannot be read is not shown.
        let leaf = chain.leaf().map(|leaf| Shown::of(leaf));
        let above = chain.iter().take(MOST_CERTIFICATES).skip(1);
        let above = above.filter_map(|it| Some(Shown::of(&CertFacts::of(it)?)));
        self.note(Fact::Tls {
            version: facts.version,
            cipher,
            chain: leaf.into_iter().chain(above).collect(),
            sent: chain.len(),
        });
    }

    /// Notes what the machine of a stream reports.
    pub fn record(&self, record: &Record) {
        match record {
            Record::Reached(Milestone::Header) => self.note(Fact::Header),
            Record::Reached(Milestone::Features(offered)) => self.note(Fact::Features(*offered)),
            Record::Reached(Milestone::Tries(method)) => self.note(Fact::Tries(*method)),
            Record::Reached(Milestone::Pong(pong)) => self.note(Fact::Pong(*pong)),
            Record::Secured { fault, .. } => {
                self.note(Fact::Judged(fault.clone().map_or(Ok(()), Err)));
            }
            Record::NotPinned { fault, .. } => self.note(Fact::NotPinned((**fault).clone())),
            Record::Authenticated { method, .. } => self.note(Fact::Opened(*method)),
            Record::MethodFailed { method, reason, .. } => {
                self.note(Fact::MethodFailed(*method, reason.clone()));
            }
            Record::Claimed { .. } | Record::DialbackAnswered { .. } | Record::Ignored(_) => {}
        }
    }

    /// The steps from the one with this index on.
    #[must_use]
    pub fn since(&self, index: usize) -> Vec<Step> {
        self.lock().get(index..).unwrap_or_default().to_vec()
    }

    /// How long ago it began.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Waits until there are more steps than these.
    pub async fn more_than(&self, count: usize) {
        loop {
            // What is noted from here on wakes it, whether it is waited for by then or not.
            let more = self.more.notified();
            if self.lock().len() > count {
                return;
            }
            more.await;
        }
    }

    /// Waits until something like this has been noted.
    pub async fn until(&self, is_it: impl Fn(&Fact) -> bool) {
        let mut seen = 0;
        loop {
            let steps = self.since(seen);
            if steps.iter().any(|step| is_it(&step.fact)) {
                return;
            }
            seen += steps.len();
            self.more_than(seen).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Step>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Trail {
    fn looked_up(&self, family: Family, answer: Result<Vec<Looked>, LookupFault>, _: Duration) {
        self.note(Fact::Addresses { family, answer });
    }

    fn connecting(&self, address: SocketAddr) {
        self.note(Fact::Connecting(address));
    }

    fn connected(&self, address: SocketAddr, outcome: Result<(), AttemptFault>, took: Duration) {
        self.note(Fact::Connected {
            address,
            outcome,
            took,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_trail_keeps_so_many_steps_and_tells_of_each() {
        let trail = Trail::default();
        for _ in 0..2 * MOST_STEPS {
            trail.note(Fact::Header);
        }
        assert_eq!(trail.since(0).len(), MOST_STEPS);
        assert_eq!(trail.since(MOST_STEPS - 1).len(), 1);
        assert!(trail.since(MOST_STEPS + 1).is_empty());
        trail.more_than(MOST_STEPS - 1).await;
    }

    #[test]
    fn a_trail_that_is_closed_holds_nothing() {
        let trail = Trail::short();
        for _ in 0..2 * SHORT {
            trail.note(Fact::Header);
        }
        assert_eq!(trail.close().len(), SHORT);
        trail.note(Fact::NotPinged);
        assert!(trail.since(0).is_empty());
        assert_eq!(trail.lock().capacity(), 0);
    }
}
