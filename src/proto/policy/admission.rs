//! The ledger of those who have proven nothing: what they hold and what they cost is charged to
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
//! Who claims to be a partner is charged to its name only where that partner has not proven itself
//! from the same address lately: a crowd that poses as a partner must not keep the partner out.

mod familiar;
mod limits;
mod network;
mod tally;

pub use limits::{AdmissionLimits, Rates};
pub use network::Network;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use self::familiar::Familiar;
use self::tally::{Exceeded, Stranger, Tally};
use super::Reason;
use crate::proto::jid::Domain;

/// The connections that are there, by where they come from.
#[derive(Debug, Default)]
pub struct Admission {
    unauthenticated: usize,
    addresses: HashMap<IpAddr, Counts>,
    networks: HashMap<Network, usize>,
    /// How many claim to be a partner, from where it is not known.
    posing: HashMap<Domain, usize>,
    attempts: Tally,
    questions: Tally,
    familiar: Familiar,
}

/// The partner that a connection has proven to be.
#[derive(Clone, Copy, Debug)]
pub struct Proven<'a> {
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
    claim: Option<Claim>,
    authenticated: bool,
}

#[derive(Debug)]
struct Claim {
    /// `None` where the header names nobody.
    partner: Option<Domain>,
    is_familiar: bool,
    /// Whether the attempt is charged no more.
    is_vouched: bool,
    has_asked: bool,
}

#[derive(Debug, Default)]
struct Counts {
    unauthenticated: usize,
    all: usize,
}

impl Admission {
    /// What it takes in memory at most, in bytes, without the connections that are counted: what was
    /// charged in a minute, for attempts and for questions, and the addresses of partners.
    pub const BYTES: usize = 2 * Tally::BYTES + Familiar::BYTES;

    /// Counts a new connection in, unauthenticated.
    ///
    /// # Errors
    /// [`Reason::TooManyStrangers`] names the limit that is reached; then nothing is counted.
    pub fn enter(&mut self, address: IpAddr, limits: &AdmissionLimits) -> Result<Visit, Reason> {
        let address = address.to_canonical();
        let network = Network::of(address);
        let (of_address, all) = self
            .addresses
            .get(&address)
            .map_or((0, 0), |counts| (counts.unauthenticated, counts.all));
        let of_prefix = self.networks.get(&network).copied().unwrap_or_default();
        for (count, limit, key) in [
            (
                self.unauthenticated,
                limits.unauthenticated,
                "unauthenticated-limit",
            ),
            (
                of_address,
                limits.unauthenticated_per_address,
                "unauthenticated-per-address",
            ),
            (
                of_prefix,
                limits.unauthenticated_per_prefix,
                "unauthenticated-per-prefix",
            ),
            (all, limits.per_address, "connections-per-address"),
        ] {
            within(count, limit, key)?;
        }
        let counts = self.addresses.entry(address).or_default();
        counts.unauthenticated += 1;
        counts.all += 1;
        *self.networks.entry(network).or_default() += 1;
        self.unauthenticated += 1;
        Ok(Visit {
            address,
            claim: None,
            authenticated: false,
        })
    }

    /// The connection claims to be a partner that policy would admit; `partner` is the one who has
    /// an account of its own in the rules. Who names nobody is charged all the same, but to no
    /// partner. A connection is charged once.
    ///
    /// # Errors
    /// [`Reason::TooManyStrangers`] names the limit that is reached.
    pub fn claim(
        &mut self,
        visit: &mut Visit,
        partner: Option<Domain>,
        limits: &AdmissionLimits,
        now: Instant,
    ) -> Result<(), Reason> {
        if visit.claim.is_some() {
            return Ok(());
        }
        let claim = Claim {
            is_familiar: partner
                .as_ref()
                .is_some_and(|partner| self.familiar.knows(partner, visit.address, now)),
            partner,
            is_vouched: false,
            has_asked: false,
        };
        let stranger = claim.stranger(visit.address);
        if let Some(partner) = stranger.posing_as {
            let posing = self.posing.get(partner).copied().unwrap_or_default();
            let limit = limits.unauthenticated_per_domain;
            within(posing, limit, "unauthenticated-per-domain")?;
        }
        self.attempts
            .charge(&stranger, limits.attempts, now)
            .map_err(|exceeded| {
                Reason::TooManyStrangers(match exceeded {
                    Exceeded::Address => "attempts-per-address",
                    Exceeded::Prefix => "attempts-per-prefix",
                    Exceeded::Domain => "attempts-per-domain",
                })
            })?;
        if let Some(partner) = stranger.posing_as {
            *self.posing.entry(partner.clone()).or_default() += 1;
        }
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
                    Exceeded::Address => "questions-per-address",
                    Exceeded::Prefix => "questions-per-prefix",
                    Exceeded::Domain => "questions-per-domain",
                })
            })?;
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
            self.attempts.refund(&claim.stranger(visit.address));
        }
    }

    /// The connection has proven who it is: a partner, where it is one, whomever it claimed to be.
    /// It may well prove others after the first.
    pub fn prove(&mut self, visit: &mut Visit, partner: Option<Proven<'_>>, now: Instant) {
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

    /// How many connections have proven nothing yet.
    #[must_use]
    pub fn unauthenticated(&self) -> usize {
        self.unauthenticated
    }

    fn count_out_stranger(&mut self, visit: &Visit) {
        self.unauthenticated = self.unauthenticated.saturating_sub(1);
        if let Some(counts) = self.addresses.get_mut(&visit.address) {
            counts.unauthenticated = counts.unauthenticated.saturating_sub(1);
        }
        one_less(&mut self.networks, &Network::of(visit.address));
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
        self.claim.as_ref().is_some_and(|claim| claim.is_familiar)
    }
}

impl Claim {
    fn stranger(&self, address: IpAddr) -> Stranger<'_> {
        Stranger {
            address,
            posing_as: self.partner.as_ref().filter(|_| !self.is_familiar),
        }
    }
}

fn within(count: usize, limit: usize, key: &'static str) -> Result<(), Reason> {
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
