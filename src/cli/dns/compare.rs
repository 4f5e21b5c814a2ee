//! What is wrong with what is published. No question is asked here.

use std::net::IpAddr;

use super::plan::{Data, Plan, kind_of};
use super::published::{Published, PublishedHost, direct_service};
use crate::cli::hosts::Host;
use crate::proto::discover::{SrvRecord, service, special_use};
use crate::proto::jid::Domain;

/// One thing that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// A stable name in kebab-case.
    pub(super) code: &'static str,
    /// The name whose record it is.
    pub(super) name: String,
    /// The type of the record.
    pub(super) kind: &'static str,
    /// What should be there, as in a zone file.
    pub(super) wanted: Option<String>,
    /// What is there.
    pub(super) published: Option<String>,
    pub(super) message: String,
    pub(super) remedy: String,
}

/// The code of what could not be compared: everything else is known to be wrong.
pub(super) const NO_ANSWER: &str = "no-answer";

/// Everything that is wrong, domains first, in the order of the configuration.
pub(super) fn compare(plan: &Plan, published: &Published) -> Vec<Difference> {
    let mut found = Vec::new();
    for domain in &plan.domains {
        compare_domain(plan, published, domain, &mut found);
    }
    for (name, host) in &published.hosts {
        let wanted = plan.hosts.iter().find(|it| it.name.as_str() == name);
        compare_host(name, host, wanted, &mut found);
    }
    found
}

fn compare_domain(
    plan: &Plan,
    published: &Published,
    domain: &Domain,
    found: &mut Vec<Difference>,
) {
    let Some(answer) = published.domains.get(domain) else {
        return;
    };
    let name = service(domain.as_str());
    let add = |code, message: String, remedy: String| Difference {
        code,
        name: name.clone(),
        kind: "SRV",
        wanted: None,
        published: None,
        message,
        remedy,
    };
    if let Some(record) = answer.direct.iter().find(|it| !it.target.is_empty()) {
        found.push(Difference {
            name: direct_service(domain),
            published: Some(text(record)),
            ..add(
                "direct-tls-not-served",
                "partners are sent to a port for direct TLS, and this edge has none".to_owned(),
                "remove it: partners find STARTTLS by _xmpp-server".to_owned(),
            )
        });
    }
    let records = match &answer.srv {
        Ok(records) => records,
        Err(fault) => {
            let remedy =
                "check `nameservers` under [dns] (or /etc/resolv.conf), and port 53 in the \
                          firewall; then try again"
                    .to_owned();
            found.push(add(NO_ANSWER, fault.to_string(), remedy));
            return;
        }
    };
    // RFC 2782, "Target": "." says that there is no such service.
    let (denials, records): (Vec<_>, Vec<_>) =
        records.iter().partition(|record| record.target.is_empty());
    for record in denials {
        found.push(Difference {
            published: Some(text(record)),
            ..add(
                "service-denied",
                format!("it says that {domain} takes no streams from other servers"),
                "remove it".to_owned(),
            )
        });
    }
    if !plan.are_named && records.is_empty() {
        let wanted = plan.srv(domain).into_iter().next();
        found.push(Difference {
            wanted: wanted.map(|record| record.data.text()),
            ..add(
                "missing-record",
                format!("there is no such record; partners try {domain}:5269 instead"),
                "publish it, with the name of your host".to_owned(),
            )
        });
    }
    if plan.are_named {
        compare_records(plan, domain, &records, &add, found);
    }
    for record in records {
        if !plan.ports.is_empty() && !plan.ports.contains(&record.port) {
            let ports: Vec<_> = plan.ports.iter().map(ToString::to_string).collect();
            found.push(Difference {
                published: Some(text(record)),
                ..add(
                    "port-not-listened",
                    format!(
                        "the port is {}, and the edge listens on {}",
                        record.port,
                        ports.join(", ")
                    ),
                    "correct the record; or name the port with --port, if a firewall or a \
                     balancer translates it"
                        .to_owned(),
                )
            });
        }
    }
}

/// Each host has one record, and each record is that of a host.
fn compare_records(
    plan: &Plan,
    domain: &Domain,
    records: &[&SrvRecord],
    add: &dyn Fn(&'static str, String, String) -> Difference,
    found: &mut Vec<Difference>,
) {
    let mut rest = records.to_vec();
    let mut missing = Vec::new();
    for host in &plan.hosts {
        match rest.iter().position(|record| is_as_said(record, host)) {
            Some(index) => drop(rest.remove(index)),
            None => missing.push(host),
        }
    }
    for host in missing {
        let wanted = Data::Srv {
            priority: host.priority(),
            weight: host.weight(&plan.hosts),
            port: plan.port,
            target: host.name.as_str().to_owned(),
        };
        let wanted = Some(wanted.text());
        let other = rest.iter().position(|it| it.target == host.name.as_str());
        found.push(match other.map(|index| rest.remove(index)) {
            Some(record) => Difference {
                wanted,
                published: Some(text(record)),
                ..add(
                    "different-record",
                    format!("{} has another priority or weight", host.name),
                    "correct it".to_owned(),
                )
            },
            None => Difference {
                wanted,
                ..add(
                    "missing-record",
                    format!("{domain} does not lead to {}", host.name),
                    "publish it".to_owned(),
                )
            },
        });
    }
    for record in rest {
        found.push(Difference {
            published: Some(text(record)),
            ..add(
                "extra-record",
                format!("{} is no host that was named", record.target),
                "remove it; or name the host with --host, if it is one of yours".to_owned(),
            )
        });
    }
}

/// What was not said may be anything. The port is looked at by itself.
fn is_as_said(record: &SrvRecord, host: &Host) -> bool {
    record.target == host.name.as_str()
        && host.priority.is_none_or(|it| it == record.priority)
        && host.weight.is_none_or(|it| it == record.weight)
}

fn compare_host(
    name: &str,
    host: &PublishedHost,
    wanted: Option<&Host>,
    found: &mut Vec<Difference>,
) {
    let add = |code, kind, message: String, remedy: String| Difference {
        code,
        name: name.to_owned(),
        kind,
        wanted: None,
        published: None,
        message,
        remedy,
    };
    // RFC 2782, "Target": the name must not be an alias.
    if let Some(alias) = &host.alias {
        found.push(Difference {
            published: Some(format!("{alias}.")),
            ..add(
                "target-is-alias",
                "CNAME",
                "the target of an SRV record must not be an alias: some servers do not follow it"
                    .to_owned(),
                format!("give {name} addresses of its own, or name {alias} as target"),
            )
        });
    }
    let addresses = match &host.addresses {
        Ok(addresses) => addresses,
        Err(fault) => {
            found.push(add(
                NO_ANSWER,
                "A",
                fault.to_string(),
                "try again".to_owned(),
            ));
            return;
        }
    };
    let meant = wanted
        .map(|host| host.addresses.as_slice())
        .unwrap_or_default();
    if addresses.is_empty() && meant.is_empty() {
        found.push(add(
            "target-without-address",
            "A",
            "the host has no address: nobody can connect to it".to_owned(),
            "publish an A or an AAAA record".to_owned(),
        ));
    }
    for address in meant.iter().filter(|it| !addresses.contains(it)) {
        found.push(Difference {
            wanted: Some(address.to_string()),
            ..add(
                "missing-record",
                kind_of(*address),
                format!("{name} does not have the address {address}"),
                "publish it".to_owned(),
            )
        });
    }
    for address in addresses {
        found.extend(judge_address(*address, meant, &add));
    }
}

/// An address that is named on the command line is meant, whatever it is.
fn judge_address(
    address: IpAddr,
    meant: &[IpAddr],
    add: &dyn Fn(&'static str, &'static str, String, String) -> Difference,
) -> Option<Difference> {
    if meant.contains(&address) {
        return None;
    }
    let kind = kind_of(address);
    let difference = match special_use(address) {
        Some(use_) => add(
            "address-not-public",
            kind,
            format!("{address} is no public address but {use_}: partners cannot reach it"),
            "publish the address that partners connect to from outside".to_owned(),
        ),
        None if meant.is_empty() => return None,
        None => add(
            "extra-record",
            kind,
            format!("{address} is no address that was named"),
            "remove it; or name it with --host, if it is one of the host's".to_owned(),
        ),
    };
    Some(Difference {
        published: Some(address.to_string()),
        ..difference
    })
}

fn text(record: &SrvRecord) -> String {
    let SrvRecord {
        priority,
        weight,
        port,
        target,
    } = record;
    format!("{priority} {weight} {port} {target}.")
}
