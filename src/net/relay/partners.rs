//! One table of partners: what the edge keeps of each while it runs, found once and then carried.
//!
//! ```text
//!   a pair is proven, or a gateway's first stanza for a domain
//!        │ Partners::standing: the only look-up by name
//!        ▼
//!   Standing ── carried by the stream ──► every stanza: counters, budget, terms, lane
//!        ▲
//!        └ made anew when the configuration has been replaced
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::net::relay::stock::Share;
use crate::ops::counters::{Ledger, PartnerCounters};
use crate::proto::jid::Domain;
use crate::proto::policy::{Budget, Partner};
use crate::proto::stream::Context;

/// What is kept of one partner. It outlives its streams and a reload.
#[derive(Debug)]
pub struct PartnerState {
    /// Whose it is: a listed partner's primary domain; under `[default-partner]` the domain itself.
    pub account: Domain,
    budget: Mutex<Budget>,
}

impl PartnerState {
    /// Takes one stanza from the budget: how long to wait before the partner's streams are read on.
    pub fn take(&self, rate: u32, now: Instant) -> Duration {
        let mut budget = lock(&self.budget);
        if budget.rate() != rate {
            *budget = Budget::new(rate, now);
        }
        budget.take(now)
    }

    fn is_full(&self, now: Instant) -> bool {
        lock(&self.budget).is_full(now)
    }
}

/// How a domain stands under one configuration.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The configuration.
    pub context: Arc<Context>,
    /// The entry that covers the domain, if any does.
    pub entry: Option<Arc<Partner>>,
    /// Where its stanzas are counted.
    pub counters: Arc<PartnerCounters>,
    /// What is kept of it.
    pub state: Arc<PartnerState>,
    /// On whose account its stanzas wait, where that is not its lane alone.
    pub share: Option<Arc<Share>>,
}

impl Standing {
    /// Whether it was made under this configuration.
    #[must_use]
    pub fn is_of(&self, context: &Arc<Context>) -> bool {
        Arc::ptr_eq(&self.context, context)
    }

    /// The same of the configuration at an address. While the standing holds its own, no other one is
    /// there.
    #[must_use]
    pub fn is_of_address(&self, address: usize) -> bool {
        address_of(&self.context) == address
    }
}

/// Where a configuration is in memory.
#[must_use]
pub fn address_of(context: &Arc<Context>) -> usize {
    Arc::as_ptr(context).addr()
}

/// Everything that is kept, by account.
#[derive(Debug)]
pub struct Partners {
    ledger: Arc<Ledger>,
    states: Mutex<States>,
    /// What all that are partners by `[default-partner]` alone hold together: half of the room, because
    /// one person may have any number of domains.
    unlisted: Arc<Share>,
}

/// A partner whose budget is full again, after five seconds of silence, and that no stream carries, is
/// forgotten: so there are no more than there are pairs on live streams, and links' memories.
#[derive(Debug)]
struct States {
    by_account: HashMap<Domain, Arc<PartnerState>>,
    /// With so many, those that may be forgotten are.
    sweep_at: usize,
}

/// Fewer than this are not looked through.
const FEW: usize = 4096;

impl Partners {
    /// An empty table that counts in this ledger.
    #[must_use]
    pub fn new(ledger: Arc<Ledger>) -> Self {
        Self {
            ledger,
            unlisted: Arc::new(Share::one_of(2)),
            states: Mutex::new(States {
                by_account: HashMap::new(),
                sweep_at: FEW,
            }),
        }
    }

    /// How a partner's domain stands.
    #[must_use]
    pub fn standing(&self, remote: &Domain, context: &Arc<Context>, now: Instant) -> Standing {
        #[cfg(test)]
        crate::ops::counted::shared_lock();
        let rules = &context.rules;
        let entry = rules.partner_of(remote).cloned();
        let counters = match &entry {
            Some(partner) => self.ledger.partner(&partner.primary),
            None => self.ledger.unlisted(),
        };
        let rate = entry.as_ref().map_or(0, |entry| entry.terms.stanza_rate);
        let is_listed = entry.as_ref().is_some_and(|entry| rules.is_listed(entry));
        Standing {
            context: Arc::clone(context),
            share: (!is_listed).then(|| Arc::clone(&self.unlisted)),
            counters,
            state: lock(&self.states).of(rules.account_of(remote), rate, now),
            entry,
        }
    }
}

impl States {
    fn of(&mut self, account: Domain, rate: u32, now: Instant) -> Arc<PartnerState> {
        if let Some(state) = self.by_account.get(&account) {
            return Arc::clone(state);
        }
        if self.by_account.len() >= self.sweep_at {
            self.by_account
                .retain(|_, state| Arc::strong_count(state) > 1 || !state.is_full(now));
            // Not again before as many have come: looking through costs each of them a step or two.
            self.sweep_at = FEW.max(2 * self.by_account.len());
        }
        let state = Arc::new(PartnerState {
            account: account.clone(),
            budget: Mutex::new(Budget::new(rate, now)),
        });
        self.by_account.insert(account, Arc::clone(&state));
        state
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_quiet_and_carried_by_nobody_is_forgotten_and_that_is_looked_for_seldom() {
        let mut states = States {
            by_account: HashMap::new(),
            sweep_at: FEW,
        };
        let start = Instant::now();
        let account = |number: usize| Domain::parse(&format!("p{number}.example")).unwrap();
        // All of them in use: room is made by doubling.
        for number in 0..2 * FEW {
            states.of(account(number), 10, start).take(10, start);
        }
        assert_eq!(
            (states.by_account.len(), states.sweep_at),
            (2 * FEW, 2 * FEW)
        );
        let carried = states.of(account(0), 10, start);
        let later = start + Duration::from_secs(10);
        states.of(account(2 * FEW), 10, later);
        assert_eq!((states.by_account.len(), states.sweep_at), (2, FEW));
        // What was taken before counts, whoever asks again.
        assert!(Arc::ptr_eq(&carried, &states.of(account(0), 10, later)));
    }

    #[test]
    fn another_rate_begins_a_new_budget() {
        let start = Instant::now();
        let state = PartnerState {
            account: Domain::parse("p.example").unwrap(),
            budget: Mutex::new(Budget::new(1, start)),
        };
        for _ in 0..5 {
            assert_eq!(state.take(1, start), Duration::ZERO);
        }
        assert!(state.take(1, start) > Duration::ZERO);
        assert_eq!(state.take(2, start), Duration::ZERO);
    }
}
