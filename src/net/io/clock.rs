//! The clock of the shell: the one that its timers go by, so that tests may stop both together.

use std::time::Instant;

/// Now.
#[must_use]
pub fn instant() -> Instant {
    tokio::time::Instant::now().into_std()
}
