//! Who a partner is: the evidence, and the one token it mints.
//!
//! [`Authenticated`] cannot be made outside this module. The three ways to one: a certificate
//! that names the domain ([`external`]), an authoritative server's answer to a question that is
//! still open ([`dialback`]), a gateway's handshake over the shared secret ([`handshake`]).

pub mod cert_fault;
pub mod certificate;
pub mod chain;
pub mod continuity;
pub mod dialback;
pub mod dialback_key;
pub mod external;
pub mod handshake;
pub mod identity;
pub mod pin;
mod subject;

#[cfg(test)]
#[path = "../../../tests/pki/mod.rs"]
pub(crate) mod pki;

use std::fmt;
use std::ops::Deref;

use crate::proto::jid::Domain;
use crate::proto::policy::Method;

/// A local domain and a remote domain that want to talk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The domain that the edge speaks for.
    pub local: Domain,
    /// The partner's domain.
    pub remote: Domain,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \u{2194} {}", self.local, self.remote)
    }
}

/// A claim that has been proven on one stream.
#[derive(Clone, Debug)]
pub struct Authenticated<T> {
    claim: T,
    /// How it was proven; a link's handshake has no method.
    method: Option<Method>,
}

impl<T> Authenticated<T> {
    /// Claims that the evidence was good. `grep assertion` finds every such claim.
    fn assertion(claim: T, method: Option<Method>) -> Self {
        Self { claim, method }
    }

    /// How the pair was proven; `None` for a gateway's link.
    #[must_use]
    pub fn method(&self) -> Option<Method> {
        self.method
    }
}

impl<T> Deref for Authenticated<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.claim
    }
}
