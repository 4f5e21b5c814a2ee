//! Which dialback questions are asked at once: few in all, fewer about one partner, and each network
//! that they come from in turn, so that no crowd of strangers keeps the others waiting.
//!
//! A question whose authoritative server gives no answer would keep its place for long. So a question
//! that has no answer after a quarter of a second gives its place back, and goes on as a *slow* one; of the
//! slow ones there are so many, and the oldest is given up for the next. Whoever's questions are slow,
//! or have failed lately, by network or by partner, waits behind everybody else.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::net::guard::places::{Limits, NoPlace, Place, Places, Rank};
use crate::net::io::clock;
use crate::proto::jid::Domain;
use crate::proto::policy::Network;

/// How long a failure is remembered.
const MEMORY: Duration = Duration::from_secs(600);
/// How many networks, and how many partners, are remembered that failed.
const MOST: usize = 4096;
/// After so long without an answer a question is slow.
pub const SLOW: Duration = Duration::from_millis(250);
/// How many slow questions go on at the same time.
pub const MOST_SLOW: usize = 512;
/// How long a question may wait for a place. The asking server waits about as long for the answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The places for questions: for those who connected from where a partner is known, and for
/// everybody else, so that no crowd that poses as a partner delays the partner itself.
#[derive(Debug)]
pub struct Verifications {
    familiar: Arc<Places<Network>>,
    strangers: Arc<Places<Network>>,
    failed: Mutex<Failed>,
    slow: Mutex<Slow>,
}

/// A place to ask from; given back when dropped. A question that has not proven anything by then has
/// failed, and is remembered.
#[derive(Debug)]
pub struct Asking {
    verifications: Arc<Verifications>,
    partner: Domain,
    network: Network,
    has_proven: bool,
    place: Option<Place<Network>>,
    /// Its number among the slow ones.
    slow: Option<u64>,
}

/// The slow questions, the oldest first, each with the word to give up.
#[derive(Debug, Default)]
struct Slow {
    next: u64,
    running: VecDeque<(u64, oneshot::Sender<()>)>,
}

#[derive(Debug, Default)]
struct Failed {
    networks: HashMap<Network, Instant>,
    partners: HashMap<Domain, Instant>,
}

impl Verifications {
    /// So many places; 0 stands for no limit.
    #[must_use]
    pub fn new(in_all: usize, about_one: usize) -> Self {
        let limits = Limits {
            in_all,
            per_partner: about_one,
        };
        Self {
            familiar: Arc::new(Places::new(limits)),
            strangers: Arc::new(Places::new(limits)),
            failed: Mutex::default(),
            slow: Mutex::default(),
        }
    }

    /// Waits for a place to ask about a partner: whoever has an account of its own in the rules.
    ///
    /// # Errors
    /// [`NoPlace`], where none was free in time.
    pub async fn enter(
        self: &Arc<Self>,
        partner: &Domain,
        from: IpAddr,
        is_familiar: bool,
    ) -> Result<Asking, NoPlace> {
        let network = Network::of(from);
        let (places, rank) = if is_familiar {
            (&self.familiar, Rank::First)
        } else {
            (&self.strangers, self.rank(&network, partner))
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let place = places.enter(&network, partner, rank, deadline).await?;
        Ok(Asking {
            verifications: Arc::clone(self),
            partner: partner.clone(),
            network,
            has_proven: false,
            place: Some(place),
            slow: None,
        })
    }

    fn ended(&self, partner: &Domain, network: Network, has_proven: bool) {
        let now = clock::instant();
        let mut failed = lock(&self.failed);
        if has_proven {
            failed.partners.remove(partner);
            failed.networks.remove(&network);
        } else {
            note(&mut failed.networks, network, now);
            note(&mut failed.partners, partner.clone(), now);
        }
    }

    fn rank(&self, network: &Network, partner: &Domain) -> Rank {
        let now = clock::instant();
        let failed = lock(&self.failed);
        let last = failed
            .networks
            .get(network)
            .max(failed.partners.get(partner));
        match last {
            Some(last) if now.saturating_duration_since(*last) < MEMORY => Rank::Last,
            _ => Rank::First,
        }
    }
}

impl Asking {
    /// The question has had no answer for [`SLOW`]: its place is for others. What is returned tells
    /// when it is to be given up.
    pub fn is_slow(&mut self) -> oneshot::Receiver<()> {
        self.place = None;
        self.verifications.ended(&self.partner, self.network, false);
        let (give_up, given_up) = oneshot::channel();
        let mut slow = lock(&self.verifications.slow);
        slow.next += 1;
        self.slow = Some(slow.next);
        let number = slow.next;
        slow.running.push_back((number, give_up));
        if slow.running.len() > MOST_SLOW
            && let Some((_, oldest)) = slow.running.pop_front()
        {
            // It may have ended just now.
            oldest.send(()).unwrap_or_default();
        }
        given_up
    }

    /// The question has proven a pair.
    pub fn has_proven(&mut self) {
        self.has_proven = true;
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(number) = self.slow {
            let mut slow = lock(&self.verifications.slow);
            slow.running.retain(|(other, _)| *other != number);
        }
        self.verifications
            .ended(&self.partner, self.network, self.has_proven);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note<K: Hash + Eq>(failed: &mut HashMap<K, Instant>, key: K, now: Instant) {
    if failed.len() >= MOST && !failed.contains_key(&key) {
        failed.retain(|_, last| now.saturating_duration_since(*last) < MEMORY);
        if failed.len() >= MOST {
            failed.clear();
        }
    }
    failed.insert(key, now);
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    fn domain(number: usize) -> Domain {
        Domain::parse(&format!("d{number}.example")).unwrap()
    }

    /// An address of another network for each number.
    fn from(number: u8) -> IpAddr {
        [192, 0, number, 1].into()
    }

    async fn has_room(
        verifications: &Arc<Verifications>,
        partner: usize,
        network: u8,
        familiar: bool,
    ) -> bool {
        let partner = domain(partner);
        let entered = verifications.enter(&partner, from(network), familiar);
        let soon = Duration::from_millis(1);
        timeout(soon, entered)
            .await
            .is_ok_and(|place| place.is_ok())
    }

    #[tokio::test(start_paused = true)]
    async fn one_partner_leaves_room_for_the_others() {
        let verifications = Arc::new(Verifications::new(64, 16));
        let mut places = Vec::new();
        for network in 0..16 {
            let about = domain(0);
            let place = verifications.enter(&about, from(network), false);
            places.push(place.await.unwrap());
        }
        assert!(!has_room(&verifications, 0, 20, false).await);
        assert!(has_room(&verifications, 1, 20, false).await);
        places.pop();
        assert!(has_room(&verifications, 0, 20, false).await);
    }

    #[tokio::test(start_paused = true)]
    async fn one_network_leaves_room_for_the_others() {
        let verifications = Arc::new(Verifications::new(64, 16));
        let mut places = Vec::new();
        for number in 0..32 {
            let about = domain(number);
            let place = verifications.enter(&about, from(0), false);
            places.push(place.await.unwrap());
        }
        assert!(!has_room(&verifications, 33, 0, false).await);
        assert!(has_room(&verifications, 33, 1, false).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_that_poses_as_a_partner_does_not_delay_it() {
        let verifications = Arc::new(Verifications::new(2, 2));
        let crowd = domain(0);
        let _places = [
            verifications.enter(&crowd, from(0), false).await.unwrap(),
            verifications.enter(&crowd, from(1), false).await.unwrap(),
        ];
        assert!(!has_room(&verifications, 0, 2, false).await);
        assert!(!has_room(&verifications, 1, 2, false).await);
        assert!(has_room(&verifications, 0, 2, true).await);
        assert!(has_room(&verifications, 1, 2, true).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_often_waits_behind_what_never_failed() {
        let verifications = Arc::new(Verifications::new(2, 2));
        verifications.ended(&domain(0), Network::of(from(0)), false);
        let taken = [
            verifications
                .enter(&domain(7), from(7), false)
                .await
                .unwrap(),
            verifications
                .enter(&domain(8), from(8), false)
                .await
                .unwrap(),
        ];
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = tokio::task::JoinSet::new();
        // The same network, then the same partner, then somebody new.
        for (partner, network) in [(1, 0), (0, 1), (2, 2)] {
            let (verifications, order) = (Arc::clone(&verifications), Arc::clone(&order));
            waiting.spawn(async move {
                let place = verifications
                    .enter(&domain(partner), from(network), false)
                    .await;
                order.lock().unwrap().push(partner);
                tokio::time::sleep(Duration::from_millis(1)).await;
                drop(place);
            });
            tokio::task::yield_now().await;
        }
        let [first, _second] = taken;
        drop(first);
        waiting.join_all().await;
        assert_eq!(*order.lock().unwrap(), [2, 1, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_questions_make_room_and_the_oldest_is_given_up() {
        let verifications = Arc::new(Verifications::new(1, 1));
        let mut slow = Vec::new();
        for number in 0..MOST_SLOW {
            let about = domain(number);
            let mut asking = verifications.enter(&about, from(1), false).await.unwrap();
            let given_up = asking.is_slow();
            slow.push((asking, given_up));
        }
        assert!(has_room(&verifications, 1000, 2, false).await);
        let (_, first) = &mut slow[0];
        assert!(first.try_recv().is_err(), "there is room for it");
        let about = domain(MOST_SLOW);
        let mut asking = verifications.enter(&about, from(1), false).await.unwrap();
        let _given_up = asking.is_slow();
        assert_eq!(slow[0].1.try_recv(), Ok(()));
        assert!(slow[1].1.try_recv().is_err());
        drop((slow, asking));
        assert!(verifications.slow.lock().unwrap().running.is_empty());
    }

    #[test]
    fn so_many_failures_are_remembered() {
        let verifications = Verifications::new(0, 0);
        for number in 0..3 * MOST {
            verifications.ended(&domain(number), Network::of(from(0)), false);
        }
        assert!(verifications.failed.lock().unwrap().partners.len() <= MOST);
    }
}
