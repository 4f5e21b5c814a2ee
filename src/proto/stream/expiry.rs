//! Until when a certificate proves a stream (RFC 6120 §13.7.2.3).

use std::time::{Duration, Instant};

use super::Now;

/// When the validity of a certificate is to be looked at again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expiry {
    /// The last second of validity, in Unix time.
    until: u64,
    look: Instant,
}

/// However far away the end is, the clock may be set meanwhile: so often it is looked at.
const AT_LEAST: Duration = Duration::from_secs(24 * 3600);

impl Expiry {
    /// A path is valid until this second, in Unix time.
    pub(super) fn new(until: u64, now: Now) -> Self {
        let left = until.saturating_add(1).saturating_sub(now.wall.as_secs());
        Self {
            until,
            look: now.monotonic + AT_LEAST.min(Duration::from_secs(left)),
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.look
    }

    /// The last second of validity, if it is over; else looks again later.
    pub(super) fn look(&mut self, now: Now) -> Option<u64> {
        if now.wall.as_secs() > self.until {
            return Some(self.until);
        }
        *self = Self::new(self.until, now);
        None
    }
}
