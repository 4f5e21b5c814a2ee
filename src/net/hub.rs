//! Where streams and links meet: which queue a stanza goes to, and what becomes of it if none will do.
//!
//! Inward there is one queue a local domain (its gateway takes from it), outward one a pair (its
//! stream takes from it). A stanza that cannot be carried is answered with the truth.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::backoff::Backoff;
use super::edge::Wish;
use super::gate::Gate;
use super::learning::{Learning, Next, Taken};
use super::mailbox::Mailbox;
use super::queue::{Parcel, Queue};
use super::quiet::Quiet;
use super::routes::Routes;
use super::stock::Stock;
use super::told::Told;
use crate::ops::counters::{Accepted, Ledger};
use crate::ops::events::{Direction, Event, Line};
use crate::proto::auth::Pair;
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::policy::contact::Link;
use crate::proto::stanza::{Addressed, Kind, Stanza, Validated, bounce};
use crate::proto::stream::Context;
use crate::proto::xml::{Dialect, Ns};
use crate::store::{Contacts, StoreError};

/// The meeting point.
#[derive(Debug)]
pub struct Hub {
    ledger: Arc<Ledger>,
    context: watch::Receiver<Arc<Context>>,
    gate: Gate,
    learning: Learning,
    quiet: Arc<Quiet>,
    /// Whether the bodies of messages are logged.
    bodies: AtomicBool,
    /// Set when the edge stops.
    hurry: watch::Sender<bool>,
    /// Set when there is no more time: nobody can be told anything any more.
    is_over: AtomicBool,
    /// Partners that are not to be tried now.
    pub backoff: Backoff,
    inward: Mutex<HashMap<Domain, Arc<Queue>>>,
    outward: Routes,
    /// The room for all that waits.
    pub stock: Arc<Stock>,
}

impl Hub {
    /// A hub whose wishes for streams go to `wanted`.
    #[must_use]
    pub fn new(
        ledger: Arc<Ledger>,
        quiet: Arc<Quiet>,
        context: watch::Receiver<Arc<Context>>,
        contacts: Contacts,
        wanted: mpsc::Sender<Wish>,
    ) -> Self {
        let stock = Arc::<Stock>::default();
        Self {
            ledger,
            context,
            gate: Gate::new(contacts.clone()),
            learning: Learning::new(contacts),
            quiet,
            bodies: AtomicBool::new(false),
            hurry: watch::Sender::new(false),
            is_over: AtomicBool::new(false),
            backoff: Backoff::default(),
            inward: Mutex::default(),
            outward: Routes::new(wanted, Arc::clone(&stock)),
            stock,
        }
    }

    /// A partner's stanza; waits while that partner's lane to the gateway is full, or while the
    /// partner is ahead of its rate.
    pub async fn from_partner(&self, addressed: Addressed) {
        // When there is no more time, what was read counts as never read.
        if self.is_over.load(Relaxed) || self.is_pong(&addressed) {
            return;
        }
        let context = Arc::clone(&self.context.borrow());
        let remote = addressed.from.domain().clone();
        let accepted = self.accept(&addressed);
        let local = addressed.to.domain().clone();
        let inbox = self.inbox(&local);
        if let Some(parcel) = self.judge(addressed, accepted, &context) {
            inbox.push(&context.rules.account_of(&remote), parcel).await;
            self.tell_of_absence(&local, &inbox);
        }
        self.pace(&remote).await;
    }

    /// Takes a stanza from the budget of a partner, and waits while the partner is ahead of its
    /// rate: what was read passes, and what was not waits with the sender.
    pub async fn pace(&self, remote: &Domain) {
        let pause = {
            let context = Arc::clone(&self.context.borrow());
            match context.rules.partner_of(remote) {
                Some(partner) => {
                    let account = context.rules.account_of(remote);
                    self.gate.take(&account, &partner.terms)
                }
                None => Duration::ZERO,
            }
        };
        if !pause.is_zero() {
            let mut hurry = self.hurry.subscribe();
            tokio::select! {
                () = sleep(pause) => {}
                _ = hurry.wait_for(|hurry| *hurry) => {}
            }
        }
    }

    /// A gateway's stanza; never waits, because neither a slow partner nor a slow disk must hold up
    /// the link. Where it begins a change of a contact, the caller lets [`Hub::settle`] run for the
    /// two users that are returned.
    #[must_use = "the contact of these two users is to be settled"]
    pub fn from_gateway(&self, addressed: Addressed) -> Option<Link> {
        if self.is_over.load(Relaxed) {
            return None;
        }
        let context = Arc::clone(&self.context.borrow());
        let accepted = self.accept(&addressed);
        let parcel = self.judge(addressed, accepted, &context)?;
        let partner = context.rules.partner_of(parcel.stanza.to.domain());
        let decides = partner.is_some_and(|partner| partner.terms.asks_for_contacts());
        match self.learning.take(parcel, decides) {
            Taken::Goes(parcel) | Taken::Waits(Some(parcel)) => self.send_out(parcel),
            Taken::Waits(None) => {}
            Taken::Begins(link, parcel) => {
                if let Some(parcel) = parcel {
                    self.send_out(parcel);
                }
                return Some(link);
            }
            Taken::Full(parcel) => self.bounce(parcel, &Reason::QueueFull.into()),
        }
        None
    }

    /// Sees the changes of a contact through, and sends on what waits for them.
    pub async fn settle(&self, link: Link) {
        while let Some(next) = self.learning.next(&link).await {
            match next {
                Next::Carry(parcel) => self.send_out(parcel),
                Next::Kept => {}
                Next::NotKept(error, pair, parcel) => self.not_kept(&error, &pair, parcel),
            }
        }
    }

    /// A contact was not kept. The subscription is bounced where it decides what may pass: its
    /// answer would be refused, so better the user knows now.
    fn not_kept(&self, error: &StoreError, pair: &Pair, parcel: Option<Parcel>) {
        let reason = match error {
            StoreError::AccountFull(limit) => Reason::TooManyContacts(*limit),
            error => Reason::ContactNotKept(error.to_string()),
        };
        let partner = self.partner(&pair.remote);
        self.ledger.count(reason.code());
        let line = self
            .quiet
            .admit(partner.as_ref(), reason.code(), Instant::now());
        let partner = partner.unwrap_or_else(|| pair.remote.clone());
        if let Some(left_out) = line {
            Line::new(Event::ContactNotKept)
                .partner(&partner)
                .local(&pair.local)
                .remote(&pair.remote)
                .reason(reason.code())
                .and_more(&reason, left_out)
                .log();
        }
        if let Some(parcel) = parcel {
            self.bounce(parcel, &reason.into());
        }
    }

    /// The edge is stopping: nothing is slowed any more.
    pub fn hurry(&self) {
        self.hurry.send_replace(true);
    }

    /// Whether the bodies of messages are logged from here on; says so where they are.
    pub fn log_bodies(&self, are_logged: bool) {
        self.bodies.store(are_logged, Relaxed);
        if are_logged {
            Line::new(Event::BodiesLogged).log();
        }
    }

    fn log_body(&self, stanza: &Stanza, direction: Direction, pair: &Pair) {
        for body in stanza.element.children() {
            if stanza.kind == Kind::Message && body.is(&Ns::CONTENT, "body") {
                Line::new(Event::MessageBody)
                    .direction(direction)
                    .partner(&self.partner_of(&pair.remote))
                    .local(&pair.local)
                    .remote(&pair.remote)
                    .detail(format_args!(
                        "from {} to {}: {}",
                        stanza.from,
                        stanza.to,
                        body.text()
                    ))
                    .log();
            }
        }
    }

    fn accept(&self, addressed: &Addressed) -> Accepted {
        let counters = match self.partner(addressed.remote().domain()) {
            Some(partner) => self.ledger.partner(&partner),
            None => self.ledger.unlisted(),
        };
        counters.accept(addressed.direction())
    }

    /// Policy's word on a stanza: a parcel to be carried, or the end of it.
    fn judge(&self, addressed: Addressed, accepted: Accepted, context: &Context) -> Option<Parcel> {
        let direction = addressed.direction();
        let pair = Pair {
            local: addressed.local().domain().clone(),
            remote: addressed.remote().domain().clone(),
        };
        match self.gate.judge(addressed, context) {
            Ok(stanza) => {
                if self.bodies.load(Relaxed) {
                    self.log_body(&stanza, direction, &pair);
                }
                let dialect = match direction {
                    Direction::Inbound => Dialect::Component,
                    Direction::Outbound => Dialect::Server,
                };
                Some(Parcel::accepted(stanza.write(dialect), accepted))
            }
            Err(refused) => {
                let answer = refused.answer.map(|answer| *answer);
                self.end(accepted, &refused.reason.into(), direction, &pair, answer);
                None
            }
        }
    }

    /// What the edge itself says to a sender, on either side.
    pub fn answer(&self, stanza: Validated<Stanza>) {
        if self.stock.is_half_full() {
            // As with a full lane: an error is lost, no stanza.
            return self.ledger.count(Reason::QueueFull.code());
        }
        if self.context.borrow().rules.is_local(stanza.to.domain()) {
            let lane = self.account_of(stanza.from.domain());
            let local = stanza.to.domain().clone();
            let queue = self.inbox(&local);
            // As many as were accepted, so bounded with them; a full lane loses an error, no stanza.
            if let Err(parcel) =
                queue.try_push(&lane, Parcel::own(stanza.write(Dialect::Component)))
            {
                self.ledger.count(Reason::QueueFull.code());
                drop(parcel);
            }
            self.tell_of_absence(&local, &queue);
        } else {
            self.send_out(Parcel::own(stanza.write(Dialect::Server)));
        }
    }

    /// Ends a stanza that cannot be carried: its sender is told, where it may be.
    pub fn bounce(&self, parcel: Parcel, why: &Told) {
        let Some(accepted) = parcel.accepted else {
            // An error of ours that finds no way is not answered again.
            return;
        };
        if self.is_over.load(Relaxed) {
            return accepted.dropped(Reason::Shutdown.code());
        }
        let stanza = &parcel.stanza;
        let inward = self.context.borrow().rules.is_local(stanza.to.domain());
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
        self.end(accepted, why, direction, &pair, answer);
    }

    /// The end of a stanza that was not delivered: counted, written down, answered.
    fn end(
        &self,
        accepted: Accepted,
        why: &Told,
        direction: Direction,
        pair: &Pair,
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
        let partner = self.partner(&pair.remote);
        let line = self
            .quiet
            .admit(partner.as_ref(), reason.code(), Instant::now());
        let partner = partner.unwrap_or_else(|| pair.remote.clone());
        if let Some(left_out) = line {
            let line = Line::new(event)
                .direction(direction)
                .partner(&partner)
                .local(&pair.local)
                .remote(&pair.remote)
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

    /// The queue to a local domain's gateway.
    #[must_use]
    pub fn inbox(&self, local: &Domain) -> Arc<Queue> {
        let mut inward = lock(&self.inward);
        let queue = inward
            .entry(local.clone())
            .or_insert_with(|| Arc::new(Queue::sharing(Arc::clone(&self.stock))));
        Arc::clone(queue)
    }

    /// Says that stanzas wait for a gateway that is not there, where that has just begun.
    pub fn tell_of_absence(&self, local: &Domain, inbox: &Queue) {
        if inbox.is_newly_unattended() && !self.is_over.load(Relaxed) {
            Line::new(Event::GatewayAwaited).local(local).log();
        }
    }

    /// Bounces what has waited too long for a gateway that is not there.
    pub fn sweep(&self, grace: Duration) {
        let absent: Vec<_> = lock(&self.inward)
            .values()
            .filter(|queue| !queue.has_consumer())
            .cloned()
            .collect();
        for queue in absent {
            for parcel in queue.drain_older_than(Instant::now(), grace) {
                self.bounce(parcel, &Reason::NoGateway.into());
            }
        }
    }

    /// A pair's stream is open: pings find it.
    pub fn opened(&self, pair: &Pair, stream: Mailbox) {
        self.backoff.succeeded(&pair.remote);
        self.outward.opened(pair, stream);
    }

    /// Gives a pair's way out up, unless something waits for it again; whether it is gone.
    #[must_use]
    pub fn finished(&self, pair: &Pair) -> bool {
        self.outward.finished(pair)
    }

    /// Whether nothing waits in any queue.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.ledger.total().queued == 0
    }

    /// Ends everything that still waits, when there is no more time. What a connection gives back
    /// afterwards waits again, and needs another call.
    pub fn abandon(&self) {
        self.is_over.store(true, Relaxed);
        let inward: Vec<_> = lock(&self.inward).values().cloned().collect();
        for parcel in inward
            .iter()
            .chain(&self.outward.queues())
            .flat_map(|queue| queue.drain())
            .chain(self.learning.drain())
        {
            if let Some(accepted) = parcel.accepted {
                accepted.dropped(Reason::Shutdown.code());
            }
        }
    }

    /// The partner that a domain belongs to, by its primary one; `None` if it is nobody's.
    #[must_use]
    pub fn partner(&self, remote: &Domain) -> Option<Domain> {
        let context = self.context.borrow();
        let partner = context.rules.partner_of(remote)?;
        Some(partner.primary.clone())
    }

    /// The name under which a domain is written down: the partner's primary one.
    #[must_use]
    pub fn partner_of(&self, remote: &Domain) -> Domain {
        self.partner(remote).unwrap_or_else(|| remote.clone())
    }

    /// Who has a place of its own in a queue: see [`Rules::account_of`].
    ///
    /// [`Rules::account_of`]: crate::proto::policy::Rules::account_of
    #[must_use]
    pub fn account_of(&self, remote: &Domain) -> Domain {
        self.context.borrow().rules.account_of(remote)
    }

    fn send_out(&self, parcel: Parcel) {
        if let Err(refused) = self.outward.send(parcel, &self.backoff) {
            let (parcel, why) = *refused;
            self.bounce(parcel, &why);
        }
    }

    /// The answer to the ping that a stream of ours waits for goes to that stream. Any other is an
    /// iq like all others.
    fn is_pong(&self, stanza: &Stanza) -> bool {
        let (Kind::Iq, Some("result" | "error")) = (stanza.kind, stanza.stanza_type()) else {
            return false;
        };
        let Some(id) = stanza.element.attribute("id") else {
            return false;
        };
        // We ask as a domain.
        if stanza.to.local().is_some() {
            return false;
        }
        let pair = Pair {
            local: stanza.to.domain().clone(),
            remote: stanza.from.domain().clone(),
        };
        self.outward.pong(&pair, id)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
