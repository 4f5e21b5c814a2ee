//! How often something came to nothing within a minute, by whom it is charged to.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::limits::Rates;
use super::network::Network;
use crate::proto::jid::Domain;

/// Who a stranger is charged to.
#[derive(Clone, Debug)]
pub(super) struct Stranger<'a> {
    pub(super) address: IpAddr,
    /// Whom it poses as; `None` where that partner is known to be at this address.
    pub(super) posing_as: Option<&'a Domain>,
}

/// The charges of one minute.
#[derive(Debug, Default)]
pub(super) struct Tally {
    began: Option<Instant>,
    charges: HashMap<Account, usize>,
}

/// How long charges are remembered.
const WINDOW: Duration = Duration::from_secs(60);
/// How many accounts there are in one minute. Whoever comes later shares one of each kind, so that
/// a crowd of addresses cannot take more memory.
const MOST: usize = 16_384;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Account {
    Address(IpAddr),
    Network(Network),
    Domain(Domain),
    /// Those for whom there was no room, by the kind of account.
    Others(u8),
}

impl Tally {
    /// What it takes in memory at most, in bytes: an address or a name each.
    pub(super) const BYTES: usize = MOST * 320;

    /// Charges a stranger for one more.
    ///
    /// # Errors
    /// Which of the limits is reached; then nothing is charged.
    pub(super) fn charge(
        &mut self,
        stranger: &Stranger<'_>,
        limits: Rates,
        now: Instant,
    ) -> Result<(), Exceeded> {
        if self.began.is_none_or(|began| now >= began + WINDOW) {
            self.charges = HashMap::new();
            self.began = Some(now);
        }
        let accounts = self.accounts(stranger);
        for (account, exceeded) in &accounts {
            let limit = exceeded.limit(limits);
            if limit != 0
                && self
                    .charges
                    .get(account)
                    .is_some_and(|count| *count >= limit)
            {
                return Err(*exceeded);
            }
        }
        for (account, _) in accounts {
            *self.charges.entry(account).or_default() += 1;
        }
        Ok(())
    }

    /// Takes one charge back: it came to something.
    pub(super) fn refund(&mut self, stranger: &Stranger<'_>) {
        for (account, _) in self.accounts(stranger) {
            if let Some(count) = self.charges.get_mut(&account) {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// The accounts of a stranger, each with the limit that holds for it.
    fn accounts(&self, stranger: &Stranger<'_>) -> Vec<(Account, Exceeded)> {
        let domain = stranger.posing_as.cloned().map(Account::Domain);
        let all = [
            (Some(Account::Address(stranger.address)), Exceeded::Address),
            (
                Some(Account::Network(Network::of(stranger.address))),
                Exceeded::Prefix,
            ),
            (domain, Exceeded::Domain),
        ];
        let is_full = self.charges.len() >= MOST;
        all.into_iter()
            .filter_map(|(account, exceeded)| {
                let account = account?;
                if is_full && !self.charges.contains_key(&account) {
                    return Some((Account::Others(exceeded as u8), exceeded));
                }
                Some((account, exceeded))
            })
            .collect()
    }
}

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exceeded {
    Address,
    Prefix,
    Domain,
}

impl Exceeded {
    fn limit(self, limits: Rates) -> usize {
        match self {
            Self::Address => limits.per_address,
            Self::Prefix => limits.per_prefix,
            Self::Domain => limits.per_domain,
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

    const LIMITS: Rates = Rates {
        per_address: 2,
        per_prefix: 3,
        per_domain: 4,
    };

    fn stranger(address: [u8; 4], posing_as: Option<&Domain>) -> Stranger<'_> {
        Stranger {
            address: address.into(),
            posing_as,
        }
    }

    #[test]
    fn each_account_has_its_limit_and_a_minute() {
        let now = Instant::now();
        let partner = Domain::parse("fabrikam.example").unwrap();
        let mut tally = Tally::default();
        let mut charge = |last: u8, third: u8, at: u64| {
            let stranger = stranger([192, 0, third, last], Some(&partner));
            tally.charge(&stranger, LIMITS, now + Duration::from_secs(at))
        };
        for (address, at, want) in [
            ((1, 2), 0, Ok(())),
            ((1, 2), 1, Ok(())),
            ((1, 2), 2, Err(Exceeded::Address)),
            ((2, 2), 3, Ok(())),
            ((3, 2), 4, Err(Exceeded::Prefix)),
            ((1, 3), 5, Ok(())),
            ((1, 4), 59, Err(Exceeded::Domain)),
            ((1, 2), 60, Ok(())),
        ] {
            assert_eq!(charge(address.0, address.1, at), want, "{address:?} {at}");
        }
    }

    #[test]
    fn what_came_to_something_is_not_charged() {
        let now = Instant::now();
        let mut tally = Tally::default();
        let stranger = stranger([192, 0, 2, 1], None);
        for _ in 0..10 {
            assert_eq!(tally.charge(&stranger, LIMITS, now), Ok(()));
            tally.refund(&stranger);
        }
    }

    #[test]
    fn zero_is_no_limit() {
        let now = Instant::now();
        let mut tally = Tally::default();
        for _ in 0..100 {
            let stranger = stranger([192, 0, 2, 1], None);
            assert_eq!(tally.charge(&stranger, Rates::NONE, now), Ok(()));
        }
    }

    #[test]
    fn a_crowd_of_addresses_takes_only_so_much_room_and_then_shares_its_limits() {
        let now = Instant::now();
        let mut tally = Tally::default();
        let mut refused = 0;
        for number in 0..u32::try_from(2 * MOST).unwrap() {
            let address = 0x0A00_0000 | (number << 8);
            let stranger = stranger(address.to_be_bytes(), None);
            refused += usize::from(tally.charge(&stranger, LIMITS, now).is_err());
        }
        assert!(tally.charges.len() <= MOST + 3, "{}", tally.charges.len());
        assert!(refused > MOST, "{refused}");
    }
}
