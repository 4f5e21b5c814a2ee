//! What can be wrong with a certificate, in words that say who must mend it.

use super::certificate::{MOST_CANDIDATES, MOST_SENT, utc};
use super::identity::Names;
use crate::proto::codes::Code;
use crate::proto::jid::Domain;

/// Why a certificate does not prove a domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertFault {
    /// The other side sent none.
    #[error("no certificate was presented")]
    Absent,
    /// X.509 version 1: such a certificate cannot name a domain.
    #[error("the certificate is X.509 version 1, which cannot carry a domain name")]
    VersionOne,
    /// It cannot be read as a certificate.
    #[error("the certificate cannot be read ({detail})")]
    Malformed {
        /// What the parser met.
        detail: String,
    },
    /// Signed with its own key, and not itself a trust anchor.
    #[error("the certificate is self-signed, and is not a trust anchor")]
    SelfSigned,
    /// Its time is over, or that of an authority above it.
    #[error("{} expired on {}, and this host's clock says {}", certificate_of(.authority), utc(*.since), utc(*.now))]
    Expired {
        /// The last second of validity, in Unix time.
        since: u64,
        /// What the clock says, in Unix time: perhaps it is the clock that is wrong.
        now: u64,
        /// The authority whose certificate it is; `None`: the partner's own.
        authority: Option<String>,
    },
    /// Its time has not come, or that of an authority above it.
    #[error("{} is not valid before {}, and this host's clock says {}", certificate_of(.authority), utc(*.from), utc(*.now))]
    NotYetValid {
        /// The first second of validity, in Unix time.
        from: u64,
        /// What the clock says, in Unix time: perhaps it is the clock that is wrong.
        now: u64,
        /// The authority whose certificate it is; `None`: the partner's own.
        authority: Option<String>,
    },
    /// It may be used for TLS clients only.
    #[error("the certificate is for TLS clients only (clientAuth without serverAuth)")]
    ClientAuthOnly,
    /// Its extended key usages, or those of an authority above it, leave out servers.
    #[error(
        "the certificate, or an authority above it, may not be used for TLS servers (no serverAuth among the extended key usages)"
    )]
    NotForServers,
    /// It is an authority's own certificate.
    #[error("the certificate is that of a certification authority and not of a server")]
    AuthorityAsServer,
    /// No way leads from it to a trust anchor.
    #[error("{}", unknown_issuer(.issuer, *.issuer_sent))]
    UnknownIssuer {
        /// The issuer where the way ends.
        issuer: String,
        /// Whether that issuer's own certificate was sent: then it is a root that is not trusted;
        /// else it is an intermediate that is missing, or a root that is not trusted.
        issuer_sent: bool,
    },
    /// A signature in the chain is wrong.
    #[error("a signature in the chain is wrong: the certificates sent do not belong together")]
    BadSignature,
    /// An algorithm in the chain is not supported.
    #[error(
        "the chain is signed with an algorithm that is not supported (SHA-1, a short key or an unusual curve)"
    )]
    UnsupportedAlgorithm,
    /// An authority in the chain may not vouch for such names.
    #[error("an authority in the chain is not allowed to vouch for these names (name constraints)")]
    NameConstraint,
    /// The way to a trust anchor is too long or too winding to follow.
    #[error("the chain is too long or too complex to check")]
    TooDeep,
    /// More certificates were sent than any chain needs.
    #[error(
        "too many certificates were sent: more than {MOST_SENT}, or more than {MOST_CANDIDATES} that name each other as issuers"
    )]
    TooManyCertificates,
    /// The certificate's key usage leaves out what TLS signs with it.
    #[error("the certificate's key may not sign handshakes (key usage without digitalSignature)")]
    KeyMayNotSign,
    /// The key usage of an authority leaves out certificates.
    #[error("the key of {authority} may not sign certificates (key usage without keyCertSign)")]
    AuthorityMayNotSign {
        /// The subject of the authority's certificate.
        authority: String,
    },
    /// Anything else that the chain check refuses.
    #[error("the chain is not valid ({detail})")]
    Invalid {
        /// What the check met.
        detail: String,
    },
    /// Good, but for other domains.
    #[error("the certificate does not name {domain} (it names: {presented})")]
    WrongName {
        /// The domain it should prove.
        domain: Domain,
        /// What it names instead.
        presented: Names,
    },
    /// The domain stands only in a kind of name that an authority in the chain was not held to.
    #[error(
        "the certificate names {domain} only as SRVName or xmppAddr, while an authority in the chain is limited by name constraints"
    )]
    UnconstrainedName {
        /// The domain it should prove.
        domain: Domain,
    },
    /// Good, but with none of the keys that the partner is to be recognised by.
    #[error(
        "none of the partner's certificate-pins is in the chain ({path}): if the partner says, by another way than XMPP, that it has changed its key or its authority, add one of these to certificate-pins; else somebody may be on the way"
    )]
    NotPinned {
        /// The subjects and pins of the verified chain, the partner's own certificate first.
        path: String,
    },
}

/// In seconds.
const DAY: u64 = 86_400;

impl CertFault {
    /// The name of the fault in counters and JSON.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Absent => Code::NO_CERTIFICATE,
            Self::VersionOne => Code::X509_VERSION_1,
            Self::Malformed { .. } => Code::MALFORMED,
            Self::SelfSigned => Code::SELF_SIGNED,
            Self::Expired { .. } => Code::EXPIRED,
            // No authority dates a certificate ahead: one that is a few hours old at most, and not
            // valid yet, speaks of the clock.
            Self::NotYetValid { from, now, .. } if from.saturating_sub(*now) < DAY => {
                Code::CLOCK_SKEW
            }
            Self::NotYetValid { .. } => Code::NOT_YET_VALID,
            Self::ClientAuthOnly => Code::CLIENT_AUTH_ONLY,
            Self::NotForServers => Code::NOT_FOR_SERVERS,
            Self::AuthorityAsServer => Code::AUTHORITY_AS_SERVER,
            Self::UnknownIssuer {
                issuer_sent: false, ..
            } => Code::ISSUER_NOT_SENT,
            Self::UnknownIssuer { .. } => Code::UNKNOWN_ISSUER,
            Self::BadSignature => Code::BAD_SIGNATURE,
            Self::UnsupportedAlgorithm => Code::UNSUPPORTED_ALGORITHM,
            Self::NameConstraint => Code::NAME_CONSTRAINT,
            Self::TooDeep => Code::CHAIN_TOO_DEEP,
            Self::TooManyCertificates => Code::TOO_MANY_CERTIFICATES,
            Self::KeyMayNotSign => Code::KEY_MAY_NOT_SIGN,
            Self::AuthorityMayNotSign { .. } => Code::AUTHORITY_MAY_NOT_SIGN,
            Self::Invalid { .. } => Code::INVALID_CHAIN,
            Self::WrongName { .. } => Code::WRONG_NAME,
            Self::UnconstrainedName { .. } => Code::UNCONSTRAINED_NAME,
            Self::NotPinned { .. } => Code::NOT_PINNED,
        }
    }
}

fn certificate_of(authority: &Option<String>) -> String {
    match authority {
        Some(authority) => format!("the certificate of the authority {authority}"),
        None => "the certificate".to_owned(),
    }
}

fn unknown_issuer(issuer: &str, issuer_sent: bool) -> String {
    if issuer_sent {
        format!("the chain ends at {issuer}, which is not among the trust anchors")
    } else {
        format!("the issuer of the chain, {issuer}, was not sent and is not a trust anchor")
    }
}
