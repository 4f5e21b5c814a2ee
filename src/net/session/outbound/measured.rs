//! How long lookups and connections take, whoever else watches.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::net::io::connect::{AttemptFault, Family, Looked, Watch};
use crate::net::io::resolve::LookupFault;
use crate::net::live::trail::Trail;
use crate::ops::counters::Ledger;
use crate::ops::measures::Answered;

/// Counts what happens on the way to a connection, and passes it on.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) ledger: Arc<Ledger>,
    pub(super) trail: Option<Arc<Trail>>,
}

impl Watch for Measured {
    fn looked_up(&self, family: Family, answer: Result<Vec<Looked>, LookupFault>, took: Duration) {
        let answered = match &answer {
            Ok(_) => Answered::Found,
            Err(LookupFault::NoSuchName | LookupFault::NoRecords) => Answered::Nothing,
            Err(_) => Answered::Failed,
        };
        self.ledger.timings().lookup(answered).observe(took);
        if let Some(trail) = &self.trail {
            trail.looked_up(family, answer, took);
        }
    }

    fn connecting(&self, address: SocketAddr) {
        if let Some(trail) = &self.trail {
            trail.connecting(address);
        }
    }

    fn connected(&self, address: SocketAddr, outcome: Result<(), AttemptFault>, took: Duration) {
        let timings = self.ledger.timings();
        timings.connect(outcome.is_ok()).observe(took);
        if let Some(trail) = &self.trail {
            trail.connected(address, outcome, took);
        }
    }
}
