//! How often something came to nothing within a minute, by whom it is charged to.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::familiar::Acquaintance;
use super::limits::Rates;
use super::network::Network;
use crate::proto::jid::Domain;

/// Who a stranger is charged to.
#[derive(Clone, Debug)]
pub(super) struct Stranger<'a> {
    pub(super) address: IpAddr,
    /// Whom it poses as; `None` where that partner is known to be at this address.
    pub(super) posing_as: Option<&'a Domain>,
    /// Whether whom it claims to be is known to be at this address.
    pub(super) standing: Acquaintance,
    /// Whether an entry of its own lists whom it claims to be.
    pub(super) is_listed: bool,
}

/// The charges of one minute. Who is known at its address has accounts apart from the strangers', so
/// no crowd of them takes the room, or uses up what its network may do.
#[derive(Debug, Default)]
pub(super) struct Tally {
    began: Option<Instant>,
    strangers: Accounts,
    acquainted: Accounts,
    listed: Accounts,
}

type Accounts = HashMap<Account, usize>;

/// How long charges are remembered.
const WINDOW: Duration = Duration::from_secs(60);
/// How many accounts of strangers there are in one minute. Whoever comes later shares one of each kind,
/// so that a crowd of addresses cannot take more memory.
const MOST: usize = 16_384;
/// How many accounts there are of those who are known where they come from, listed or not.
const MOST_KNOWN: usize = 4096;
/// How many times the limit of one account a shared one has.
const SHARED: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Account {
    Address(IpAddr),
    Network(Network),
    Domain(Domain),
    /// Those for whom there was no room, by the kind of account and whom they claim to be.
    Others(Exceeded, Crowd),
}

/// Who shares an account. A crowd uses up its own, and that of no listed partner that it does not pose as.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Crowd {
    /// Those whose header names nobody.
    Nameless,
    /// Those who claim to be a domain that no entry lists.
    Unlisted,
    /// Those who pose as one partner that is listed.
    Posing(Domain),
}

/// In whose accounts it is charged, which one, and the limit that holds for it.
type Charge = (Acquaintance, Account, Exceeded);

impl Tally {
    /// What it takes in memory at most, in bytes: an address or a name each.
    pub(super) const BYTES: usize = (MOST + 2 * MOST_KNOWN) * 320;

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
            *self = Self {
                began: Some(now),
                ..Self::default()
            };
        }
        let charges = self.charges(stranger);
        for (standing, account, exceeded) in &charges {
            let shared = matches!(account, Account::Others(..));
            let limit = exceeded.limit(limits) * if shared { SHARED } else { 1 };
            let count = self.of(*standing).get(account);
            if limit != 0 && count.is_some_and(|count| *count >= limit) {
                return Err(*exceeded);
            }
        }
        for (standing, account, _) in charges {
            *self.of(standing).entry(account).or_default() += 1;
        }
        Ok(())
    }

    /// Takes one charge back: it came to something.
    pub(super) fn refund(&mut self, stranger: &Stranger<'_>) {
        for (standing, account, _) in self.charges(stranger) {
            if let Some(count) = self.of(standing).get_mut(&account) {
                *count = count.saturating_sub(1);
            }
        }
    }

    fn of(&mut self, standing: Acquaintance) -> &mut Accounts {
        match standing {
            Acquaintance::Stranger => &mut self.strangers,
            Acquaintance::Acquainted => &mut self.acquainted,
            Acquaintance::Listed => &mut self.listed,
        }
    }

    /// What a stranger is charged.
    fn charges(&mut self, stranger: &Stranger<'_>) -> Vec<Charge> {
        let domain = stranger.posing_as.cloned().map(Account::Domain);
        let network = Network::of(stranger.address);
        let all = [
            (Some(Account::Address(stranger.address)), Exceeded::Address),
            (Some(Account::Network(network)), Exceeded::Prefix),
            (domain, Exceeded::Domain),
        ];
        all.into_iter()
            .filter_map(|(account, exceeded)| {
                let (standing, account) = self.place(account?, exceeded, stranger)?;
                Some((standing, account, exceeded))
            })
            .collect()
    }

    /// Where there is room for an account.
    fn place(
        &mut self,
        account: Account,
        exceeded: Exceeded,
        stranger: &Stranger<'_>,
    ) -> Option<(Acquaintance, Account)> {
        let mut has_room = |standing, most| {
            let accounts = self.of(standing);
            accounts.len() < most || accounts.contains_key(&account)
        };
        match stranger.standing {
            // A partner that is listed is not kept out for want of room: it has few addresses that are
            // known, and so few accounts.
            Acquaintance::Listed => {
                return has_room(Acquaintance::Listed, MOST_KNOWN)
                    .then_some((Acquaintance::Listed, account));
            }
            Acquaintance::Acquainted if has_room(Acquaintance::Acquainted, MOST_KNOWN) => {
                return Some((Acquaintance::Acquainted, account));
            }
            Acquaintance::Acquainted | Acquaintance::Stranger => {}
        }
        // There are only so many names of partners that are listed.
        let is_listed = stranger.is_listed && exceeded == Exceeded::Domain;
        if is_listed || has_room(Acquaintance::Stranger, MOST) {
            return Some((Acquaintance::Stranger, account));
        }
        let crowd = match stranger.posing_as {
            Some(partner) if stranger.is_listed => Crowd::Posing(partner.clone()),
            Some(_) => Crowd::Unlisted,
            None if stranger.standing == Acquaintance::Acquainted => Crowd::Unlisted,
            None => Crowd::Nameless,
        };
        Some((Acquaintance::Stranger, Account::Others(exceeded, crowd)))
    }
}

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
            standing: Acquaintance::Stranger,
            is_listed: posing_as.is_some(),
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

    /// A tally in which strangers whose headers name nobody have taken all the room, and all that they
    /// share.
    fn crowded(now: Instant) -> Tally {
        let mut tally = Tally::default();
        let mut refused = 0;
        for number in 0..u32::try_from(2 * MOST).unwrap() {
            let address = 0x0A00_0000 | (number << 8);
            let stranger = stranger(address.to_be_bytes(), None);
            refused += usize::from(tally.charge(&stranger, LIMITS, now).is_err());
        }
        assert!(refused > MOST, "{refused}");
        tally
    }

    #[test]
    fn a_crowd_of_addresses_takes_only_so_much_room_and_then_shares_its_limits() {
        let tally = crowded(Instant::now());
        let accounts = tally.strangers.len();
        assert!(accounts <= MOST + 3, "{accounts}");
        let shared = Account::Others(Exceeded::Address, Crowd::Nameless);
        assert_eq!(tally.strangers[&shared], SHARED * LIMITS.per_address);
    }

    #[test]
    fn a_crowd_uses_up_only_what_it_shares() {
        let now = Instant::now();
        let [one, other] = ["a.example", "b.example"].map(|it| Domain::parse(it).unwrap());
        let mut tally = crowded(now);
        let late = |last, posing_as, is_listed| Stranger {
            is_listed,
            ..stranger([192, 0, last, 1], posing_as)
        };
        let nameless = tally.charge(&late(1, None, false), LIMITS, now);
        assert_eq!(nameless, Err(Exceeded::Address));
        // A domain that nobody lists shares with its like, and so does whoever poses as a partner.
        assert_eq!(
            tally.charge(&late(2, Some(&one), false), LIMITS, now),
            Ok(())
        );
        let mut posing =
            |last, partner| tally.charge(&late(last, Some(partner), true), LIMITS, now);
        let refused = (0..50).find_map(|last| posing(last, &one).err());
        assert_eq!(refused, Some(Exceeded::Domain));
        assert_eq!(posing(51, &other), Ok(()));
    }

    #[test]
    fn whoever_is_known_where_it_comes_from_is_never_charged_with_the_crowd() {
        let now = Instant::now();
        let mut tally = crowded(now);
        for standing in [Acquaintance::Acquainted, Acquaintance::Listed] {
            let known = Stranger {
                standing,
                ..stranger([10, 0, 1, 1], None)
            };
            // Its network has done what it may, and there is no room: its own limits hold.
            for want in [Ok(()), Ok(()), Err(Exceeded::Address)] {
                assert_eq!(tally.charge(&known, LIMITS, now), want, "{standing:?}");
            }
            tally.refund(&known);
            assert_eq!(tally.charge(&known, LIMITS, now), Ok(()), "{standing:?}");
        }
        // However many are known, those who are listed pass.
        for number in 0..u32::try_from(2 * MOST_KNOWN).unwrap() {
            let known = Stranger {
                standing: Acquaintance::Listed,
                ..stranger((0x0B00_0000 | (number << 8)).to_be_bytes(), None)
            };
            assert_eq!(tally.charge(&known, LIMITS, now), Ok(()));
        }
        assert!(tally.listed.len() <= MOST_KNOWN + 1);
    }
}
