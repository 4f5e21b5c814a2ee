//! Why DNS brought nothing.

use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;

use super::Servers;
use crate::proto::codes::Code;
use crate::proto::discover::NotOffered;
use crate::proto::words;

/// Why one lookup brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupFault {
    /// The name does not exist.
    #[error("the name does not exist in DNS")]
    NoSuchName,
    /// The name exists, and has no record of this kind.
    #[error("the name has no such record in DNS")]
    NoRecords,
    /// The name server, or one behind it, failed.
    #[error("the name server answered {code}: DNS of that domain may be broken, or its DNSSEC")]
    ServerFailure {
        /// The response code.
        code: String,
    },
    /// No answer came in time.
    #[error("the name servers did not answer: {0}")]
    TimedOut(Servers),
    /// No name server could be reached.
    #[error("no name server can be reached: {servers} ({detail})")]
    Unreachable {
        /// Which were tried.
        servers: Servers,
        /// What the system says.
        detail: String,
    },
    /// The aliases (CNAME) on the way to a name's records lead nowhere.
    #[error(
        "the aliases (CNAME) of {name} {}",
        if *is_circle { "lead in a circle" } else { "are more than 8 in a row" }
    )]
    Aliases {
        /// Where they begin.
        name: String,
        /// Whether one leads back to one before it.
        is_circle: bool,
    },
    /// Anything else.
    #[error("the lookup failed ({detail})")]
    Other {
        /// What the library met.
        detail: String,
    },
}

impl LookupFault {
    /// The name of the fault in counters and JSON.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::NoSuchName => Code::NO_SUCH_NAME,
            Self::NoRecords => Code::NO_RECORDS,
            Self::ServerFailure { .. } => Code::DNS_SERVER_FAILURE,
            Self::TimedOut(_) => Code::DNS_TIMED_OUT,
            Self::Unreachable { .. } => Code::DNS_UNREACHABLE,
            Self::Aliases { .. } => Code::DNS_ALIASES,
            Self::Other { .. } => Code::DNS_ERROR,
        }
    }

    /// Whether DNS says that there is none, as against not answering.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::NoSuchName | Self::NoRecords)
    }

    pub(super) fn of(error: &NetError, servers: &Servers) -> Self {
        match error {
            NetError::Timeout => Self::TimedOut(servers.clone()),
            NetError::NoConnections | NetError::Io(_) => Self::Unreachable {
                servers: servers.clone(),
                detail: words::of_error(error),
            },
            NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
                ResponseCode::NXDomain => Self::NoSuchName,
                ResponseCode::NoError => Self::NoRecords,
                code => Self::ServerFailure {
                    code: code.to_string(),
                },
            },
            NetError::Dns(DnsError::ResponseCode(code)) => Self::ServerFailure {
                code: code.to_string(),
            },
            error => Self::Other {
                detail: words::of_error(error),
            },
        }
    }
}

/// Why a domain has no place to connect to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverFailure {
    /// Its SRV record says that there is no such service.
    #[error(transparent)]
    NotOffered(#[from] NotOffered),
    /// Its SRV records cannot be had.
    #[error("SRV query: {0}")]
    Lookup(LookupFault),
}

impl DiscoverFailure {
    /// The name of the failure in counters and JSON.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::NotOffered(_) => Code::SERVICE_NOT_OFFERED,
            Self::Lookup(fault) => fault.code(),
        }
    }

    /// Whether DNS says that there is no such service: then the bounce is
    /// `remote-server-not-found`, else `remote-server-timeout`.
    #[must_use]
    pub fn is_no_such_service(&self) -> bool {
        match self {
            Self::NotOffered(_) => true,
            Self::Lookup(fault) => fault.is_absent(),
        }
    }
}
