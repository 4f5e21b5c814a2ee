//! What the last line of the log says: the ledger, and what was not waited for.

use std::time::Instant;

use crate::net::edge::Edge;
use crate::net::live::registry::Kind;
use crate::ops::events::{Event, Line};

/// What was there when the edge waited no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Stanzas that were not delivered yet.
    stanzas: u64,
    /// Of so many partners.
    partners: usize,
    /// Partners' streams that were open, or in their goodbye.
    inbound: usize,
    /// The same of our own streams.
    outbound: usize,
    /// The same of gateways' links.
    links: usize,
}

impl Left {
    /// What is there now.
    #[must_use]
    pub fn now(edge: &Edge) -> Self {
        let queued = edge
            .ledger
            .snapshot()
            .into_iter()
            .map(|partner| partner.inbound.counts.queued + partner.outbound.counts.queued)
            .filter(|queued| *queued > 0);
        let (stanzas, partners) = queued.fold((0, 0), |(stanzas, partners), queued| {
            (stanzas + queued, partners + 1)
        });
        let streams = |kind| edge.registry.count(&[kind]);
        Self {
            stanzas,
            partners,
            inbound: streams(Kind::Inbound),
            outbound: streams(Kind::Outbound),
            links: streams(Kind::Link),
        }
    }

    /// Writes the last line, once everything is counted. `cut` says why nothing more was waited
    /// for, if something was.
    pub fn report(self, edge: &Edge, cut: Option<&str>, begin: Instant) {
        let event = if self.stanzas == 0 {
            Event::Drained
        } else {
            Event::DrainCutShort
        };
        let total = edge.ledger.total();
        let awaited = match (cut, self.stanzas) {
            (None, 0) => String::new(),
            (None, _) => format!("; not waited for: {self}"),
            (Some(why), _) => format!("; {why}, and not waited for: {self}"),
        };
        Line::new(event)
            .detail(format_args!(
                "accepted {} = delivered {} + bounced {} + dropped {}; {} were still queued; took {} ms{awaited}",
                total.accepted,
                total.delivered,
                total.bounced,
                total.dropped,
                total.queued,
                begin.elapsed().as_millis(),
            ))
            .log();
    }
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "stanzas {} (of partners {}), goodbyes of partners' streams {}, of our streams {}, of \
             gateways' links {}",
            self.stanzas, self.partners, self.inbound, self.outbound, self.links
        )
    }
}
