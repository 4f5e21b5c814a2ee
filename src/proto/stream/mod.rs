//! The three machines: what a stream does next, as [`Input`] in and ordered [`Output`] out.
//!
//! ```text
//!             handle(now, Input)                     poll_output()
//!   shell ───────────────────────►  Machine  ──────────────────────►  shell
//!         bytes, TLS facts, ticks,            send, start TLS, ask the authority,
//!         stanzas, answers, rules             stanzas, records, close
//! ```
//!
//! [`Inbound`] receives a partner's stream, [`Outbound`] opens one, [`Component`] receives a
//! gateway's link. A machine is one enum of states, one struct a state, each with exactly the
//! data that is valid in it. The output is one queue, because order is the property that
//! matters: `<proceed/>` leaves before TLS starts, and nothing read before it survives.

mod close;
mod component;
mod expiry;
mod features;
mod header;
mod id;
mod inbound;
mod outbound;
mod record;
mod wire;

pub use component::Component;
pub use features::Offered;
pub use id::IdSource;
pub use inbound::Inbound;
pub use outbound::{Outbound, Place, Purpose};
pub use record::{Milestone, Record};

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::UnixTime;

use crate::proto::auth::chain::{Anchors, TlsFacts};
use crate::proto::auth::dialback::{Answer, Question};
use crate::proto::auth::dialback_key::DialbackSecret;
use crate::proto::auth::{Authenticated, Pair};
use crate::proto::jid::Domain;
use crate::proto::policy::{Reason, Rules};
use crate::proto::stanza::{Addressed, Stanza, Users, Validated, Written};
use crate::proto::xml::Limits;

/// Both clocks, as the shell read them.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For deadlines.
    pub monotonic: Instant,
    /// For the validity of certificates.
    pub wall: UnixTime,
}

/// What every machine decides by; replaced whole on a reload.
#[derive(Debug)]
pub struct Context {
    /// Who may talk, and how.
    pub rules: Rules,
    /// The authorities that vouch for partners without their own.
    pub anchors: Arc<Anchors>,
    /// What our dialback keys are derived from.
    pub dialback: DialbackSecret,
    /// How long things may take.
    pub timing: Timing,
    /// What a stream may bring before anything is proven on it.
    pub unproven: Unproven,
    /// The largest stanza that is read where no partner's own limit holds, in bytes.
    pub max_stanza_bytes: usize,
    /// The levels of the deepest stanza that is read.
    pub max_stanza_depth: usize,
    /// How many pairs may be proven on one inbound stream.
    pub pairs_per_stream: usize,
    /// Whether each stanza that goes inward tells the gateway which partner it is from.
    pub annotate: bool,
}

impl Context {
    /// What one stanza may cost once its sender is known, if it may have so many bytes.
    fn limits(&self, max_stanza_bytes: usize) -> Limits {
        Limits {
            depth: self.max_stanza_depth,
            ..Limits::authenticated(max_stanza_bytes)
        }
    }
}

/// What a stream may bring before anything is proven on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unproven {
    /// What one element may cost.
    pub limits: Limits,
    /// Bytes in all.
    pub bytes: usize,
}

impl Default for Unproven {
    fn default() -> Self {
        Self {
            limits: Limits::UNAUTHENTICATED,
            // A hundred times what is needed.
            bytes: 64 << 10,
        }
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From the connection to the first authenticated pair; from the first byte of a stanza to its
    /// last; and how long a partner may read nothing of what is written.
    pub establishment: Duration,
    /// Without a stanza, until an authenticated stream is closed.
    pub inactivity: Duration,
    /// Without a stanza, until a ping is sent.
    pub keep_alive: Duration,
}

impl Timing {
    /// How long a ping may remain unanswered: our own choice, well within any keep-alive interval.
    pub const PING_ANSWER: Duration = Duration::from_secs(60);
    /// The same where there is reason to think that the partner's server has restarted.
    pub const PROBE_ANSWER: Duration = Duration::from_secs(10);
    /// A sign of life is fresh for so long: a stream that has just opened is not probed.
    pub const FRESH: Duration = Duration::from_secs(1);
    /// How long a server that we dial may take to answer with its stream header: a host that
    /// speaks another protocol says nothing.
    pub const HEADER_ANSWER: Duration = Duration::from_secs(10);
    /// How long a server that we dial may take to say why, once it has answered with a header that is
    /// not right: its stream error comes with the header, or not at all.
    pub const AFTERTHOUGHT: Duration = Duration::from_secs(2);
    /// How long the other side may take to close a stream that never opened, or on which nothing was
    /// proven: long enough to read why, and no longer.
    pub const SHORT_GRACE: Duration = Duration::from_secs(1);
    /// How long the other side may take to close after us.
    ///
    /// RFC 6120 §4.4: wait a reasonable time for the other `</stream:stream>`.
    pub const CLOSE_GRACE: Duration = Duration::from_secs(5);

    /// How long the whole way to a partner may take, all its servers included, in which stanzas wait
    /// for it: a little less than three establishments, so that the senders hear of it within them.
    #[must_use]
    pub fn whole_way(&self) -> Duration {
        self.establishment * 29 / 10
    }

    /// How long a partner's host may acknowledge nothing. Twice what a partner may take to read: who
    /// is slow is then told so, and only who has vanished is left to the system to find out.
    ///
    /// RFC 1122 §4.2.3.5: a hundred seconds at least, which the default allows.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.establishment * 2
    }
}

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The connection is there; the initiating side speaks first.
    Connected,
    /// Bytes were read.
    Bytes(&'a [u8]),
    /// The other side will send no more.
    Eof,
    /// The handshake that [`Output::StartTls`] asked for succeeded.
    TlsUp(TlsFacts),
    /// The time that [`Machine::deadline`] named has come.
    Tick,
    /// The authoritative server's answer to an [`Output::Ask`].
    Answer(Answer),
    /// For so long the shell has not read, because what was read before had to wait: time that is
    /// not the other side's fault.
    Held(Duration),
    /// A stanza to be written to the other side.
    Deliver(&'a Validated<Written>),
    /// The answer to a ping came, on whichever stream: the id of the iq.
    Pong(&'a str),
    /// The other side may be gone: find out now.
    Probe,
    /// New rules, after a reload.
    Context(Arc<Context>),
    /// The shell wants the stream ended.
    End(Reason),
}

/// What to do, in order.
#[derive(Debug)]
pub enum Output {
    /// Write these bytes.
    Send(Vec<u8>),
    /// Write everything before this, then start TLS: as server with the certificate of `local`,
    /// as client towards `remote`.
    StartTls {
        /// Whose certificate to present.
        local: Domain,
        /// The name to ask for (SNI).
        remote: Domain,
    },
    /// The header claims this pair, and policy would admit it: from here on it may cost much, so
    /// this is where a limit on strangers ends the stream.
    Claimed(Pair),
    /// As `Claimed`, of a header that names one of our domains and no domain of its own.
    ClaimedNobody,
    /// Ask the authoritative server of `question.pair.remote`, and come back with an answer.
    Ask(Question),
    /// A ping with this id is sent: its answer comes on a stream of the partner's.
    Pinged(String),
    /// A stream that we open will not do what it was opened for. What is left is its end.
    GaveUp(Reason),
    /// What the authoritative server said, on a stream that was opened to ask.
    Answered(Answer),
    /// From here on the stream may carry this pair.
    Authenticated(Authenticated<Pair>),
    /// From here on the link carries this domain.
    LinkUp(Authenticated<Domain>),
    /// A stanza from the other side, its addresses and form checked; policy comes next.
    Stanza(Addressed),
    /// A stanza from the other side was refused; the answer, if any, goes back to it.
    Refused {
        /// Why.
        reason: Reason,
        /// Between whom, as far as the stanza says so.
        pair: Option<Box<Pair>>,
        /// Between which users, likewise.
        users: Box<Users>,
        /// The stanza error for the sender.
        answer: Option<Box<Validated<Stanza>>>,
    },
    /// An element that is no stanza was answered or ignored on a proven stream. It counts as one
    /// stanza in the partner's rate; what came behind it waits until it is paid for.
    Pace,
    /// Something that the operator should be able to read.
    Record(Record),
    /// Write everything before this, then send no more: FIN, and `close_notify` under TLS before it.
    /// What the other side still says is read, so that it can read what was written.
    ShutWrite,
    /// Write everything before this, then close the connection.
    Close(Reason),
}

/// A stream's side of the conversation, without its socket.
pub trait Machine {
    /// Takes an input. Drain [`poll_output`](Self::poll_output) and ask for the
    /// [`deadline`](Self::deadline) anew after each call.
    fn handle(&mut self, now: Now, input: Input<'_>);

    /// The next output, in order.
    #[must_use]
    fn poll_output(&mut self) -> Option<Output>;

    /// When [`Input::Tick`] is due, if ever.
    #[must_use]
    fn deadline(&self) -> Option<Instant>;

    /// The domain that the other side asked to serve, proven or not: of a gateway only.
    #[must_use]
    fn asked(&self) -> Option<&Domain> {
        None
    }

    /// Whether [`Input::Deliver`] is welcome now.
    #[must_use]
    fn is_open(&self) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There may be ten thousand of them before anybody has proven anything.
    #[test]
    fn a_machine_without_its_buffers_is_small() {
        for (name, bytes) in [
            ("inbound", size_of::<Inbound>()),
            ("outbound", size_of::<Outbound>()),
            ("component", size_of::<Component>()),
        ] {
            assert!(bytes <= 1024, "{name}: {bytes}");
        }
        assert!(size_of::<Output>() <= 256, "{}", size_of::<Output>());
    }
}
