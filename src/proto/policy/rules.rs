//! The checked model of `partners.toml` and of the local domains. Made by `config`, never by serde.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::proto::auth::chain::Anchors;
use crate::proto::jid::Domain;

/// Everything policy decides by: which domains are ours, and who the partners are.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    local: Vec<Domain>,
    partners: Vec<Arc<Partner>>,
    exact: HashMap<Domain, usize>,
    wildcard: HashMap<Domain, usize>,
}

impl Rules {
    /// Builds the tables.
    ///
    /// # Errors
    /// [`RulesError`] for each domain that two entries cover, or that is one of our own.
    pub fn new(local: Vec<Domain>, partners: Vec<Partner>) -> Result<Self, Vec<RulesError>> {
        let mut rules = Self {
            local,
            ..Self::default()
        };
        let mut errors = Vec::new();
        for partner in partners {
            rules.add(partner, &mut errors);
        }
        if errors.is_empty() {
            Ok(rules)
        } else {
            Err(errors)
        }
    }

    /// Whether the edge speaks for this domain.
    #[must_use]
    pub fn is_local(&self, domain: &Domain) -> bool {
        self.local.contains(domain)
    }

    /// The domains the edge speaks for, as configured.
    #[must_use]
    pub fn local(&self) -> &[Domain] {
        &self.local
    }

    /// All partners, in the order of the file.
    #[must_use]
    pub fn partners(&self) -> &[Arc<Partner>] {
        &self.partners
    }

    /// The partner that covers a domain: an exact name first, then `*.` one label up.
    #[must_use]
    pub fn partner_of(&self, domain: &Domain) -> Option<&Arc<Partner>> {
        let index = self.exact.get(domain).or_else(|| {
            let parent = Domain::parse(domain.parent()?).ok()?;
            self.wildcard.get(&parent)
        })?;
        self.partners.get(*index)
    }

    fn add(&mut self, partner: Partner, errors: &mut Vec<RulesError>) {
        let index = self.partners.len();
        let patterns: Vec<_> = std::iter::once(DomainPattern::Exact(partner.primary.clone()))
            .chain(partner.additional.iter().cloned())
            .collect();
        for pattern in patterns {
            if matches!(&pattern, DomainPattern::Exact(domain) if self.is_local(domain)) {
                errors.push(RulesError::IsLocal {
                    partner: index,
                    pattern,
                });
                continue;
            }
            let (table, domain) = match &pattern {
                DomainPattern::Exact(domain) => (&mut self.exact, domain),
                DomainPattern::Subdomains(parent) => (&mut self.wildcard, parent),
            };
            if let Some(first) = table.insert(domain.clone(), index) {
                errors.push(RulesError::Overlap {
                    first,
                    second: index,
                    pattern,
                });
            }
        }
        self.partners.push(Arc::new(partner));
    }
}

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
    /// Where to connect instead of asking DNS; the certificate name stays the domain.
    pub route: Vec<HostPort>,
    /// The certification authorities that may vouch for this partner; `None`: the global ones.
    pub anchors: Option<Arc<Anchors>>,
    /// The line of `partners.toml` where the entry begins.
    pub line: usize,
}

impl Partner {
    /// The methods that the settings leave, strongest first.
    #[must_use]
    pub fn methods(&self) -> Methods {
        Methods::of(self.tls, self.sasl, self.dialback)
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

/// One of the two three-way settings of a partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Negotiation {
    /// Without it, no stream.
    Required,
    /// Used when both sides can.
    Optional,
    /// Neither offered nor used.
    NotSupported,
}

impl Negotiation {
    /// The word in `partners.toml`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
            Self::NotSupported => "not-supported",
        }
    }
}

/// How a pair is proven, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// A certificate that chains to a trusted authority and names the domain (XEP-0178).
    SaslExternal,
    /// Server dialback (XEP-0220) on an encrypted stream.
    TlsDialback,
    /// Server dialback on a stream in the clear.
    TcpDialback,
}

impl Method {
    /// The name in configuration output, logs and counters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SaslExternal => "sasl-external",
            Self::TlsDialback => "tls-dialback",
            Self::TcpDialback => "tcp-dialback",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods {
    external: bool,
    tls_dialback: bool,
    tcp_dialback: bool,
}

impl Methods {
    /// The four-line rule: what the three settings leave together.
    #[must_use]
    pub fn of(tls: Negotiation, sasl: Negotiation, dialback: bool) -> Self {
        use Negotiation::{NotSupported, Required};
        let usable = dialback && !(tls == Required && sasl == Required);
        Self {
            external: tls != NotSupported && sasl != NotSupported,
            tls_dialback: usable && tls != NotSupported,
            tcp_dialback: usable && tls != Required,
        }
    }

    /// Whether a valid combination is weaker, or emptier, than it looks.
    #[must_use]
    pub fn deserves_warning(tls: Negotiation, sasl: Negotiation, dialback: bool) -> bool {
        use Negotiation::{NotSupported, Required};
        let weaker = sasl != NotSupported && tls != Required;
        let inert = tls == Required && sasl == Required && dialback;
        !Self::of(tls, sasl, dialback).is_empty() && (weaker || inert)
    }

    /// Whether a method is in the set.
    #[must_use]
    pub fn contains(self, method: Method) -> bool {
        match method {
            Method::SaslExternal => self.external,
            Method::TlsDialback => self.tls_dialback,
            Method::TcpDialback => self.tcp_dialback,
        }
    }

    /// Whether no method is left: such a partner could never connect.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }

    /// The methods, strongest first.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        [
            Method::SaslExternal,
            Method::TlsDialback,
            Method::TcpDialback,
        ]
        .into_iter()
        .filter(move |method| self.contains(*method))
    }
}

/// Why a set of partners cannot stand together. Partners are named by their index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulesError {
    /// Two entries cover one domain.
    Overlap {
        /// The entry that came first.
        first: usize,
        /// The entry that covers it again (may be the same one).
        second: usize,
        /// What both cover.
        pattern: DomainPattern,
    },
    /// A partner's domain is one of our own.
    IsLocal {
        /// The entry.
        partner: usize,
        /// The domain.
        pattern: DomainPattern,
    },
}
