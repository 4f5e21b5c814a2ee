//! Why something was refused: one enum for the wire, the counters, the operator and the docs.

mod kinds;
mod words;

use std::net::SocketAddr;

use super::{Initiative, Method};
use crate::proto::auth::cert_fault::CertFault;
use crate::proto::auth::chain::TlsVersion;
use crate::proto::jid::Domain;
use crate::proto::stanza::Kind;
use crate::proto::xml;

/// Why a stream, a method or a stanza was refused, or could not be carried.
///
/// [`code`](Self::code) labels counters and log lines, [`Display`](std::fmt::Display) is the
/// operator's text, and the two `condition`s are what the other side is told.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    // --- who may talk ---
    /// The edge does not speak for this domain.
    UnknownLocalDomain(String),
    /// No entry of `partners.toml` covers this domain.
    UnknownPartner {
        /// The domain.
        domain: String,
        /// The partner of which it is a subdomain, if it is one's.
        above: Option<String>,
    },
    /// The partner's settings do not leave this method.
    MethodNotAllowed(Method),
    /// A gateway asked for a stanza between two local domains.
    BothLocal,
    /// The stream's TLS is older than the partner's `minimum-tls-version`.
    TlsTooOld {
        /// What the stream runs on.
        version: TlsVersion,
        /// What is wanted.
        minimum: TlsVersion,
    },
    /// A reload has changed what the stream was admitted by.
    PolicyChanged(Box<Self>),

    // --- which stanzas pass ---
    /// The partner's `kinds` leave this one out.
    KindNotAllowed(Kind),
    /// The partner's `allow-namespaces` or `deny-namespaces` keep this payload out.
    NamespaceNotAllowed(String),
    /// The stanza is longer than the partner's `max-stanza-bytes`.
    StanzaTooBig {
        /// How long it is, as far as it was counted.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The stanza exceeds another limit than that on its bytes.
    StanzaTooComplex(xml::Fault),
    /// A user of a public, unverified partner turns to a local user who has not added them.
    NotAContact,
    /// An answer to nothing that the local user has sent lately.
    UnaskedAnswer,
    /// The partner's `direction` leaves it to the other side to open conversations.
    ConversationNotAllowed(Initiative),
    /// `[access]` keeps the local user out of federation.
    AccessDenied,
    /// What the user has added cannot be kept, and the answer would be refused.
    ContactNotKept(String),
    /// The local user has as many contacts as each may have.
    TooManyContacts(usize),

    // --- streams ---
    /// The bytes are not the XML that a stream may carry.
    Xml(xml::Fault),
    /// The root element is not a stream's, or the content namespace is not this port's.
    InvalidNamespace,
    /// The header has no version, or one below 1.0.
    UnsupportedVersion,
    /// The header has no usable `to` or `from`.
    HeaderAddress(&'static str),
    /// The header names other domains than the one before it on this connection.
    HeaderChanged(&'static str),
    /// The response header has no stream id.
    MissingStreamId,
    /// One address of a stanza is none: which attribute, and what stands there, fit for a log line.
    MalformedAddress {
        /// `to` or `from`.
        attribute: &'static str,
        /// What stands there.
        text: String,
    },
    /// Too many stanzas with malformed addresses came on one stream.
    TooManyBadAddresses,
    /// A stanza came before the stream was authenticated for its pair.
    NotAuthorized,
    /// A gateway did not prove that it knows the link's secret.
    LinkSecret,
    /// An element that this state of the stream does not know.
    UnexpectedElement(String),
    /// Bytes stood behind `<starttls/>` or `<proceed/>` in the clear.
    PlaintextInjection,
    /// `<starttls/>` where TLS was not offered.
    TlsNotOffered,
    /// As many partners are being dialled as may be, or as many wait for it.
    TooManyDials,
    /// The other side sent no stream header in time.
    HeaderTimeout,
    /// The stream was not ready in time; what was awaited when the time was up.
    EstablishmentTimeout(&'static str),
    /// A stanza was begun, and not finished in time.
    StanzaUnfinished,
    /// A ping found no answer.
    PingTimeout,
    /// No stanza passed for the configured time.
    Idle,
    /// Too many attempts to authenticate.
    TooManyAttempts,
    /// Too many dialback requests wait for an answer on this stream.
    TooManyPending,
    /// As many pairs are proven on the stream, or asked about, as may be.
    TooManyPairs(usize),
    /// A limit on connections is reached.
    TooManyStreams,
    /// As many streams live with this partner as its `connection-limit` allows.
    TooManyPartnerStreams(usize),
    /// A limit on what has not proven anything yet is reached: its key under `[admission]`.
    TooManyStrangers(&'static str),
    /// Too much was sent before anything was proven.
    TooMuchUnproven,
    /// The stream has served its purpose.
    Finished,
    /// A certificate of the path that proved the stream has expired since; in Unix time.
    CertificateExpired(u64),
    /// The edge is stopping.
    Shutdown,
    /// A newer stream for the same purpose took over.
    Replaced,
    /// The other side ended the stream with an error.
    PeerError {
        /// The condition of its stream error.
        condition: xml::Condition,
        /// What it says besides; one line, or empty.
        text: String,
    },
    /// The other side ended the stream, or the connection, without one.
    PeerClosed,
    /// The server that was reached says that it does not serve the partner's domain.
    NotServed {
        /// The domain.
        domain: Domain,
        /// Where the server is, if it is known.
        address: Option<SocketAddr>,
    },
    /// The port that was reached is for clients.
    ClientPort,
    /// The way to the partner ends at this edge itself.
    LeadsBack {
        /// The partner's domain.
        domain: Domain,
        /// Where the way ends, if it is known.
        address: Option<SocketAddr>,
        /// The local domain in whose name was answered; `None` where the address is a listener's.
        answers_as: Option<Domain>,
    },
    /// Reading or writing failed.
    Transport(String),

    // --- negotiation ---
    /// Policy wants TLS and the partner does not offer it.
    TlsMissing,
    /// The partner demands TLS where policy has switched it off.
    TlsDemanded,
    /// The partner answered `<starttls/>` with a failure.
    TlsRefused,
    /// The TLS handshake failed.
    TlsFailed {
        /// What went wrong, as a label.
        code: &'static str,
        /// What went wrong, in words.
        detail: String,
    },
    /// The partner's certificate does not prove its domain.
    Certificate(CertFault),
    /// The partner does not offer SASL EXTERNAL, and no other method is allowed.
    ExternalMissing,
    /// The partner refused SASL EXTERNAL, and no other method is allowed.
    ExternalRefused(String),
    /// The partner's own attempt at SASL failed, with this condition.
    SaslFailed(&'static str),
    /// The authoritative server does not know the dialback key.
    DialbackInvalid,
    /// The partner could not or would not check our dialback key.
    DialbackRefused(String),

    // --- reaching a partner ---
    /// DNS says that the domain does not exist or has no XMPP service.
    NoService(String),
    /// DNS did not answer.
    DnsFailed(String),
    /// No address could be connected to.
    ConnectFailed(String),
    /// The partner failed a moment ago, and is not tried again yet.
    BackingOff(Box<Self>),

    // --- stanzas ---
    /// `from` or `to` is missing or is not an address.
    ImproperAddressing(&'static str),
    /// `from` is not a domain that the sender has proven.
    InvalidFrom,
    /// `to` is not one of the local domains.
    HostUnknown,
    /// An iq, or a `type`, that breaks the rules of its kind.
    MalformedStanza(&'static str),
    /// The queue to the other side is full.
    QueueFull,
    /// No gateway is connected for the local domain.
    NoGateway,
    /// The gateway's link ended while the stanza was being written: nobody knows whether it arrived.
    LinkLost,
}

impl Reason {
    /// The label in counters and log lines.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.row().0
    }

    /// The stream error that tells the other side (RFC 6120 §4.9.3).
    #[must_use]
    pub fn stream_condition(&self) -> &'static str {
        self.row().1
    }

    /// The stanza error, type and condition, that tells a sender (RFC 6120 §8.3.3).
    #[must_use]
    pub fn stanza_condition(&self) -> (&'static str, &'static str) {
        match self {
            Self::BackingOff(cause) | Self::PolicyChanged(cause) => cause.stanza_condition(),
            _ => self.row().2,
        }
    }

    /// Code, stream condition, stanza condition: the table behind the three methods above.
    fn row(&self) -> (&'static str, &'static str, (&'static str, &'static str)) {
        const TIMEOUT: (&str, &str) = ("wait", "remote-server-timeout");
        const NOT_FOUND: (&str, &str) = ("cancel", "remote-server-not-found");
        const NOT_ALLOWED: (&str, &str) = ("cancel", "not-allowed");
        const BAD_REQUEST: (&str, &str) = ("modify", "bad-request");
        const CONSTRAINT: (&str, &str) = ("wait", "resource-constraint");
        const VIOLATION: (&str, &str) = ("modify", "policy-violation");
        const INTERNAL: (&str, &str) = ("cancel", "internal-server-error");
        const UNAVAILABLE: (&str, &str) = ("cancel", "service-unavailable");
        match self {
            Self::UnknownLocalDomain(_) => ("unknown-local-domain", "host-unknown", NOT_ALLOWED),
            Self::UnknownPartner { .. } => ("unknown-partner", "policy-violation", NOT_ALLOWED),
            Self::MethodNotAllowed(_) => ("method-not-allowed", "policy-violation", NOT_ALLOWED),
            Self::BothLocal => ("both-local", "policy-violation", NOT_ALLOWED),
            Self::TlsTooOld { .. } => ("tls-too-old", "policy-violation", NOT_ALLOWED),
            Self::PolicyChanged(cause) => (cause.code(), "policy-violation", NOT_ALLOWED),
            Self::KindNotAllowed(_) => ("kind-not-allowed", "policy-violation", VIOLATION),
            Self::NamespaceNotAllowed(_) => {
                ("namespace-not-allowed", "policy-violation", VIOLATION)
            }
            Self::StanzaTooBig { .. } => ("stanza-too-big", "policy-violation", VIOLATION),
            Self::StanzaTooComplex(fault) => (
                fault.limit().unwrap_or("stanza-too-complex"),
                "policy-violation",
                VIOLATION,
            ),
            Self::NotAContact => ("not-a-contact", "policy-violation", VIOLATION),
            Self::UnaskedAnswer => ("unasked-answer", "policy-violation", VIOLATION),
            Self::ConversationNotAllowed(_) => {
                ("conversation-not-allowed", "policy-violation", VIOLATION)
            }
            Self::AccessDenied => ("access-denied", "policy-violation", VIOLATION),
            Self::ContactNotKept(_) => ("contact-not-kept", "internal-server-error", INTERNAL),
            Self::TooManyContacts(_) => ("too-many-contacts", "policy-violation", CONSTRAINT),
            Self::Xml(fault) => {
                let condition = fault.condition().as_str();
                let named = fault.limit().or_else(|| fault.protocol());
                (named.unwrap_or(condition), condition, TIMEOUT)
            }
            Self::InvalidNamespace => ("invalid-namespace", "invalid-namespace", TIMEOUT),
            Self::UnsupportedVersion => ("unsupported-version", "unsupported-version", TIMEOUT),
            Self::HeaderAddress(_) => ("header-address", "improper-addressing", TIMEOUT),
            Self::HeaderChanged(_) => ("header-changed", "invalid-from", TIMEOUT),
            Self::MissingStreamId => ("missing-stream-id", "bad-format", TIMEOUT),
            Self::MalformedAddress { .. } => (
                "jid-malformed",
                "improper-addressing",
                ("modify", "jid-malformed"),
            ),
            Self::TooManyBadAddresses => ("too-many-bad-addresses", "policy-violation", VIOLATION),
            Self::NotAuthorized => ("not-authorized", "not-authorized", TIMEOUT),
            Self::LinkSecret => ("link-secret", "not-authorized", TIMEOUT),
            Self::UnexpectedElement(_) => {
                ("unexpected-element", "unsupported-stanza-type", TIMEOUT)
            }
            Self::PlaintextInjection => ("plaintext-injection", "policy-violation", TIMEOUT),
            Self::TlsNotOffered => ("tls-not-offered", "policy-violation", TIMEOUT),
            Self::TooManyDials => ("too-many-dials", "resource-constraint", CONSTRAINT),
            Self::HeaderTimeout => ("header-timeout", "connection-timeout", TIMEOUT),
            Self::EstablishmentTimeout(_) => {
                ("establishment-timeout", "connection-timeout", TIMEOUT)
            }
            Self::StanzaUnfinished => ("stanza-unfinished", "connection-timeout", TIMEOUT),
            Self::PingTimeout => ("ping-timeout", "connection-timeout", TIMEOUT),
            Self::Idle => ("idle", "connection-timeout", TIMEOUT),
            Self::TooManyAttempts => ("too-many-attempts", "policy-violation", TIMEOUT),
            Self::TooManyPending => ("too-many-pending", "resource-constraint", CONSTRAINT),
            Self::TooManyPairs(_) => ("too-many-pairs", "resource-constraint", CONSTRAINT),
            Self::TooManyStreams => ("too-many-streams", "resource-constraint", CONSTRAINT),
            Self::TooManyPartnerStreams(_) => (
                "too-many-partner-streams",
                "resource-constraint",
                CONSTRAINT,
            ),
            Self::TooManyStrangers(key) => (key, "resource-constraint", CONSTRAINT),
            Self::TooMuchUnproven => ("too-much-unproven", "policy-violation", TIMEOUT),
            Self::Finished => ("finished", "undefined-condition", TIMEOUT),
            Self::Shutdown => ("shutdown", "system-shutdown", TIMEOUT),
            // RFC 6120 §13.7.2.3: the stream is reset, and the next one proves itself anew.
            Self::CertificateExpired(_) => ("certificate-expired", "reset", TIMEOUT),
            Self::Replaced => ("replaced", "conflict", TIMEOUT),
            Self::PeerError { .. } => ("peer-error", "undefined-condition", TIMEOUT),
            Self::PeerClosed => ("peer-closed", "undefined-condition", TIMEOUT),
            Self::NotServed { .. } => ("not-served", "undefined-condition", NOT_FOUND),
            Self::ClientPort => ("client-port", "invalid-namespace", TIMEOUT),
            Self::LeadsBack { .. } => ("leads-back", "invalid-from", NOT_FOUND),
            Self::Transport(_) => ("transport", "undefined-condition", TIMEOUT),
            Self::TlsMissing => ("tls-missing", "policy-violation", TIMEOUT),
            Self::TlsDemanded => ("tls-demanded", "policy-violation", TIMEOUT),
            Self::TlsRefused => ("tls-refused", "policy-violation", TIMEOUT),
            Self::TlsFailed { code, .. } => (code, "undefined-condition", TIMEOUT),
            Self::Certificate(fault) => (fault.code(), "not-authorized", TIMEOUT),
            Self::ExternalMissing => ("external-missing", "not-authorized", TIMEOUT),
            Self::ExternalRefused(_) => ("external-refused", "not-authorized", TIMEOUT),
            Self::SaslFailed(_) => ("sasl-failed", "not-authorized", TIMEOUT),
            Self::DialbackInvalid => ("dialback-invalid", "not-authorized", TIMEOUT),
            Self::DialbackRefused(_) => ("dialback-refused", "not-authorized", TIMEOUT),
            Self::NoService(_) => ("no-service", "remote-connection-failed", NOT_FOUND),
            Self::DnsFailed(_) => ("dns-failed", "remote-connection-failed", TIMEOUT),
            Self::ConnectFailed(_) => ("connect-failed", "remote-connection-failed", TIMEOUT),
            Self::BackingOff(_) => ("backing-off", "remote-connection-failed", TIMEOUT),
            Self::ImproperAddressing(_) => (
                "improper-addressing",
                "improper-addressing",
                ("modify", "jid-malformed"),
            ),
            Self::InvalidFrom => ("invalid-from", "invalid-from", BAD_REQUEST),
            Self::HostUnknown => ("host-unknown", "host-unknown", NOT_FOUND),
            Self::MalformedStanza(_) => ("malformed-stanza", "bad-format", BAD_REQUEST),
            Self::QueueFull => ("queue-full", "resource-constraint", CONSTRAINT),
            Self::NoGateway => ("no-gateway", "remote-connection-failed", UNAVAILABLE),
            Self::LinkLost => ("link-lost", "remote-connection-failed", UNAVAILABLE),
        }
    }
}

impl std::error::Error for Reason {}

#[cfg(test)]
mod tests;
