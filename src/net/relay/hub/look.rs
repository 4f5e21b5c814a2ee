//! What the hub holds, for reports.

use std::sync::Arc;

use crate::net::relay::queue::Queue;
use crate::net::relay::queue::look::Look;
use crate::proto::jid::Domain;

use super::{Hub, lock};

impl Hub {
    /// How what waits for the gateway of a local domain is now.
    #[must_use]
    pub fn look_inward(&self, local: &Domain) -> Option<Look> {
        let queue = lock(&self.inward).get(local).cloned();
        queue.map(|queue| queue.look())
    }

    /// Whether nothing waits for any gateway, and all that was written to them has ended.
    #[must_use]
    pub fn is_idle_inward(&self) -> bool {
        let partners = self.ledger.snapshot();
        let mut partners = partners.iter();
        partners.all(|partner| partner.inbound.counts.queued == 0)
            && self.inboxes().iter().all(|queue| queue.is_empty())
    }

    /// Whether nothing waits for any partner; something may be on its way.
    #[must_use]
    pub fn is_empty_outward(&self) -> bool {
        self.outward.queues().iter().all(|queue| queue.is_empty())
    }

    /// The queues to all gateways.
    pub(super) fn inboxes(&self) -> Vec<Arc<Queue>> {
        lock(&self.inward).values().cloned().collect()
    }

    /// How many bytes wait for gateways, and for partners.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.inward_stock.held(), self.outward_stock.held())
    }
}
