//! What the daemon decides by: since when, and what it says of one domain.

use serde::{Deserialize, Serialize};

/// What the edge decides by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Configuration {
    /// Equal on edges that decide alike: policy, domains and limits.
    pub hash: String,
    /// When it was put in force.
    pub loaded: String,
    /// The file of the partners.
    pub partners_file: String,
    /// How many entries it has.
    pub partners: usize,
    /// Whether there is a `[default-partner]`.
    pub default_partner: bool,
    /// The last reload, where it was refused: then nothing has changed with it.
    pub refused_reload: Option<RefusedReload>,
    /// Settings that the file has changed, and that change with a restart only.
    pub waits_for_restart: Vec<String>,
}

/// A reload that was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RefusedReload {
    /// When.
    pub at: String,
    /// How long ago.
    pub ago_s: u64,
    /// Why, in words.
    pub why: String,
}

/// What the daemon's rules say of a domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rule {
    /// `listed`, `default`, `local` or `unknown`.
    pub covered: String,
    /// The primary domain of the entry.
    pub partner: Option<String>,
    /// As what the entry lists the domain.
    pub listed_as: Option<String>,
    /// The file of the entries.
    pub file: String,
    /// When the daemon read it.
    pub loaded: String,
    /// Equal where policy, domains and limits are, as in the report on all.
    pub hash: String,
    /// The line where the entry begins, as it was when the file was read.
    pub line: Option<usize>,
    /// `federated`, `public-verified` or `public-unverified`.
    #[serde(rename = "type")]
    pub partner_type: Option<String>,
    /// The methods that its settings leave, the strongest first.
    pub methods: Vec<String>,
    /// Where no entry covers the domain: the name in the file that is nearest, where one is near.
    pub nearest: Option<String>,
}
