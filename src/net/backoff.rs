//! Which partners failed a moment ago: their stanzas are bounced at once, with the same reason.
//!
//! Without it every stanza to a partner that is down would be a new connection attempt, and every
//! sender would wait for its timeout.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::proto::jid::Domain;
use crate::proto::policy::Reason;

/// The first pause; it doubles with each failure in a row.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause: a partner that is back is found within this time.
const LONGEST: Duration = Duration::from_secs(60);

/// The partners that failed, and until when they are left alone.
#[derive(Debug, Default)]
pub struct Backoff(Mutex<HashMap<Domain, Failure>>);

#[derive(Clone, Debug)]
struct Failure {
    reason: Reason,
    until: Instant,
    pause: Duration,
}

impl Backoff {
    /// Why a domain is not to be tried now, if it is not.
    #[must_use]
    pub fn refusal(&self, domain: &Domain, now: Instant) -> Option<Reason> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures
            .get(domain)
            .filter(|failure| failure.until > now)
            .map(|failure| Reason::BackingOff(Box::new(failure.reason.clone())))
    }

    /// A domain could not be reached. `jitter` in 0..1 spreads the next attempts of many edges.
    pub fn failed(&self, domain: &Domain, reason: Reason, now: Instant, jitter: f64) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = failures
            .get(domain)
            .map_or(FIRST, |last| (last.pause * 2).min(LONGEST));
        let until = now + pause.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        failures.insert(
            domain.clone(),
            Failure {
                reason,
                until,
                pause,
            },
        );
    }

    /// A domain was reached: the next failure is a first one again.
    pub fn succeeded(&self, domain: &Domain) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(domain);
    }

    /// Forgets everything: after a reload each partner deserves a fresh try.
    pub fn clear(&self) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_end_with_a_success() {
        let (backoff, start) = (Backoff::default(), Instant::now());
        let domain = Domain::parse("down.example").unwrap();
        let refused = |at| backoff.refusal(&domain, at).is_some();
        assert!(!refused(start));
        for want in [1, 2, 4, 8, 16, 32, 60, 60] {
            backoff.failed(&domain, Reason::TlsMissing, start, 1.0);
            assert!(
                refused(start + Duration::from_millis(want * 1000 - 1)),
                "{want}"
            );
            assert!(!refused(start + Duration::from_secs(want)), "{want}");
        }
        backoff.succeeded(&domain);
        backoff.failed(&domain, Reason::TlsMissing, start, 0.0);
        assert!(refused(start + Duration::from_millis(499)));
        assert!(!refused(start + Duration::from_millis(500)));
    }

    #[test]
    fn the_reason_of_the_failure_is_the_reason_of_the_bounce() {
        let backoff = Backoff::default();
        let domain = Domain::parse("gone.example").unwrap();
        let cause = Reason::NoService("no such name".to_owned());
        backoff.failed(&domain, cause.clone(), Instant::now(), 0.5);
        let refusal = backoff.refusal(&domain, Instant::now()).unwrap();
        assert_eq!(refusal.stanza_condition(), cause.stanza_condition());
    }
}
