//! Why a handshake, or an encrypted connection, ended: the library's errors in the operator's words.

use std::io;

use crate::net::io::transport::HandshakeTooLong;
use crate::proto::codes::Code;
use crate::proto::words;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

/// Why TLS failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFault {
    /// The partner's certificate is X.509 version 1, with which no handshake can be finished.
    #[error("the partner's certificate is X.509 version 1, with which TLS cannot be used")]
    PeerVersionOne,
    /// The partner's certificate cannot be read, or its key is of a kind that is not supported.
    #[error("the partner's certificate cannot be used in a handshake ({detail})")]
    PeerCertificate {
        /// What the library met.
        detail: String,
    },
    /// The partner did not prove to hold the key of its certificate.
    #[error(
        "the partner's signature in the handshake is wrong: its private key does not belong to its certificate, or the connection was tampered with"
    )]
    PeerSignature,
    /// The partner refused our certificate.
    #[error("the partner refused our certificate (alert {alert})")]
    OursRejected {
        /// The name of the TLS alert.
        alert: String,
    },
    /// The partner, or the gateway, presented none where it must.
    #[error("no certificate was presented where one is required")]
    NoneSent,
    /// A certificate on the internal link was refused.
    #[error("the certificate presented is not acceptable ({detail})")]
    Refused {
        /// What the library met.
        detail: String,
    },
    /// Any other alert.
    #[error("the other side ended TLS with the alert {alert}")]
    Alert {
        /// The name of the TLS alert.
        alert: String,
    },
    /// No version of TLS is common to both.
    #[error("there is no TLS version that both sides allow")]
    NoSharedVersion,
    /// No cipher suite, key exchange or signature algorithm is common to both.
    #[error(
        "there are no TLS algorithms that both sides allow ({detail}): the partner's are out of date"
    )]
    NoSharedAlgorithm {
        /// What is missing.
        detail: String,
    },
    /// What came is not TLS.
    #[error("what the other side sent is not TLS")]
    NotTls,
    /// The connection was closed in the middle of the handshake, with no alert that says why.
    #[error(
        "the other side closed the connection during the handshake without saying why: its log may tell"
    )]
    Closed,
    /// The connection broke.
    #[error("the connection failed during TLS ({kind})")]
    Io {
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// The handshake took too long.
    #[error("it took too long")]
    TimedOut,
    /// The other side sends more than a handshake may take.
    #[error("{0}")]
    TooLong(HandshakeTooLong),
    /// TLS cannot ask for this domain.
    #[error("the domain cannot be named in a TLS handshake")]
    ServerName,
    /// The other side broke the rules of the protocol.
    #[error("the other side broke the TLS protocol ({detail})")]
    Protocol {
        /// What the library met.
        detail: String,
    },
}

impl TlsFault {
    /// Of an error that the TLS stream gave, during the handshake or later: with TLS 1.3 a partner
    /// that refuses our certificate says so only after our side has finished.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        let inner = error.get_ref();
        if let Some(too_long) = inner.and_then(|inner| inner.downcast_ref()) {
            return Self::TooLong(*too_long);
        }
        match inner.and_then(|inner| inner.downcast_ref()) {
            Some(error) => Self::of_library(error),
            None => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => Self::Closed,
                io::ErrorKind::TimedOut => Self::TimedOut,
                kind => Self::Io { kind },
            },
        }
    }

    /// The name of the fault in counters and JSON.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::PeerVersionOne => Code::PEER_X509_VERSION_1,
            Self::PeerCertificate { .. } => Code::PEER_CERTIFICATE_UNUSABLE,
            Self::PeerSignature => Code::PEER_SIGNATURE,
            Self::OursRejected { .. } => Code::OUR_CERTIFICATE_REJECTED,
            Self::NoneSent => Code::NO_CERTIFICATE_IN_TLS,
            Self::Refused { .. } => Code::CERTIFICATE_REFUSED,
            Self::Alert { .. } => Code::ALERT,
            Self::NoSharedVersion => Code::NO_SHARED_VERSION,
            Self::NoSharedAlgorithm { .. } => Code::NO_SHARED_ALGORITHM,
            Self::NotTls => Code::NOT_TLS,
            Self::Closed => Code::CLOSED,
            Self::Io { .. } => Code::IO,
            Self::TimedOut => Code::TIMED_OUT,
            Self::TooLong(_) => Code::HANDSHAKE_TOO_LONG,
            Self::ServerName => Code::SERVER_NAME,
            Self::Protocol { .. } => Code::PROTOCOL,
        }
    }

    fn of_library(error: &Error) -> Self {
        match error {
            Error::AlertReceived(alert) => Self::of_alert(*alert),
            Error::InvalidCertificate(error) => Self::of_certificate(error),
            Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                // RFC 5246 §7.4.1.4.1: who leaves it out knows nothing later than TLS 1.1.
                | PeerIncompatible::SignatureAlgorithmsExtensionRequired
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled,
            ) => Self::NoSharedVersion,
            Error::PeerIncompatible(detail) => Self::NoSharedAlgorithm {
                detail: words::of_name(&format!("{detail:?}")),
            },
            Error::NoCertificatesPresented => Self::NoneSent,
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Self::NotTls,
            error => Self::Protocol {
                detail: of_library(error),
            },
        }
    }

    fn of_alert(alert: AlertDescription) -> Self {
        use AlertDescription as A;
        // RFC 8446 §6: `unknown_ca`, and so on.
        let name = words::of_name(&format!("{alert:?}")).replace(' ', "_");
        match alert {
            // RFC 8446 §6.2: the alerts that speak of the certificate we presented.
            A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
            | A::CertificateRequired => Self::OursRejected { alert: name },
            A::ProtocolVersion => Self::NoSharedVersion,
            A::HandshakeFailure | A::InsufficientSecurity => Self::NoSharedAlgorithm {
                detail: format!("alert {name}"),
            },
            _ => Self::Alert { alert: name },
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::BadSignature => Self::PeerSignature,
            CertificateError::Other(other)
                if other.0.downcast_ref() == Some(&webpki::Error::UnsupportedCertVersion) =>
            {
                Self::PeerVersionOne
            }
            CertificateError::BadEncoding
            | CertificateError::Other(_)
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Self::PeerCertificate {
                    detail: of_certificate(error),
                }
            }
            // Only the link's verifier, which does look at the chain, comes here.
            error => Self::Refused {
                detail: of_certificate(error),
            },
        }
    }
}

/// The library's error in words: its own text has the names of variants.
fn of_library(error: &Error) -> String {
    match error {
        Error::PeerMisbehaved(why) => words::of_name(&format!("{why:?}")),
        Error::InvalidMessage(why) => {
            format!("a damaged message: {}", words::of_name(&format!("{why:?}")))
        }
        Error::General(text) => words::of_error(text),
        error => words::of_error(error),
    }
}

fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Other(other) => words::of_name(&other.0.to_string()),
        CertificateError::UnsupportedSignatureAlgorithmContext { .. } => {
            "its signature algorithm is not supported".to_owned()
        }
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "its key is of a kind that is not supported".to_owned()
        }
        // Those with more to say have a text of their own, in which there are spaces.
        error => match error.to_string() {
            text if text.contains(' ') => text,
            name => words::of_name(&name),
        },
    }
}
