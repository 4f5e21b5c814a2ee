//! The reports of the admin socket, and of `--format json`: `docs/reference/reports.md` has each key.
//! Times are texts in UTC, ages are whole seconds, names of domains are A-labels.

mod decides;
mod preview;
pub(super) mod whose;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::decides::{Configuration, RefusedReload, Rule};
pub use self::preview::{
    Affected, CertificateChange, Ending, PartnerChange, Preview, Problem, Shown,
};

/// How the edge is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// When this was true.
    pub time: String,
    /// The version of the program.
    pub version: String,
    /// The number of the process.
    pub process: u32,
    /// `running` or `stopping`.
    pub state: String,
    /// When it was started.
    pub started: String,
    /// How long ago.
    pub uptime_s: u64,
    /// What it decides by.
    pub configuration: Configuration,
    /// Where it listens.
    pub listeners: Listeners,
    /// The local domains, and their gateways.
    pub gateways: Vec<Gateway>,
    /// The last gateway that was refused; null where none was.
    pub refused_link: Option<RefusedLink>,
    /// The partners: those that fail first, then by name.
    pub partners: Vec<Partner>,
    /// How many partners are not in the list.
    pub partners_left_out: usize,
    /// How many connections there are.
    pub connections: Connections,
    /// The streams with partners, the oldest first.
    pub streams: Vec<Stream>,
    /// How many streams are not in the list.
    pub streams_left_out: usize,
    /// What waits.
    pub queues: Queues,
    /// What became of all stanzas.
    pub delivery: Delivery,
    /// The edge's own certificates.
    pub certificates: Vec<OwnCertificate>,
    /// How often each reason was counted, that is not of a stanza.
    pub reasons: BTreeMap<String, u64>,
    /// The unknown domains that knocked, the last one first; no more than twenty.
    pub knocks: Vec<Knock>,
    /// How many names there are in all.
    pub knocks_known: usize,
    /// How many knocks came with names for which there was no place.
    pub knocks_uncounted: u64,
}

/// Where the edge listens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Listeners {
    /// For partners.
    pub partners: Vec<String>,
    /// For gateways.
    pub gateways: Vec<String>,
    /// For those who look, by HTTP.
    pub admin: Vec<String>,
}

/// A local domain and its gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Gateway {
    /// The local domain.
    pub domain: String,
    /// Its links, the oldest first.
    pub links: Vec<Stream>,
    /// How many stanzas wait for it.
    pub waiting: usize,
    /// For how long something has waited for a gateway that is away.
    pub waiting_s: Option<u64>,
}

/// A connection to the gateways' port that was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RefusedLink {
    /// From where it came.
    pub address: String,
    /// The domain that it asked for; null where it did not come so far.
    pub domain: Option<String>,
    /// The code of the reason.
    pub reason: String,
    /// The reason in words.
    pub text: String,
    /// What to do.
    pub remedy: String,
    /// When.
    pub last: String,
    /// How long ago.
    pub last_s: u64,
    /// How many were refused alike in a row.
    pub times: u64,
}

/// One entry of the partner file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Partner {
    /// Its primary domain; that of `[default-partner]` for all others.
    pub partner: String,
    /// `connected`, `failing` or `idle`.
    pub state: String,
    /// Proven streams that it opened.
    pub inbound: usize,
    /// Proven streams that we opened.
    pub outbound: usize,
    /// All of them, by direction, method and version of TLS.
    pub proven: Vec<Proven>,
    /// What went wrong last, in each direction that has no stream.
    pub failures: Vec<Failure>,
    /// What somebody met last who came in its name and has shown nothing of it, while it has no stream
    /// of its own. It may be anybody.
    #[serde(default)]
    pub claims: Vec<Failure>,
    /// How many attempts to open a stream came to nothing.
    pub failed: FailedAttempts,
    /// The good certificate that it has shown last; null where it has shown none since the start.
    pub certificate: Option<Validity>,
    /// Stanzas from the partner.
    pub received: Counts,
    /// Stanzas to the partner.
    pub sent: Counts,
}

/// Proven streams that are alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Proven {
    /// `inbound` or `outbound`.
    pub direction: String,
    /// `sasl-external`, `tls-dialback` or `tcp-dialback`.
    pub method: String,
    /// The version of TLS; null for plain TCP.
    pub tls: Option<String>,
    /// How many there are.
    pub streams: usize,
}

/// How many attempts to open a stream came to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FailedAttempts {
    /// The partner's own, as far as is known.
    pub inbound: u64,
    /// Those of somebody who came in its name and has shown nothing of it.
    pub claimed: u64,
    /// Ours.
    pub outbound: u64,
}

/// Until when a certificate is valid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Validity {
    /// The last second of validity.
    pub not_after: String,
    /// How many days are left; negative where it has expired.
    pub days_left: i64,
    /// The same in Unix time, for metrics.
    #[serde(skip)]
    pub until: u64,
}

/// Why a partner is not connected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// `inbound`: the partner opens the stream; `outbound`: we do.
    pub direction: String,
    /// The partner's domain.
    pub domain: String,
    /// Where it came from, or led to.
    pub address: Option<String>,
    /// The code of the reason.
    pub reason: String,
    /// When it is met.
    pub phase: String,
    /// Whose fault it is: `us`, `peer`, `network` or `neither`.
    pub side: String,
    /// The reason in words.
    pub text: String,
    /// What to do.
    pub remedy: String,
    /// When it was met first.
    pub first: String,
    /// When it was met last.
    pub last: String,
    /// How long ago.
    pub last_s: u64,
    /// How often in a row.
    pub times: u64,
    /// In how many seconds it is tried again at the earliest, where a stanza wants it.
    pub pause_s: Option<u64>,
}

/// How many connections there are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Connections {
    /// Proven streams that partners opened.
    pub inbound: usize,
    /// Proven streams that we opened.
    pub outbound: usize,
    /// Links of gateways.
    pub links: usize,
    /// All that have proven nothing yet.
    pub unproven: usize,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stream {
    /// Its number: the field `stream` of the log.
    pub stream: u64,
    /// `inbound`, `outbound` or `link`.
    pub direction: String,
    /// The address at the other end.
    pub address: String,
    /// The partner it was proven for last, by its primary domain.
    pub partner: Option<String>,
    /// Whom the other side claims to be, where nothing is proven.
    pub claimed: Option<String>,
    /// What was proven.
    pub pairs: Vec<Pair>,
    /// What it runs on; null for plain TCP.
    pub tls: Option<Tls>,
    /// How long it has been there.
    pub age_s: u64,
    /// For how long nothing has passed.
    pub quiet_s: u64,
    /// Stanzas from the other side.
    pub stanzas_in: u64,
    /// Stanzas to the other side.
    pub stanzas_out: u64,
    /// Bytes from the other side, without those of TLS.
    pub bytes_in: u64,
    /// Bytes to the other side, without those of TLS.
    pub bytes_out: u64,
}

/// A pair that was proven on a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pair {
    /// The local domain.
    pub local: String,
    /// The partner's domain.
    pub remote: String,
    /// `sasl-external`, `tls-dialback` or `tcp-dialback`.
    pub method: String,
}

/// What a stream runs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tls {
    /// The version.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
    /// The other side's certificate; null where it showed none.
    pub certificate: Option<Certificate>,
}

/// A certificate that was shown to us.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Certificate {
    /// The subject.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// The last second of validity.
    pub not_after: String,
    /// How many days are left; negative where it has expired.
    pub days_left: i64,
    /// The pin of its key.
    pub pin: String,
    /// The code of what is wrong with it; null where it proves its domain, or was not judged.
    pub fault: Option<String>,
}

/// What waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Queues {
    /// For gateways.
    pub to_gateways: Queue,
    /// For partners.
    pub to_partners: Queue,
}

/// What waits in one direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Queue {
    /// Stanzas, those included that are being written.
    pub stanzas: u64,
    /// Bytes, as they are held.
    pub bytes: usize,
    /// How many bytes there may be.
    pub limit: usize,
}

/// What became of all stanzas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Delivery {
    /// From partners.
    pub inbound: Counts,
    /// To partners.
    pub outbound: Counts,
    /// Whether accepted = delivered + bounced + dropped + queued, for each partner and direction.
    pub balances: bool,
    /// Why stanzas were bounced.
    pub bounced_by: BTreeMap<String, u64>,
    /// Why stanzas were dropped.
    pub dropped_by: BTreeMap<String, u64>,
}

/// The numbers of the equation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counts {
    /// Taken in.
    pub accepted: u64,
    /// Written to the other side.
    pub delivered: u64,
    /// Answered with an error.
    pub bounced: u64,
    /// Ended in silence.
    pub dropped: u64,
    /// Not ended yet.
    pub queued: u64,
}

/// A certificate of the edge's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OwnCertificate {
    /// The local domains for which it is shown.
    pub domains: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// The last second of validity.
    pub not_after: String,
    /// How many days are left; negative where it has expired.
    pub days_left: i64,
    /// The pin of its key: what partners may pin.
    pub pin: String,
    /// The last second of validity in Unix time, for metrics.
    #[serde(skip)]
    pub until: u64,
}

/// An unknown domain that knocked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Knock {
    /// The domain.
    pub domain: String,
    /// How often it came.
    pub count: u64,
    /// How long ago it came first.
    pub first_s: u64,
    /// How long ago it came last.
    pub last_s: u64,
    /// From where it came last.
    pub address: String,
    /// The partner of which it is a subdomain that is not listed.
    pub above: Option<String>,
    /// The name in the partner file that is nearest, where one is near.
    pub nearest: Option<String>,
}

/// What the daemon knows of one domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Live {
    /// When this was true.
    pub time: String,
    /// The domain.
    pub domain: String,
    /// What the daemon's rules say of it.
    pub rule: Rule,
    /// How the partner is; null where no entry covers the domain.
    pub partner: Option<Partner>,
    /// The live streams of that partner.
    pub streams: Vec<Stream>,
    /// The last attempts of that partner, in both directions, the newest first.
    pub attempts: Vec<Attempt>,
    /// For how many seconds the domain is left alone, since it has just failed.
    pub pause_s: Option<u64>,
    /// How the domain knocked, where no entry covers it.
    pub knock: Option<Knock>,
    /// Unknown domains that knocked and are below this one, or nearly spelt like it.
    pub similar_knocks: Vec<Knock>,
}

/// An attempt to open a stream, by the partner or by us.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Attempt {
    /// `inbound`: the partner opens the stream; `outbound`: we do.
    pub direction: String,
    /// Under this number the log has the last one.
    pub stream: Option<u64>,
    /// The local domain, where it is known.
    pub local: Option<String>,
    /// The partner's domain.
    pub remote: String,
    /// Where it came from, or led to.
    pub address: Option<String>,
    /// How it was proven; null where it was not.
    pub method: Option<String>,
    /// Why it was not proven; null where it was.
    pub failure: Option<Failure>,
    /// When the first of them ended.
    pub first: String,
    /// When the last one ended.
    pub last: String,
    /// How long ago.
    pub last_s: u64,
    /// How many ended alike.
    pub times: u64,
    /// How long the last one took.
    pub took_ms: u64,
    /// What the last one met.
    pub steps: Vec<Step>,
}

/// One step of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    /// How long after the beginning.
    pub at_ms: u64,
    /// Which step it was, by the names of `explain`.
    pub step: String,
    /// What was met, in words.
    pub text: String,
}
