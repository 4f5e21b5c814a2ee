//! Admission of those who have proven nothing: what they hold and what they cost is charged to
//! the connection, its address, its prefix and the partner that it claims to be, so that one host,
//! or one network of hosts, cannot crowd out the partners.
//!
//! ```text
//!   enter ──► claim ──► ask ──► prove ──► leave
//!     │         │        │        └ is counted no more, and its address is known as the partner's
//!     │         │        └ a dialback question: lookups and a connection
//!     │         └ a header that policy admits: a handshake, and a place among those who claim this
//!     └ a connection: a place among all, of its address and of its prefix
//! ```
//!
//! A tenth of the places is kept for connections from where a partner has proven itself lately, half of
//! it for those of listed partners: a crowd must not keep out who is known.
//!
//! Who claims to be a partner is charged to its name only where that partner has not proven itself
//! from the same address lately: a crowd that poses as a partner must not keep the partner out.

mod familiar;
mod limits;
mod look;
mod network;
mod tally;

pub use limits::{AdmissionLimits, Rates};
pub use look::{Charges, Look};
pub use network::Network;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use self::familiar::{Acquaintance, Familiar};
use self::tally::{Exceeded, Stranger, Tally};
use super::Reason;
use crate::proto::codes::Code;
use crate::proto::jid::Domain;

/// The connections that are there, by where they come from.
#[derive(Debug, Default)]
pub struct Admission {
    unauthenticated: Held,
    addresses: HashMap<IpAddr, Counts>,
    networks: HashMap<Network, Held>,
    /// How many claim to be a partner, from where it is not known.
    posing: HashMap<Domain, usize>,
    attempts: Tally,
    questions: Tally,
    familiar: Familiar,
    /// Since the process was started.
    charged: look::Charged,
}

/// The partner that a connection claims to be, or has proven to be.
#[derive(Clone, Copy, Debug)]
pub struct Party<'a> {
    /// By the name of its account.
    pub partner: &'a Domain,
    /// Whether an entry of its own lists it; else it is one of many under `[default-partner]`.
    pub is_listed: bool,
}

/// A connection that was counted in; it must be counted out by [`Admission::leave`].
#[derive(Debug)]
#[must_use]
pub struct Visit {
    address: IpAddr,
    /// What was known of the address when it came.
    standing: Acquaintance,
    claim: Option<Claimant>,
    authenticated: bool,
}

#[derive(Debug)]
struct Claimant {
    /// `None` where the header names nobody.
    partner: Option<Domain>,
    is_listed: bool,
    /// What is known of that partner at this address.
    standing: Acquaintance,
    /// Whether the attempt is charged no more.
    is_vouched: bool,
    has_asked: bool,
}

#[derive(Debug, Default)]
struct Counts {
    unauthenticated: usize,
    all: usize,
}

/// The places that are held by those who have proven nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    strangers: usize,
    acquainted: usize,
    listed: usize,
}

impl Held {
    fn of(&mut self, standing: Acquaintance) -> &mut usize {
        match standing {
            Acquaintance::Stranger => &mut self.strangers,
            Acquaintance::Acquainted => &mut self.acquainted,
            Acquaintance::Listed => &mut self.listed,
        }
    }

    fn all(&self) -> usize {
        self.strangers + self.acquainted + self.listed
    }

    /// Whether there is a place left, of so many.
    fn has_room(&self, standing: Acquaintance, limit: usize) -> bool {
        if limit == 0 {
            return true;
        }
        // Of a single place nothing can be kept.
        let reserve = if limit == 1 { 0 } else { limit.div_ceil(10) };
        let (held, may_hold) = match standing {
            Acquaintance::Stranger => (self.strangers, limit - reserve),
            Acquaintance::Acquainted => (
                self.strangers + self.acquainted,
                limit - reserve.div_ceil(2),
            ),
            Acquaintance::Listed => (0, limit),
        };
        held < may_hold && self.all() < limit
    }
}

impl Admission {
    /// What it takes in memory at most, in bytes, without the connections that are counted: what was
    /// charged in a minute, for attempts and for questions, and the addresses of partners.
    pub const BYTES: usize = 2 * Tally::BYTES + Familiar::BYTES;

    /// Counts a new connection in, unauthenticated.
    ///
    /// # Errors
    /// [`Reason::TooManyStrangers`] names the limit that is reached; then nothing is counted.
    pub fn enter(
        &mut self,
        address: IpAddr,
        limits: &AdmissionLimits,
        now: Instant,
    ) -> Result<Visit, Reason> {
        let address = address.to_canonical();
        let standing = self.familiar.standing(address, now);
        let network = Network::of(address);
        let (of_address, all) = self
            .addresses
            .get(&address)
            .map_or((0, 0), |counts| (counts.unauthenticated, counts.all));
        let of_prefix = self.networks.get(&network).copied().unwrap_or_default();
        let refused = |key| Err(Reason::TooManyStrangers(key));
        if !self
            .unauthenticated
            .has_room(standing, limits.unauthenticated)
        {
            return refused(Code::UNAUTHENTICATED_LIMIT);
        }
        let limit = limits.unauthenticated_per_address;
        within(of_address, limit, Code::UNAUTHENTICATED_PER_ADDRESS)?;
        if !of_prefix.has_room(standing, limits.unauthenticated_per_prefix) {
            return refused(Code::UNAUTHENTICATED_PER_PREFIX);
        }
        within(all, limits.per_address, Code::CONNECTIONS_PER_ADDRESS)?;
        let counts = self.addresses.entry(address).or_default();
        counts.unauthenticated += 1;
        counts.all += 1;
        *self.networks.entry(network).or_default().of(standing) += 1;
        *self.unauthenticated.of(standing) += 1;
        Ok(Visit {
            address,
            standing,
            claim: None,
            authenticated: false,
        })
    }

    /// The connection claims to be a partner that policy would admit; `party` is the one who has
    /// an account of its own in the rules. Who names nobody is charged all the same, but to no
    /// partner. A connection is charged once.
    ///
    /// # Errors
    /// [`Reason::TooManyStrangers`] names the limit that is reached.
    pub fn claim(
        &mut self,
        visit: &mut Visit,
        party: Option<Party<'_>>,
        limits: &AdmissionLimits,
        now: Instant,
    ) -> Result<(), Reason> {
        if visit.claim.is_some() {
            return Ok(());
        }
        let is_listed = party.is_some_and(|party| party.is_listed);
        let knows = |party: &Party<'_>| self.familiar.knows(party.partner, visit.address, now);
        let claim = Claimant {
            standing: match party.filter(knows) {
                None => Acquaintance::Stranger,
                Some(party) if party.is_listed => Acquaintance::Listed,
                Some(_) => Acquaintance::Acquainted,
            },
            is_listed,
            partner: party.map(|party| party.partner.clone()),
            is_vouched: false,
            has_asked: false,
        };
        let stranger = claim.stranger(visit.address);
        if let Some(partner) = stranger.posing_as {
            let posing = self.posing.get(partner).copied().unwrap_or_default();
            let limit = limits.unauthenticated_per_domain;
            within(posing, limit, Code::UNAUTHENTICATED_PER_DOMAIN)?;
        }
        self.attempts
            .charge(&stranger, limits.attempts, now)
            .map_err(|exceeded| {
                Reason::TooManyStrangers(match exceeded {
                    Exceeded::Address => Code::ATTEMPTS_PER_ADDRESS,
                    Exceeded::Prefix => Code::ATTEMPTS_PER_PREFIX,
                    Exceeded::Domain => Code::ATTEMPTS_PER_DOMAIN,
                })
            })?;
        if let Some(partner) = stranger.posing_as {
            *self.posing.entry(partner.clone()).or_default() += 1;
        }
        self.charged.attempts.charged += 1;
        visit.claim = Some(claim);
        Ok(())
    }

    /// The connection wants a dialback key to be asked about.
    ///
    /// # Errors
    /// [`Reason::TooManyStrangers`] names the limit that is reached.
    pub fn ask(
        &mut self,
        visit: &mut Visit,
        limits: &AdmissionLimits,
        now: Instant,
    ) -> Result<(), Reason> {
        // Nothing is asked on a stream that has not begun.
        let Some(claim) = visit.claim.as_mut() else {
            return Ok(());
        };
        self.questions
            .charge(&claim.stranger(visit.address), limits.questions, now)
            .map_err(|exceeded| {
                Reason::TooManyStrangers(match exceeded {
                    Exceeded::Address => Code::QUESTIONS_PER_ADDRESS,
                    Exceeded::Prefix => Code::QUESTIONS_PER_PREFIX,
                    Exceeded::Domain => Code::QUESTIONS_PER_DOMAIN,
                })
            })?;
        self.charged.questions.charged += 1;
        // What is asked on a stream that is proven already is charged whatever comes of it: a partner
        // that proves one domain after the other makes us dial each time.
        claim.has_asked |= !visit.authenticated;
        Ok(())
    }

    /// The connection has shown that it is no stranger, though it may prove no pair of its own:
    /// the attempt was not in vain.
    pub fn vouch(&mut self, visit: &mut Visit) {
        if let Some(claim) = visit.claim.as_mut().filter(|claim| !claim.is_vouched) {
            claim.is_vouched = true;
            self.charged.attempts.refunded += 1;
            self.attempts.refund(&claim.stranger(visit.address));
        }
    }

    /// The connection has proven who it is: a partner, where it is one, whomever it claimed to be.
    /// It may well prove others after the first.
    pub fn prove(&mut self, visit: &mut Visit, partner: Option<Party<'_>>, now: Instant) {
        if let Some(partner) = partner {
            self.familiar.learn(partner, visit.address, now);
        }
        if visit.authenticated {
            return;
        }
        self.vouch(visit);
        self.count_out_stranger(visit);
        visit.authenticated = true;
        if let Some(claim) = visit.claim.as_ref().filter(|claim| claim.has_asked) {
            self.charged.questions.refunded += 1;
            self.questions.refund(&claim.stranger(visit.address));
        }
    }

    /// A connection is gone; of those who have proven nothing, nothing is remembered but, for a
    /// minute, what they have cost.
    pub fn leave(&mut self, visit: &Visit) {
        if !visit.authenticated {
            self.count_out_stranger(visit);
        }
        if let Some(counts) = self.addresses.get_mut(&visit.address) {
            counts.all = counts.all.saturating_sub(1);
            if counts.all == 0 {
                self.addresses.remove(&visit.address);
            }
        }
    }

    /// What is held and charged, for reports.
    #[must_use]
    pub fn look(&self) -> Look {
        Look {
            strangers: self.unauthenticated.strangers,
            acquainted: self.unauthenticated.acquainted,
            listed: self.unauthenticated.listed,
            attempts: self.charged.attempts,
            questions: self.charged.questions,
        }
    }

    /// How many connections have proven nothing yet.
    #[must_use]
    pub fn unauthenticated(&self) -> usize {
        self.unauthenticated.all()
    }

    fn count_out_stranger(&mut self, visit: &Visit) {
        let held = self.unauthenticated.of(visit.standing);
        *held = held.saturating_sub(1);
        if let Some(counts) = self.addresses.get_mut(&visit.address) {
            counts.unauthenticated = counts.unauthenticated.saturating_sub(1);
        }
        let network = Network::of(visit.address);
        if let Some(held) = self.networks.get_mut(&network) {
            let own = held.of(visit.standing);
            *own = own.saturating_sub(1);
            if held.all() == 0 {
                self.networks.remove(&network);
            }
        }
        let claim = visit.claim.as_ref();
        if let Some(partner) = claim.and_then(|claim| claim.stranger(visit.address).posing_as) {
            one_less(&mut self.posing, partner);
        }
    }
}

impl Visit {
    /// Where it comes from.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Whether it claims to be a partner from where that partner has proven itself lately.
    #[must_use]
    pub fn is_familiar(&self) -> bool {
        self.claim.as_ref().is_some_and(Claimant::is_familiar)
    }
}

impl Claimant {
    fn is_familiar(&self) -> bool {
        self.standing != Acquaintance::Stranger
    }

    fn stranger(&self, address: IpAddr) -> Stranger<'_> {
        Stranger {
            address,
            posing_as: self.partner.as_ref().filter(|_| !self.is_familiar()),
            standing: self.standing,
            is_listed: self.is_listed,
        }
    }
}

fn within(count: usize, limit: usize, key: Code) -> Result<(), Reason> {
    if limit != 0 && count >= limit {
        return Err(Reason::TooManyStrangers(key));
    }
    Ok(())
}

fn one_less<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
