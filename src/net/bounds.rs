//! How much memory others can make the edge hold: computed from the configuration and from the
//! bounds that each module keeps to. `docs/security.md` has the same rows in words.
//!
//! A bound is what the worst that fits into the limits takes, not what is usual. Whoever adds a buffer,
//! a queue, a map or a cache gives it a bound, and a row here.

use crate::config::Config;
use crate::net::admin::http::{self, Trends};
use crate::net::edge::GOODBYES;
use crate::net::guard::signatures::KnownSignatures;
use crate::net::guard::verifications::MOST_SLOW;
use crate::net::io::resolve::CACHE_BYTES;
use crate::net::io::transport::READ_BYTES;
use crate::net::live::attempts::Attempts;
use crate::net::live::knocks::Knocks;
use crate::net::live::log_limiter::LogLimiter;
use crate::net::live::sessions::Sessions;
use crate::net::live::traces::Traces;
use crate::net::relay::backoff::Backoff;
use crate::net::relay::learning;
use crate::net::relay::pair_queues::PairQueues;
use crate::net::relay::ways::WaysOut;
use crate::net::session::driver::OUT_BYTES;
use crate::net::session::send_buffer::CHUNK;
use crate::ops::logging;
use crate::proto::policy::contact::Halves;
use crate::proto::policy::{Admission, Conversations, Sent};
use crate::proto::stanza::Written;
use crate::store;

/// Who makes the edge hold something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Peers that have proven nothing.
    Strangers,
    /// Partners that have proven who they are.
    Partners,
    /// Local users, through their gateways.
    Users,
    /// The edge itself.
    Edge,
}

impl Who {
    /// All, in the order of the report.
    pub const ALL: [Self; 4] = [Self::Strangers, Self::Partners, Self::Users, Self::Edge];

    /// The word in the report.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strangers => "strangers",
            Self::Partners => "partners",
            Self::Users => "local users",
            Self::Edge => "the edge itself",
        }
    }
}

/// One thing that can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Who can make it grow.
    pub who: Who,
    /// What it is: the first cell of its row in `docs/security.md`.
    pub what: &'static str,
    /// How many there may be; `None` where the configuration sets no limit.
    pub count: Option<usize>,
    /// What each takes at most, in bytes.
    pub each: usize,
}

impl Row {
    /// What all of them take at most, in bytes; `None` where there is no limit.
    #[must_use]
    pub fn bytes(&self) -> Option<usize> {
        Some(self.count?.saturating_mul(self.each))
    }
}

/// The rows for a configuration, on so many processors.
#[must_use]
pub fn rows(config: &Config, processors: usize) -> Vec<Row> {
    let (s2s, admission) = (&config.s2s, &config.admission);
    let stranger = of_stranger(config);
    let stream = of_stream(config);
    // 0 stands for no limit.
    let limit = |count: usize| (count > 0).then_some(count);
    let row = |who, what, count, each| Row {
        who,
        what,
        count,
        each,
    };
    let one = |who, what, bytes| row(who, what, Some(1), bytes);
    let pairs = s2s.connection_limit.saturating_mul(s2s.pairs_per_stream);
    let links = (config.domains.len()).saturating_mul(config.gateway.links_per_domain);
    // Those about partners that are known where they are asked from are counted apart.
    let questions = limit(admission.questions_at_once).map(|count| 2 * count + MOST_SLOW);
    let entries = config.rules.partners().len() + 1;
    let (of_entry, of_the_rest) = http::ANSWER_BYTES;
    use Who::{Edge, Partners, Strangers, Users};
    vec![
        row(
            Strangers,
            "connections that have proven nothing",
            limit(admission.unauthenticated),
            stranger,
        ),
        row(
            Strangers,
            "the same at the gateways' port",
            limit(admission.unauthenticated),
            stranger,
        ),
        row(Strangers, "dialback questions", questions, stranger),
        one(
            Strangers,
            "what strangers are charged, and where partners are known",
            Admission::BYTES,
        ),
        one(Strangers, "unknown domains that knocked", Knocks::BYTES),
        one(
            Strangers,
            "signatures of certificates that were good",
            KnownSignatures::BYTES,
        ),
        row(Partners, "streams", Some(s2s.connection_limit), stream),
        row(Partners, "pairs that are proven", Some(pairs), PAIR),
        one(Partners, "stanzas that wait", s2s.queue_bytes),
        one(Partners, "open conversations", Conversations::BYTES),
        one(Partners, "pauses of partners that failed", Backoff::BYTES),
        one(
            Partners,
            "certificates that partners have shown",
            store::CERTIFICATES_BYTES,
        ),
        one(Partners, "sessions that may be resumed", Sessions::BYTES),
        row(
            Partners,
            "what the last attempts of each entry met",
            Some(entries),
            Attempts::BYTES_EACH,
        ),
        row(Users, "links of gateways", Some(links), stream),
        one(Users, "ways out", PairQueues::BYTES),
        row(
            Users,
            "what links remember of users and domains",
            Some(links),
            WaysOut::BYTES,
        ),
        row(
            Users,
            "streams that are being opened",
            limit(s2s.dials.in_all).map(|count| count + GOODBYES),
            stranger,
        ),
        one(Users, "what may be answered", Sent::BYTES),
        one(Users, "halves of contacts", Halves::BYTES),
        one(Users, "contacts on their way to the disk", learning::BYTES),
        one(Edge, "lines of the log that wait", logging::QUEUE_BYTES),
        one(Edge, "lines that were written lately", LogLimiter::BYTES),
        one(Edge, "answers of name servers", CACHE_BYTES),
        one(
            Edge,
            "traces that run",
            Traces::bytes(longest_stanza(config)),
        ),
        row(
            Edge,
            "answers to those who look",
            Some(http::PLACES + 1),
            http::CONNECTION_BYTES + of_the_rest + entries.saturating_mul(of_entry),
        ),
        row(
            Edge,
            "what passed lately, for the page",
            Some(entries),
            Trends::BYTES_EACH,
        ),
        row(
            Edge,
            "the tree of a stanza, for each processor",
            Some(processors),
            TREE * longest_stanza(config),
        ),
    ]
}

/// What all of one kind take at most, in bytes; `None` where there is no limit.
#[must_use]
pub fn of(who: Who, rows: &[Row]) -> Option<usize> {
    let own = rows.iter().filter(|row| row.who == who);
    own.map(Row::bytes)
        .try_fold(0_usize, |sum, bytes| Some(sum.saturating_add(bytes?)))
}

/// What others and the edge hold in all, at most, in bytes; `None` where there is no limit.
#[must_use]
pub fn total(rows: &[Row]) -> Option<usize> {
    let all = Who::ALL.iter().map(|who| of(*who, rows));
    all.sum()
}

/// On how many processors this process runs.
#[must_use]
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// An amount of memory for people, in MiB.
#[must_use]
pub fn in_words(bytes: Option<usize>) -> String {
    bytes.map_or_else(
        || "no limit".to_owned(),
        |bytes| format!("{} MiB", bytes.div_ceil(1 << 20)),
    )
}

/// A task, a machine, the state of TLS, places in tables: at most 10 KiB were measured in the clear, 16 with
/// TLS. What is made on the way comes and goes.
const TASK: usize = 24 << 10;
/// A record of TLS that is not whole.
const RECORD: usize = 18 << 10;
/// Records of TLS that are not written: by the TLS library.
const RECORDS_OUT: usize = 64 << 10;
/// A pair with two names of 255 bytes, its proof, the budget of its rate, and its lane.
const PAIR: usize = 3 << 10;
/// How many times its bytes the tree of a stanza takes, and the bytes that are written from it.
const TREE: usize = 32;
/// How many times what is read an answer takes.
const ANSWER: usize = 8;

/// What one that has proven nothing makes us hold.
fn of_stranger(config: &Config) -> usize {
    let limits = &config.unproven.limits;
    TASK + config.admission.handshake_bytes
        + RECORD
        + limits.header_bytes
        + 2 * limits.element_bytes
}

/// What one stream that is proven makes us hold: its state, what it has not read, the stanza that is
/// being read (in a buffer that has grown by doubling), and one that is written and waits for room.
fn of_stream(config: &Config) -> usize {
    let longest = longest_stanza(config);
    let send = 2 * (OUT_BYTES + ANSWER * READ_BYTES) + 2 * CHUNK;
    TASK + config.admission.handshake_bytes
        + RECORD
        + RECORDS_OUT
        + send
        + 2 * longest
        + Written::most(longest)
}

fn longest_stanza(config: &Config) -> usize {
    let partners = config.rules.partners().iter();
    let partners = partners.chain(config.rules.default_partner());
    partners
        .map(|partner| partner.terms.max_stanza_bytes)
        .fold(config.s2s.max_stanza_bytes, usize::max)
}
