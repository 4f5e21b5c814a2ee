//! Why a target could not be connected to: every lookup, every attempt.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use super::LookupFault;
use crate::proto::codes::Code;
use crate::proto::discover::{Fallback, Target, Via, service};
use crate::proto::policy::Reason;
use crate::proto::words;

/// Why a target could not be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectFailure {
    /// The target.
    pub target: Target,
    /// The lookups that brought no address.
    pub lookups: Vec<(Family, LookupFault)>,
    /// The attempts, in the order in which they ended.
    pub attempts: Vec<Attempt>,
    /// How many more addresses there were than may be tried.
    pub untried: usize,
    /// Whether the time for the whole target was used up.
    pub out_of_time: bool,
}

impl ConnectFailure {
    /// The name of the failure in counters and JSON: that of the cause which says most.
    #[must_use]
    pub fn code(&self) -> Code {
        let tried = self
            .attempts
            .iter()
            .filter(|one| !matches!(one.fault, AttemptFault::NotPublic { .. }));
        if let Some(attempt) = tried.min_by_key(|one| one.fault.rank()) {
            return attempt.fault.code();
        }
        if let Some(attempt) = self.attempts.first() {
            return attempt.fault.code();
        }
        let failed = self.lookups.iter().find(|(_, fault)| !fault.is_absent());
        match failed.or_else(|| self.lookups.first()) {
            Some((_, fault)) if fault.is_absent() => Code::NO_ADDRESS,
            Some((_, fault)) => fault.code(),
            None => AttemptFault::TimedOut.code(),
        }
    }

    /// Whether DNS says that there is nothing to connect to: then the bounce is
    /// `remote-server-not-found`, else `remote-server-timeout`.
    #[must_use]
    pub fn is_no_such_service(&self) -> bool {
        self.has_no_address() && !matches!(self.target.via, Via::Fallback(Fallback::NoAnswer(_)))
    }

    /// The same as a reason: no such service, DNS, or the connection.
    #[must_use]
    pub fn reason(&self) -> Reason {
        let text = self.to_string();
        if self.is_no_such_service() {
            Reason::NoService(text)
        } else if self.attempts.is_empty() && !self.lookups.is_empty() {
            Reason::DnsFailed(text)
        } else {
            Reason::ConnectFailed(text, self.code())
        }
    }

    fn has_no_address(&self) -> bool {
        self.attempts.is_empty()
            && !self.out_of_time
            && self.lookups.iter().all(|(_, fault)| fault.is_absent())
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = ": ";
        match &self.target.via {
            Via::Fallback(Fallback::NoRecord) => write!(
                f,
                "there is no SRV record {}; the domain's own address, port {}, was tried",
                service(&self.target.host),
                self.target.port
            )?,
            Via::Fallback(Fallback::NoAnswer(why)) => write!(
                f,
                "SRV query of {}: {why}; the domain's own address, port {}, was tried",
                service(&self.target.host),
                self.target.port
            )?,
            // Each attempt names its address, and there is no other.
            _ if self.target.is_literal() && !self.attempts.is_empty() => separator = "",
            _ => write!(f, "{}", self.target)?,
        }
        if self.has_no_address() {
            return f.write_str(": the host has no address in DNS");
        }
        for attempt in &self.attempts {
            write!(f, "{separator}{} {}", attempt.address, attempt.fault)?;
            separator = ", ";
        }
        // One family that does not exist is nothing to mention beside addresses of the other.
        let told = |fault: &LookupFault| self.attempts.is_empty() || !fault.is_absent();
        for (family, fault) in self.lookups.iter().filter(|(_, fault)| told(fault)) {
            write!(f, "{separator}{family} lookup: {fault}")?;
            separator = ", ";
        }
        if self.untried > 0 {
            write!(
                f,
                "{separator}{} more addresses were not tried",
                self.untried
            )?;
            separator = ", ";
        }
        if self.out_of_time {
            write!(f, "{separator}the time for it was used up")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConnectFailure {}

/// One address that was not connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The address.
    pub address: SocketAddr,
    /// Why not.
    pub fault: AttemptFault,
}

/// Why an address was not connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptFault {
    /// DNS gave an address that is not on the public Internet; nothing was tried.
    #[error("was not tried: it is {kind}, and allow-private-addresses under [dns] is false")]
    NotPublic {
        /// What kind of address it is.
        kind: &'static str,
    },
    /// The host answers, and nothing listens there.
    #[error("refused the connection: nothing listens there, or a firewall rejects it")]
    Refused,
    /// No answer in time.
    #[error("did not answer in time: the host is down, or a firewall drops packets")]
    TimedOut,
    /// There is no way to the network or the host.
    #[error("cannot be reached: there is no route to it")]
    Unreachable,
    /// Anything else.
    #[error("failed ({detail})")]
    Io {
        /// What the system said.
        detail: String,
    },
}

impl AttemptFault {
    /// The name of the fault in counters and JSON.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::NotPublic { .. } => Code::NOT_A_PUBLIC_ADDRESS,
            Self::Refused => Code::CONNECTION_REFUSED,
            Self::TimedOut => Code::CONNECTION_TIMED_OUT,
            Self::Unreachable => Code::UNREACHABLE,
            Self::Io { .. } => Code::CONNECTION_FAILED,
        }
    }

    pub(super) fn of(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused => Self::Refused,
            Kind::TimedOut => Self::TimedOut,
            Kind::NetworkUnreachable | Kind::HostUnreachable | Kind::AddrNotAvailable => {
                Self::Unreachable
            }
            _ => Self::Io {
                detail: words::of_error(error),
            },
        }
    }

    /// Lower says more: a host that refuses is there, while one family is often just not routed.
    fn rank(&self) -> u8 {
        match self {
            Self::Refused => 0,
            Self::TimedOut => 1,
            Self::Io { .. } => 2,
            Self::Unreachable => 3,
            Self::NotPublic { .. } => 4,
        }
    }
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv6, by AAAA records.
    V6,
    /// IPv4, by A records.
    V4,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv6() {
            Self::V6
        } else {
            Self::V4
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V6 => "IPv6",
            Self::V4 => "IPv4",
        })
    }
}
