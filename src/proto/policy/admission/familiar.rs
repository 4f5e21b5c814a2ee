//! Where partners have proven themselves: those who pose as one come from somewhere else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::proto::jid::Domain;

/// From which addresses each partner has proven itself lately.
#[derive(Debug, Default)]
pub(super) struct Familiar(HashMap<Domain, Vec<(IpAddr, Instant)>>);

/// How long an address is known as a partner's.
const LIFETIME: Duration = Duration::from_secs(7 * 86400);
/// How many of one partner's addresses are known: the last ones.
const ADDRESSES: usize = 16;
/// How many partners' addresses are known.
const PARTNERS: usize = 4096;

impl Familiar {
    /// Whether a partner has proven itself from this address.
    pub(super) fn knows(&self, partner: &Domain, address: IpAddr, now: Instant) -> bool {
        self.0.get(partner).is_some_and(|known| {
            known
                .iter()
                .any(|(known, since)| *known == address && now < *since + LIFETIME)
        })
    }

    /// A partner has proven itself from this address.
    pub(super) fn learn(&mut self, partner: &Domain, address: IpAddr, now: Instant) {
        if self.0.len() >= PARTNERS && !self.0.contains_key(partner) {
            let is_known = |(_, since): &(IpAddr, Instant)| now < *since + LIFETIME;
            self.0.retain(|_, known| known.iter().any(is_known));
            if self.0.len() >= PARTNERS {
                return;
            }
        }
        let known = self.0.entry(partner.clone()).or_default();
        known.retain(|(known, _)| *known != address);
        known.push((address, now));
        if known.len() > ADDRESSES {
            known.remove(0);
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

    #[test]
    fn an_address_is_known_for_the_partner_that_proved_itself_there_and_for_a_week() {
        let now = Instant::now();
        let here = IpAddr::from([192, 0, 2, 1]);
        let mut familiar = Familiar::default();
        familiar.learn(&partner(0), here, now);
        for (number, address, later, known) in [
            (0, [192, 0, 2, 1], Duration::ZERO, true),
            (0, [192, 0, 2, 2], Duration::ZERO, false),
            (1, [192, 0, 2, 1], Duration::ZERO, false),
            (0, [192, 0, 2, 1], LIFETIME, false),
        ] {
            let knows = familiar.knows(&partner(number), address.into(), now + later);
            assert_eq!(knows, known, "{number} {address:?} {later:?}");
        }
    }

    #[test]
    fn only_the_last_addresses_and_so_many_partners_are_known() {
        let now = Instant::now();
        let address = |last: usize| IpAddr::from([192, 0, 2, u8::try_from(last).unwrap()]);
        let mut familiar = Familiar::default();
        for last in 0..=ADDRESSES {
            familiar.learn(&partner(0), address(last), now);
        }
        assert!(!familiar.knows(&partner(0), address(0), now));
        assert!(familiar.knows(&partner(0), address(ADDRESSES), now));
        for number in 1..=PARTNERS {
            familiar.learn(&partner(number), address(1), now);
        }
        assert_eq!(familiar.0.len(), PARTNERS);
        assert!(!familiar.knows(&partner(PARTNERS), address(1), now));
        // What is out of date makes room.
        familiar.learn(&partner(PARTNERS), address(1), now + LIFETIME);
        assert!(familiar.knows(&partner(PARTNERS), address(1), now + LIFETIME));
    }
}
