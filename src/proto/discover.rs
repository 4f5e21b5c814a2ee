//! Where a domain's server may be reached: order and admissibility of what DNS says.
//!
//! DNS answers are not authenticated. They choose where we connect to and nothing else: the
//! certificate is always asked for the domain.

mod address;
mod effort;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

pub use address::{Turns, is_public, special_use};
pub use effort::Effort;

use super::jid::Domain;
use super::policy::HostPort;

/// The port of XMPP between servers where nothing names another (RFC 6120 §14.7).
pub const DEFAULT_PORT: u16 = 5269;

/// One SRV record of `_xmpp-server._tcp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrvRecord {
    /// Lower is tried first.
    pub priority: u16,
    /// The share among records of one priority.
    pub weight: u16,
    /// The TCP port.
    pub port: u16,
    /// The host, without the final dot; empty for the root domain.
    pub target: String,
}

/// One place to connect to, and why there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A DNS name or an IP address without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// What named this place.
    pub via: Via,
}

impl Target {
    /// Whether it is an address, and no name.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What named a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// The partner's `route` setting: the administrator's own word, so any address is admissible.
    Route,
    /// An SRV record.
    Srv {
        /// Its priority.
        priority: u16,
        /// Its weight.
        weight: u16,
    },
    /// The domain itself at the default port.
    Fallback(Fallback),
    /// The domain is an IP literal.
    Literal,
}

/// Why the domain itself is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// There is no SRV record.
    NoRecord,
    /// The query for SRV records was not answered, for this reason. What DNS says about the domain's
    /// own address is then no proof that there is no service.
    NoAnswer(Arc<str>),
}

/// The name that SRV records of a domain stand under (RFC 6120 §3.2.1).
#[must_use]
pub fn service(domain: &str) -> String {
    format!("_xmpp-server._tcp.{domain}")
}

/// The targets of a configured route, in its order.
#[must_use]
pub fn route(hosts: &[HostPort]) -> Vec<Target> {
    let target = |one: &HostPort| Target {
        host: one.host.clone(),
        port: one.port,
        via: Via::Route,
    };
    hosts.iter().map(target).collect()
}

/// The one target of a domain that is an IP literal; `None` for a name.
#[must_use]
pub fn literal(domain: &Domain) -> Option<Target> {
    let host = domain.as_str().trim_matches(['[', ']']);
    domain.is_address().then(|| Target {
        host: host.to_owned(),
        port: DEFAULT_PORT,
        via: Via::Literal,
    })
}

/// The targets of a domain, first to be tried first: by its SRV records, or the domain itself where
/// there is none; no more than `most`.
///
/// `draw` gives a random number below its argument, each equally likely.
///
/// # Errors
/// [`NotOffered`] when the domain says that it offers no such service.
pub fn targets(
    domain: &Domain,
    records: Vec<SrvRecord>,
    most: usize,
    mut draw: impl FnMut(u32) -> u32,
) -> Result<Vec<Target>, NotOffered> {
    if records.is_empty() {
        return Ok(vec![fallback(domain, Fallback::NoRecord)]);
    }
    // RFC 2782, "Target": the root domain says that the service is decidedly not available; where
    // it stands beside real targets, they are what is meant.
    let mut rest: Vec<_> = records
        .into_iter()
        .filter(|record| !record.target.is_empty())
        .collect();
    if rest.is_empty() {
        return Err(NotOffered);
    }
    let mut ordered = Vec::new();
    while let Some(first) = rest.iter().map(|record| record.priority).min() {
        let (group, others) = rest.into_iter().partition(|one| one.priority == first);
        rest = others;
        by_weight(group, &mut draw, &mut ordered);
    }
    ordered.truncate(most);
    Ok(ordered)
}

/// RFC 6120 §3.2.2: without SRV records, the domain itself at the default port.
#[must_use]
pub fn fallback(domain: &Domain, why: Fallback) -> Target {
    Target {
        host: domain.as_str().to_owned(),
        port: DEFAULT_PORT,
        via: Via::Fallback(why),
    }
}

/// The domain's SRV record says that there is no XMPP service between servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the domain says in DNS that it offers no XMPP service to other servers (SRV target \".\")"
)]
pub struct NotOffered;

/// RFC 2782, "Weight": appends the records of one priority, drawn by weight.
fn by_weight(
    mut group: Vec<SrvRecord>,
    draw: &mut impl FnMut(u32) -> u32,
    ordered: &mut Vec<Target>,
) {
    // "In any order": shuffled, so that records of weight 0 share the load as well.
    for end in (1..group.len()).rev() {
        let bound = u32::try_from(end).map_or(u32::MAX, |end| end.saturating_add(1));
        group.swap(end, draw(bound).min(bound.saturating_sub(1)) as usize);
    }
    group.sort_by_key(|record| record.weight != 0);
    while !group.is_empty() {
        let sum: u32 = group.iter().map(|record| u32::from(record.weight)).sum();
        let drawn = draw(sum.saturating_add(1));
        let mut running = 0;
        let index = group.iter().position(|record| {
            running += u32::from(record.weight);
            running >= drawn
        });
        let record = group.remove(index.unwrap_or(0));
        ordered.push(Target {
            host: record.target,
            port: record.port,
            via: Via::Srv {
                priority: record.priority,
                weight: record.weight,
            },
        });
    }
}

#[cfg(test)]
mod tests;
