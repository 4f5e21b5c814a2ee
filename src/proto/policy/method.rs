//! How a pair may be proven: what three settings leave together.

use std::fmt;

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

    /// Whether a stream of this method is encrypted.
    #[must_use]
    pub fn is_encrypted(self) -> bool {
        self != Self::TcpDialback
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
