//! Where partners have proven themselves: those who pose as one come from somewhere else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Proven;
use crate::proto::jid::Domain;

/// From which addresses each partner has proven itself lately. Those that are listed, and those
/// under `[default-partner]`, each have a share of their own: anybody can be one of the latter.
#[derive(Debug, Default)]
pub(super) struct Familiar {
    listed: HashMap<Domain, Vec<(IpAddr, Instant)>>,
    others: HashMap<Domain, Vec<(IpAddr, Instant)>>,
}

/// How long an address is known as a partner's.
const LIFETIME: Duration = Duration::from_secs(7 * 86400);
/// How many of one partner's addresses are known: the last ones.
const ADDRESSES: usize = 16;
/// How many partners' addresses are known, of each of the two kinds.
const PARTNERS: usize = 4096;

impl Familiar {
    /// What it takes in memory at most, in bytes.
    pub(super) const BYTES: usize = 2 * PARTNERS * (ADDRESSES * 48 + 512);

    /// Whether a partner has proven itself from this address.
    pub(super) fn knows(&self, partner: &Domain, address: IpAddr, now: Instant) -> bool {
        // A reload may have listed it since, or not list it any more.
        [&self.listed, &self.others].into_iter().any(|share| {
            share.get(partner).is_some_and(|known| {
                known
                    .iter()
                    .any(|(known, since)| *known == address && now < *since + LIFETIME)
            })
        })
    }

    /// A partner has proven itself from this address.
    pub(super) fn learn(&mut self, proven: Proven<'_>, address: IpAddr, now: Instant) {
        let share = if proven.is_listed {
            &mut self.listed
        } else {
            &mut self.others
        };
        if share.len() >= PARTNERS && !share.contains_key(proven.partner) {
            forget_oldest(share);
        }
        let known = share.entry(proven.partner.clone()).or_default();
        known.retain(|(known, _)| *known != address);
        known.push((address, now));
        if known.len() > ADDRESSES {
            known.remove(0);
        }
    }
}

/// Forgets the half of the partners that have not proven themselves for the longest time.
fn forget_oldest(share: &mut HashMap<Domain, Vec<(IpAddr, Instant)>>) {
    let last = |known: &[(IpAddr, Instant)]| known.last().map(|(_, since)| *since);
    let mut times: Vec<_> = share.values().filter_map(|known| last(known)).collect();
    times.sort_unstable();
    let Some(middle) = times.get(times.len() / 2).copied() else {
        return;
    };
    let mut surplus = share.len() / 2;
    share.retain(|_, known| {
        let is_old = surplus > 0 && last(known).is_none_or(|since| since <= middle);
        surplus -= usize::from(is_old);
        !is_old
    });
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
        let proven = Proven {
            partner,
            is_listed: listed,
        };
        familiar.learn(proven, address(last), now);
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
        assert!(familiar.others.len() <= PARTNERS);
        assert!(familiar.knows(&partner(0), address(1), later));
        assert!(familiar.knows(&partner(3 * PARTNERS), address(1), later));
        assert!(!familiar.knows(&partner(1), address(1), later));
        // One who is listed is always learned.
        learn(&mut familiar, 3 * PARTNERS + 1, true, 1, later);
        assert!(familiar.knows(&partner(3 * PARTNERS + 1), address(1), later));
    }
}
