//! What a queue holds, for reports.

use std::time::Instant;

use super::Queue;

/// How a queue is at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// How many stanzas wait.
    pub waiting: usize,
    /// Since when something waits while nobody takes.
    pub unattended: Option<Instant>,
}

impl Queue {
    /// How it is now: two numbers are read, and nothing else is done while it cannot be used.
    #[must_use]
    pub fn look(&self) -> Look {
        let state = self.lock();
        Look {
            waiting: state.pool.waiting(),
            unattended: state.unattended.map(|(since, _)| since),
        }
    }
}
