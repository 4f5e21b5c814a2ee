//! What is to be published.

use std::net::IpAddr;

use crate::cli::hosts::{Host, Hosts};
use crate::config::Config;
use crate::proto::discover::service;
use crate::proto::jid::Domain;

/// What partners are to find.
#[derive(Debug)]
pub(super) struct Plan {
    /// The local domains that can have records: an IP address has none.
    pub(super) domains: Vec<Domain>,
    /// The hosts that partners connect to.
    pub(super) hosts: Vec<Host>,
    /// Whether they are named on the command line: then others are extra.
    pub(super) are_named: bool,
    /// The port to publish.
    pub(super) port: u16,
    /// Those at which the edge is found; none where that is not known.
    pub(super) ports: Vec<u16>,
    pub(super) ttl: u32,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Without the final dot.
    pub(super) name: String,
    pub(super) data: Data,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Data {
    Srv {
        priority: u16,
        weight: u16,
        port: u16,
        /// Without the final dot.
        target: String,
    },
    Address(IpAddr),
}

impl Plan {
    pub(super) fn of(config: &Config, hosts: &Hosts, ttl: u32) -> Self {
        let domains = config.domains.iter().filter(|domain| !domain.is_address());
        Self {
            domains: domains.cloned().collect(),
            hosts: hosts.all(config),
            are_named: hosts.are_named(),
            port: hosts.port(config),
            ports: hosts.ports(config),
            ttl,
        }
    }

    /// The SRV records of a domain, one for each host.
    pub(super) fn srv(&self, domain: &Domain) -> Vec<Record> {
        let record = |host: &Host| Record {
            name: service(domain.as_str()),
            data: Data::Srv {
                priority: host.priority(),
                weight: host.weight(&self.hosts),
                port: self.port,
                target: host.name.as_str().to_owned(),
            },
        };
        let mut hosts: Vec<_> = self.hosts.iter().collect();
        hosts.sort_by_key(|host| host.priority());
        hosts.into_iter().map(record).collect()
    }

    /// The addresses of all hosts, as far as they are known.
    pub(super) fn addresses(&self) -> Vec<Record> {
        let mut records: Vec<Record> = Vec::new();
        for host in &self.hosts {
            for address in &host.addresses {
                let record = Record {
                    name: host.name.as_str().to_owned(),
                    data: Data::Address(*address),
                };
                if !records.contains(&record) {
                    records.push(record);
                }
            }
        }
        records
    }

    /// The hosts of which no address is known.
    pub(super) fn without_address(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| host.addresses.is_empty())
    }
}

impl Data {
    /// The type of the record, as in a zone file.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Srv { .. } => "SRV",
            Self::Address(address) => kind_of(*address),
        }
    }

    /// The rest of the line, as in a zone file.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Srv {
                priority,
                weight,
                port,
                target,
            } => format!("{priority} {weight} {port} {target}."),
            Self::Address(address) => address.to_string(),
        }
    }
}

/// The type of the record that an address stands in.
pub(super) fn kind_of(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "A" } else { "AAAA" }
}
