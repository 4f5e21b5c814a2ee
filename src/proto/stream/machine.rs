//! What the shell and a machine say to each other: [`Input`] in, ordered [`Output`] out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::acks::{Found, Suspended};
use super::context::{Context, Now};
use super::record::Record;
use crate::proto::auth::chain::TlsFacts;
use crate::proto::auth::dialback::{Answer, Question};
use crate::proto::auth::{Authenticated, Pair};
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::stanza::{Addressed, Stanza, Users, Validated, Written};

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
    /// Another pair wants to share this stream of ours: it is to be proven beside the one that is there.
    Share(Pair),
    /// So many of the stanzas that came since acknowledgements were agreed on are settled, modulo
    /// 2^32, without a gap.
    Settled(u32),
    /// The session that [`AckChange::Sought`] asked for, if there is one.
    Found(Option<Box<Found>>),
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
    /// The pair of an [`Input::Share`] was not proven, and is not carried here. The stream lives on.
    NotShared(Pair, Reason),
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
    /// Something about acknowledgements has changed.
    Acks(AckChange),
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

/// What changes about acknowledgements (XEP-0198).
#[derive(Debug)]
pub enum AckChange {
    /// From here on what is written is delivered when it is acknowledged, and what comes is
    /// acknowledged when it is settled. The id is what the session may be resumed by, if it may.
    Begun(Option<String>),
    /// What was written since is delivered when it has left, after all.
    Refused,
    /// So many more of the stanzas that were written are acknowledged.
    Acknowledged(u32),
    /// The other side wants to go on with this session, and has taken on `h` of the stanzas that were
    /// written on it. The shell answers with [`Input::Found`].
    Sought {
        /// Which one.
        id: String,
        /// How far it got.
        h: u32,
    },
    /// A session of ours goes on here: the other side has taken on the first `h` of the stanzas that were
    /// written on it, modulo 2^32. The shell gives the rest to be written again, in its order. What is
    /// written from here on is delivered when it is acknowledged.
    Resumed(u32),
    /// It does not, and another one begins, or none. Where the other side still knows how many of its stanzas it has
    /// taken on, these need not be written again.
    NotResumed(Option<u32>),
}

/// A stream's side of the conversation, without its socket.
pub trait Machine {
    /// Takes an input. Drain [`poll_output`](Self::poll_output) and ask for the
    /// [`deadline`](Self::deadline) anew after each call.
    fn handle(&mut self, now: Now, input: Input<'_>);

    /// As [`Input::Deliver`], for whoever has acted on all outputs: what is to be written is appended to
    /// `out`, and nothing comes of it besides.
    fn deliver(&mut self, now: Now, stanza: &Validated<Written>, out: &mut Vec<u8>) {
        self.handle(now, Input::Deliver(stanza));
        while let Some(output) = self.poll_output() {
            if let Output::Send(bytes) = output {
                out.extend(bytes);
            }
        }
    }

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

    /// What may go on on another connection, once this one is lost. Asked for once, at the end.
    #[must_use]
    fn suspended(&mut self) -> Option<Suspended> {
        None
    }

    /// Whether rules that are not in force would let the stream live, by what it was admitted on: what
    /// [`Input::Context`] with them would find. Nothing changes.
    ///
    /// # Errors
    /// Why the stream would end.
    fn would_admit(&self, context: &Context, now: Now) -> Result<(), Reason>;

    /// Whether the next byte of the other side's begins something: nothing that was begun is unfinished.
    #[must_use]
    fn is_between(&self) -> bool {
        false
    }

    /// Whether [`Input::Deliver`] is welcome now.
    #[must_use]
    fn is_open(&self) -> bool;
}
