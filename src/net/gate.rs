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
    budgets: Mutex<HashMap<Domain, Budget>>,
}

/// Beyond so many, budgets that are not in use are forgotten.
const MAX_BUDGETS: usize = 4096;

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
        let now = Instant::now();
        let mut budgets = lock(&self.budgets);
        if budgets.len() >= MAX_BUDGETS {
            budgets.retain(|_, budget| !budget.is_full(now));
        }
        let budget = budgets
            .entry(account.clone())
            .or_insert_with(|| Budget::new(terms.stanza_rate, now));
        if budget.rate() != terms.stanza_rate {
            *budget = Budget::new(terms.stanza_rate, now);
        }
        budget.take(now)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
