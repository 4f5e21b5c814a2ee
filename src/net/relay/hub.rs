//! Where streams and links meet: which queue a stanza goes to, and what becomes of it if none will do.
//!
//! Inward there is one queue a local domain (its gateway takes from it), outward one a pair (its
//! stream takes from it). A stanza that cannot be carried is answered with the truth.

mod arrivals;
mod ends;
mod logged;
mod look;

use std::collections::HashMap;
use std::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};

use crate::net::io::clock;
use crate::net::live::log_limiter::{Known, LogLimiter, What};
use crate::net::live::mailbox::Mailbox;
use crate::net::relay::backoff::Backoff;
use crate::net::relay::guests::Guests;
use crate::net::relay::learning::{Learning, Next, Taken};
use crate::net::relay::pair_queues::{PairQueues, Wish};
use crate::net::relay::partners::{Partners, Standing, address_of};
use crate::net::relay::queue::{NotQueued, Queue, QueuedStanza};
use crate::net::relay::stanza_policy::StanzaPolicy;
use crate::net::relay::stock::Stock;
use crate::net::relay::ways::{WayIn, WayOut, WaysOut};
use crate::ops::counters::{Accepted, Ledger};
use crate::ops::events::{Direction, Event, Line};
use crate::ops::receipts::Receipt;
use crate::proto::auth::Pair;
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::policy::contact::UserPair;
use crate::proto::stanza::{Addressed, Kind, Stanza};
use crate::proto::stream::Context;
use crate::proto::xml::StreamKind;
use crate::store::Contacts;

pub use self::arrivals::TakenIn;

/// The meeting point.
#[derive(Debug)]
pub struct Hub {
    ledger: Arc<Ledger>,
    context: ArcSwap<Context>,
    /// Where the context in force is in memory: to be compared, and for nothing else.
    current: AtomicUsize,
    partners: Partners,
    stanza_policy: StanzaPolicy,
    learning: Learning,
    log_limiter: Arc<LogLimiter>,
    /// Whether the bodies of messages are logged.
    bodies: AtomicBool,
    addresses: AtomicBool,
    /// Set when the edge stops.
    hurry: watch::Sender<bool>,
    /// Set when there is no more time: nobody can be told anything any more.
    is_over: AtomicBool,
    /// Partners that are not to be tried now.
    pub backoff: Backoff,
    inward: Mutex<HashMap<Domain, Arc<Queue>>>,
    outward: PairQueues,
    /// The room for all that waits for gateways.
    inward_stock: Arc<Stock>,
    /// The room for all that waits for partners.
    outward_stock: Arc<Stock>,
}

impl Hub {
    /// A hub whose wishes for streams go to `wanted`.
    #[must_use]
    pub fn new(
        ledger: Arc<Ledger>,
        log_limiter: Arc<LogLimiter>,
        context: Arc<Context>,
        contacts: Contacts,
        wanted: mpsc::Sender<Wish>,
    ) -> Self {
        let outward_stock = Arc::<Stock>::default();
        Self {
            current: AtomicUsize::new(address_of(&context)),
            context: ArcSwap::new(context),
            partners: Partners::new(Arc::clone(&ledger)),
            ledger,
            stanza_policy: StanzaPolicy::new(contacts.clone()),
            learning: Learning::new(contacts),
            log_limiter,
            bodies: AtomicBool::new(false),
            addresses: AtomicBool::new(false),
            hurry: watch::Sender::new(false),
            is_over: AtomicBool::new(false),
            backoff: Backoff::default(),
            inward: Mutex::default(),
            outward: PairQueues::new(wanted, Arc::clone(&outward_stock)),
            inward_stock: Arc::default(),
            outward_stock,
        }
    }

    /// Other rules hold from here on.
    pub fn replace(&self, context: Arc<Context>) {
        let current = address_of(&context);
        self.context.store(context);
        self.current.store(current, Release);
    }

    /// So much may wait, in bytes: half of it for gateways, half for partners, so that neither side
    /// can stop the other.
    pub fn set_queue_bytes(&self, bytes: usize) {
        self.inward_stock.set_limit(bytes / 2);
        self.outward_stock.set_limit(bytes / 2);
    }

    /// How a partner's domain stands now: looked up once, and then carried.
    #[must_use]
    pub fn standing(&self, remote: &Domain) -> Standing {
        self.partners
            .standing(remote, &self.context.load(), clock::instant())
    }

    /// The way of a pair's stanzas to the gateway.
    #[must_use]
    pub fn way_in(&self, pair: &Pair) -> WayIn {
        WayIn {
            standing: self.standing(&pair.remote),
            inbox: self.inbox(&pair.local),
            pair: pair.clone(),
        }
    }

    fn renew(&self, standing: &mut Standing, remote: &Domain) {
        if standing.is_of_address(self.current.load(Acquire)) {
            return;
        }
        let context = self.context.load();
        if !standing.is_of(&context) {
            *standing = self.partners.standing(remote, &context, clock::instant());
        }
    }

    /// A gateway's stanza; never waits, because neither a slow partner nor a slow disk must hold up
    /// the link. Where it begins a change of a contact, the caller lets [`Hub::settle`] run for the
    /// two users that are returned.
    #[must_use = "the contact of these two users is to be settled"]
    pub fn from_gateway(
        &self,
        addressed: Addressed,
        receipt: Option<Receipt>,
        ways: &mut WaysOut,
        now: Instant,
    ) -> Option<UserPair> {
        if self.is_over.load(Relaxed) {
            withhold(receipt);
            return None;
        }
        let share = ways.share_of(addressed.from.bare());
        let way = ways.of(addressed.to.domain(), |remote| self.standing(remote));
        self.renew(&mut way.standing, addressed.to.domain());
        let accepted = way.standing.counters.accept(Direction::Outbound);
        let accepted = accepted.with_receipt(receipt);
        let queued = self
            .judge(addressed, accepted, &way.standing, now)?
            .on_account_of(Some(share));
        let entry = way.standing.entry.as_ref();
        let decides = entry.is_some_and(|entry| entry.terms.asks_for_contacts());
        match self.learning.take(queued, decides) {
            Taken::Goes(queued) | Taken::Waits(Some(queued)) => self.send_by(queued, way),
            Taken::Waits(None) => {}
            Taken::Begins(user_pair, queued) => {
                if let Some(queued) = queued {
                    self.send_by(queued, way);
                }
                return Some(user_pair);
            }
            Taken::Full(queued) => self.bounce(queued, &Reason::QueueFull.into()),
        }
        None
    }

    /// Sees the changes of a contact through, and sends on what waits for them.
    pub async fn settle(&self, user_pair: UserPair) {
        while let Some(next) = self.learning.next(&user_pair).await {
            match next {
                Next::Carry(queued) => self.send_out(queued),
                Next::Kept => {}
                Next::NotKept(error, pair, queued) => self.not_kept(&error, &pair, queued),
            }
        }
    }

    /// The edge is stopping: nothing is slowed any more.
    pub fn hurry(&self) {
        self.hurry.send_replace(true);
    }

    /// Policy's word on a stanza: it is to be carried, or this is its end.
    fn judge(
        &self,
        addressed: Addressed,
        accepted: Accepted,
        standing: &Standing,
        now: Instant,
    ) -> Option<QueuedStanza> {
        let direction = addressed.direction();
        let pair = Pair {
            local: addressed.local().domain().clone(),
            remote: addressed.remote().domain().clone(),
        };
        let users = self.users_of(&addressed);
        match self.stanza_policy.judge(addressed, standing, now) {
            Ok(stanza) => {
                if self.bodies.load(Relaxed) {
                    self.log_body(&stanza, direction, &pair);
                }
                let stream_kind = match direction {
                    Direction::Inbound => StreamKind::Component,
                    Direction::Outbound => StreamKind::Server,
                };
                Some(QueuedStanza::accepted(
                    stanza.write(stream_kind),
                    accepted,
                    now,
                ))
            }
            Err(refused) => {
                let answer = refused.answer.map(|answer| *answer);
                self.end(
                    accepted,
                    &refused.reason.into(),
                    direction,
                    (&pair, &users),
                    answer,
                );
                None
            }
        }
    }

    /// The queue to a local domain's gateway.
    #[must_use]
    pub fn inbox(&self, local: &Domain) -> Arc<Queue> {
        let mut inward = lock(&self.inward);
        let queue = inward
            .entry(local.clone())
            .or_insert_with(|| Arc::new(Queue::sharing(Arc::clone(&self.inward_stock))));
        Arc::clone(queue)
    }

    /// Says that stanzas wait for a gateway that is not there, where that has just begun.
    pub fn tell_of_absence(&self, local: &Domain, inbox: &Queue) {
        if inbox.is_newly_unattended() && !self.is_over.load(Relaxed) {
            let what = Event::GatewayAwaited;
            let now = clock::instant();
            if let Some(left_out) = self.log_limiter.admit(Some(local), what, now) {
                let line = Line::new(what).local(local);
                line.and_left_out(left_out).log();
            }
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
            for queued in queue.drain_older_than(clock::instant(), grace) {
                self.bounce(queued, &Reason::NoGateway.into());
            }
        }
    }

    /// A pair's stream is open: pings find it, and so do other pairs, where it may be shared.
    pub fn opened(&self, pair: &Pair, stream: Mailbox, guests: Option<Arc<Guests>>) {
        self.backoff.succeeded(&pair.remote);
        self.outward.opened(pair, stream, guests);
    }

    /// An open stream of another pair that this one may share.
    #[must_use]
    pub fn open_to(&self, pair: &Pair) -> Option<(Mailbox, Arc<Guests>)> {
        self.outward.open_to(pair)
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
        for mut queued in inward
            .iter()
            .chain(&self.outward.queues())
            .flat_map(|queue| queue.drain())
            .chain(self.learning.drain())
        {
            if let Some(accepted) = queued.accepted.take() {
                accepted.abandoned(Reason::Shutdown.code());
            }
        }
    }

    /// The partner that a domain belongs to, by its primary one; `None` if it is nobody's.
    #[must_use]
    pub fn partner(&self, remote: &Domain) -> Option<Domain> {
        self.known(remote).map(|known| known.partner)
    }

    /// The same as the log has it.
    #[must_use]
    pub fn known(&self, remote: &Domain) -> Option<Known> {
        let context = self.context.load();
        let partner = context.rules.partner_of(remote)?;
        Some(Known {
            partner: partner.primary.clone(),
            is_listed: context.rules.is_listed(partner),
        })
    }

    /// Whether a line is to be written about a pair, how many were left out before it, and the name
    /// of the partner.
    fn admit(&self, what: What, pair: &Pair) -> (Option<u64>, Domain) {
        let known = self.known(&pair.remote);
        let now = clock::instant();
        let line = self
            .log_limiter
            .admit_about(known.as_ref(), &pair.remote, what, now);
        let partner = known.map_or_else(|| pair.remote.clone(), |known| known.partner);
        (line, partner)
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
        self.context.load().rules.account_of(remote)
    }

    fn send_out(&self, queued: QueuedStanza) {
        if let Err(refused) = self.outward.send(queued, &self.backoff) {
            let (queued, why) = *refused;
            self.bounce(queued, &why);
        }
    }

    /// As [`Hub::send_out`], where the queue of the stanza before may be known.
    fn send_by(&self, queued: QueuedStanza, way: &mut WayOut) {
        let lane = queued.stanza.to.domain().clone();
        let queued = match &way.queue {
            Some(queue) => match queue.try_push(&lane, queued) {
                Ok(()) => return,
                Err(NotQueued::Full(queued)) => {
                    return self.bounce(queued, &Reason::QueueFull.into());
                }
                Err(NotQueued::Closed(queued)) => queued,
            },
            None => queued,
        };
        way.queue = None;
        match self.outward.send(queued, &self.backoff) {
            Ok(queue) => way.queue = Some(queue),
            Err(refused) => {
                let (queued, reason) = *refused;
                self.bounce(queued, &reason);
            }
        }
    }

    /// The answer to the ping that a stream of ours waits for goes to that stream. Any other is an
    /// iq like all others.
    fn is_pong(&self, stanza: &Stanza) -> bool {
        let (Kind::Iq, Some("result" | "error")) = (stanza.kind, stanza.stanza_type()) else {
            return false;
        };
        let Some(id) = stanza.id() else {
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
    #[cfg(test)]
    crate::ops::counted::shared_lock();
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was read counts as never read, and is to be sent again.
fn withhold(receipt: Option<Receipt>) {
    if let Some(receipt) = receipt {
        receipt.withhold();
    }
}

#[cfg(test)]
mod tests;
