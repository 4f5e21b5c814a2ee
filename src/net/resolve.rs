//! Asks DNS, within limits of time and size, and tells "there is none" from "nobody answered".

mod failure;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{TokioResolver, system_conf};
use tokio::time::timeout;

pub use failure::{DiscoverFailure, LookupFault};

use crate::proto::discover::{self, SrvRecord, Target};
use crate::proto::jid::Domain;

/// Asks DNS; cheap to clone, and clones share one cache.
#[derive(Clone, Debug)]
pub struct DnsResolver {
    inner: TokioResolver,
}

impl DnsResolver {
    /// A resolver that asks these servers, or those of the system when none are given.
    ///
    /// # Errors
    /// [`ResolverSetupError`] when the system's settings cannot be read.
    pub fn new(nameservers: &[SocketAddr]) -> Result<Self, ResolverSetupError> {
        let failed = |error: NetError| ResolverSetupError(error.to_string());
        let (config, options) = if nameservers.is_empty() {
            system_conf::read_system_conf().map_err(failed)?
        } else {
            let servers = nameservers.iter().map(nameserver).collect();
            let config = ResolverConfig::from_name_servers(servers);
            let mut options = ResolverOpts::default();
            // Who names his servers wants their answers, and not those of a file.
            options.use_hosts_file = ResolveHosts::Never;
            (config, options)
        };
        Self::with(config, options).map_err(failed)
    }

    fn with(config: ResolverConfig, mut options: ResolverOpts) -> Result<Self, NetError> {
        limit(&mut options);
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let inner = builder.with_options(options).build()?;
        Ok(Self { inner })
    }

    /// Where the server of a domain may be reached, first to be tried first.
    ///
    /// # Errors
    /// [`DiscoverFailure`] when the domain offers no such service, or DNS does not answer. That
    /// the domain has no address at all shows only when one of its targets is connected to.
    pub async fn targets(&self, domain: &Domain) -> Result<Vec<Target>, DiscoverFailure> {
        if let Some(target) = discover::literal(domain) {
            return Ok(vec![target]);
        }
        let records = match self.srv(domain).await {
            Ok(records) => records,
            Err(fault) if fault.is_absent() => Vec::new(),
            // RFC 6120 §3.2.1, point 9: without any response, too, the domain itself is tried.
            Err(LookupFault::TimedOut) => Vec::new(),
            Err(fault) => return Err(DiscoverFailure::Lookup(fault)),
        };
        discover::targets(domain, records, draw).map_err(DiscoverFailure::from)
    }

    /// The SRV records of `_xmpp-server._tcp`, in no order.
    ///
    /// # Errors
    /// [`LookupFault`]; an empty answer is [`LookupFault::NoRecords`].
    pub async fn srv(&self, domain: &Domain) -> Result<Vec<SrvRecord>, LookupFault> {
        self.lookup(
            &format!("_xmpp-server._tcp.{domain}"),
            RecordType::SRV,
            |data| {
                let RData::SRV(srv) = data else { return None };
                let target = srv.target.to_ascii();
                Some(SrvRecord {
                    priority: srv.priority,
                    weight: srv.weight,
                    port: srv.port,
                    target: target.trim_end_matches('.').to_owned(),
                })
            },
        )
        .await
    }

    /// The IPv6 addresses of a host.
    ///
    /// # Errors
    /// [`LookupFault`]; an empty answer is [`LookupFault::NoRecords`].
    pub async fn ipv6(&self, host: &str) -> Result<Vec<IpAddr>, LookupFault> {
        self.lookup(host, RecordType::AAAA, |data| match data {
            RData::AAAA(address) => Some(address.0.into()),
            _ => None,
        })
        .await
    }

    /// The IPv4 addresses of a host.
    ///
    /// # Errors
    /// [`LookupFault`]; an empty answer is [`LookupFault::NoRecords`].
    pub async fn ipv4(&self, host: &str) -> Result<Vec<IpAddr>, LookupFault> {
        self.lookup(host, RecordType::A, |data| match data {
            RData::A(address) => Some(address.0.into()),
            _ => None,
        })
        .await
    }

    async fn lookup<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, LookupFault> {
        // The final dot keeps the system's search list out.
        let name = Name::from_ascii(format!("{}.", name.trim_end_matches('.')))
            .map_err(|_| LookupFault::NoSuchName)?;
        let answer = timeout(WHOLE_LOOKUP, self.inner.lookup(name, kind))
            .await
            .map_err(|_| LookupFault::TimedOut)?
            .map_err(|error| LookupFault::of(&error))?;
        let records: Vec<_> = answer
            .answers()
            .iter()
            .filter_map(|record| pick(&record.data))
            .take(MAX_RECORDS)
            .collect();
        if records.is_empty() {
            return Err(LookupFault::NoRecords);
        }
        Ok(records)
    }
}

/// The system's resolver settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's resolver settings cannot be used ({0}): set `nameservers` under [dns]")]
pub struct ResolverSetupError(String);

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
    options.cache_size = 4096;
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
