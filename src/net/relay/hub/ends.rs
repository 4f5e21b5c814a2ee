//! What becomes of a stanza that cannot be carried: counted, written down, answered.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::Hub;
use crate::net::live::log_limiter::What;
use crate::net::live::told::Told;
use crate::net::relay::queue::{Queue, QueuedStanza};
use crate::ops::counters::Accepted;
use crate::ops::events::{Direction, Event, Line};
use crate::proto::auth::Pair;
use crate::proto::policy::Reason;
use crate::proto::stanza::{Stanza, Users, Validated, bounce};
use crate::proto::xml::StreamKind;
use crate::store::StoreError;

impl Hub {
    /// What the edge itself says to a sender, on either side.
    pub fn answer(&self, stanza: Validated<Stanza>) {
        let is_inward = self.context.load().rules.is_local(stanza.to.domain());
        let stock = if is_inward {
            &self.inward_stock
        } else {
            &self.outward_stock
        };
        if stock.is_half_full() {
            // As with a full lane: an error is lost, no stanza.
            return self.ledger.count(Reason::QueueFull.code());
        }
        if is_inward {
            let lane = self.account_of(stanza.from.domain());
            let local = stanza.to.domain().clone();
            let queue = self.inbox(&local);
            // As many as were accepted, so bounded with them; a full lane loses an error, no stanza.
            let queued = QueuedStanza::own(stanza.write(StreamKind::Component));
            match queue.try_push(&lane, queued) {
                Ok(()) => self.ledger.count_notice(Direction::Inbound),
                Err(_) => self.ledger.count(Reason::QueueFull.code()),
            }
            self.tell_of_absence(&local, &queue);
        } else {
            self.ledger.count_notice(Direction::Outbound);
            self.send_out(QueuedStanza::own(stanza.write(StreamKind::Server)));
        }
    }

    /// Ends what waits for gateways that are away, because the edge is stopping and none can come.
    pub fn give_up_absent(&self) {
        let mut absent = self.inboxes();
        absent.retain(|queue| !queue.has_consumer());
        self.give_up(&absent, &Reason::NoGateway);
    }

    /// Ends all that waits, because the edge is stopping and there is time left for nothing but to say so.
    pub fn give_up_all(&self) {
        let mut queues = self.inboxes();
        queues.extend(self.outward.queues());
        self.give_up(&queues, &Reason::Shutdown);
    }

    /// The same of what has come for gateways since, but not of what gateways are told.
    pub fn give_up_late(&self) {
        let inboxes = self.inboxes();
        let late = inboxes.iter().flat_map(|queue| {
            let is_meant = |queued: &QueuedStanza| queued.accepted.is_some();
            queue.take_out(is_meant)
        });
        self.give_back(late.collect(), &Reason::Shutdown);
    }

    fn give_up(&self, queues: &[Arc<Queue>], why: &Reason) {
        // What is told goes into the same queues, so they are empty before.
        self.give_back(queues.iter().flat_map(|queue| queue.drain()).collect(), why);
    }

    /// Whoever keeps a stanza until it is acknowledged sends it again elsewhere; all others are told.
    fn give_back(&self, waiting: Vec<QueuedStanza>, why: &Reason) {
        for mut queued in waiting {
            match queued.accepted.take_if(|accepted| accepted.is_owed()) {
                Some(accepted) => accepted.abandoned(Reason::Shutdown.code()),
                None => self.bounce(queued, &why.clone().into()),
            }
        }
    }

    /// Ends a stanza that cannot be carried: its sender is told, where it may be.
    pub fn bounce(&self, mut queued: QueuedStanza, why: &Told) {
        let Some(accepted) = queued.accepted.take() else {
            // An error of ours that finds no way is not answered again.
            return;
        };
        if self.is_over.load(Relaxed) {
            return accepted.abandoned(Reason::Shutdown.code());
        }
        let stanza = &queued.stanza;
        let inward = self.context.load().rules.is_local(stanza.to.domain());
        let (local, remote, direction) = if inward {
            (stanza.to.domain(), stanza.from.domain(), Direction::Inbound)
        } else {
            (
                stanza.from.domain(),
                stanza.to.domain(),
                Direction::Outbound,
            )
        };
        let pair = Pair {
            local: local.clone(),
            remote: remote.clone(),
        };
        let answer = bounce(stanza, &why.reason);
        let users = self.users_of(stanza);
        self.end(accepted, why, direction, (&pair, &users), answer);
    }

    /// The end of a stanza that was not delivered: counted, written down, answered.
    pub(super) fn end(
        &self,
        accepted: Accepted,
        why: &Told,
        direction: Direction,
        (pair, users): (&Pair, &Users),
        answer: Option<Validated<Stanza>>,
    ) {
        let reason = &why.reason;
        let event = if answer.is_some() {
            accepted.bounced(reason.code());
            Event::StanzaBounced
        } else {
            accepted.dropped(reason.code());
            Event::StanzaDropped
        };
        let (line, partner) = self.admit(What::new(event, reason), pair);
        if let Some(left_out) = line {
            let line = Line::new(event)
                .direction(direction)
                .partner(&partner)
                .local(&pair.local)
                .remote(&pair.remote)
                .users(users)
                .reason(reason.code());
            match why.stream {
                Some(stream) => line.stream(stream).and_left_out(left_out).log(),
                None => line.and_more(reason, left_out).log(),
            }
        }
        if let Some(answer) = answer {
            self.answer(answer);
        }
    }

    /// A contact was not kept. The subscription is bounced where it decides what may pass: its
    /// answer would be refused, so better the user knows now.
    pub(super) fn not_kept(&self, error: &StoreError, pair: &Pair, queued: Option<QueuedStanza>) {
        let reason = match error {
            StoreError::AccountFull(limit) => Reason::TooManyContacts(*limit),
            error => Reason::ContactNotKept(error.to_string()),
        };
        let users = queued.as_ref().map(|queued| self.users_of(&queued.stanza));
        let users = users.unwrap_or_default();
        self.ledger.count(reason.code());
        let what = What::new(Event::ContactNotKept, &reason);
        let (line, partner) = self.admit(what, pair);
        if let Some(left_out) = line {
            Line::new(Event::ContactNotKept)
                .partner(&partner)
                .local(&pair.local)
                .remote(&pair.remote)
                .users(&users)
                .reason(reason.code())
                .and_more(&reason, left_out)
                .log();
        }
        if let Some(queued) = queued {
            self.bounce(queued, &reason.into());
        }
    }
}
