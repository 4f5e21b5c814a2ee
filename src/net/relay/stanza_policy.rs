//! What policy is told about two users: the shell around [`permit`].
//!
//! It remembers (contacts for good, conversations while the edge runs), and hands what it remembers
//! to the one function that decides.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::net::relay::partners::Standing;
use crate::proto::policy::{Conversations, Direction, Initiative, PairDigest, Sent};
use crate::proto::stanza::{
    Addressed, Refused, Remembered, Stanza, Validated, permit, permit_under,
};
use crate::store::Contacts;

/// What every stanza passes, whichever way it goes.
#[derive(Debug)]
pub struct StanzaPolicy {
    contacts: Contacts,
    conversations: Mutex<Conversations>,
    sent: Mutex<Sent>,
}

impl StanzaPolicy {
    /// One that knows these contacts.
    #[must_use]
    pub fn new(contacts: Contacts) -> Self {
        Self {
            contacts,
            conversations: Mutex::default(),
            sent: Mutex::default(),
        }
    }

    /// Asks policy about a stanza.
    ///
    /// # Errors
    /// The refusal, with the answer for the sender.
    pub fn judge(
        &self,
        addressed: Addressed,
        standing: &Standing,
        now: Instant,
    ) -> Result<Validated<Stanza>, Refused> {
        let (rules, annotate) = (&standing.context.rules, standing.context.annotate);
        let Some(partner) = &standing.entry else {
            // No entry covers it any more: policy says so.
            return permit(addressed, Remembered::default(), rules, annotate);
        };
        let initiative = partner.terms.initiative;
        let one_sided = initiative != Initiative::Both;
        if partner.terms.partner_type.comes_unasked() && !one_sided {
            return permit_under(partner, addressed, Remembered::default(), rules, annotate);
        }
        let account = &standing.state.account;
        let direction = addressed.direction();
        let mut remembered = Remembered {
            is_contact: (self.contacts).contains(addressed.local(), addressed.remote()),
            was_asked: direction == Direction::Inbound
                && lock(&self.sent).is_answered_by(account, &addressed, now),
            is_open: false,
        };
        let mut conversation = None;
        if one_sided {
            let local = addressed.local().normal_bare();
            let users = (local, addressed.remote().normal_bare());
            let pair = PairDigest::of(&users);
            remembered.is_open = lock(&self.conversations).is_open(account, &pair, now);
            let may_open = initiative.admits(direction);
            if remembered.is_open || (may_open && !addressed.is_answer()) {
                conversation = Some((users.0, pair));
            }
        }
        let stanza = permit_under(partner, addressed, remembered, rules, annotate)?;
        if let Some((local, pair)) = conversation {
            lock(&self.conversations).heard(account, local.as_str(), pair, now);
        }
        match direction {
            Direction::Outbound => lock(&self.sent).note(account, &stanza, now),
            Direction::Inbound if remembered.was_asked => {
                lock(&self.sent).answered(account, &stanza);
            }
            Direction::Inbound => {}
        }
        Ok(stanza)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    #[cfg(test)]
    crate::ops::counted::shared_lock();
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
