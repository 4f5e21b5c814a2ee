//! What a reload would do.

use serde::{Deserialize, Serialize};

/// What a reload would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Preview {
    /// When this was true.
    pub time: String,
    /// The configuration that the daemon has read anew.
    pub file: String,
    /// Whether the reload would be refused: then nothing would change.
    pub refused: bool,
    /// Why it would be refused; those that have a place in a file.
    pub errors: Vec<Problem>,
    /// How many errors are not in the list.
    pub errors_left_out: usize,
    /// What else it would be refused for; null where there is nothing.
    pub fault: Option<String>,
    /// What would be used, and may not do what it looks like.
    pub warnings: Vec<Problem>,
    /// How many warnings are not in the list.
    pub warnings_left_out: usize,
    /// The entries that would change.
    pub partners: Vec<PartnerChange>,
    /// How many entries are not in the list.
    pub partners_left_out: usize,
    /// What else would change, by name.
    pub settings: Vec<String>,
    /// The keys that would change only with a restart.
    pub restart: Vec<String>,
    /// The edge's own certificates that would change.
    pub certificates: Vec<CertificateChange>,
    /// The streams and links that would end, the oldest first.
    pub ends: Vec<Ending>,
    /// How many of them are not in the list.
    pub ends_left_out: usize,
    /// Those that did not say within a second whether they would.
    pub unknown: Vec<Affected>,
    /// How many of them are not in the list.
    pub unknown_left_out: usize,
    /// How many streams and links would stay.
    pub stays: usize,
}

/// A problem of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Problem {
    /// A stable name.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// The file.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What to do.
    pub hint: String,
    /// All of it for people, with the line of the file.
    pub shown: String,
}

/// An entry of the partner file that would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PartnerChange {
    /// Its primary domain, or `[default-partner]`.
    pub partner: String,
    /// `added`, `changed` or `removed`.
    pub change: String,
    /// The keys whose values differ; of one that is changed only.
    pub keys: Vec<String>,
}

/// A certificate of the edge that would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CertificateChange {
    /// The local domain; null for the one that is shown where no domain is asked for.
    pub domain: Option<String>,
    /// What is shown now; null where nothing is.
    pub before: Option<Shown>,
    /// What would be shown; null where nothing would be.
    pub after: Option<Shown>,
}

/// What of a certificate tells it from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Shown {
    /// The subject.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// The last second of validity.
    pub not_after: String,
    /// How many days are left; negative where it is over.
    pub days_left: i64,
    /// The key.
    pub pin: String,
}

/// A stream or a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Affected {
    /// Its number: that of the log.
    pub stream: u64,
    /// `inbound`, `outbound` or `link`.
    pub direction: String,
    /// The address at the other end.
    pub address: String,
    /// The local domain; null where none was named yet.
    pub local: Option<String>,
    /// The partner's domain, or what the other side says it is; null of a link, and where none was
    /// named yet.
    pub remote: Option<String>,
}

/// A stream or a link that would end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ending {
    /// Which.
    #[serde(flatten)]
    pub which: Affected,
    /// The code of the reason.
    pub reason: String,
    /// The reason in words.
    pub text: String,
}
