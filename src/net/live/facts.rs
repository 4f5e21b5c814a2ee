//! What is known of one live connection, as values: the log renders them into lines, the admin
//! socket into reports.
//!
//! What passes is counted by the one task that owns the connection, without a lock; what is learned
//! of the other side changes a few times in the life of a connection, behind a lock of its own.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::net::io::clock;
use crate::proto::auth::Pair;
use crate::proto::auth::cert_fault::CertFault;
use crate::proto::auth::certificate::CertFacts;
use crate::proto::auth::chain::{TlsFacts, TlsVersion};
use crate::proto::auth::pin::Pin;
use crate::proto::jid::Domain;
use crate::proto::policy::Method;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A partner opened it.
    Inbound,
    /// We opened it.
    Outbound,
    /// A gateway opened it.
    Link,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Inbound, Self::Outbound, Self::Link];

    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Link => "link",
        }
    }
}

/// What is known of one connection.
#[derive(Debug)]
pub struct StreamFacts {
    /// Its number in this process: the same in all log lines about it.
    pub id: u64,
    /// What it is for.
    pub kind: Kind,
    /// The address at the other end.
    pub address: SocketAddr,
    /// Since when it is there.
    pub opened: Instant,
    /// What has passed.
    pub traffic: Traffic,
    learned: Mutex<Learned>,
}

/// What was learned of the other side.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    /// What it says of itself, where nothing confirms it.
    pub claim: Claim,
    /// The pair that was spoken of last.
    pub about: Option<Pair>,
    /// The pairs that were proven, and how.
    pub pairs: Vec<(Pair, Method)>,
    /// The local domain that a gateway serves on it.
    pub serves: Option<Domain>,
    /// What it runs on; `None` for plain TCP.
    pub tls: Option<TlsSession>,
}

/// What the other side said of itself.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// The domain asked for, where it is one.
    pub local: Option<Domain>,
    /// Whom it claims to be, as it came; a domain or not.
    pub remote: Option<String>,
}

/// What a handshake has agreed and shown.
#[derive(Clone, Debug)]
pub struct TlsSession {
    /// The version.
    pub version: TlsVersion,
    /// The cipher suite, as IANA names it.
    pub cipher: String,
    /// The other side's own certificate; `None` where it showed none that can be read.
    pub certificate: Option<Certificate>,
}

impl TlsSession {
    /// What a finished handshake showed.
    #[must_use]
    pub fn of(facts: &TlsFacts, cipher: String) -> Self {
        Self {
            version: facts.version,
            cipher,
            certificate: facts.chain.leaf().map(|leaf| Certificate::of(leaf)),
        }
    }
}

/// What of a certificate is worth showing.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The subject.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// The last second of validity, in Unix time.
    pub not_after: u64,
    /// The key.
    pub pin: Pin,
    /// Whether it proves its domain; `None` while that was not judged.
    pub judged: Option<Result<(), CertFault>>,
}

impl Certificate {
    /// A certificate that was read, and not judged.
    fn of(facts: &CertFacts) -> Self {
        Self {
            subject: facts.subject.clone(),
            issuer: facts.issuer.clone(),
            not_after: facts.not_after,
            pin: Pin(facts.spki_sha256),
            judged: None,
        }
    }
}

impl StreamFacts {
    /// A connection that is there, and of which nothing more is known.
    #[must_use]
    pub fn new(id: u64, kind: Kind, address: SocketAddr) -> Self {
        Self {
            id,
            kind,
            address,
            opened: clock::instant(),
            traffic: Traffic::default(),
            learned: Mutex::default(),
        }
    }

    /// What was learned so far.
    #[must_use]
    pub fn learned(&self) -> Learned {
        self.lock().clone()
    }

    /// Looks at what was learned, without a copy.
    pub fn with<T>(&self, look: impl FnOnce(&Learned) -> T) -> T {
        look(&self.lock())
    }

    /// The other side says so of itself.
    pub fn claims(&self, claim: Claim) {
        self.lock().claim = claim;
    }

    /// The handshake is over.
    pub fn secured(&self, tls: TlsSession) {
        self.lock().tls = Some(tls);
    }

    /// The certificate was judged.
    pub fn judged(&self, outcome: Result<(), CertFault>) {
        let mut learned = self.lock();
        let tls = learned.tls.as_mut();
        if let Some(certificate) = tls.and_then(|tls| tls.certificate.as_mut()) {
            certificate.judged = Some(outcome);
        }
    }

    /// The last second of validity of the other side's certificate, in Unix time, where it showed one.
    #[must_use]
    pub fn valid_until(&self) -> Option<u64> {
        self.with(|learned| Some(learned.tls.as_ref()?.certificate.as_ref()?.not_after))
    }

    /// It is about this pair.
    pub fn concerns(&self, pair: Pair) {
        self.lock().about = Some(pair);
    }

    /// A pair was proven.
    pub fn proven(&self, pair: Pair, method: Method) {
        let mut learned = self.lock();
        learned.about = Some(pair.clone());
        learned.pairs.retain(|(known, _)| *known != pair);
        learned.pairs.push((pair, method));
    }

    /// A gateway has proven that it may serve a domain.
    pub fn serves(&self, domain: Domain) {
        self.lock().serves = Some(domain);
    }

    /// For how long nothing has passed, at `now`; since the beginning, where nothing ever did.
    #[must_use]
    pub fn quiet(&self, now: Instant) -> Duration {
        let last = self.opened + Duration::from_millis(self.traffic.last.load(Relaxed));
        now.saturating_duration_since(last)
    }

    /// Something was read or written at `now`.
    pub fn alive(&self, now: Instant) {
        let since = now.saturating_duration_since(self.opened).as_millis();
        let last = &self.traffic.last;
        last.store(u64::try_from(since).unwrap_or(u64::MAX), Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has passed on a connection, counted by the task that owns it and read by others.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Bytes that were read, without those of TLS.
    pub bytes_in: Counter,
    /// Bytes that were written, without those of TLS.
    pub bytes_out: Counter,
    /// Stanzas that were read and passed the checks of their form.
    pub stanzas_in: Counter,
    /// Stanzas that were begun to be written.
    pub stanzas_out: Counter,
    /// When something passed last, in milliseconds after the beginning.
    last: AtomicU64,
}

/// A number that only one task raises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// So many more.
    pub fn add(&self, more: usize) {
        // There is one writer, so that nothing is lost between the two; and no other task waits.
        let before = self.0.load(Relaxed);
        self.0.store(before.wrapping_add(more as u64), Relaxed);
    }

    /// How many there were.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> StreamFacts {
        StreamFacts::new(7, Kind::Inbound, "192.0.2.7:5269".parse().unwrap())
    }

    #[test]
    fn quiet_begins_with_the_connection_and_anew_with_what_passes() {
        let facts = facts();
        let after = |seconds| facts.opened + Duration::from_secs(seconds);
        assert_eq!(facts.quiet(after(5)), Duration::from_secs(5));
        facts.alive(after(5));
        assert_eq!(facts.quiet(after(8)), Duration::from_secs(3));
    }

    #[test]
    fn a_pair_that_is_proven_again_is_kept_once_and_by_its_last_method() {
        let facts = facts();
        let domain = |name: &str| Domain::parse(name).unwrap();
        let pair = |remote: &str| Pair {
            local: domain("contoso.example"),
            remote: domain(remote),
        };
        facts.proven(pair("a.example"), Method::TlsDialback);
        facts.proven(pair("b.example"), Method::TlsDialback);
        facts.proven(pair("a.example"), Method::SaslExternal);
        let learned = facts.learned();
        assert_eq!(
            learned.pairs,
            [
                (pair("b.example"), Method::TlsDialback),
                (pair("a.example"), Method::SaslExternal)
            ]
        );
        assert_eq!(learned.about, Some(pair("a.example")));
    }
}
