//! The row of the table that says most of a way that led nowhere.

use super::Reason;
use crate::proto::codes::Code;
use crate::proto::xml::{Condition, Fault};

impl Reason {
    /// The row whose side and remedy are those of a way to a partner that ended so. As a rule it is
    /// that of [`code`](Self::code); another one where more is known than that says. `is_routed` is
    /// whether a `route` of ours, and not DNS, led there.
    #[must_use]
    pub fn cause(&self, is_routed: bool) -> Code {
        match self {
            Self::BackingOff(cause) => cause.cause(is_routed),
            Self::NotServed { .. }
            | Self::ClientPort
            | Self::LeadsBack { .. }
            | Self::NoService(_)
            | Self::Xml(Fault::TlsHello | Fault::HttpRequest | Fault::SshHello)
                if is_routed =>
            {
                Code::WRONG_ROUTE
            }
            Self::Xml(Fault::TlsHello | Fault::HttpRequest | Fault::SshHello) => {
                Code::ANOTHER_PROTOCOL
            }
            Self::EstablishmentTimeout(awaited) => match *awaited {
                "the answer of DNS" => Code::DNS_TIMED_OUT,
                "a connection" => Code::CONNECTION_TIMED_OUT,
                _ => Code::ESTABLISHMENT_TIMEOUT,
            },
            // RFC 6120 §4.9.3.12, §4.9.3.14: who we are, or what we do, is not wanted there.
            Self::PeerError {
                condition: Condition::NotAuthorized | Condition::PolicyViolation,
                ..
            } => Code::PEER_REFUSED,
            Self::PeerClosed => Code::PEER_HUNG_UP,
            Self::ConnectFailed(_, cause) => *cause,
            reason => reason.code(),
        }
    }
}

/// What a partner says that could not call back (XEP-0220 §2.5), and what that of a key that was
/// denied is.
const NOT_CALLED_BACK: [&str; 4] = [
    "remote-connection-failed",
    "remote-server-not-found",
    "remote-server-timeout",
    "item-not-found",
];

/// A key that was denied is told from one that nobody could be asked about.
pub(super) fn of_dialback(text: &str) -> Code {
    if NOT_CALLED_BACK.contains(&text) {
        Code::DIALBACK_UNREACHABLE
    } else if text == super::KEY_DENIED {
        Code::DIALBACK_DENIED
    } else {
        Code::DIALBACK_REFUSED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_denied_is_told_from_one_that_nobody_was_asked_about() {
        for (text, code) in [
            (super::super::KEY_DENIED, "dialback-denied"),
            ("remote-connection-failed", "dialback-unreachable"),
            ("remote-server-timeout", "dialback-unreachable"),
            ("item-not-found", "dialback-unreachable"),
            ("policy-violation", "dialback-refused"),
            ("resource-constraint", "dialback-refused"),
        ] {
            let reason = Reason::DialbackRefused(text.to_owned());
            assert_eq!(reason.code(), code, "{text}");
            assert_eq!(reason.cause(false), code, "{text}");
        }
    }

    #[test]
    fn a_route_of_ours_that_leads_elsewhere_is_our_own_fault() {
        let reason = || Reason::ClientPort;
        assert_eq!(reason().cause(false), "client-port");
        assert_eq!(reason().cause(true), "wrong-route");
        let later = Reason::BackingOff(Box::new(reason()));
        assert_eq!(later.cause(true), "wrong-route");
        assert_eq!(Reason::TlsMissing.cause(true), "tls-missing");
    }

    #[test]
    fn who_answers_in_another_protocol_is_no_scanner() {
        for fault in [Fault::TlsHello, Fault::HttpRequest, Fault::SshHello] {
            assert_eq!(Reason::Xml(fault.clone()).cause(false), "another-protocol");
            assert_eq!(Reason::Xml(fault).cause(true), "wrong-route");
        }
    }
}
