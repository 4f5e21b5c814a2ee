//! What a machine tells the operator: facts, for the log and the counters.

use crate::proto::auth::Pair;
use crate::proto::auth::cert_fault::CertFault;
use crate::proto::auth::chain::TlsVersion;
use crate::proto::auth::continuity::Shown;
use crate::proto::jid::Domain;
use crate::proto::policy::{Method, Reason};

use super::features::Offered;

/// One thing worth a line in the log.
#[derive(Clone, Debug)]
pub enum Record {
    /// Whom the first header names: nothing confirms it yet, and perhaps nothing ever will.
    Claimed {
        /// The domain asked for, where `to` is one.
        local: Option<Domain>,
        /// `from`, as it came, in one line and cut; a domain or not.
        remote: Option<String>,
    },
    /// TLS is up; whether the partner's certificate proves its domain.
    Secured {
        /// Whose stream it is.
        pair: Pair,
        /// The protocol version.
        version: TlsVersion,
        /// What is wrong with the certificate, if anything is.
        fault: Option<CertFault>,
        /// What the partner's chain is compared by with those before it, where it is good.
        shown: Option<Box<Shown>>,
    },
    /// The partner's chain is good and has none of its pins, which is only to be told.
    NotPinned {
        /// Whose stream it is.
        pair: Pair,
        /// What was seen instead.
        fault: Box<CertFault>,
    },
    /// A pair was proven.
    Authenticated {
        /// Which one.
        pair: Pair,
        /// How.
        method: Method,
    },
    /// A method was refused or failed; the stream goes on.
    MethodFailed {
        /// For which pair.
        pair: Pair,
        /// Which method.
        method: Method,
        /// Why.
        reason: Reason,
    },
    /// We were asked, as authoritative server, whether a key is ours.
    DialbackAnswered {
        /// For which pair.
        pair: Pair,
        /// Whether it is.
        valid: bool,
    },
    /// An answer, element or close came that nobody asked for, and changed nothing.
    Ignored(Reason),
    /// A stream of ours has come so far. Nothing is decided by it, and the log does not have it.
    Reached(Milestone),
}

/// How far a stream that we open has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// The partner has answered our stream header with its own.
    Header,
    /// The partner has said what it offers.
    Features(Offered),
    /// We try to prove ourselves by a method.
    Tries(Method),
    /// The partner has answered our ping.
    Pong(Pong),
}

/// How a ping was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pong {
    /// On a stream that the partner has opened to us.
    OnTheirs,
    /// On our own stream.
    OnOurs {
        /// Whether by an error: the partner has heard it all the same (XEP-0199 §4.5).
        is_error: bool,
    },
}
