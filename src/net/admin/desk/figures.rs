//! All that is measured, at one moment: for the metrics and for the page.

use std::collections::HashMap;
use std::sync::Arc;

use super::parts::name_of;
use super::{Desk, Most};
use crate::net::admin::report::Status;
use crate::ops::counters::{Ledger, PartnerSnapshot};
use crate::proto::policy::AdmissionLook;

/// The name under which stands what is counted of domains that no entry covers.
pub const NOBODY: &str = "(nobody)";

/// What `status` says, of every partner, and the counts behind it.
#[derive(Debug)]
pub struct Figures {
    /// How the edge is; no stream is listed.
    pub status: Status,
    /// When it was started, in Unix time.
    pub since: u64,
    /// When the configuration was put in force, in Unix time.
    pub loaded: u64,
    /// What is counted of each entry, by its name in reports; [`NOBODY`] comes last. An entry is there
    /// from the start.
    pub counted: Vec<(String, PartnerSnapshot)>,
    /// Where all of it is counted.
    pub ledger: Arc<Ledger>,
    /// What strangers hold and were charged: at the partners' port, and at the gateways'.
    pub doors: [AdmissionLook; 2],
    /// How many of them there may be; 0: no limit.
    pub unauthenticated_limit: usize,
    /// How many streams there may be.
    pub connection_limit: usize,
    /// How many partners are being dialled.
    pub dials: usize,
    /// How many may be; 0: no limit.
    pub dials_limit: usize,
}

impl Figures {
    /// Why the edge is not ready to relay.
    ///
    /// # Errors
    /// It is stopping, or no gateway is there.
    pub fn ready(&self) -> Result<(), &'static str> {
        if self.status.state != "running" {
            return Err("the edge is stopping");
        }
        let mut gateways = self.status.gateways.iter();
        if gateways.all(|gateway| gateway.links.is_empty()) {
            return Err("no gateway is connected");
        }
        Ok(())
    }
}

impl Desk {
    /// Reads all that is measured.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let ledger = self.edge.ledger.snapshot();
        let most = Most {
            partners: usize::MAX,
            streams: 0,
        };
        let status = self.status_of(most, &ledger);
        let (context, settings) = (self.edge.context(), self.edge.settings.load_full());
        let rules = &context.rules;
        let (nobody, mut by_entry) = (ledger.last().cloned(), HashMap::new());
        for snapshot in ledger {
            if let Some(primary) = snapshot.partner.clone() {
                by_entry.insert(primary, snapshot);
            }
        }
        let entries = rules.partners().iter().chain(rules.default_partner());
        let counted = entries.map(|entry| {
            let counted = by_entry.remove(&entry.primary);
            (name_of(rules, entry), counted.unwrap_or_default())
        });
        let nobody = (NOBODY.to_owned(), nobody.unwrap_or_default());
        Figures {
            status,
            since: self.since,
            loaded: settings.loaded,
            counted: counted.chain([nobody]).collect(),
            ledger: Arc::clone(&self.edge.ledger),
            doors: [self.edge.door.look(), self.edge.link_door.look()],
            unauthenticated_limit: settings.admission.unauthenticated,
            connection_limit: settings.connection_limit,
            dials: self.edge.dials.taken(),
            dials_limit: settings.dials.in_all,
        }
    }
}
