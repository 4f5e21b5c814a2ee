//! What the hub holds, for reports.

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

    /// How many bytes wait for gateways, and for partners.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.inward_stock.held(), self.outward_stock.held())
    }
}
