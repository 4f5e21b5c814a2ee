//! `--host`: where partners reach the edge. Its own listen addresses do not say it: they are `[::]`
//! as a rule, or those of a network behind a firewall.

use std::net::IpAddr;

use crate::config::Config;
use crate::proto::discover::{DEFAULT_PORT, is_public};
use crate::proto::jid::Domain;

/// The options about where partners reach the edge.
#[derive(Debug, clap::Args)]
pub(super) struct Hosts {
    /// [PRIORITY[/WEIGHT]:]NAME[=ADDRESS,...] of a host; repeat it for each
    #[arg(long = "host", value_name = "HOST", value_parser = Host::parse)]
    named: Vec<Host>,
    /// The port that partners connect to [default: that of `listen`]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
}

/// One host that partners connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: Domain,
    /// Lower is tried first; `None` where nothing was said.
    pub(super) priority: Option<u16>,
    /// Its share among hosts of one priority; `None` likewise.
    pub(super) weight: Option<u16>,
    /// Where it is, as far as it is known.
    pub(super) addresses: Vec<IpAddr>,
}

/// What holds for a host without a priority.
pub(super) const PRIORITY: u16 = 10;
/// What holds for a host without a weight, where others have its priority.
const WEIGHT: u16 = 10;

impl Hosts {
    /// Whether any host is named on the command line.
    pub(super) fn are_named(&self) -> bool {
        !self.named.is_empty()
    }

    /// Those that are named; else one by the usual name, `xmpp.` and the first local domain. A sole
    /// host has the public addresses of `listen`, where it is not said what it has.
    pub(super) fn all(&self, config: &Config) -> Vec<Host> {
        let mut hosts = self.named.clone();
        if hosts.is_empty() {
            let mut domains = config.domains.iter().filter(|domain| !domain.is_address());
            hosts.extend(domains.find_map(Host::usual));
        }
        if let [host] = hosts.as_mut_slice()
            && host.addresses.is_empty()
        {
            let listen = config.s2s.listen.iter().map(|address| address.ip());
            host.addresses = listen.filter(|address| is_public(*address)).collect();
        }
        hosts
    }

    /// The port to publish: the usual one, if it is listened on.
    pub(super) fn port(&self, config: &Config) -> u16 {
        let ports = self.ports(config);
        let usual = ports.contains(&DEFAULT_PORT).then_some(DEFAULT_PORT);
        let found = usual.or_else(|| ports.first().copied());
        found.unwrap_or(DEFAULT_PORT)
    }

    /// The ports at which partners find the edge; none where that is not known.
    pub(super) fn ports(&self, config: &Config) -> Vec<u16> {
        if let Some(port) = self.port {
            return vec![port];
        }
        let ports = config.s2s.listen.iter().map(std::net::SocketAddr::port);
        // The system chooses a port for 0.
        ports.filter(|port| *port != 0).collect()
    }
}

impl Host {
    fn usual(domain: &Domain) -> Option<Self> {
        let name = Domain::parse(&format!("xmpp.{}", domain.as_str())).ok()?;
        Some(Self {
            name,
            priority: None,
            weight: None,
            addresses: Vec::new(),
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (host, addresses) = match text.split_once('=') {
            Some((host, addresses)) => (host, Some(addresses)),
            None => (text, None),
        };
        let (order, name) = match host.split_once(':') {
            Some((order, name)) => (Some(order), name),
            None => (None, host),
        };
        let (priority, weight) = match order {
            None => (None, None),
            Some(order) => match order.split_once('/') {
                None => (Some(number(order)?), None),
                Some((priority, weight)) => (Some(number(priority)?), Some(number(weight)?)),
            },
        };
        let is_name = |domain: &Domain| !domain.is_address() && domain.as_str().contains('.');
        let name = Domain::parse(name)
            .ok()
            .filter(is_name)
            .ok_or_else(|| format!("`{name}` is no host name such as xmpp.contoso.example"))?;
        let mut parsed = Vec::new();
        for text in addresses.into_iter().flat_map(|all| all.split(',')) {
            let address = text.trim_matches(['[', ']']).parse();
            parsed.push(address.map_err(|_| format!("`{text}` is no IP address"))?);
        }
        Ok(Self {
            name,
            priority,
            weight,
            addresses: parsed,
        })
    }

    /// What is published.
    pub(super) fn priority(&self) -> u16 {
        self.priority.unwrap_or(PRIORITY)
    }

    /// What is published beside these hosts, of which this is one. RFC 2782, "Weight": 0 where there
    /// is nothing to choose from.
    pub(super) fn weight(&self, all: &[Self]) -> u16 {
        let same = all.iter().filter(|it| it.priority() == self.priority());
        let default = if same.count() > 1 { WEIGHT } else { 0 };
        self.weight.unwrap_or(default)
    }
}

fn number(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no number from 0 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_said_in_one_word() {
        let host = Host::parse("20/5:Edge1.contoso.example.=192.0.2.10,[2001:db8::10]").unwrap();
        assert_eq!(host.name.as_str(), "edge1.contoso.example");
        assert_eq!((host.priority, host.weight), (Some(20), Some(5)));
        let addresses: Vec<_> = host.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["192.0.2.10", "2001:db8::10"]);
        let host = Host::parse("edge1.contoso.example").unwrap();
        assert_eq!((host.priority, host.weight), (None, None));
        assert!(host.addresses.is_empty());
        for (text, says) in [
            ("", "`` is no host name"),
            ("edge1", "`edge1` is no host name"),
            ("192.0.2.1", "`192.0.2.1` is no host name"),
            ("ten:edge1.contoso.example", "`ten` is no number"),
            ("10/:edge1.contoso.example", "`` is no number"),
            ("70000:edge1.contoso.example", "`70000` is no number"),
            ("edge1.contoso.example=", "`` is no IP address"),
            ("edge1.contoso.example=192.0.2.1,", "`` is no IP address"),
            ("edge1.contoso.example:5269", "is no"),
        ] {
            let error = Host::parse(text).unwrap_err();
            assert!(
                error.starts_with(says) || error.contains(says),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_weight_is_given_where_there_is_a_choice() {
        let hosts = ["1:a.example", "2:b.example", "2:c.example", "2/7:d.example"];
        let hosts = hosts.map(|text| Host::parse(text).unwrap());
        assert_eq!(
            hosts.each_ref().map(|host| host.weight(&hosts)),
            [0, 10, 10, 7]
        );
    }
}
