//! Places that are shared fairly: so many in all, fewer for one partner, half of them for one holder,
//! and each holder in turn.
//!
//! A *holder* is on whose account a place is taken: a local user, or the network that a stranger
//! comes from. Whoever asks for thousands of places that stay taken for long waits behind himself.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::proto::jid::Domain;

/// How many may wait of one holder.
pub const MOST_WAITING_OF_ONE: usize = 256;
/// How many may wait in all.
pub const MOST_WAITING: usize = 4096;

/// How many places there are; 0 stands for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub in_all: usize,
    /// For one partner.
    pub per_partner: usize,
}

/// The places, and who waits for one.
#[derive(Debug)]
pub struct Places<H: Clone + Hash + Eq>(Mutex<State<H>>);

/// A place; given back when dropped.
#[derive(Debug)]
pub struct Place<H: Clone + Hash + Eq> {
    places: Arc<Places<H>>,
    holder: H,
    partner: Domain,
}

/// Who goes first where several wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Before all who come last.
    First,
    /// Behind everybody else: what it came for has failed lately.
    Last,
}

/// No place was free in time, or too many wait for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPlace;

#[derive(Debug)]
struct State<H: Clone + Hash + Eq> {
    limits: Limits,
    taken: usize,
    of_partner: HashMap<Domain, usize>,
    of_holder: HashMap<H, usize>,
    waiting: usize,
    /// Who waits, by rank, each holder's in their order; the holder who comes next is the first.
    ranks: [VecDeque<(H, VecDeque<Waiter<H>>)>; 2],
}

#[derive(Debug)]
struct Waiter<H: Clone + Hash + Eq> {
    partner: Domain,
    call: oneshot::Sender<Place<H>>,
}

impl<H: Clone + Hash + Eq> Places<H> {
    /// Places that are all free.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self(Mutex::new(State {
            limits,
            taken: 0,
            of_partner: HashMap::new(),
            of_holder: HashMap::new(),
            waiting: 0,
            ranks: [VecDeque::new(), VecDeque::new()],
        }))
    }

    /// Other limits hold from here on.
    pub fn set_limits(self: &Arc<Self>, limits: Limits) {
        self.lock().limits = limits;
        self.call();
    }

    /// Waits for a place, until `deadline`.
    ///
    /// # Errors
    /// [`NoPlace`].
    pub async fn enter(
        self: &Arc<Self>,
        holder: &H,
        partner: &Domain,
        rank: Rank,
        deadline: Instant,
    ) -> Result<Place<H>, NoPlace> {
        let (call, called) = oneshot::channel();
        let partner = partner.clone();
        self.lock().wait(holder, rank, Waiter { partner, call })?;
        self.call();
        match timeout_at(deadline, called).await {
            Ok(Ok(place)) => Ok(place),
            // Whoever is called and has gone gives the place back.
            Ok(Err(_)) | Err(_) => Err(NoPlace),
        }
    }

    /// How many places are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.lock().taken
    }

    /// Gives free places to those who wait, one holder after the other.
    fn call(self: &Arc<Self>) {
        loop {
            let Some((holder, waiter)) = self.lock().next() else {
                return;
            };
            let place = Place {
                places: Arc::clone(self),
                holder,
                partner: waiter.partner,
            };
            // Who has just gone drops the place, which calls the next.
            drop(waiter.call.send(place));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<H>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H: Clone + Hash + Eq> Drop for Place<H> {
    fn drop(&mut self) {
        self.places.lock().leave(&self.holder, &self.partner);
        self.places.call();
    }
}

impl<H: Clone + Hash + Eq> State<H> {
    fn wait(&mut self, holder: &H, rank: Rank, waiter: Waiter<H>) -> Result<(), NoPlace> {
        if self.waiting >= MOST_WAITING {
            return Err(NoPlace);
        }
        let [first, last] = &mut self.ranks;
        let holders = match rank {
            Rank::First => first,
            Rank::Last => last,
        };
        match holders.iter_mut().find(|(known, _)| known == holder) {
            Some((_, own)) if own.len() >= MOST_WAITING_OF_ONE => return Err(NoPlace),
            Some((_, own)) => own.push_back(waiter),
            None => holders.push_back((holder.clone(), [waiter].into())),
        }
        self.waiting += 1;
        Ok(())
    }

    /// The next who gets a place; it is counted from here on.
    fn next(&mut self) -> Option<(H, Waiter<H>)> {
        let Limits {
            in_all,
            per_partner,
        } = self.limits;
        if in_all != 0 && self.taken >= in_all {
            return None;
        }
        for holders in &mut self.ranks {
            for _ in 0..holders.len() {
                let (holder, mut own) = holders.pop_front()?;
                let before = own.len();
                own.retain(|waiter| !waiter.call.is_closed());
                let has_room = |waiter: &Waiter<H>| {
                    let of_partner = self.of_partner.get(&waiter.partner).copied();
                    per_partner == 0 || of_partner.unwrap_or_default() < per_partner
                };
                let of_holder = self.of_holder.get(&holder).copied().unwrap_or_default();
                // The other half is for others: a place may be taken for long.
                let may_take = in_all == 0 || of_holder < in_all.div_ceil(2);
                let chosen = own.iter().position(|waiter| may_take && has_room(waiter));
                let chosen = chosen.and_then(|index| own.remove(index));
                self.waiting -= before - own.len();
                if !own.is_empty() {
                    holders.push_back((holder.clone(), own));
                }
                if let Some(waiter) = chosen {
                    self.taken += 1;
                    *self.of_holder.entry(holder.clone()).or_default() += 1;
                    *self.of_partner.entry(waiter.partner.clone()).or_default() += 1;
                    return Some((holder, waiter));
                }
            }
        }
        None
    }

    fn leave(&mut self, holder: &H, partner: &Domain) {
        self.taken = self.taken.saturating_sub(1);
        one_less(&mut self.of_holder, holder);
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

    type Named = Arc<Places<&'static str>>;

    fn partner(number: usize) -> Domain {
        Domain::parse(&format!("p{number}.example")).unwrap()
    }

    async fn enter(
        places: &Named,
        holder: &'static str,
        number: usize,
    ) -> Result<Place<&'static str>, NoPlace> {
        let soon = Instant::now() + Duration::from_secs(1);
        places
            .enter(&holder, &partner(number), Rank::First, soon)
            .await
    }

    fn places(in_all: usize, per_partner: usize) -> Named {
        Arc::new(Places::new(Limits {
            in_all,
            per_partner,
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_so_many_in_all_of_each_partner_and_of_each_holder() {
        let places = places(4, 2);
        let first = enter(&places, "anne", 0).await.unwrap();
        let _second = enter(&places, "bob", 0).await.unwrap();
        // Of this partner there are as many as may be.
        assert!(enter(&places, "anne", 0).await.is_err());
        let _third = enter(&places, "anne", 1).await.unwrap();
        // Half of all places are this holder's.
        assert!(enter(&places, "anne", 2).await.is_err());
        let _fourth = enter(&places, "bob", 2).await.unwrap();
        assert!(enter(&places, "carl", 3).await.is_err());
        drop(first);
        assert!(enter(&places, "carl", 3).await.is_ok());
    }

    /// In which order those get a place who wait for the only one.
    async fn order(waiting: &[(&'static str, Rank)]) -> Vec<&'static str> {
        let places = places(1, 1);
        let first = enter(&places, "nobody", 0).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for (holder, rank) in waiting.iter().copied() {
            let (places, order) = (Arc::clone(&places), Arc::clone(&order));
            tasks.spawn(async move {
                let soon = Instant::now() + Duration::from_secs(1);
                let place = places.enter(&holder, &partner(1), rank, soon).await;
                order.lock().unwrap().push(holder);
                drop(place);
            });
            tokio::task::yield_now().await;
        }
        drop(first);
        tasks.join_all().await;
        assert_eq!(places.taken(), 0);
        assert!(places.lock().of_partner.is_empty() && places.lock().of_holder.is_empty());
        order.lock().unwrap().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn holders_take_turns_and_who_failed_comes_last() {
        use Rank::{First, Last};
        let turns = [
            ("anne", First),
            ("anne", First),
            ("anne", First),
            ("bob", First),
            ("carl", First),
        ];
        assert_eq!(order(&turns).await, ["anne", "bob", "carl", "anne", "anne"]);
        let ranks = [("fails", Last), ("fails", Last), ("new", First)];
        assert_eq!(order(&ranks).await, ["new", "fails", "fails"]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_holder_cannot_fill_what_may_wait() {
        let places = places(1, 1);
        let _place = enter(&places, "anne", 0).await;
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..MOST_WAITING_OF_ONE {
            let places = Arc::clone(&places);
            waiting.spawn(async move { enter(&places, "anne", number).await.is_ok() });
        }
        while places.lock().waiting < MOST_WAITING_OF_ONE {
            tokio::task::yield_now().await;
        }
        let begun = Instant::now();
        let refused = enter(&places, "anne", 0).await;
        assert_eq!((refused.is_err(), begun.elapsed()), (true, Duration::ZERO));
        let waits = enter(&places, "bob", 0).await;
        assert!(waits.is_err() && begun.elapsed() >= Duration::from_secs(1));
        waiting.join_all().await;
    }

    #[tokio::test]
    async fn without_limits_everybody_gets_a_place() {
        let places = places(0, 0);
        let mut taken = Vec::new();
        for number in 0..1000 {
            taken.push(enter(&places, "anne", number % 3).await.unwrap());
        }
        drop(taken);
        assert_eq!(places.taken(), 0);
    }
}
