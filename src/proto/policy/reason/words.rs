//! Each reason, in the operator's words.

use std::fmt;
use std::net::SocketAddr;

use super::Reason;
use crate::proto::auth::certificate::utc;
use crate::proto::stream::acks::TooHigh;

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownLocalDomain(domain) => {
                write!(f, "{domain} is not a domain that this edge speaks for")
            }
            Self::UnknownPartner { domain, above } => {
                write!(f, "{domain} is not a partner: ")?;
                match above {
                    Some(above) => write!(f, "add it to additional-domains of {above}"),
                    None => f.write_str("no entry of partners.toml covers it"),
                }
            }
            Self::MethodNotAllowed(method) => {
                write!(
                    f,
                    "the partner's tls, sasl and dialback settings do not allow {method}"
                )
            }
            Self::BothLocal => {
                f.write_str("both addresses are of domains on this side of the edge")
            }
            Self::TlsTooOld { version, minimum } => write!(
                f,
                "the stream runs on TLS {version}, and the partner's minimum-tls-version is {minimum}"
            ),
            Self::PolicyChanged(cause) => write!(f, "the configuration was reloaded: {cause}"),
            Self::KindNotAllowed(kind) => {
                write!(f, "the partner's kinds do not include {}", kind.as_str())
            }
            Self::NamespaceNotAllowed(ns) => {
                write!(f, "the partner's settings let nothing of '{ns}' pass")
            }
            Self::StanzaTooBig { bytes, limit } => {
                write!(f, "the stanza takes at least {bytes} bytes, and the limit is {limit}")
            }
            Self::NotAContact => f.write_str("the local user has not added this contact"),
            Self::UnaskedAnswer => f.write_str("it answers nothing that the local user has sent lately"),
            Self::ConversationNotAllowed(initiative) => write!(
                f,
                "the partner's direction is \"{}\", and this would open a conversation the other way",
                initiative.as_str()
            ),
            Self::AccessDenied => f.write_str("the local user may not use federation"),
            Self::ContactNotKept(text) => write!(f, "the contact cannot be kept: {text}"),
            Self::TooManyContacts(limit) => write!(
                f,
                "the user has {limit} contacts already, as many as contact-limit allows"
            ),
            Self::Xml(fault) | Self::StanzaTooComplex(fault) => fault.fmt(f),
            Self::InvalidNamespace => {
                f.write_str("not a stream of this port: wrong root element or content namespace")
            }
            Self::UnsupportedVersion => f.write_str("the stream has no version of at least 1.0"),
            Self::HeaderAddress(what) => write!(f, "the stream header has no usable '{what}'"),
            Self::HeaderChanged(what) => {
                write!(
                    f,
                    "'{what}' differs from the stream header before it on this connection"
                )
            }
            Self::MissingStreamId => f.write_str("the response header has no stream id"),
            Self::MalformedAddress { attribute, text } => {
                write!(f, "'{attribute}' is no address: {text}")
            }
            Self::TooManyBadAddresses => {
                f.write_str("too many stanzas with malformed addresses within a minute")
            }
            Self::NotAuthorized => {
                f.write_str("the stream is not authenticated for this pair of domains")
            }
            Self::LinkSecret => f.write_str(
                "the handshake is wrong: the gateway must use the secret that stands in secret-file",
            ),
            Self::UnexpectedElement(name) => {
                write!(f, "<{name}> has no place in this state of the stream")
            }
            Self::PlaintextInjection => {
                f.write_str("bytes in the clear were waiting behind the switch to TLS")
            }
            Self::TlsNotOffered => f.write_str("TLS was asked for where it is not offered"),
            Self::TooManyDials => f.write_str(
                "too many partners are being dialled at once (dials-at-once, dials-at-once-per-partner)",
            ),
            Self::HeaderTimeout => f.write_str("no stream header came in time"),
            Self::EstablishmentTimeout(awaited) => write!(
                f,
                "the stream was not ready in time: {awaited} had not come"
            ),
            Self::StanzaUnfinished => f.write_str("a stanza was begun and not finished in time"),
            Self::PingTimeout => f.write_str("a ping was not answered"),
            Self::AcknowledgementTimeout => {
                f.write_str("what was written was not acknowledged in time")
            }
            Self::AcknowledgedTooMuch(TooHigh { h, sent }) => {
                write!(f, "{h} stanzas were acknowledged, and {sent} were sent")
            }
            Self::Idle => f.write_str("no stanza passed for the inactivity timeout"),
            Self::TooManyAttempts => f.write_str("too many failed attempts to authenticate"),
            Self::SharingOff => f.write_str("the partner's entry does not let pairs share a stream"),
            Self::TooManyPending => f.write_str("too many dialback requests are waiting"),
            Self::TooManyStrangers(key) => {
                write!(
                    f,
                    "too many unproven connections: {key} under [admission] is reached"
                )
            }
            Self::TooMuchUnproven => {
                f.write_str("too much was sent before the stream was authenticated")
            }
            Self::TooManyPartnerStreams(limit) => {
                write!(f, "the partner's connection-limit of {limit} streams is reached")
            }
            Self::TooManyPairs(limit) => {
                write!(f, "a stream carries {limit} pairs at most (pairs-per-stream)")
            }
            Self::TooManyStreams => f.write_str("a limit on simultaneous streams is reached"),
            Self::TooManyLinks(limit) => write!(
                f,
                "a domain has {limit} links at most (links-per-domain under [gateway])"
            ),
            Self::Finished => f.write_str("the stream has served its purpose"),
            Self::Shutdown => f.write_str("the edge is stopping"),
            Self::KeyUsedUp => f.write_str("the key of TLS is used up: a new stream has a new one"),
            Self::CertificateExpired(since) => write!(
                f,
                "a certificate that proved this stream has expired ({}): a new stream must prove itself",
                utc(*since)
            ),
            Self::Replaced => f.write_str("a newer stream took over"),
            Self::PeerError { condition, text } => {
                write!(f, "the other side ended the stream: {}", condition.as_str())?;
                if text.is_empty() {
                    Ok(())
                } else {
                    write!(f, " ({text})")
                }
            }
            Self::PeerClosed => f.write_str("the other side closed the connection"),
            Self::NotServed { domain, address } => write!(
                f,
                "the server{} does not serve {domain}: DNS or `route` leads to the wrong host",
                At(*address)
            ),
            Self::ClientPort => f.write_str(
                "that is a port for clients (jabber:client): servers are met at another, 5269 as a rule",
            ),
            Self::LeadsBack {
                domain,
                address,
                answers_as,
            } => {
                write!(f, "the server{} ", At(*address))?;
                match answers_as {
                    Some(own) => write!(f, "answers as {own}")?,
                    None => f.write_str("is this edge")?,
                }
                write!(f, ": DNS or `route` of {domain} leads back to this edge")
            }
            Self::Transport(text) => write!(f, "the connection broke: {text}"),
            Self::TlsMissing => {
                f.write_str("policy requires TLS and the partner does not offer STARTTLS")
            }
            Self::TlsDemanded => {
                f.write_str("the partner requires TLS, which tls = \"not-supported\" switches off")
            }
            Self::TlsRefused => f.write_str("the partner refused to start TLS"),
            Self::TlsFailed { detail, .. } => write!(f, "the TLS handshake failed: {detail}"),
            Self::Certificate(fault) => fault.fmt(f),
            Self::ExternalMissing => f.write_str(
                "the partner does not offer SASL EXTERNAL (it may distrust our certificate)",
            ),
            Self::ExternalRefused(text) => write!(f, "the partner refused SASL EXTERNAL: {text}"),
            Self::SaslFailed(condition) => {
                write!(f, "the partner tried SASL in vain: {condition}")
            }
            Self::DialbackInvalid => {
                f.write_str("the authoritative server says that the dialback key is not its own")
            }
            Self::DialbackRefused(text) => write!(f, "the dialback was not completed: {text}"),
            Self::DialbackUnanswered(text) => write!(
                f,
                "the partner's authoritative server could not be asked about its key: {text}"
            ),
            Self::NoService(text) => write!(f, "DNS names no XMPP service: {text}"),
            Self::DnsFailed(text) => write!(f, "DNS: {text}"),
            Self::ConnectFailed(text, _) => write!(f, "no connection: {text}"),
            Self::BackingOff(cause) => write!(f, "{cause} (not tried again yet)"),
            Self::ImproperAddressing(what) => {
                write!(f, "'{what}' is missing or is not an address")
            }
            Self::InvalidFrom => {
                f.write_str("'from' is not of a domain that the sender has proven")
            }
            Self::HostUnknown => f.write_str("'to' is not of a domain behind this edge"),
            Self::MalformedStanza(what) => write!(f, "malformed stanza: {what}"),
            Self::QueueFull => f.write_str("too much is already waiting for this destination"),
            Self::NoGateway => f.write_str("no gateway is connected for this domain"),
            Self::LinkLost => f.write_str(
                "the connection to the gateway ended while the stanza was being written",
            ),
        }
    }
}

/// Where something is, if it is known.
struct At(Option<SocketAddr>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => write!(f, " at {address}"),
            None => Ok(()),
        }
    }
}
