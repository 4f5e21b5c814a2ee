//! The unknown domains that knock, by name: a partner that is not listed, or is mistyped, shows up here.
//!
//! Names cost nothing to invent. So there are as many places as [`MOST`], one network takes a few of
//! them, and a name is forgotten only when nobody has come with it for an hour: whoever invents names
//! fills what is free, and pushes nobody out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::proto::jid::Domain;
use crate::proto::policy::Network;

/// How many names are remembered.
pub const MOST: usize = 512;
/// How many of them one network may bring.
pub const OF_ONE_NETWORK: usize = 8;
/// A name that was not heard for so long makes room for another.
const STALE: Duration = Duration::from_secs(3600);

/// How often it is looked for such names.
const SWEEP: Duration = Duration::from_secs(1);

/// Who knocked.
#[derive(Debug, Default)]
pub struct Knocks(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    names: HashMap<Domain, Entry>,
    /// How many of the names each network has brought.
    brought: HashMap<Network, usize>,
    /// When it was looked last for names that may be forgotten.
    swept: Option<Instant>,
    uncounted: u64,
}

#[derive(Debug)]
struct Entry {
    /// Whose place it takes.
    network: Network,
    count: u64,
    first: Instant,
    last: Instant,
    address: IpAddr,
}

/// An unknown domain that knocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knock {
    /// The name.
    pub domain: Domain,
    /// How often it came.
    pub count: u64,
    /// When it came first.
    pub first: Instant,
    /// When it came last.
    pub last: Instant,
    /// From where it came last.
    pub address: IpAddr,
}

impl Knocks {
    /// What they take in memory at most, in bytes: a name, and what is known of it.
    pub const BYTES: usize = MOST * 512;

    /// Somebody came with a name that no entry covers.
    pub fn note(&self, domain: &Domain, address: IpAddr, now: Instant) {
        let mut state = self.lock();
        if let Some(entry) = state.names.get_mut(domain) {
            entry.count = entry.count.saturating_add(1);
            entry.last = now;
            entry.address = address;
            return;
        }
        let network = Network::of(address);
        let brought = state.brought.get(&network).copied().unwrap_or_default();
        if brought >= OF_ONE_NETWORK || !state.has_room(now) {
            state.uncounted = state.uncounted.saturating_add(1);
            return;
        }
        let entry = Entry {
            network,
            count: 1,
            first: now,
            last: now,
            address,
        };
        state.names.insert(domain.clone(), entry);
        *state.brought.entry(network).or_default() += 1;
    }

    /// The names, the last one first; and how many knocks came with names that had no place.
    #[must_use]
    pub fn list(&self) -> (Vec<Knock>, u64) {
        let state = self.lock();
        let names = state.names.iter().map(|(domain, entry)| Knock {
            domain: domain.clone(),
            count: entry.count,
            first: entry.first,
            last: entry.last,
            address: entry.address,
        });
        let (mut names, uncounted): (Vec<_>, _) = (names.collect(), state.uncounted);
        drop(state);
        names.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.domain.cmp(&b.domain)));
        (names, uncounted)
    }

    /// Forgets what is known by now.
    pub fn forget(&self, is_known: impl Fn(&Domain) -> bool) {
        self.lock().retain(|domain, _| !is_known(domain));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&mut self, now: Instant) -> bool {
        if self.names.len() < MOST {
            return true;
        }
        let since = |then: Instant| now.saturating_duration_since(then);
        // A flood is not to pay for a look at all names with each of its own.
        if self.swept.is_none_or(|swept| since(swept) >= SWEEP) {
            self.swept = Some(now);
            self.retain(|_, entry| since(entry.last) < STALE);
        }
        self.names.len() < MOST
    }

    fn retain(&mut self, is_kept: impl Fn(&Domain, &Entry) -> bool) {
        self.names.retain(|domain, entry| is_kept(domain, entry));
        self.brought.clear();
        for entry in self.names.values() {
            *self.brought.entry(entry.network).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn from(number: u32) -> IpAddr {
        let [_, a, b, c] = number.to_be_bytes();
        IpAddr::from([10, a, b, c])
    }

    #[test]
    fn a_million_invented_names_take_what_is_there_and_push_nobody_out() {
        let (knocks, now) = (Knocks::default(), Instant::now());
        let honest = domain("fabrikan.example");
        knocks.note(&honest, from(0), now);
        for number in 1..=1_000_000_u32 {
            let name = domain(&format!("n{number}.example"));
            // From 65536 networks.
            knocks.note(&name, from(number << 8), now + Duration::from_secs(1));
        }
        knocks.note(&honest, from(0), now + Duration::from_secs(2));
        let (names, uncounted) = knocks.list();
        assert_eq!(
            (names.len(), uncounted),
            (MOST, 1_000_000 - (MOST as u64 - 1))
        );
        let first = names.first().map(|it| (&it.domain, it.count));
        assert_eq!(first, Some((&honest, 2)));
        let longest = names.iter().map(|it| it.domain.as_str().len()).max();
        assert!(longest.is_some_and(|length| length <= 255));
        const { assert!(Knocks::BYTES <= 256 << 10) };
        // A table of a power of two, a name of 255 bytes, an entry.
        let slot = size_of::<Domain>() + size_of::<Entry>() + 255 + 16;
        let capacity = knocks.lock().names.capacity();
        assert!(capacity * size_of::<(Domain, Entry)>() + MOST * slot <= 2 * Knocks::BYTES);
    }

    #[test]
    fn one_network_has_a_few_places() {
        let (knocks, now) = (Knocks::default(), Instant::now());
        for number in 0..100 {
            knocks.note(&domain(&format!("n{number}.example")), from(number), now);
        }
        knocks.note(&domain("other.example"), from(1 << 8), now);
        let (names, uncounted) = knocks.list();
        assert_eq!(names.len(), OF_ONE_NETWORK + 1);
        assert_eq!(uncounted, 100 - OF_ONE_NETWORK as u64);
    }

    #[test]
    fn who_has_not_come_for_an_hour_makes_room() {
        let (knocks, now) = (Knocks::default(), Instant::now());
        for number in 0..MOST {
            let network = u32::try_from(number << 8).unwrap();
            knocks.note(&domain(&format!("n{number}.example")), from(network), now);
        }
        let late = domain("late.example");
        knocks.note(&late, from(1 << 20), now + STALE - Duration::from_secs(1));
        assert!(!knocks.list().0.iter().any(|it| it.domain == late));
        knocks.note(&late, from(1 << 20), now + STALE);
        assert_eq!(knocks.list().0.len(), 1);
    }

    #[test]
    fn what_becomes_a_partner_is_forgotten() {
        let (knocks, now) = (Knocks::default(), Instant::now());
        knocks.note(&domain("a.example"), from(0), now);
        knocks.forget(|known| known.as_str() == "a.example");
        assert!(knocks.list().0.is_empty());
    }
}
