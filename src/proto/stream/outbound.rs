//! The initiating entity: a stream that we open, to carry a pair's stanzas or to ask one question.
//!
//! ```text
//!  connected ─► ExpectHeader ─► ExpectFeatures ─┬─ <starttls/> ─► ExpectProceed ─► Handshake ─┐
//!                  ▲                            ├─ <auth/> ──────► ExpectSasl ── <success/> ──┤
//!                  │                            │                      │ <failure/>           │
//!                  │                            ├─ <db:result/> ◄──────┘                      │
//!                  │                            │    └────────► ExpectDialback ─► Established │
//!                  │                            ├─ <db:verify/> ──► ExpectAnswer ─► Closing   │
//!                  │                            └─ after EXTERNAL ──────────────► Established │
//!                  └──────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Where something is established and the partner offers acknowledgements, we ask for them; or for the session of
//! an earlier connection, which the shell gives with [`Outbound::resuming`], to go on (XEP-0198 §5).
//!
//! What to do with a set of features is decided by one function, `next_step`. A header
//! that is not right leads to `Doubt`: the stream ends, but what the peer says next may say why.

mod doubt;
mod ending;
mod next_step;
mod sharing;
mod steps;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use self::doubt::Doubt;
use self::sharing::Sharing;
use super::acks::Suspended;
use super::close::{Closing, peer_error};
use super::cx::{Cx, View};
use super::established::Established;
use super::lifecycle::Stream;
use super::negotiation::{Negotiation, Next, Step};
use super::security::Judged;
use super::wire::Wire;
use super::{AckChange, Context, IdSource, Now, Output, Timing, header};
use crate::proto::auth::dialback::{Question, Requested};
use crate::proto::auth::{Authenticated, Pair};
use crate::proto::policy::{Method, Partner, Reason};
use crate::proto::xml::{Element, Header, StreamKind};

/// A stream that we open.
pub type Outbound = Stream<Initiating>;

/// What a stream is opened for.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// To carry the stanzas of a pair.
    Carry,
    /// To ask the authoritative server about a dialback key, and nothing else.
    Ask(Box<Question>),
}

/// Where a stream of ours leads to, as the shell knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The address that was connected to.
    pub address: SocketAddr,
    /// Whether one of our own listeners is there.
    pub is_own: bool,
}

/// What is known of a stream that we open, as long as it lives.
#[derive(Debug)]
pub struct Initiating {
    pair: Pair,
    purpose: Purpose,
    /// Cleared where the partner is known to end the stream when it refuses EXTERNAL.
    try_external: bool,
    place: Option<Endpoint>,
    /// When the first stream header of the other side is due.
    header_due: Instant,
    /// Whether something is established, or the question was answered.
    is_done: bool,
    /// Whether acknowledgements were offered in the last features.
    offers_acks: bool,
    /// Whether it is said that neither will happen.
    has_failed: bool,
    later: Box<Later>,
}

/// What is done once something is established.
#[derive(Debug, Default)]
struct Later {
    /// The session of an earlier connection for the same pair, if it is to go on, and the entry of then.
    resumes: Option<(Suspended, Option<Arc<Partner>>)>,
    /// To what the keys of further pairs would be bound, where the last features say that such may be proven.
    shares: Option<Box<str>>,
}

/// The states before anything is established.
#[derive(Debug)]
pub enum State {
    Connecting,
    ExpectHeader(Channel),
    /// The header that came is not right.
    Doubt(Box<Doubt>),
    ExpectFeatures(Channel),
    ExpectProceed,
    /// Whether the one challenge that EXTERNAL may bring has come.
    ExpectSasl(Channel, bool),
    ExpectDialback(Requested),
    ExpectAnswer(Box<Question>),
}

/// What is known of the stream while it is negotiated.
#[derive(Debug, Default)]
pub struct Channel {
    /// Whether TLS is up: then the header of before it is not waited for.
    is_secured: bool,
    /// The id in the partner's header: dialback keys are bound to it.
    stream_id: String,
    /// Whether that header says that stanzas of servers follow.
    is_for_servers: bool,
    proven: Option<Authenticated<Pair>>,
}

impl Outbound {
    /// A stream for a pair; `try_external` is false on a second try after the partner ended the
    /// first one upon refusing EXTERNAL.
    #[must_use]
    pub fn new(
        context: Arc<Context>,
        ids: IdSource,
        pair: Pair,
        purpose: Purpose,
        try_external: bool,
        now: Now,
    ) -> Self {
        let wire = Wire::of_answers(StreamKind::Server, &context.unproven);
        let negotiation = Initiating {
            pair,
            purpose,
            try_external,
            place: None,
            header_due: now.monotonic + Timing::HEADER_ANSWER.min(context.timing.establishment),
            is_done: false,
            offers_acks: false,
            has_failed: false,
            later: Box::default(),
        };
        Self::begin(context, ids, wire, (negotiation, State::Connecting), now)
    }

    /// The same, and it is known where the stream leads to.
    #[must_use]
    pub fn at(mut self, place: Endpoint) -> Self {
        self.negotiation.place = Some(place);
        self
    }

    /// The same, and a session that the pair had on an earlier connection, under the entry that is in force, goes on,
    /// where the partner still has it.
    #[must_use]
    pub fn resuming(mut self, session: Option<Suspended>) -> Self {
        let entry = self.context.rules.partner_of(&self.negotiation.pair.remote);
        let entry = entry.cloned();
        self.negotiation.later.resumes = session.map(|session| (session, entry));
        self
    }

    /// The same, but the stream is to be ready by `deadline` at the latest.
    #[must_use]
    pub fn until(mut self, deadline: Instant) -> Self {
        self.establishment = self.establishment.min(deadline);
        self.negotiation.header_due = self.negotiation.header_due.min(deadline);
        self
    }
}

impl Negotiation for Initiating {
    type State = State;
    /// What the stream is for is known without.
    type Handshake = ();
    type Further = Sharing;

    fn connected(&mut self, cx: &mut Cx<'_>, state: &mut State) -> Result<(), Reason> {
        if !matches!(state, State::Connecting) {
            return Ok(());
        }
        // We have nothing to say to ourselves.
        if self.place.is_some_and(|place| place.is_own) {
            return Err(self.leads_back(None));
        }
        self.send_header(cx);
        *state = State::ExpectHeader(Channel::default());
        Ok(())
    }

    fn header(&mut self, cx: &mut Cx<'_>, state: State, header: &Header) -> Step<Self> {
        match state {
            State::ExpectHeader(channel) => self.answering_header(cx, channel, header),
            State::Doubt(doubt) => Err(self.in_words(doubt.reason())),
            _ => Err(Reason::InvalidNamespace),
        }
    }

    fn element(&mut self, cx: &mut Cx<'_>, state: State, element: &Element) -> Step<Self> {
        match state {
            State::Doubt(mut doubt) => match doubt.hear(element) {
                Some(reason) => Err(self.in_words(reason)),
                None => Ok(Next::Negotiate(State::Doubt(doubt))),
            },
            state => self.step(cx, state, element),
        }
    }

    fn secured(&mut self, cx: &mut Cx<'_>, (): ()) -> Step<Self> {
        cx.judge(&self.pair)?;
        let fallback = cx
            .allowed(&self.pair, None)?
            .methods()
            .contains(Method::TlsDialback);
        match cx.security.fault() {
            // Nothing but EXTERNAL is allowed, and the certificate rules it out.
            Some(fault) if !fallback => Err(Reason::Certificate(fault.clone())),
            _ => {
                self.send_header(cx);
                Ok(Next::Negotiate(State::ExpectHeader(Channel {
                    is_secured: true,
                    ..Channel::default()
                })))
            }
        }
    }

    fn element_beside(
        &mut self,
        cx: &mut Cx<'_>,
        (sharing, established): (&mut Sharing, &mut Established),
        element: &Element,
    ) -> Result<(), Reason> {
        if !sharing.element(cx, established, element) {
            cx.wire.ignore(steps::unexpected(element));
        }
        Ok(())
    }

    fn share(
        &mut self,
        cx: &mut Cx<'_>,
        (sharing, established): (&mut Sharing, &mut Established),
        pair: Pair,
    ) {
        sharing.share(cx, established, pair);
    }

    fn due_beside(&self, sharing: &Sharing) -> Option<Instant> {
        sharing.due()
    }

    fn tick_beside(&mut self, cx: &mut Cx<'_>, sharing: &mut Sharing) {
        sharing.tick(cx);
    }

    fn judged_again(
        &self,
        view: View<'_>,
        _: Option<&State>,
    ) -> Result<Option<Box<Judged>>, Reason> {
        // The method is judged when something is established.
        match view.allowed(&self.pair, None) {
            Ok(_) => Ok(None),
            Err(reason) => Err(Reason::PolicyChanged(Box::new(reason))),
        }
    }

    /// A session goes on under the entry that it began under, or not at all.
    fn rules_changed(&mut self, cx: &mut Cx<'_>, _: Option<&mut State>) {
        let Some((_, began)) = &self.later.resumes else {
            return;
        };
        let entry = cx.context.rules.partner_of(&self.pair.remote);
        let both = began.as_ref().zip(entry);
        if both.is_none_or(|(began, entry)| !began.is_as(entry)) {
            self.later.resumes = None;
            cx.wire.push(Output::Acks(AckChange::NotResumed(None)));
        }
    }

    /// There is no stream before there is a connection.
    fn can_speak(&self, state: &State) -> bool {
        !matches!(state, State::Connecting)
    }

    fn peer_error(&self, state: &State, element: &Element) -> Option<Reason> {
        match state {
            // It listens to more than that.
            State::Doubt(_) => None,
            _ => peer_error(element).map(|reason| self.in_words(reason)),
        }
    }

    fn due(&self, state: &State, establishment: Instant) -> Instant {
        match state {
            State::Doubt(doubt) => doubt.due().min(establishment),
            State::ExpectHeader(channel) if channel.is_without_header() => self.header_due,
            _ => establishment,
        }
    }

    /// What the partner still owes until something is established, or the question answered.
    fn overdue(&self, state: Option<&State>) -> Reason {
        Reason::EstablishmentTimeout(match state {
            None => "the end of the TLS handshake",
            Some(State::Connecting) => "the connection",
            Some(State::ExpectHeader(channel)) if channel.is_without_header() => {
                return Reason::HeaderTimeout;
            }
            Some(State::ExpectHeader(channel)) if channel.proven.is_some() => {
                "the stream header after SASL"
            }
            Some(State::ExpectHeader(_)) => "the stream header after TLS",
            // What was wrong with the one that came is told in its place.
            Some(State::Doubt(_)) => "the stream header",
            Some(State::ExpectFeatures(_)) => "the stream features",
            Some(State::ExpectProceed) => "the answer to <starttls/>",
            Some(State::ExpectSasl(..)) => "the answer to SASL EXTERNAL",
            Some(State::ExpectDialback(..)) => "the answer to our dialback key",
            Some(State::ExpectAnswer(_)) => "the word on a dialback key",
        })
    }

    fn send_header(&mut self, cx: &mut Cx<'_>) {
        // RFC 6120 §4.7.1: the receiving side looks us up by `from`.
        header::send(
            cx.wire,
            &[
                ("from", self.pair.local.written()),
                ("to", self.pair.remote.written()),
                ("version", "1.0"),
                ("xml:lang", "en"),
            ],
        );
    }

    fn weighed(&self, state: Option<&State>, reason: Reason) -> Reason {
        self.weigh(state, reason)
    }

    fn close(&mut self, cx: &mut Cx<'_>, reason: Reason) -> Closing {
        let asks = matches!(self.purpose, Purpose::Ask(_));
        let grace = if self.give_up(cx.wire, &reason) || asks {
            Timing::SHORT_GRACE
        } else {
            Timing::CLOSE_GRACE
        };
        Closing::begin_within(grace, cx.wire, cx.now, reason)
    }

    fn gone(&mut self, wire: &mut Wire, reason: &Reason) {
        self.give_up(wire, reason);
    }
}

impl Channel {
    /// Whether the partner has said nothing yet.
    fn is_without_header(&self) -> bool {
        !self.is_secured && self.proven.is_none()
    }
}
