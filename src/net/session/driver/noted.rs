//! What is noted of what passes on a connection.

use std::sync::Arc;
use std::time::Instant;

use super::gather::Gather;
use crate::net::live::facts::StreamFacts;

/// What is noted.
#[derive(Debug)]
pub(super) struct Noted {
    /// Where it is counted, and what TLS shows is kept.
    pub(super) facts: Option<Arc<StreamFacts>>,
    /// When it is read next.
    pub(super) gather: Gather,
}

impl Noted {
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            facts: None,
            gather: Gather::begin(now),
        }
    }

    pub(super) fn read(&mut self, bytes: usize, now: Instant) {
        self.gather.read(bytes, now);
        if let Some(facts) = &self.facts {
            facts.traffic.bytes_in.add(bytes);
            facts.alive(now);
        }
    }

    pub(super) fn wrote(&self, bytes: usize) {
        if let Some(facts) = &self.facts {
            facts.traffic.bytes_out.add(bytes);
        }
    }
}
