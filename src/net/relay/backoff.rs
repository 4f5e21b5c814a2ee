//! Which partners failed a moment ago: their stanzas are bounced at once, with the same reason.
//!
//! Without it every stanza to a partner that is down would be a new connection attempt, and every
//! sender would wait for its timeout.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::net::io::clock;
use crate::net::live::told::Told;
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;

/// The first pause; it doubles with each failure in a row.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause: a partner that is back is found within this time.
const LONGEST: Duration = Duration::from_secs(60);

/// A pause that ends within this time is waited for: the sender hears of the next attempt, and not
/// of the last one. Longer than that, a sender is better told at once.
const NEARLY_OVER: Duration = Duration::from_secs(2);
/// A stream that breaks as soon as it opens, so soon after another one, counts as a failure.
const AGAIN: Duration = Duration::from_secs(60);
/// How many domains are remembered. Beyond that, those are forgotten whose pause ends first.
const MOST: usize = 4096;

/// The partners that failed, and until when they are left alone.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: Mutex<HashMap<Domain, Failure>>,
    /// How often everything was forgotten.
    epoch: AtomicU64,
}

#[derive(Clone, Debug)]
struct Failure {
    why: Option<Told>,
    until: Instant,
    pause: Duration,
    /// When a stream broke as soon as it had opened.
    broke: Option<Instant>,
}

impl Backoff {
    /// What they take in memory at most, in bytes: a name, and the words of a failure.
    pub const BYTES: usize = MOST * 1024;

    /// Why a domain is not to be tried now, if it is not.
    #[must_use]
    pub fn refusal(&self, domain: &Domain, now: Instant) -> Option<Told> {
        let failures = self.lock();
        let failure = failures.get(domain)?;
        let why = failure.why.as_ref()?;
        (failure.until > now + NEARLY_OVER.min(failure.pause / 2)).then(|| Told {
            reason: Reason::BackingOff(Box::new(why.reason.clone())),
            stream: why.stream,
        })
    }

    /// How long the pause of a domain still lasts.
    #[must_use]
    pub fn left(&self, domain: &Domain, now: Instant) -> Duration {
        let failures = self.lock();
        failures.get(domain).map_or(Duration::ZERO, |failure| {
            failure.until.saturating_duration_since(now)
        })
    }

    /// Tells attempts that began before everything was forgotten from later ones.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(SeqCst)
    }

    /// A domain could not be reached. `jitter` in 0..1 spreads the next attempts of many edges;
    /// `epoch` is that of when the attempt began: one that began before a reload counts no more.
    pub fn failed(
        &self,
        domain: &Domain,
        why: impl Into<Told>,
        now: Instant,
        jitter: f64,
        epoch: u64,
    ) {
        let mut failures = self.lock();
        if epoch != self.epoch() {
            return;
        }
        make_room(&mut failures, domain, now);
        let failure = failures
            .entry(domain.clone())
            .or_insert_with(|| Failure::none(now));
        failure.pause = match &failure.why {
            Some(_) => (failure.pause * 2).min(LONGEST),
            None => FIRST,
        };
        failure.until = now + failure.pause.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        failure.why = Some(why.into());
    }

    /// A stream to a domain broke as soon as it had opened; true if another one did so lately.
    pub fn broke_soon(&self, domain: &Domain, now: Instant) -> bool {
        let mut failures = self.lock();
        make_room(&mut failures, domain, now);
        let failure = failures
            .entry(domain.clone())
            .or_insert_with(|| Failure::none(now));
        let before = failure.broke.replace(now);
        before.is_some_and(|before| now.saturating_duration_since(before) < AGAIN)
    }

    /// A domain was reached, or has proven itself to us: the next failure is a first one again.
    pub fn succeeded(&self, domain: &Domain) {
        let mut failures = self.lock();
        // That its streams break is remembered: they open each time.
        if let Some(failure) = failures.get_mut(domain) {
            failure.why = None;
            failure.pause = Duration::ZERO;
            failure.until -= failure.until.saturating_duration_since(clock::instant());
            if failure.broke.is_none() {
                failures.remove(domain);
            }
        }
    }

    /// Forgets everything: after a reload each partner deserves a fresh try.
    pub fn clear(&self) {
        let mut failures = self.lock();
        self.epoch.fetch_add(1, SeqCst);
        failures.clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Domain, Failure>> {
        #[cfg(test)]
        crate::ops::counted::shared_lock();
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failure {
    fn none(now: Instant) -> Self {
        Self {
            why: None,
            until: now,
            pause: Duration::ZERO,
            broke: None,
        }
    }

    /// When it says nothing any more: a pause that is over for as long as it lasted.
    fn is_forgotten(&self, now: Instant) -> bool {
        now > self.until + self.pause.max(AGAIN)
    }
}

/// Lets one more domain be remembered.
fn make_room(failures: &mut HashMap<Domain, Failure>, domain: &Domain, now: Instant) {
    if failures.len() < MOST || failures.contains_key(domain) {
        return;
    }
    failures.retain(|_, failure| !failure.is_forgotten(now));
    if failures.len() >= MOST {
        let mut ends: Vec<_> = failures.values().map(|failure| failure.until).collect();
        ends.sort_unstable();
        let middle = ends.get(ends.len() / 2).copied().unwrap_or(now);
        failures.retain(|_, failure| failure.until > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_end_with_a_success() {
        let (backoff, start) = (Backoff::default(), Instant::now());
        let down = domain("down.example");
        let left = |at| backoff.left(&down, at);
        assert_eq!(left(start), Duration::ZERO);
        for want in [1, 2, 4, 8, 16, 32, 60, 60] {
            backoff.failed(&down, Reason::TlsMissing, start, 1.0, 0);
            assert_eq!(left(start), Duration::from_secs(want));
            assert!(backoff.refusal(&down, start).is_some());
        }
        backoff.succeeded(&down);
        assert_eq!(left(start), Duration::ZERO);
        backoff.failed(&down, Reason::TlsMissing, start, 0.0, 0);
        assert_eq!(left(start), Duration::from_millis(500));
    }

    #[test]
    fn the_last_two_seconds_of_a_pause_are_waited_for() {
        let (backoff, start) = (Backoff::default(), Instant::now());
        let down = domain("down.example");
        for _ in 0..4 {
            backoff.failed(&down, Reason::TlsMissing, start, 1.0, 0);
        }
        let refused = |after| {
            let at = start + Duration::from_millis(after);
            backoff.refusal(&down, at).is_some()
        };
        assert!(refused(0) && refused(5_999));
        assert!(!refused(6_000) && !refused(8_000));
        assert_eq!(
            backoff
                .left(&down, start + Duration::from_secs(7))
                .as_secs(),
            1
        );
    }

    #[test]
    fn the_reason_of_the_failure_is_the_reason_of_the_bounce() {
        let backoff = Backoff::default();
        let gone = domain("gone.example");
        let cause = Reason::NoService("no such name".to_owned());
        let told = Told {
            reason: cause.clone(),
            stream: Some(7),
        };
        backoff.failed(&gone, told, Instant::now(), 0.5, 0);
        let refusal = backoff.refusal(&gone, Instant::now()).unwrap();
        let condition = refusal.reason.stanza_condition();
        assert_eq!(condition, cause.stanza_condition());
        assert_eq!(refusal.stream, Some(7));
    }

    #[test]
    fn a_stream_that_breaks_at_once_is_forgiven_once_in_a_while() {
        let (backoff, start) = (Backoff::default(), Instant::now());
        let breaks = domain("breaks.example");
        assert!(!backoff.broke_soon(&breaks, start));
        // It opens each time.
        backoff.succeeded(&breaks);
        assert!(backoff.broke_soon(&breaks, start + Duration::from_secs(1)));
        assert!(!backoff.broke_soon(&breaks, start + AGAIN * 2));
    }

    #[test]
    fn what_failed_before_a_reload_counts_no_more() {
        let (backoff, start) = (Backoff::default(), Instant::now());
        let down = domain("down.example");
        let before = backoff.epoch();
        backoff.clear();
        backoff.failed(&down, Reason::TlsMissing, start, 1.0, before);
        assert!(backoff.refusal(&down, start).is_none());
        backoff.failed(&down, Reason::TlsMissing, start, 1.0, backoff.epoch());
        assert!(backoff.refusal(&down, start).is_some());
    }

    #[test]
    fn so_many_domains_are_remembered() {
        let (backoff, start) = (Backoff::default(), Instant::now());
        for number in 0..3 * MOST {
            let name = domain(&format!("d{number}.example"));
            backoff.failed(&name, Reason::TlsMissing, start, 0.5, 0);
        }
        assert!(backoff.lock().len() <= MOST);
    }
}
