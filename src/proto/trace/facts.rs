//! What the shell found out, as it stands in a file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use super::context::{ContextFact, tls_version};
use crate::proto::auth::Pair;
use crate::proto::auth::chain::{Anchors, TlsFacts};
use crate::proto::codes::Code;
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::stream::acks::{Agreed, Suspended};

/// What a machine was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OpenFact {
    /// `inbound`, `outbound` or `link`.
    pub direction: String,
    /// Where the other side is.
    pub address: String,
    /// How long the trace had run when the stream began, in microseconds.
    #[serde(default)]
    pub since: u64,
    /// When it began, in Unix time.
    pub wall: u64,
    /// What it decides by; `None` on a stream that was there before the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Box<ContextFact>>,
    /// Of a stream of ours: between whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<(String, String)>,
    /// Of a stream of ours: what for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<PurposeFact>,
    /// Of a stream of ours: whether EXTERNAL is tried.
    #[serde(default)]
    pub try_external: bool,
    /// Of a stream of ours: whether a listener of ours is at the address.
    #[serde(default)]
    pub is_own: bool,
    /// Of a stream of ours: when it is to be ready at the latest, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Of a stream of ours: the session of an earlier connection that is to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<SessionFact>,
}

/// A session that is to go on (XEP-0198 §5), and its counters, modulo 2^32.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFact {
    /// What it is resumed by.
    pub id: String,
    /// How many stanzas we wrote.
    pub written: u32,
    /// How many of these are acknowledged.
    pub acknowledged: u32,
    /// How many stanzas came.
    pub received: u32,
}

impl SessionFact {
    pub(super) fn of(session: &Suspended) -> Self {
        let (written, acknowledged, received) = session.agreed.counted();
        Self {
            id: session.id.clone(),
            written,
            acknowledged,
            received,
        }
    }

    pub(super) fn session(&self) -> Suspended {
        Suspended {
            id: self.id.clone(),
            agreed: Agreed::at(self.written, self.acknowledged, self.received),
            ..Suspended::default()
        }
    }
}

/// What a stream of ours is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PurposeFact {
    /// To carry stanzas.
    Carry {},
    /// To ask about a dialback key of so many bytes.
    #[serde(rename_all = "kebab-case")]
    Ask {
        /// The stream that it is for.
        stream_id: String,
        /// How long the key is.
        key_bytes: usize,
    },
}

/// TLS as it came up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TlsFact {
    /// The version.
    pub version: String,
    /// The certificates that came, each in base64.
    pub chain: Vec<String>,
    /// The trust anchors that may be at its end: the others cannot.
    pub anchors: Vec<String>,
}

impl TlsFact {
    pub(super) fn of(facts: &TlsFacts, anchors: &Anchors) -> Self {
        Self {
            version: facts.version.as_str().to_owned(),
            chain: facts.chain.iter().map(|it| STANDARD.encode(it)).collect(),
            anchors: above(&facts.chain, anchors),
        }
    }

    pub(super) fn facts(&self) -> Option<TlsFacts> {
        Some(TlsFacts {
            version: tls_version(&self.version)?,
            chain: certificates(&self.chain)?.into(),
        })
    }
}

/// The anchors that may be above a chain, in base64.
pub(super) fn above(chain: &[CertificateDer<'_>], anchors: &Anchors) -> Vec<String> {
    let above = anchors.above(chain);
    let mut above: Vec<_> = above.iter().map(|it| STANDARD.encode(it)).collect();
    above.sort_unstable();
    above
}

/// Certificates that stand in base64.
pub(super) fn certificates(texts: &[String]) -> Option<Vec<CertificateDer<'static>>> {
    let decoded = texts.iter().map(|text| STANDARD.decode(text).ok());
    decoded.map(|it| it.map(CertificateDer::from)).collect()
}

/// A pair as it stands in a file.
pub(super) fn pair_text(pair: &Pair) -> (String, String) {
    (
        pair.local.as_str().to_owned(),
        pair.remote.as_str().to_owned(),
    )
}

pub(super) fn pair((local, remote): &(String, String)) -> Option<Pair> {
    Some(Pair {
        local: Domain::parse(local).ok()?,
        remote: Domain::parse(remote).ok()?,
    })
}

/// Why the shell has ended a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EndFact {
    /// The label of the reason.
    pub reason: String,
    /// Its words, or those that stand in it.
    pub text: String,
    /// The limit, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Whether a reload brought it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_by_reload: bool,
}

impl EndFact {
    pub(super) fn of(reason: &Reason) -> Self {
        let (text, limit) = match reason {
            Reason::Transport(text) => (text.clone(), None),
            Reason::TlsFailed { detail, .. } => (detail.clone(), None),
            Reason::TooManyPartnerStreams(limit) | Reason::TooManyLinks(limit) => {
                (reason.to_string(), Some(*limit))
            }
            Reason::PolicyChanged(cause) => {
                return Self {
                    is_by_reload: true,
                    ..Self::of(cause)
                };
            }
            reason => (reason.to_string(), None),
        };
        Self {
            reason: reason.code().as_str().to_owned(),
            text,
            limit,
            is_by_reload: false,
        }
    }

    /// The reason, where it is one that a shell ends streams for.
    pub(super) fn reason(&self) -> Option<Reason> {
        let code = Code::all().find(|code| *code == self.reason.as_str())?;
        let is_in = |group| {
            let mut groups = Code::GROUPS.iter();
            groups.any(|(name, rows)| *name == group && rows.contains(&code))
        };
        let without_more = [
            Reason::Shutdown,
            Reason::Finished,
            Reason::KeyUsedUp,
            Reason::Replaced,
            Reason::Idle,
            Reason::TooManyStreams,
            Reason::TooManyPending,
        ];
        let plain = without_more.into_iter().find(|it| it.code() == code);
        let reason = match plain {
            Some(reason) => reason,
            None if code == Code::TOO_MANY_PARTNER_STREAMS => {
                Reason::TooManyPartnerStreams(self.limit?)
            }
            None if code == Code::TOO_MANY_LINKS => Reason::TooManyLinks(self.limit?),
            None if code == Code::TRANSPORT => Reason::Transport(self.text.clone()),
            None if is_in("Strangers") => Reason::TooManyStrangers(code),
            None if is_in("TLS") => Reason::TlsFailed {
                code,
                detail: self.text.clone(),
            },
            None => return None,
        };
        Some(match self.is_by_reload {
            true => Reason::PolicyChanged(Box::new(reason)),
            false => reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_ends_streams_for_is_read_again() {
        for reason in [
            Reason::Shutdown,
            Reason::Finished,
            Reason::KeyUsedUp,
            Reason::Replaced,
            Reason::TooManyStreams,
            Reason::TooManyPartnerStreams(3),
            Reason::PolicyChanged(Box::new(Reason::TooManyPartnerStreams(3))),
            Reason::TooManyStrangers(Code::UNAUTHENTICATED_LIMIT),
            Reason::Transport("reset".to_owned()),
            Reason::TlsFailed {
                code: Code::ALERT,
                detail: "alert".to_owned(),
            },
        ] {
            let fact = EndFact::of(&reason);
            assert_eq!(fact.reason(), Some(reason), "{fact:?}");
        }
    }
}
