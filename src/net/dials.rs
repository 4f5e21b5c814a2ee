//! How many partners are dialled at the same time: few in all, fewer of one partner, half of them for
//! one local user, and each user in turn.
//!
//! A place is held from the first lookup until a stream has opened or nothing was reached. Whoever
//! writes to thousands of domains that do not answer waits behind himself; a message of another user
//! gets the next place that is free.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::proto::jid::{BareJid, Domain};
use crate::proto::policy::{DialLimits, Reason};

/// How many pairs of one local user may wait for a place.
pub const MOST_WAITING_OF_ONE: usize = 256;
/// How many pairs may wait for a place in all.
pub const MOST_WAITING: usize = 4096;

/// The places for dials.
#[derive(Debug)]
pub struct Dials(Mutex<State>);

/// A place for one dial; given back when dropped.
#[derive(Debug)]
pub struct Place {
    dials: Arc<Dials>,
    user: BareJid,
    partner: Domain,
}

#[derive(Debug)]
struct State {
    limits: DialLimits,
    dialling: usize,
    of_partner: HashMap<Domain, usize>,
    of_user: HashMap<BareJid, usize>,
    waiting: usize,
    /// Who waits, each user's in their order; the user who comes next is the first.
    users: VecDeque<(BareJid, VecDeque<Waiter>)>,
}

#[derive(Debug)]
struct Waiter {
    partner: Domain,
    call: oneshot::Sender<Place>,
}

impl Dials {
    /// No dial yet.
    #[must_use]
    pub fn new(limits: DialLimits) -> Self {
        Self(Mutex::new(State {
            limits,
            dialling: 0,
            of_partner: HashMap::new(),
            of_user: HashMap::new(),
            waiting: 0,
            users: VecDeque::new(),
        }))
    }

    /// Other limits hold from here on.
    pub fn set_limits(self: &Arc<Self>, limits: DialLimits) {
        self.lock().limits = limits;
        self.call();
    }

    /// Waits for a place to dial `partner` for a local user, until `deadline`.
    ///
    /// # Errors
    /// [`Reason::TooManyDials`], where none was free in time, or too many wait.
    pub async fn enter(
        self: &Arc<Self>,
        user: &BareJid,
        partner: &Domain,
        deadline: Instant,
    ) -> Result<Place, Reason> {
        let (call, called) = oneshot::channel();
        self.lock().wait(user, partner.clone(), call)?;
        self.call();
        match timeout_at(deadline, called).await {
            Ok(Ok(place)) => Ok(place),
            // Whoever is called and has gone gives the place back.
            Ok(Err(_)) | Err(_) => Err(Reason::TooManyDials),
        }
    }

    /// Gives free places to those who wait, one user after the other.
    fn call(self: &Arc<Self>) {
        loop {
            let Some((user, waiter)) = self.lock().next() else {
                return;
            };
            let place = Place {
                dials: Arc::clone(self),
                user,
                partner: waiter.partner,
            };
            // Who has just gone drops the place, which calls the next.
            drop(waiter.call.send(place));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.dials.lock().leave(&self.user, &self.partner);
        self.dials.call();
    }
}

impl State {
    fn wait(
        &mut self,
        user: &BareJid,
        partner: Domain,
        call: oneshot::Sender<Place>,
    ) -> Result<(), Reason> {
        let waiter = Waiter { partner, call };
        if self.waiting >= MOST_WAITING {
            return Err(Reason::TooManyDials);
        }
        match self.users.iter_mut().find(|(known, _)| known == user) {
            Some((_, own)) if own.len() >= MOST_WAITING_OF_ONE => return Err(Reason::TooManyDials),
            Some((_, own)) => own.push_back(waiter),
            None => self.users.push_back((user.clone(), [waiter].into())),
        }
        self.waiting += 1;
        Ok(())
    }

    /// The next who may dial; it is counted from here on.
    fn next(&mut self) -> Option<(BareJid, Waiter)> {
        if self.limits.in_all != 0 && self.dialling >= self.limits.in_all {
            return None;
        }
        for _ in 0..self.users.len() {
            let (user, mut own) = self.users.pop_front()?;
            let before = own.len();
            own.retain(|waiter| !waiter.call.is_closed());
            let has_room = |waiter: &Waiter| {
                let dialling = self.of_partner.get(&waiter.partner).copied();
                let limit = self.limits.per_partner;
                limit == 0 || dialling.unwrap_or_default() < limit
            };
            let of_user = self.of_user.get(&user).copied().unwrap_or_default();
            // The other half is for others: a dial that finds no answer keeps its place for long.
            let may_dial = self.limits.in_all == 0 || of_user < self.limits.in_all.div_ceil(2);
            let chosen = own.iter().position(|waiter| may_dial && has_room(waiter));
            let chosen = chosen.and_then(|index| own.remove(index));
            self.waiting -= before - own.len();
            if !own.is_empty() {
                self.users.push_back((user.clone(), own));
            }
            if let Some(waiter) = chosen {
                self.dialling += 1;
                *self.of_user.entry(user.clone()).or_default() += 1;
                *self.of_partner.entry(waiter.partner.clone()).or_default() += 1;
                return Some((user, waiter));
            }
        }
        None
    }

    fn leave(&mut self, user: &BareJid, partner: &Domain) {
        self.dialling = self.dialling.saturating_sub(1);
        one_less(&mut self.of_user, user);
        one_less(&mut self.of_partner, partner);
    }
}

fn one_less<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn user(name: &str) -> BareJid {
        BareJid::parse(&format!("{name}@contoso.example")).unwrap()
    }

    fn partner(number: usize) -> Domain {
        Domain::parse(&format!("p{number}.example")).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    fn dials(in_all: usize, per_partner: usize) -> Arc<Dials> {
        Arc::new(Dials::new(DialLimits {
            in_all,
            per_partner,
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_so_many_in_all_of_each_partner_and_of_each_user() {
        let dials = dials(4, 2);
        let (anne, bob, carl) = (user("anne"), user("bob"), user("carl"));
        let first = dials.enter(&anne, &partner(0), soon()).await.unwrap();
        let _second = dials.enter(&bob, &partner(0), soon()).await.unwrap();
        // Of this partner there are as many as may be.
        let refused = dials.enter(&anne, &partner(0), soon()).await;
        assert_eq!(refused.unwrap_err(), Reason::TooManyDials);
        let _third = dials.enter(&anne, &partner(1), soon()).await.unwrap();
        // Half of all places are this user's.
        assert!(dials.enter(&anne, &partner(2), soon()).await.is_err());
        let _fourth = dials.enter(&bob, &partner(2), soon()).await.unwrap();
        assert!(dials.enter(&carl, &partner(3), soon()).await.is_err());
        drop(first);
        assert!(dials.enter(&carl, &partner(3), soon()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn users_take_turns() {
        let dials = dials(1, 1);
        let first = dials
            .enter(&user("anne"), &partner(0), soon())
            .await
            .unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = tokio::task::JoinSet::new();
        for name in ["anne", "anne", "anne", "bob", "carl"] {
            let (dials, order) = (Arc::clone(&dials), Arc::clone(&order));
            waiting.spawn(async move {
                let place = dials.enter(&user(name), &partner(1), soon()).await;
                order.lock().unwrap().push(name);
                drop(place);
            });
            tokio::task::yield_now().await;
        }
        drop(first);
        waiting.join_all().await;
        assert_eq!(
            *order.lock().unwrap(),
            ["anne", "bob", "carl", "anne", "anne"]
        );
        assert_eq!(dials.lock().dialling, 0);
        assert!(dials.lock().of_partner.is_empty() && dials.lock().of_user.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn one_user_cannot_fill_what_may_wait() {
        let dials = dials(1, 1);
        let _place = dials.enter(&user("anne"), &partner(0), soon()).await;
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..MOST_WAITING_OF_ONE {
            let dials = Arc::clone(&dials);
            waiting.spawn(async move {
                dials
                    .enter(&user("anne"), &partner(number), soon())
                    .await
                    .is_ok()
            });
        }
        while dials.lock().waiting < MOST_WAITING_OF_ONE {
            tokio::task::yield_now().await;
        }
        let begun = Instant::now();
        let refused = dials.enter(&user("anne"), &partner(0), soon()).await;
        assert_eq!((refused.is_err(), begun.elapsed()), (true, Duration::ZERO));
        let waits = dials.enter(&user("bob"), &partner(0), soon()).await;
        assert!(waits.is_err() && begun.elapsed() >= Duration::from_secs(1));
        waiting.join_all().await;
    }
}
