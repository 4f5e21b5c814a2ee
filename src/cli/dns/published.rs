//! Asks for what is published: of each local domain, and of each host that is named there or here.

use std::collections::BTreeMap;
use std::net::IpAddr;

use tokio::task::JoinSet;

use super::plan::Plan;
use crate::net::io::resolve::{DnsResolver, LookupFault};
use crate::proto::discover::SrvRecord;
use crate::proto::jid::Domain;

/// What name servers say.
#[derive(Debug)]
pub(super) struct Published {
    /// Which were asked, in words.
    pub(super) servers: String,
    pub(super) domains: BTreeMap<Domain, PublishedDomain>,
    pub(super) hosts: BTreeMap<String, PublishedHost>,
}

#[derive(Debug)]
pub(super) struct PublishedDomain {
    /// `_xmpp-server._tcp`; none is an empty list.
    pub(super) srv: Result<Vec<SrvRecord>, LookupFault>,
    /// `_xmpps-server._tcp`; none, or no answer, is an empty list.
    pub(super) direct: Vec<SrvRecord>,
}

#[derive(Debug)]
pub(super) struct PublishedHost {
    /// What it is an alias of.
    pub(super) alias: Option<String>,
    /// Its addresses, those at the end of aliases; none is an empty list.
    pub(super) addresses: Result<Vec<IpAddr>, LookupFault>,
}

/// The service of direct TLS (XEP-0368).
pub(super) fn direct_service(domain: &Domain) -> String {
    format!("_xmpps-server._tcp.{}", domain.as_str())
}

impl Published {
    /// Asks for everything at once: each question has its own limit of time.
    pub(super) async fn ask(resolver: &DnsResolver, plan: &Plan) -> Self {
        let mut asked = JoinSet::new();
        for domain in plan.domains.clone() {
            let resolver = resolver.clone();
            asked.spawn(async move {
                let direct = direct_service(&domain);
                let (srv, direct) = tokio::join!(resolver.srv(&domain), resolver.srv_at(&direct));
                // RFC 4343 §3: names are compared without regard to case.
                let record = |(_, record): (u32, SrvRecord)| SrvRecord {
                    target: record.target.to_ascii_lowercase(),
                    ..record
                };
                let records =
                    |found: Vec<(u32, SrvRecord)>| found.into_iter().map(record).collect();
                let published = PublishedDomain {
                    srv: none_is_empty(srv.map(records)),
                    direct: direct.map(records).unwrap_or_default(),
                };
                (domain, published)
            });
        }
        let domains: BTreeMap<_, _> = asked.join_all().await.into_iter().collect();
        let published = domains
            .values()
            .filter_map(|domain| domain.srv.as_ref().ok());
        let targets = published.flatten().map(|record| record.target.clone());
        let named = plan.hosts.iter().filter(|_| plan.are_named);
        let named = named.map(|host| host.name.as_str().to_owned());
        let mut hosts: Vec<_> = targets.filter(|it| !it.is_empty()).chain(named).collect();
        hosts.sort();
        hosts.dedup();
        let mut asked = JoinSet::new();
        for host in hosts {
            let resolver = resolver.clone();
            asked.spawn(async move {
                let (alias, v4, v6) = tokio::join!(
                    resolver.alias(&host),
                    resolver.ipv4(&host),
                    resolver.ipv6(&host)
                );
                let published = PublishedHost {
                    alias: alias.ok(),
                    addresses: both(none_is_empty(v4), none_is_empty(v6)),
                };
                (host, published)
            });
        }
        Self {
            servers: resolver.servers().to_string(),
            domains,
            hosts: asked.join_all().await.into_iter().collect(),
        }
    }
}

fn none_is_empty<T>(answer: Result<Vec<T>, LookupFault>) -> Result<Vec<T>, LookupFault> {
    match answer {
        Err(fault) if fault.is_absent() => Ok(Vec::new()),
        answer => answer,
    }
}

fn both(
    v4: Result<Vec<IpAddr>, LookupFault>,
    v6: Result<Vec<IpAddr>, LookupFault>,
) -> Result<Vec<IpAddr>, LookupFault> {
    let mut addresses = v4?;
    addresses.extend(v6?);
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::io::resolve::fake::Zone;

    #[tokio::test]
    async fn hosts_are_one_in_whatever_case_they_are_published() {
        let zone = Zone::default()
            .srv("contoso.example", 10, 5269, "EDGE1.Contoso.example")
            .host("edge1.contoso.example", &["93.184.215.14"]);
        let server = zone.serve().await;
        let domain = Domain::parse("contoso.example").unwrap();
        let plan = Plan {
            domains: vec![domain.clone()],
            hosts: Vec::new(),
            are_named: false,
            port: 5269,
            ports: vec![5269],
            ttl: 60,
        };
        let resolver = DnsResolver::new(&[server.address]).unwrap();
        let published = Published::ask(&resolver, &plan).await;
        let records = published.domains[&domain].srv.as_ref().unwrap();
        assert_eq!(records[0].target, "edge1.contoso.example");
        let hosts: Vec<_> = published.hosts.keys().collect();
        assert_eq!(hosts, ["edge1.contoso.example"]);
    }
}
