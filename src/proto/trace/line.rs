//! The lines of a file.

use serde::{Deserialize, Serialize};

use super::blank::{GoodDigest, OurKey};
use super::context::{ContextFact, EntryFact};
use super::facts::{EndFact, OpenFact, TlsFact};

/// The first line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The version of the format.
    #[serde(rename = "xmpp-edge-trace")]
    pub format: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// Whose streams they are.
    pub domain: String,
    /// Whether it is one of ours: then they are the links of its gateway.
    #[serde(
        rename = "is-local",
        default,
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub is_local: bool,
    /// When the trace began (RFC 3339).
    pub began: String,
    /// For how long it was to run.
    pub seconds: u64,
}

/// The last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// Why nothing follows.
    pub end: Why,
}

/// Why a trace has ended, and what of it there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// `time`, `size` or `stopping`.
    pub why: String,
    /// How many lines stand between the first and this one.
    pub lines: u64,
    /// How many records were left out, because there were too many at a time.
    pub missed: u64,
}

/// What happened on one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The number that it has in the log.
    pub stream: u64,
    /// Microseconds since it began.
    pub at: u64,
    /// In Unix time, where it is not the beginning and `at` together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<u64>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened on a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It began, or the trace did and it was there.
    Open(Box<OpenFact>),
    /// An entry that covers, from here on, what is named.
    Entry(Box<EntryFact>),
    /// An id that was drawn.
    Named(String),
    /// An input.
    In(Fed),
    /// An input that came before all outputs of the last one were taken.
    InBefore(Fed),
    /// An output.
    Out(Made),
    /// So many records are missing here.
    Missed(u64),
}

/// An input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "they are those of `Input`")]
pub enum Fed {
    Connected {},
    Bytes {
        text: String,
        /// Where keys of ours stand in it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ours: Vec<OurKey>,
        /// Where the digest of a gateway stands in it that knows the link's secret.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        digests: Vec<GoodDigest>,
    },
    /// Bytes that are no text, in base64.
    Raw(String),
    /// So many bytes, of which it is not known what could be shown of them.
    Unshown(usize),
    Eof {},
    Tls(TlsFact),
    Tick {},
    #[serde(rename_all = "kebab-case")]
    Answer {
        /// Which of the stream's questions it answers, the first being 0; `None` for none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<usize>,
        pair: (String, String),
        stream_id: String,
        verdict: String,
    },
    /// In microseconds.
    Held(u64),
    Deliver(String),
    Pong(String),
    Probe {},
    Share((String, String)),
    Settled(u32),
    /// Whether there is a session to go on with.
    Found(bool),
    Context(Box<ContextFact>),
    End(EndFact),
}

/// An output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Made {
    /// What is written.
    Send(String),
    /// What is written is what was to be delivered.
    Delivered {},
    /// Anything else.
    Did(Decided),
}

/// An output that is not written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Which one.
    pub what: String,
    /// Between whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<(String, String)>,
    /// How.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The label of the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What there is to say, or the reason in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What is answered to who sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

impl Made {
    /// Whether two outputs are the same decision. Words for people may change where there is a reason.
    #[must_use]
    pub fn is_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Did(one), Self::Did(other)) => {
                let text = |it: &Decided| match it.reason {
                    Some(_) => None,
                    None => it.text.clone(),
                };
                one.what == other.what
                    && one.pair == other.pair
                    && one.method == other.method
                    && one.reason == other.reason
                    && one.answer == other.answer
                    && text(one) == text(other)
            }
            (one, other) => one == other,
        }
    }
}
