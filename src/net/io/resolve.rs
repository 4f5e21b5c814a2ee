//! Asks DNS, within limits of time and size, and tells "there is none" from "nobody answered".

mod failure;
mod servers;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::{TokioResolver, system_conf};
use tokio::time::timeout;

pub use failure::{DiscoverFailure, LookupFault};
pub use servers::Servers;

use crate::proto::discover::{self, Fallback, SrvRecord, Target, service};
use crate::proto::jid::Domain;

/// Asks DNS; cheap to clone, and clones share one cache.
#[derive(Clone, Debug)]
pub struct DnsResolver {
    inner: TokioResolver,
    servers: Servers,
}

impl DnsResolver {
    /// A resolver that asks these servers, or those of the system when none are given.
    ///
    /// # Errors
    /// [`ResolverSetupError`] when the system's settings cannot be read.
    pub fn new(nameservers: &[SocketAddr]) -> Result<Self, ResolverSetupError> {
        let failed = |error: NetError| ResolverSetupError(error.to_string());
        let (config, options) = if nameservers.is_empty() {
            let (config, options) = system_conf::read_system_conf().map_err(failed)?;
            let servers = Servers::of_system(&config);
            return Self::with(config, options, servers).map_err(failed);
        } else {
            let servers = nameservers.iter().map(nameserver).collect();
            let config = ResolverConfig::from_name_servers(servers);
            let mut options = ResolverOpts::default();
            // Who names his servers wants their answers, and not those of a file.
            options.use_hosts_file = ResolveHosts::Never;
            (config, options)
        };
        Self::with(config, options, Servers::configured(nameservers)).map_err(failed)
    }

    fn with(
        config: ResolverConfig,
        mut options: ResolverOpts,
        servers: Servers,
    ) -> Result<Self, NetError> {
        limit(&mut options);
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let inner = builder.with_options(options).build()?;
        Ok(Self { inner, servers })
    }

    /// Where the server of a domain may be reached, first to be tried first; `most` such places.
    ///
    /// # Errors
    /// [`DiscoverFailure`] when the domain offers no such service, or DNS does not answer. That
    /// the domain has no address at all shows only when one of its targets is connected to.
    pub async fn targets(&self, domain: &Domain, most: usize) -> Result<Found, DiscoverFailure> {
        let alone = |target| Found {
            targets: vec![target],
            ttl: None,
        };
        if let Some(target) = discover::literal(domain) {
            return Ok(alone(target));
        }
        let records = match self.srv(domain).await {
            Ok(records) => records,
            Err(fault) if fault.is_absent() => Vec::new(),
            // RFC 6120 §3.2.1, point 9: without any response, too, the domain itself is tried.
            Err(fault @ LookupFault::TimedOut(_)) => {
                let why = Fallback::NoAnswer(fault.to_string().into());
                return Ok(alone(discover::fallback(domain, why)));
            }
            Err(fault) => return Err(DiscoverFailure::Lookup(fault)),
        };
        let ttl = records.iter().map(|(ttl, _)| *ttl).min();
        let records = records.into_iter().map(|(_, record)| record).collect();
        let targets = discover::targets(domain, records, most, draw)?;
        Ok(Found { targets, ttl })
    }

    /// The SRV records of `_xmpp-server._tcp`, in no order, each with its TTL; those at the end of a
    /// chain of aliases, where the name is one (RFC 1034 §3.6.2).
    ///
    /// # Errors
    /// [`LookupFault`]; an empty answer is [`LookupFault::NoRecords`].
    pub async fn srv(&self, domain: &Domain) -> Result<Vec<Srv>, LookupFault> {
        self.srv_at(&service(domain.as_str())).await
    }

    /// The same for the name of any service, such as `_xmpps-server._tcp.contoso.example`.
    ///
    /// # Errors
    /// As [`DnsResolver::srv`].
    pub async fn srv_at(&self, service: &str) -> Result<Vec<Srv>, LookupFault> {
        let follow = async {
            let begin = absolute(service)?;
            let mut seen = BTreeSet::new();
            let mut name = begin.clone();
            loop {
                let alias = match self.srv_or_alias(&name).await {
                    Ok(Step::Records(records)) => return Ok(records),
                    Ok(Step::Alias(alias)) => alias,
                    Err(fault) => return Err(fault),
                };
                seen.insert(std::mem::replace(&mut name, alias));
                if seen.contains(&name) || seen.len() > MAX_ALIASES {
                    return Err(LookupFault::Aliases {
                        name: text(&begin),
                        is_circle: seen.contains(&name),
                    });
                }
            }
        };
        timeout(WHOLE_LOOKUP, follow)
            .await
            .unwrap_or_else(|_| Err(LookupFault::TimedOut(self.servers.clone())))
    }

    /// One step on the way to SRV records.
    ///
    /// The library follows aliases as it does for addresses, and then looks for SRV records at the
    /// host that one names. So the alias is asked for beside, and counts where the name itself has
    /// no SRV record.
    async fn srv_or_alias(&self, name: &Name) -> Result<Step, LookupFault> {
        let records = self.lookup(name, RecordType::SRV, |record| {
            let RData::SRV(srv) = &record.data else {
                return None;
            };
            let found = || SrvRecord {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: text(&srv.target),
            };
            (record.name == *name).then(|| (record.ttl, found()))
        });
        let alias = self.lookup(name, RecordType::CNAME, |record| match &record.data {
            RData::CNAME(alias) if record.name == *name => Some(alias.0.to_lowercase()),
            _ => None,
        });
        let (mut records, mut alias) = (pin!(records), pin!(alias));
        let mut none = None;
        loop {
            tokio::select! {
                found = &mut records, if none.is_none() => match found {
                    Ok(found) => return Ok(Step::Records(found)),
                    Err(fault) => none = Some(fault),
                },
                found = &mut alias => return match (found, none) {
                    (Ok(found), _) => first(found).map(Step::Alias),
                    (Err(_), Some(fault)) => Err(fault),
                    (Err(_), None) => records.await.map(Step::Records),
                },
            }
        }
    }

    /// The IPv6 addresses of a host.
    ///
    /// # Errors
    /// [`LookupFault`]; an empty answer is [`LookupFault::NoRecords`].
    pub async fn ipv6(&self, host: &str) -> Result<Vec<IpAddr>, LookupFault> {
        self.lookup(&absolute(host)?, RecordType::AAAA, |record| {
            match record.data {
                RData::AAAA(address) => Some(address.0.into()),
                _ => None,
            }
        })
        .await
    }

    /// The IPv4 addresses of a host.
    ///
    /// # Errors
    /// [`LookupFault`]; an empty answer is [`LookupFault::NoRecords`].
    pub async fn ipv4(&self, host: &str) -> Result<Vec<IpAddr>, LookupFault> {
        self.lookup(&absolute(host)?, RecordType::A, |record| {
            match record.data {
                RData::A(address) => Some(address.0.into()),
                _ => None,
            }
        })
        .await
    }

    /// What a host is an alias of (CNAME), where it is one.
    ///
    /// # Errors
    /// [`LookupFault`]; that it is no alias is [`LookupFault::NoRecords`].
    pub async fn alias(&self, host: &str) -> Result<String, LookupFault> {
        let name = absolute(host)?;
        let found = self.lookup(&name, RecordType::CNAME, |record| match &record.data {
            RData::CNAME(alias) if record.name == name => Some(text(&alias.0)),
            _ => None,
        });
        first(found.await?)
    }

    /// Which name servers are asked.
    #[must_use]
    pub fn servers(&self) -> &Servers {
        &self.servers
    }

    async fn lookup<T>(
        &self,
        name: &Name,
        kind: RecordType,
        pick: impl Fn(&Record) -> Option<T>,
    ) -> Result<Vec<T>, LookupFault> {
        let answer = timeout(WHOLE_LOOKUP, self.inner.lookup(name.clone(), kind))
            .await
            .map_err(|_| LookupFault::TimedOut(self.servers.clone()))?
            .map_err(|error| LookupFault::of(&error, &self.servers))?;
        let records: Vec<_> = answer
            .answers()
            .iter()
            .filter_map(pick)
            .take(MAX_RECORDS)
            .collect();
        if records.is_empty() {
            return Err(LookupFault::NoRecords);
        }
        Ok(records)
    }
}

/// Where a domain's server may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The places, first to be tried first.
    pub targets: Vec<Target>,
    /// For how many seconds the SRV records may be kept; `None` where there are none.
    pub ttl: Option<u32>,
}

/// The system's resolver settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's resolver settings cannot be used ({0}): set `nameservers` under [dns]")]
pub struct ResolverSetupError(String);

/// A record, and for how many seconds it may be kept.
pub type Srv = (u32, SrvRecord);

/// One step on the way to SRV records.
enum Step {
    Records(Vec<Srv>),
    Alias(Name),
}

fn first<T>(found: Vec<T>) -> Result<T, LookupFault> {
    found.into_iter().next().ok_or(LookupFault::NoRecords)
}

/// The final dot keeps the system's search list out.
fn absolute(name: &str) -> Result<Name, LookupFault> {
    Name::from_ascii(format!("{}.", name.trim_end_matches('.')))
        .map(|name| name.to_lowercase())
        .map_err(|_| LookupFault::NoSuchName)
}

/// A name as the rest of the edge writes it: without the final dot.
fn text(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}

/// How many answers of name servers are remembered.
const CACHED: u64 = 4096;
/// What they take in memory at most, in bytes: a few records each, and a long answer now and then.
pub const CACHE_BYTES: usize = 4096 * (4 << 10);

/// Most aliases between a domain and its SRV records.
const MAX_ALIASES: usize = 8;
/// However many servers, attempts and aliases there are.
const WHOLE_LOOKUP: Duration = Duration::from_secs(10);
const ONE_ATTEMPT: Duration = Duration::from_secs(3);
const MAX_RECORDS: usize = 64;

fn limit(options: &mut ResolverOpts) {
    options.timeout = ONE_ATTEMPT;
    options.attempts = 2;
    // Random letter case makes a forged answer harder; a server that does not keep it is asked
    // over TCP.
    options.case_randomization = true;
    options.try_tcp_on_error = true;
    options.cache_size = CACHED;
    options.positive_max_ttl = Some(Duration::from_secs(3600));
    options.negative_max_ttl = Some(Duration::from_secs(60));
}

fn nameserver(address: &SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, connections)
}

/// A random number below `bound`; without the system's randomness, the first one.
fn draw(bound: u32) -> u32 {
    let random = u64::from(getrandom::u32().unwrap_or_default());
    u32::try_from((random * u64::from(bound)) >> 32).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
