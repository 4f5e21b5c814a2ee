//! Who takes part, how each is configured, and what therefore must come out.

use super::authority::Validity;
use crate::proto::policy::Method;

/// The domain whose edge is shown.
pub(super) const OURS: &str = "contoso.example";
/// Who writes and is written to there.
pub(super) const OUR_USER: &str = "alice";

/// One partner, or somebody who would like to be one.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) domain: &'static str,
    pub(super) user: &'static str,
    /// What the step is about.
    pub(super) headline: &'static str,
    /// Its settings in our partners.toml; `None`: it is not in there.
    pub(super) ours: Option<&'static [&'static str]>,
    /// Our settings in its partners.toml.
    pub(super) theirs: &'static [&'static str],
    /// What its certificate is like.
    pub(super) validity: Validity,
    pub(super) outcome: Outcome,
}

/// What must come out, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Stanzas pass, on streams that are proven so.
    Passes(Method),
    /// No stanza passes, for the reason of this code.
    Refused(&'static str),
}

const BY_CERTIFICATE: &[&str] = &[r#"tls = "required""#, r#"sasl = "required""#];
const BY_DIALBACK: &[&str] = &[
    r#"tls = "required""#,
    r#"sasl = "not-supported""#,
    "dialback = true",
];
const IN_THE_CLEAR: &[&str] = &[
    r#"tls = "not-supported""#,
    r#"sasl = "not-supported""#,
    "dialback = true",
];

/// Everybody else, in the order of their appearance.
pub(super) const PARTNERS: &[Role] = &[
    Role {
        domain: "fabrikam.example",
        user: "bob",
        headline: "proven by certificate (SASL EXTERNAL)",
        ours: Some(BY_CERTIFICATE),
        theirs: BY_CERTIFICATE,
        validity: Validity::Current,
        outcome: Outcome::Passes(Method::SaslExternal),
    },
    Role {
        domain: "northwind.example",
        user: "nina",
        headline: "proven by DNS (dialback over TLS)",
        ours: Some(BY_DIALBACK),
        theirs: BY_DIALBACK,
        validity: Validity::Current,
        outcome: Outcome::Passes(Method::TlsDialback),
    },
    Role {
        domain: "adatum.example",
        user: "adam",
        headline: "proven by DNS (dialback over plain TCP)",
        ours: Some(IN_THE_CLEAR),
        theirs: IN_THE_CLEAR,
        validity: Validity::Current,
        outcome: Outcome::Passes(Method::TcpDialback),
    },
    Role {
        domain: "stranger.example",
        user: "sid",
        headline: "refused by policy",
        ours: None,
        theirs: BY_CERTIFICATE,
        validity: Validity::Current,
        outcome: Outcome::Refused("unknown-partner"),
    },
    Role {
        domain: "lapsed.example",
        user: "lena",
        headline: "refused for its certificate",
        ours: Some(BY_CERTIFICATE),
        theirs: BY_CERTIFICATE,
        validity: Validity::Expired,
        outcome: Outcome::Refused("expired"),
    },
];
