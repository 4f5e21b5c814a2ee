//! The conservation ledger: every stanza the edge accepts is delivered, bounced, dropped or queued.
//!
//! A stanza carries its [`Accepted`] token from the moment it is accepted; the token's end is the
//! stanza's end. So `accepted = delivered + bounced + dropped + queued` holds by construction, and
//! a stanza that some path forgets shows up as dropped with the reason [`Code::LOST`].

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::events::Direction;
use super::measures::{Distribution, Histogram, Opened, Openings, Timings};
use super::receipts::Receipt;
use crate::proto::codes::Code;
use crate::proto::jid::Domain;

/// All counters of the process.
///
/// Partners are added as they are configured and never removed, so totals never go back, and what
/// a peer or a local user sends cannot make a new label: domains that are nobody's share one.
#[derive(Debug, Default)]
pub struct Ledger {
    partners: Mutex<BTreeMap<Domain, Arc<PartnerCounters>>>,
    unlisted: Arc<PartnerCounters>,
    reasons: ReasonTable,
    timings: Timings,
    /// Errors that the edge has sent to senders, by the direction in which the errors go.
    notices: [AtomicU64; 2],
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The counters of a configured partner, by its primary domain. Keep the handle: this takes a
    /// lock, counting does not.
    #[must_use]
    pub fn partner(&self, primary: &Domain) -> Arc<PartnerCounters> {
        #[cfg(test)]
        crate::ops::counted::shared_lock();
        let mut partners = self.partners.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(partners.entry(primary.clone()).or_default())
    }

    /// The counters of all domains that no partner has.
    #[must_use]
    pub fn unlisted(&self) -> Arc<PartnerCounters> {
        Arc::clone(&self.unlisted)
    }

    /// Counts something that is not a stanza: a refused stream, a failed dial.
    pub fn count(&self, reason: Code) {
        self.reasons.count(reason);
    }

    /// Counts something that happened so often at once.
    pub fn count_many(&self, reason: Code, count: usize) {
        for _ in 0..count {
            self.reasons.count(reason);
        }
    }

    /// How long things took that are not a stanza's.
    #[must_use]
    pub fn timings(&self) -> &Timings {
        &self.timings
    }

    /// Counts an error that the edge itself sends to a sender, inward or outward.
    pub fn count_notice(&self, direction: Direction) {
        let [inward, outward] = &self.notices;
        match direction {
            Direction::Inbound => inward.fetch_add(1, Relaxed),
            Direction::Outbound => outward.fetch_add(1, Relaxed),
        };
    }

    /// How many errors the edge itself has sent: inward, and outward.
    #[must_use]
    pub fn notices(&self) -> [u64; 2] {
        self.notices.each_ref().map(|count| count.load(Relaxed))
    }

    /// How often each reason was counted by [`Ledger::count`].
    #[must_use]
    pub fn reasons(&self) -> BTreeMap<&'static str, u64> {
        self.reasons.read()
    }

    /// Every partner's counters now, by name; those of domains that no partner has come last.
    #[must_use]
    pub fn snapshot(&self) -> Vec<PartnerSnapshot> {
        let partners = self.partners.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = partners
            .iter()
            .map(|(primary, counters)| counters.read(Some(primary.clone())));
        listed.chain([self.unlisted.read(None)]).collect()
    }

    /// The sum over all partners and both directions.
    #[must_use]
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for partner in self.snapshot() {
            total += partner.inbound.counts;
            total += partner.outbound.counts;
        }
        total
    }

    /// Whether the equation holds for every partner and direction.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.snapshot()
            .iter()
            .all(|partner| partner.inbound.counts.balances() && partner.outbound.counts.balances())
    }
}

/// The counters of one partner.
#[derive(Debug, Default)]
pub struct PartnerCounters {
    inbound: Flow,
    outbound: Flow,
    /// What became of attempts to open streams.
    pub openings: Openings,
}

impl PartnerCounters {
    /// Counts a stanza as accepted, and as queued until the token ends.
    pub fn accept(self: &Arc<Self>, direction: Direction) -> Accepted {
        let flow = self.flow(direction);
        flow.accepted.fetch_add(1, SeqCst);
        flow.queued.fetch_add(1, SeqCst);
        Accepted {
            counters: Arc::clone(self),
            direction,
            end: End::Dropped(Code::LOST),
            receipt: None,
        }
    }

    /// The counts of one direction now.
    #[must_use]
    pub fn counts(&self, direction: Direction) -> Counts {
        self.flow(direction).counts()
    }

    fn read(&self, partner: Option<Domain>) -> PartnerSnapshot {
        PartnerSnapshot {
            partner,
            inbound: self.inbound.read(),
            outbound: self.outbound.read(),
            opened: self.openings.read(),
        }
    }

    fn flow(&self, direction: Direction) -> &Flow {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }
}

/// One accepted stanza. It ends exactly once; forgotten, it counts as dropped with [`Code::LOST`].
#[derive(Debug)]
#[must_use = "an accepted stanza must be delivered, bounced or dropped"]
pub struct Accepted {
    counters: Arc<PartnerCounters>,
    direction: Direction,
    end: End,
    /// What its sender is owed for it, where acknowledgements are agreed on. It is given with the
    /// token's end, after it is counted.
    receipt: Option<Receipt>,
}

impl Accepted {
    /// The same, and the sender is to be told when it has ended.
    pub fn with_receipt(mut self, receipt: Option<Receipt>) -> Self {
        self.receipt = receipt;
        self
    }

    /// Whether its sender keeps it until it hears how it ended.
    #[must_use]
    pub fn is_owed(&self) -> bool {
        self.receipt.is_some()
    }

    /// The edge ends before it does. It counts as dropped, and is never acknowledged: whoever keeps it sends
    /// it again.
    pub fn abandoned(mut self, reason: Code) {
        if let Some(receipt) = self.receipt.take() {
            receipt.withhold();
        }
        self.end = End::Dropped(reason);
    }

    /// It was written to the other side (acknowledged, where acknowledgements are negotiated), so long
    /// after it was accepted.
    pub fn delivered(mut self, after: Duration) {
        self.end = End::Delivered;
        self.counters.flow(self.direction).took.observe(after);
    }

    /// Its sender was sent an error.
    pub fn bounced(mut self, reason: Code) {
        self.end = End::Bounced(reason);
    }

    /// It ended in silence, because its kind may not be answered.
    pub fn dropped(mut self, reason: Code) {
        self.end = End::Dropped(reason);
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        let flow = self.counters.flow(self.direction);
        flow.queued.fetch_sub(1, SeqCst);
        match self.end {
            End::Delivered => {
                flow.delivered.fetch_add(1, SeqCst);
            }
            End::Bounced(reason) => {
                flow.bounced.fetch_add(1, SeqCst);
                flow.bounced_by.count(reason);
            }
            End::Dropped(reason) => {
                flow.dropped.fetch_add(1, SeqCst);
                flow.dropped_by.count(reason);
            }
        }
    }
}

/// What one partner's counters were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartnerSnapshot {
    /// The partner's primary domain; `None` for all domains that no partner has.
    pub partner: Option<Domain>,
    /// From the partner to the gateway.
    pub inbound: FlowSnapshot,
    /// From the gateway to the partner.
    pub outbound: FlowSnapshot,
    /// What became of attempts to open streams.
    pub opened: Opened,
}

/// What the counters of one direction were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowSnapshot {
    /// The five numbers of the equation.
    pub counts: Counts,
    /// Why stanzas were bounced.
    pub bounced_by: BTreeMap<&'static str, u64>,
    /// Why stanzas were dropped.
    pub dropped_by: BTreeMap<&'static str, u64>,
    /// How long it took from accepted to delivered.
    pub took: Distribution,
}

/// The five numbers of the equation, in stanzas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Taken in, since the process started.
    pub accepted: u64,
    /// Written to the other side.
    pub delivered: u64,
    /// Answered with an error.
    pub bounced: u64,
    /// Ended in silence.
    pub dropped: u64,
    /// Not ended yet.
    pub queued: u64,
}

impl Counts {
    /// Whether nothing is lost and nothing counted twice.
    #[must_use]
    pub fn balances(&self) -> bool {
        [self.delivered, self.bounced, self.dropped, self.queued]
            .into_iter()
            .try_fold(0u64, u64::checked_add)
            == Some(self.accepted)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.bounced += other.bounced;
        self.dropped += other.dropped;
        self.queued += other.queued;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "accepted {} = delivered {} + bounced {} + dropped {} + queued {}",
            self.accepted, self.delivered, self.bounced, self.dropped, self.queued
        )
    }
}

#[derive(Clone, Copy, Debug)]
enum End {
    Delivered,
    Bounced(Code),
    Dropped(Code),
}

#[derive(Debug, Default)]
struct Flow {
    accepted: AtomicU64,
    delivered: AtomicU64,
    bounced: AtomicU64,
    dropped: AtomicU64,
    queued: AtomicU64,
    bounced_by: ReasonTable,
    dropped_by: ReasonTable,
    took: Histogram,
}

impl Flow {
    fn read(&self) -> FlowSnapshot {
        FlowSnapshot {
            counts: self.counts(),
            bounced_by: self.bounced_by.read(),
            dropped_by: self.dropped_by.read(),
            took: self.took.read(),
        }
    }

    /// The five numbers of one moment.
    ///
    /// A stanza may be accepted or ended between two loads; then they are read again. A reading
    /// that does not balance is given out only where none did, which is what a fault looks like.
    fn counts(&self) -> Counts {
        let mut counts = self.load();
        for _ in 0..ATTEMPTS {
            if counts.balances() {
                break;
            }
            std::thread::yield_now();
            counts = self.load();
        }
        counts
    }

    fn load(&self) -> Counts {
        Counts {
            delivered: self.delivered.load(SeqCst),
            bounced: self.bounced.load(SeqCst),
            dropped: self.dropped.load(SeqCst),
            queued: self.queued.load(SeqCst),
            accepted: self.accepted.load(SeqCst),
        }
    }
}

/// Counts by reason. The labels are ours, so there is a bounded number of them.
#[derive(Debug, Default)]
struct ReasonTable(Mutex<BTreeMap<&'static str, u64>>);

impl ReasonTable {
    fn count(&self, reason: Code) {
        *self.lock().entry(reason.as_str()).or_default() += 1;
    }

    fn read(&self) -> BTreeMap<&'static str, u64> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, u64>> {
        #[cfg(test)]
        crate::ops::counted::shared_lock();
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often a reading is repeated that does not balance.
const ATTEMPTS: u32 = 1000;

#[cfg(test)]
mod tests;
