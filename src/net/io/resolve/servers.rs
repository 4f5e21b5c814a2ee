//! Which name servers are asked, in words: whoever reads of a fault of DNS asks that first.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use hickory_resolver::config::ResolverConfig;

/// The name servers that are asked, and where they are configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Servers(Arc<str>);

impl Servers {
    /// Those of `nameservers` under `[dns]`.
    pub(super) fn configured(servers: &[SocketAddr]) -> Self {
        Self::of(servers, "`nameservers` under [dns]")
    }

    /// Those of the system.
    pub(super) fn of_system(config: &ResolverConfig) -> Self {
        let servers = config.name_servers().iter().map(|server| {
            let port = server.connections.first().map_or(53, |one| one.port);
            SocketAddr::new(server.ip, port)
        });
        let servers: Vec<_> = servers.collect();
        Self::of(&servers, "/etc/resolv.conf")
    }

    fn of(servers: &[SocketAddr], place: &str) -> Self {
        let shown: Vec<_> = servers
            .iter()
            .map(|server| match (server.port(), server.ip()) {
                (53, address) => address.to_string(),
                _ => server.to_string(),
            })
            .collect();
        let shown = match shown.as_slice() {
            [] => "none".to_owned(),
            shown => shown.join(", "),
        };
        Self(format!("{shown} (from {place})").into())
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
