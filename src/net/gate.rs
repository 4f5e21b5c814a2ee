//! What policy is told about two users: the shell around [`permit`].
//!
//! It remembers (contacts for good, conversations while the edge runs), and hands what it remembers
//! to the one function that decides.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::proto::jid::Domain;
use crate::proto::policy::{Budget, Conversations, Direction, Initiative, PairDigest, Sent, Terms};
use crate::proto::stanza::{Addressed, Refused, Remembered, Stanza, Validated, permit};
use crate::proto::stream::Context;
use crate::store::Contacts;

/// The gate that every stanza passes, whichever way it goes.
#[derive(Debug)]
pub struct Gate {
    contacts: Contacts,
    conversations: Mutex<Conversations>,
    sent: Mutex<Sent>,
    budgets: Mutex<Budgets>,
}

/// The budgets of partners that have sent something lately. A partner whose budget is full again, after
/// five seconds of silence, needs none: so there are no more than there are pairs on live streams.
#[derive(Debug)]
struct Budgets {
    by_account: HashMap<Domain, Budget>,
    /// With so many, those that are full are forgotten.
    sweep_at: usize,
}

/// Fewer budgets than this are not looked through.
const FEW: usize = 4096;

impl Default for Budgets {
    fn default() -> Self {
        Self {
            by_account: HashMap::new(),
            sweep_at: FEW,
        }
    }
}

impl Budgets {
    fn take(&mut self, account: &Domain, terms: &Terms, now: Instant) -> Duration {
        if self.by_account.len() >= self.sweep_at {
            self.by_account.retain(|_, budget| !budget.is_full(now));
            // Not again before as many have come: looking through costs each of them a step or two.
            self.sweep_at = FEW.max(2 * self.by_account.len());
        }
        let budget = match self.by_account.get_mut(account) {
            Some(budget) => budget,
            None => (self.by_account)
                .entry(account.clone())
                .or_insert_with(|| Budget::new(terms.stanza_rate, now)),
        };
        if budget.rate() != terms.stanza_rate {
            *budget = Budget::new(terms.stanza_rate, now);
        }
        budget.take(now)
    }
}

impl Gate {
    /// A gate that knows these contacts.
    #[must_use]
    pub fn new(contacts: Contacts) -> Self {
        Self {
            contacts,
            conversations: Mutex::default(),
            sent: Mutex::default(),
            budgets: Mutex::default(),
        }
    }

    /// Asks policy about a stanza.
    ///
    /// # Errors
    /// The refusal, with the answer for the sender.
    pub fn judge(
        &self,
        addressed: Addressed,
        context: &Context,
    ) -> Result<Validated<Stanza>, Refused> {
        let now = Instant::now();
        let partner = context.rules.partner_of(addressed.remote().domain());
        let (initiative, comes_unasked) = match partner {
            Some(partner) => {
                let terms = &partner.terms;
                (terms.initiative, terms.partner_type.comes_unasked())
            }
            None => (Initiative::Both, true),
        };
        let one_sided = initiative != Initiative::Both;
        if comes_unasked && !one_sided {
            let remembered = Remembered::default();
            return permit(addressed, remembered, &context.rules, context.annotate);
        }
        let account = context.rules.account_of(addressed.remote().domain());
        let direction = addressed.direction();
        let mut remembered = Remembered {
            is_contact: (self.contacts).contains(addressed.local(), addressed.remote()),
            was_asked: direction == Direction::Inbound
                && lock(&self.sent).is_answered_by(&account, &addressed, now),
            is_open: false,
        };
        let mut conversation = None;
        if one_sided {
            let pair = PairDigest::of(&(
                addressed.local().normal_bare(),
                addressed.remote().normal_bare(),
            ));
            remembered.is_open = lock(&self.conversations).is_open(&account, &pair, now);
            let may_open = initiative.admits(direction);
            if remembered.is_open || (may_open && !addressed.is_answer()) {
                conversation = Some(pair);
            }
        }
        let stanza = permit(addressed, remembered, &context.rules, context.annotate)?;
        if let Some(pair) = conversation {
            lock(&self.conversations).heard(&account, pair, now);
        }
        match direction {
            Direction::Outbound => lock(&self.sent).note(&account, &stanza, now),
            Direction::Inbound if remembered.was_asked => {
                lock(&self.sent).answered(&account, &stanza);
            }
            Direction::Inbound => {}
        }
        Ok(stanza)
    }

    /// Takes one stanza from a partner's budget: how long to wait before its streams are read on.
    pub fn take(&self, account: &Domain, terms: &Terms) -> Duration {
        lock(&self.budgets).take(account, terms, Instant::now())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant to start from"
    )]

    use super::*;

    #[test]
    fn budgets_that_are_full_again_are_forgotten_and_that_is_looked_for_seldom() {
        let mut budgets = Budgets::default();
        let start = Instant::now();
        let terms = Terms::default();
        let account = |number: usize| Domain::parse(&format!("p{number}.example")).unwrap();
        // All of them in use: room is made by doubling.
        for number in 0..2 * FEW {
            budgets.take(&account(number), &terms, start);
        }
        assert_eq!(budgets.by_account.len(), 2 * FEW);
        assert_eq!(budgets.sweep_at, 2 * FEW);
        budgets.take(&account(0), &terms, start + Duration::from_secs(10));
        assert_eq!(budgets.by_account.len(), 1);
        assert_eq!(budgets.sweep_at, FEW);
    }
}
