//! Where partners have proven themselves: those who pose as one come from somewhere else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Party;
use crate::proto::jid::Domain;

/// What is known of where somebody comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acquaintance {
    /// Nothing.
    Stranger,
    /// A domain that no entry lists has proven itself there. Anybody can see to that.
    Acquainted,
    /// A partner that is listed has proven itself there.
    Listed,
}

/// From which addresses each partner has proven itself lately. Those that are listed, and those
/// under `[default-partner]`, each have a share of their own: anybody can be one of the latter.
#[derive(Debug, Default)]
pub(super) struct Familiar {
    listed: Share,
    others: Share,
}

#[derive(Debug, Default)]
struct Share {
    partners: HashMap<Domain, Vec<(IpAddr, Instant)>>,
    /// The same by address: before a header, nobody has a name.
    addresses: HashMap<IpAddr, Seen>,
}

#[derive(Debug)]
struct Seen {
    /// Of how many partners the address is known.
    partners: usize,
    /// When the last of them proved itself there.
    last: Instant,
}

/// How long an address is known as a partner's.
const LIFETIME: Duration = Duration::from_secs(7 * 86400);
/// How many of one partner's addresses are known: the last ones.
const ADDRESSES: usize = 16;
/// How many partners' addresses are known, of each of the two kinds.
const PARTNERS: usize = 4096;

impl Familiar {
    /// What it takes in memory at most, in bytes.
    pub(super) const BYTES: usize = 2 * PARTNERS * (ADDRESSES * (48 + 96) + 512);

    /// Whether a partner has proven itself from this address.
    pub(super) fn knows(&self, partner: &Domain, address: IpAddr, now: Instant) -> bool {
        // A reload may have listed it since, or not list it any more.
        [&self.listed, &self.others].into_iter().any(|share| {
            share.partners.get(partner).is_some_and(|known| {
                known
                    .iter()
                    .any(|(known, since)| *known == address && now < *since + LIFETIME)
            })
        })
    }

    /// What is known of an address, whoever may come from there.
    pub(super) fn standing(&self, address: IpAddr, now: Instant) -> Acquaintance {
        let has = |share: &Share| {
            let seen = share.addresses.get(&address);
            seen.is_some_and(|seen| now < seen.last + LIFETIME)
        };
        if has(&self.listed) {
            Acquaintance::Listed
        } else if has(&self.others) {
            Acquaintance::Acquainted
        } else {
            Acquaintance::Stranger
        }
    }

    /// A partner has proven itself from this address.
    pub(super) fn learn(&mut self, party: Party<'_>, address: IpAddr, now: Instant) {
        let share = if party.is_listed {
            &mut self.listed
        } else {
            &mut self.others
        };
        share.learn(party.partner, address, now);
    }
}

impl Share {
    fn learn(&mut self, partner: &Domain, address: IpAddr, now: Instant) {
        if self.partners.len() >= PARTNERS && !self.partners.contains_key(partner) {
            self.forget_oldest();
        }
        let known = self.partners.entry(partner.clone()).or_default();
        let before = known.len();
        known.retain(|(known, _)| *known != address);
        let is_new = known.len() == before;
        known.push((address, now));
        let surplus = (known.len() > ADDRESSES).then(|| known.remove(0));
        let seen = self.addresses.entry(address).or_insert(Seen {
            partners: 0,
            last: now,
        });
        seen.partners += usize::from(is_new);
        seen.last = now;
        if let Some((address, _)) = surplus {
            forget(&mut self.addresses, address);
        }
    }

    /// Forgets the half of the partners that have not proven themselves for the longest time.
    fn forget_oldest(&mut self) {
        let last = |known: &[(IpAddr, Instant)]| known.last().map(|(_, since)| *since);
        let mut times: Vec<_> = self
            .partners
            .values()
            .filter_map(|known| last(known))
            .collect();
        times.sort_unstable();
        let Some(middle) = times.get(times.len() / 2).copied() else {
            return;
        };
        let mut surplus = self.partners.len() / 2;
        let addresses = &mut self.addresses;
        self.partners.retain(|_, known| {
            let is_old = surplus > 0 && last(known).is_none_or(|since| since <= middle);
            surplus -= usize::from(is_old);
            if is_old {
                for (address, _) in known.iter() {
                    forget(addresses, *address);
                }
            }
            !is_old
        });
    }
}

/// An address is known of one partner less.
fn forget(addresses: &mut HashMap<IpAddr, Seen>, address: IpAddr) {
    if let Some(seen) = addresses.get_mut(&address) {
        seen.partners = seen.partners.saturating_sub(1);
        if seen.partners == 0 {
            addresses.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant to begin at"
    )]

    use super::*;

    fn partner(number: usize) -> Domain {
        Domain::parse(&format!("p{number}.example")).unwrap()
    }

    fn learn(familiar: &mut Familiar, number: usize, listed: bool, last: usize, now: Instant) {
        let partner = &partner(number);
        let party = Party {
            partner,
            is_listed: listed,
        };
        familiar.learn(party, address(last), now);
    }

    fn address(last: usize) -> IpAddr {
        IpAddr::from([192, 0, 2, u8::try_from(last).unwrap()])
    }

    #[test]
    fn an_address_is_known_for_the_partner_that_proved_itself_there_and_for_a_week() {
        let now = Instant::now();
        let mut familiar = Familiar::default();
        learn(&mut familiar, 0, true, 1, now);
        for (number, last, later, known) in [
            (0, 1, Duration::ZERO, true),
            (0, 2, Duration::ZERO, false),
            (1, 1, Duration::ZERO, false),
            (0, 1, LIFETIME, false),
        ] {
            let knows = familiar.knows(&partner(number), address(last), now + later);
            assert_eq!(knows, known, "{number} {last} {later:?}");
        }
    }

    #[test]
    fn an_address_has_the_standing_of_the_best_who_has_proven_itself_there() {
        let now = Instant::now();
        let mut familiar = Familiar::default();
        learn(&mut familiar, 0, false, 1, now);
        learn(&mut familiar, 1, false, 2, now);
        learn(&mut familiar, 2, true, 2, now);
        for (last, later, want) in [
            (1, Duration::ZERO, Acquaintance::Acquainted),
            (2, Duration::ZERO, Acquaintance::Listed),
            (3, Duration::ZERO, Acquaintance::Stranger),
            (2, LIFETIME, Acquaintance::Stranger),
        ] {
            let standing = familiar.standing(address(last), now + later);
            assert_eq!(standing, want, "{last} {later:?}");
        }
    }

    #[test]
    fn the_addresses_are_those_of_the_partners_whoever_is_forgotten() {
        let now = Instant::now();
        let mut familiar = Familiar::default();
        for number in 0..PARTNERS + 2 {
            for last in 0..3 {
                learn(&mut familiar, number, false, (number + 7 * last) % 200, now);
            }
        }
        for last in 0..2 * ADDRESSES {
            learn(&mut familiar, 0, false, last, now);
        }
        let mut counts = HashMap::<IpAddr, usize>::new();
        for (address, _) in familiar.others.partners.values().flatten() {
            *counts.entry(*address).or_default() += 1;
        }
        let seen = &familiar.others.addresses;
        assert_eq!(seen.len(), counts.len());
        assert!(
            seen.iter()
                .all(|(address, seen)| counts[address] == seen.partners)
        );
    }

    #[test]
    fn only_the_last_addresses_of_a_partner_are_known() {
        let now = Instant::now();
        let mut familiar = Familiar::default();
        for last in 0..=ADDRESSES {
            learn(&mut familiar, 0, true, last, now);
        }
        assert!(!familiar.knows(&partner(0), address(0), now));
        assert!(familiar.knows(&partner(0), address(ADDRESSES), now));
    }

    #[test]
    fn strangers_push_out_nobody_who_is_listed_and_the_oldest_of_themselves() {
        let now = Instant::now();
        let mut familiar = Familiar::default();
        learn(&mut familiar, 0, true, 1, now);
        for number in 1..=3 * PARTNERS {
            let later = Duration::from_millis(u64::try_from(number).unwrap());
            learn(&mut familiar, number, false, 1, now + later);
        }
        let later = now + Duration::from_secs(60);
        assert!(familiar.others.partners.len() <= PARTNERS);
        assert!(familiar.knows(&partner(0), address(1), later));
        assert!(familiar.knows(&partner(3 * PARTNERS), address(1), later));
        assert!(!familiar.knows(&partner(1), address(1), later));
        // One who is listed is always learned.
        learn(&mut familiar, 3 * PARTNERS + 1, true, 1, later);
        assert!(familiar.knows(&partner(3 * PARTNERS + 1), address(1), later));
    }
}
