//! Every code that the program counts or logs: one row each, with all that follows from it.
//!
//! Counters and log lines take a [`Code`], and only these files make one. So there is no label
//! without a row, and `docs/reference/reasons.md` is written from the rows.

mod admission;
mod certificate;
mod own;
mod policy;
mod reach;
mod stanza;
mod stream;
mod tls;
mod xml;

use std::fmt;
use std::hash::{Hash, Hasher};

/// Why something was refused, failed or counted: a label, and its row in the table.
#[derive(Clone, Copy)]
pub struct Code(&'static Row);

impl Code {
    /// All rows, by the subject under which the reference has them.
    pub const GROUPS: [(&'static str, &'static [Self]); 9] = [
        ("Policy", policy::ROWS),
        ("Stanzas", stanza::ROWS),
        ("Streams", stream::ROWS),
        ("Strangers", admission::ROWS),
        ("XML", xml::ROWS),
        ("TLS", tls::ROWS),
        ("Certificates", certificate::ROWS),
        ("The way to a partner", reach::ROWS),
        ("The edge itself", own::ROWS),
    ];

    /// All rows, in the order of the reference.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::GROUPS.iter().flat_map(|(_, rows)| *rows).copied()
    }

    /// The label in counters, log lines and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0.label
    }

    /// Whose fault it is.
    #[must_use]
    pub fn side(self) -> Side {
        self.0.side
    }

    /// When it is met.
    #[must_use]
    pub fn phase(self) -> Phase {
        self.0.phase
    }

    /// What it means, in one sentence.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.0.means
    }

    /// What to do, and who has to do it, in one sentence.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        self.0.remedy
    }

    /// The stream error that tells the other side (RFC 6120 §4.9.3); `None` where it is not told:
    /// it knows, or nothing was wrong, or no stream ends for it.
    #[must_use]
    pub fn stream_condition(self) -> Option<&'static str> {
        self.0.stream
    }

    /// The stanza error, type and condition, that tells a sender (RFC 6120 §8.3.3); `None` where no
    /// stanza is refused for it.
    #[must_use]
    pub fn stanza_condition(self) -> Option<StanzaError> {
        self.0.stanza
    }

    /// The dialback error that tells who asked us about a key that this kept us from asking about
    /// (XEP-0220 §2.5).
    #[must_use]
    pub fn dialback_condition(self) -> &'static str {
        self.0.dialback
    }

    /// Whether something that the rest of the program decides by is so.
    #[must_use]
    pub fn has(self, mark: Mark) -> bool {
        self.0.marks.contains(&mark)
    }
}

/// A stanza error: its type and its condition.
pub type StanzaError = (&'static str, &'static str);

/// Whose fault something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The edge, its settings, its host, its gateways or its users.
    Us,
    /// The partner, its users, or a stranger.
    Peer,
    /// What is between the two: DNS, routes, lines.
    Network,
    /// Nobody: a rule was kept, or something came to its end.
    Neither,
}

impl Side {
    /// Its name in the reference.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Peer => "peer",
            Self::Network => "network",
            Self::Neither => "neither",
        }
    }
}

/// When something is met, from the first packet to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A connection comes in.
    Accept,
    /// A name is looked up.
    Dns,
    /// An address is connected to.
    Connect,
    /// The headers and features of a stream.
    Header,
    /// The handshake of TLS, the certificates in it, and the bytes under it.
    Tls,
    /// A pair of domains is proven.
    Authentication,
    /// The settings are asked.
    Policy,
    /// The stream lives, and its XML is read.
    Stream,
    /// One stanza is read and judged.
    Stanza,
    /// A stanza waits, or is on its way between partner and gateway.
    Relay,
    /// The edge stops.
    Shutdown,
    /// The log is written.
    Log,
}

impl Phase {
    /// Its name in the reference.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Header => "header",
            Self::Tls => "tls",
            Self::Authentication => "authentication",
            Self::Policy => "policy",
            Self::Stream => "stream",
            Self::Stanza => "stanza",
            Self::Relay => "relay",
            Self::Shutdown => "shutdown",
            Self::Log => "log",
        }
    }
}

/// What the rest of the program decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Decided on this side alone: it says nothing about the other.
    OwnDecision,
    /// A partner's terms or `[access]` keep a stanza from passing: the answer depends on the stanza.
    StanzaPolicy,
    /// One of our limits that the other side can keep to: its label is the application condition
    /// of the stream error (RFC 6120 §4.9.4).
    Limit,
    /// A partner's stream ends, and what the partner has sent already is still taken.
    TakesTheRest,
    /// A stream of ours that was open ends as it may: the partner is not held to have failed.
    EndsWell,
    /// It ends even a stream that has proven nothing without being a refusal.
    NoRefusal,
    /// The connection is of no more use: nothing is written to it.
    Cut,
}

/// One row.
struct Row {
    label: &'static str,
    side: Side,
    phase: Phase,
    means: &'static str,
    remedy: &'static str,
    stream: Option<&'static str>,
    stanza: Option<StanzaError>,
    dialback: &'static str,
    marks: &'static [Mark],
}

/// What a row has that does not say.
const ROW: Row = Row {
    label: "",
    side: Side::Neither,
    phase: Phase::Stream,
    means: "",
    remedy: "",
    stream: None,
    stanza: None,
    dialback: "remote-server-timeout",
    marks: &[],
};

const TIMEOUT: StanzaError = ("wait", "remote-server-timeout");
const NOT_FOUND: StanzaError = ("cancel", "remote-server-not-found");
const NOT_ALLOWED: StanzaError = ("cancel", "not-allowed");
const BAD_REQUEST: StanzaError = ("modify", "bad-request");
const BAD_ADDRESS: StanzaError = ("modify", "jid-malformed");
const CONSTRAINT: StanzaError = ("wait", "resource-constraint");
const VIOLATION: StanzaError = ("modify", "policy-violation");
const INTERNAL: StanzaError = ("cancel", "internal-server-error");
const UNAVAILABLE: StanzaError = ("cancel", "service-unavailable");

/// Makes a constant of [`Code`] of each row, and `ROWS` of all of them.
macro_rules! rows {
    ($($name:ident = $label:literal, $side:ident, $phase:ident, [$($mark:ident),*],
        $means:literal, $remedy:literal $(, $column:ident: $value:expr)*;)+) => {
        impl Code {
            $(#[doc = $means]
            pub const $name: Self = Self(&{
                let row = super::Row {
                    label: $label,
                    side: super::Side::$side,
                    phase: super::Phase::$phase,
                    means: $means,
                    remedy: $remedy,
                    marks: &[$(super::Mark::$mark),*],
                    ..super::ROW
                };
                $(let row = super::Row { $column: $value, ..row };)*
                row
            });)+
        }

        pub(super) const ROWS: &[Code] = &[$(Code::$name,)+];
    };
}
use rows;

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Code {}

impl Hash for Code {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialEq<&str> for Code {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests;
