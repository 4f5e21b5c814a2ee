//! Why something was refused: one enum for the wire, the counters, the operator and the docs.

mod cause;
mod kinds;
mod words;

use std::net::SocketAddr;

use super::{Initiative, Method};
use crate::proto::auth::cert_fault::CertFault;
use crate::proto::auth::chain::TlsVersion;
use crate::proto::codes::{Code, StanzaError};
use crate::proto::jid::Domain;
use crate::proto::stanza::Kind;
use crate::proto::stream::acks::TooHigh;
use crate::proto::xml;

/// The text of [`Reason::DialbackRefused`] where the partner was told that the key is none of ours.
pub const KEY_DENIED: &str = "the partner says that our key is invalid";

/// Why a stream, a method or a stanza was refused, or could not be carried.
///
/// [`code`](Self::code) labels counters and log lines, and is a row of the table from which all but
/// the operator's text follows; that is [`Display`](std::fmt::Display).
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
    /// A request for an acknowledgement was not answered (XEP-0198 §4).
    AcknowledgementTimeout,
    /// The other side has acknowledged more stanzas than it was sent (XEP-0198 §6).
    AcknowledgedTooMuch(TooHigh),
    /// No stanza passed for the configured time.
    Idle,
    /// Too many attempts to authenticate.
    TooManyAttempts,
    /// Too many dialback requests wait for an answer on this stream.
    TooManyPending,
    /// As many pairs are proven on the stream, or asked about, as may be.
    TooManyPairs(usize),
    /// Pairs are to share a stream, or do, whose partner's entry does not let them.
    SharingOff,
    /// A limit on connections is reached.
    TooManyStreams,
    /// As many streams live with this partner as its `connection-limit` allows.
    TooManyPartnerStreams(usize),
    /// As many gateways have a link for this domain as `links-per-domain` allows.
    TooManyLinks(usize),
    /// A limit on what has not proven anything yet is reached: its key under `[admission]`.
    TooManyStrangers(Code),
    /// Too much was sent before anything was proven.
    TooMuchUnproven,
    /// The stream has served its purpose.
    Finished,
    /// A certificate of the path that proved the stream has expired since; in Unix time.
    CertificateExpired(u64),
    /// As many records were sent as the key of TLS 1.2 is good for.
    KeyUsedUp,
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
        code: Code,
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
    /// The authoritative server of a partner's domain could not be asked about the partner's key.
    DialbackUnanswered(String),

    // --- reaching a partner ---
    /// DNS says that the domain does not exist or has no XMPP service.
    NoService(String),
    /// DNS did not answer.
    DnsFailed(String),
    /// No address could be connected to; the code is the row that says most of it.
    ConnectFailed(String, Code),
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
    pub fn code(&self) -> Code {
        match self {
            Self::PolicyChanged(cause) => cause.code(),
            _ => self.row(),
        }
    }

    /// The stream error that tells the other side (RFC 6120 §4.9.3); `None` where it is not told.
    #[must_use]
    pub fn stream_condition(&self) -> Option<&'static str> {
        self.row().stream_condition()
    }

    /// The stanza error, type and condition, that tells a sender (RFC 6120 §8.3.3).
    #[must_use]
    pub fn stanza_condition(&self) -> StanzaError {
        // Whose stanza waited for a stream that broke has done nothing wrong.
        const BROKEN: StanzaError = ("wait", "remote-server-timeout");
        match self {
            Self::BackingOff(cause) | Self::PolicyChanged(cause) => cause.stanza_condition(),
            Self::Xml(_) => BROKEN,
            _ => self.row().stanza_condition().unwrap_or(BROKEN),
        }
    }

    /// The row of the table that all else follows from.
    fn row(&self) -> Code {
        match self {
            Self::StanzaTooComplex(fault) | Self::Xml(fault) => fault.code(),
            Self::TooManyStrangers(code) | Self::TlsFailed { code, .. } => *code,
            Self::Certificate(fault) => fault.code(),
            Self::UnknownLocalDomain(_) => Code::UNKNOWN_LOCAL_DOMAIN,
            Self::UnknownPartner { .. } => Code::UNKNOWN_PARTNER,
            Self::MethodNotAllowed(_) => Code::METHOD_NOT_ALLOWED,
            Self::BothLocal => Code::BOTH_LOCAL,
            Self::TlsTooOld { .. } => Code::TLS_TOO_OLD,
            Self::PolicyChanged(_) => Code::POLICY_CHANGED,
            Self::KindNotAllowed(_) => Code::KIND_NOT_ALLOWED,
            Self::NamespaceNotAllowed(_) => Code::NAMESPACE_NOT_ALLOWED,
            Self::StanzaTooBig { .. } => Code::STANZA_TOO_BIG,
            Self::NotAContact => Code::NOT_A_CONTACT,
            Self::UnaskedAnswer => Code::UNASKED_ANSWER,
            Self::ConversationNotAllowed(_) => Code::CONVERSATION_NOT_ALLOWED,
            Self::AccessDenied => Code::ACCESS_DENIED,
            Self::ContactNotKept(_) => Code::CONTACT_NOT_KEPT,
            Self::TooManyContacts(_) => Code::TOO_MANY_CONTACTS,
            Self::InvalidNamespace => Code::INVALID_NAMESPACE,
            Self::UnsupportedVersion => Code::UNSUPPORTED_VERSION,
            Self::HeaderAddress(_) => Code::HEADER_ADDRESS,
            Self::HeaderChanged(_) => Code::HEADER_CHANGED,
            Self::MissingStreamId => Code::MISSING_STREAM_ID,
            Self::MalformedAddress { .. } => Code::JID_MALFORMED,
            Self::TooManyBadAddresses => Code::TOO_MANY_BAD_ADDRESSES,
            Self::NotAuthorized => Code::NOT_AUTHORIZED,
            Self::LinkSecret => Code::LINK_SECRET,
            Self::UnexpectedElement(_) => Code::UNEXPECTED_ELEMENT,
            Self::PlaintextInjection => Code::PLAINTEXT_INJECTION,
            Self::TlsNotOffered => Code::TLS_NOT_OFFERED,
            Self::TooManyDials => Code::TOO_MANY_DIALS,
            Self::HeaderTimeout => Code::HEADER_TIMEOUT,
            Self::EstablishmentTimeout(_) => Code::ESTABLISHMENT_TIMEOUT,
            Self::StanzaUnfinished => Code::STANZA_UNFINISHED,
            Self::PingTimeout => Code::PING_TIMEOUT,
            Self::AcknowledgementTimeout => Code::ACKNOWLEDGEMENT_TIMEOUT,
            Self::AcknowledgedTooMuch(_) => Code::ACKNOWLEDGED_TOO_MUCH,
            Self::Idle => Code::IDLE,
            Self::TooManyAttempts => Code::TOO_MANY_ATTEMPTS,
            Self::TooManyPending => Code::TOO_MANY_PENDING,
            Self::TooManyPairs(_) => Code::TOO_MANY_PAIRS,
            Self::SharingOff => Code::SHARING_OFF,
            Self::TooManyStreams => Code::TOO_MANY_STREAMS,
            Self::TooManyPartnerStreams(_) => Code::TOO_MANY_PARTNER_STREAMS,
            Self::TooManyLinks(_) => Code::TOO_MANY_LINKS,
            Self::TooMuchUnproven => Code::TOO_MUCH_UNPROVEN,
            Self::Finished => Code::FINISHED,
            Self::CertificateExpired(_) => Code::CERTIFICATE_EXPIRED,
            Self::KeyUsedUp => Code::KEY_USED_UP,
            Self::Shutdown => Code::SHUTDOWN,
            Self::Replaced => Code::REPLACED,
            Self::PeerError { .. } => Code::PEER_ERROR,
            Self::PeerClosed => Code::PEER_CLOSED,
            Self::NotServed { .. } => Code::NOT_SERVED,
            Self::ClientPort => Code::CLIENT_PORT,
            Self::LeadsBack { .. } => Code::LEADS_BACK,
            Self::Transport(_) => Code::TRANSPORT,
            Self::TlsMissing => Code::TLS_MISSING,
            Self::TlsDemanded => Code::TLS_DEMANDED,
            Self::TlsRefused => Code::TLS_REFUSED,
            Self::ExternalMissing => Code::EXTERNAL_MISSING,
            Self::ExternalRefused(_) => Code::EXTERNAL_REFUSED,
            Self::SaslFailed(_) => Code::SASL_FAILED,
            Self::DialbackInvalid => Code::DIALBACK_INVALID,
            Self::DialbackRefused(text) => cause::of_dialback(text),
            Self::DialbackUnanswered(_) => Code::DIALBACK_UNANSWERED,
            Self::NoService(_) => Code::NO_SERVICE,
            Self::DnsFailed(_) => Code::DNS_FAILED,
            Self::ConnectFailed(..) => Code::CONNECT_FAILED,
            Self::BackingOff(_) => Code::BACKING_OFF,
            Self::ImproperAddressing(_) => Code::IMPROPER_ADDRESSING,
            Self::InvalidFrom => Code::INVALID_FROM,
            Self::HostUnknown => Code::HOST_UNKNOWN,
            Self::MalformedStanza(_) => Code::MALFORMED_STANZA,
            Self::QueueFull => Code::QUEUE_FULL,
            Self::NoGateway => Code::NO_GATEWAY,
            Self::LinkLost => Code::LINK_LOST,
        }
    }
}

impl std::error::Error for Reason {}

#[cfg(test)]
mod tests;
