//! One entry of `partners.toml`, checked.

use std::fmt;
use std::sync::Arc;

use super::method::{Methods, Negotiation};
use super::terms::Terms;
use crate::proto::auth::chain::Anchors;
use crate::proto::auth::pin::Pins;
use crate::proto::jid::Domain;

/// A configured remote organisation.
#[derive(Clone, Debug)]
pub struct Partner {
    /// The domain that names the partner in logs and counters.
    pub primary: Domain,
    /// Free text of the administrator's.
    pub description: String,
    /// Further domains; nothing is implied by the primary one.
    pub additional: Vec<DomainPattern>,
    /// Whether streams are encrypted.
    pub tls: Negotiation,
    /// Whether the partner proves itself by certificate.
    pub sasl: Negotiation,
    /// Whether the partner may prove itself by server dialback.
    pub dialback: bool,
    /// Whether idle streams to this partner are pinged, and ended when no answer comes.
    pub keep_alive: bool,
    /// Whether pairs of several local domains may share one stream to the partner.
    pub share_streams: bool,
    /// Where to connect instead of asking DNS; the certificate name stays the domain.
    pub route: Vec<HostPort>,
    /// The certification authorities that may vouch for this partner; `None`: the global ones.
    pub anchors: Option<Arc<Anchors>>,
    /// The keys of which one must be in the partner's chain.
    pub pins: Pins,
    /// What the partner may do once it is proven.
    pub terms: Terms,
    /// The line of `partners.toml` where the entry begins.
    pub line: usize,
}

impl Partner {
    /// What an entry means that says no more than its domain: EXTERNAL over TLS, or nothing.
    #[must_use]
    pub fn new(primary: Domain) -> Self {
        Self {
            primary,
            description: String::new(),
            additional: Vec::new(),
            tls: Negotiation::Required,
            sasl: Negotiation::Required,
            dialback: false,
            keep_alive: true,
            share_streams: false,
            route: Vec::new(),
            anchors: None,
            pins: Pins::default(),
            terms: Terms::default(),
            line: 1,
        }
    }

    /// The methods that the settings leave, strongest first.
    #[must_use]
    pub fn methods(&self) -> Methods {
        Methods::of(self.tls, self.sasl, self.dialback)
    }

    /// Everything the entry covers, the primary domain first.
    pub fn patterns(&self) -> impl Iterator<Item = DomainPattern> {
        std::iter::once(DomainPattern::Exact(self.primary.clone()))
            .chain(self.additional.iter().cloned())
    }
}

/// A domain or all its direct subdomains.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DomainPattern {
    /// This domain and no other.
    Exact(Domain),
    /// `*.domain`: each domain exactly one label below.
    Subdomains(Domain),
}

impl DomainPattern {
    /// Whether a domain is meant.
    #[must_use]
    pub fn covers(&self, domain: &Domain) -> bool {
        match self {
            Self::Exact(own) => own == domain,
            Self::Subdomains(parent) => domain.parent() == Some(parent.as_str()),
        }
    }
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(domain) => write!(f, "{domain}"),
            Self::Subdomains(domain) => write!(f, "*.{domain}"),
        }
    }
}

/// A host (name or IP address) and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A DNS name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}
