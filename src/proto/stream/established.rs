//! The one machine for traffic: what a stream does once something is proven on it.
//!
//! ```text
//!                    ┌──────────────────── Established ────────────────────┐
//!   element, excess ─┤► read ─► whose? (Inward) ─► Stanza or Refused       │
//!   Deliver ─────────┤► to whom? (Outward) ─► Send                         │
//!   Tick ────────────┤► Watch: expired, no pong, unfinished, idle, or ping │
//!   a further proof ─┤► one more pair                                      │
//!   reload ──────────┤► every pair, the chain and the limits, judged again │
//!                    └─────────────────────────────────────────────────────┘
//! ```
//!
//! Every stanza that comes passes `saw`, every stanza that is written passes `wrote`: where
//! acknowledgements are agreed on, they count there.

mod managed;
mod reading;
mod watch;

use std::time::{Duration, Instant};

use self::managed::Acks;
use self::watch::Watch;
use super::cx::{Cx, View};
use super::directions::{Directions, Inward, Outward};
use super::machine::{Input, Output};
use super::record::{Milestone, Pong, Record};
use super::security::{Judged, Security};
use super::timing::Timing;
use super::wire::Wire;
use crate::proto::auth::{Authenticated, Pair};
use crate::proto::policy::Reason;
use crate::proto::stanza::Written;
use crate::proto::xml::writer::write_element;

/// A stream that carries stanzas.
#[derive(Debug)]
pub struct Established {
    directions: Directions,
    watch: Watch,
    /// Since when malformed addresses are counted, and how many there were.
    bad_addresses: Option<(Instant, u8)>,
    acks: Acks,
}

impl Established {
    /// A partner has proven a pair on its stream.
    pub(super) fn from_partner(cx: &mut Cx<'_>, proof: Authenticated<Pair>) -> Box<Self> {
        Directions::tell(cx, &proof);
        Self::new(cx, Directions::from_partner(proof))
    }

    /// A partner has let us prove a pair on a stream of ours, if the rules still admit it.
    pub(super) fn to_partner(
        cx: &mut Cx<'_>,
        proof: Authenticated<Pair>,
    ) -> Result<Box<Self>, Reason> {
        let directions = Directions::to_partner(proof.clone());
        // The rules may have changed while the stream was negotiated.
        let judged = admitted(cx.view(), &directions)?;
        cx.put_in_force(judged);
        Directions::tell(cx, &proof);
        Ok(Self::new(cx, directions))
    }

    /// Limits, and clocks that begin now, by what was proven.
    pub(super) fn new(cx: &mut Cx<'_>, directions: Directions) -> Box<Self> {
        cx.wire.proven(directions.limits(cx.context));
        Box::new(Self {
            watch: Watch::new(cx.now.monotonic, keeps_alive(cx, &directions)),
            directions,
            bad_addresses: None,
            acks: Acks::default(),
        })
    }

    /// The traffic begins now: something more was negotiated after the proof.
    pub(super) fn begin(&mut self, now: Instant) {
        self.watch.stanza(now);
    }

    /// The pairs whose stanzas are taken.
    pub(super) fn pairs(&self) -> &[Authenticated<Pair>] {
        match &self.directions.inward {
            Inward::Partners(pairs) => pairs,
            Inward::Nobody | Inward::Gateway(_) => &[],
        }
    }

    /// Whether stanzas are taken here at all.
    pub(super) fn takes_stanzas(&self) -> bool {
        !matches!(self.directions.inward, Inward::Nobody)
    }

    /// One more pair is proven.
    pub(super) fn admit(&mut self, cx: &mut Cx<'_>, proof: Authenticated<Pair>) {
        self.watch.stanza(cx.now.monotonic);
        Directions::tell(cx, &proof);
        match &mut self.directions.inward {
            Inward::Partners(pairs) => pairs.push(proof),
            inward => *inward = Inward::Partners(vec![proof]),
        }
        cx.wire.proven(self.directions.limits(cx.context));
    }

    /// The pairs whose stanzas are written to a partner.
    pub(super) fn carried(&self) -> impl Iterator<Item = &Pair> {
        let is_outward = matches!(self.directions.outward, Outward::Partner(..));
        let pairs = self.directions.pairs().filter(move |_| is_outward);
        pairs.map(|pair| &**pair)
    }

    /// One more pair is proven on a stream of ours.
    pub(super) fn carry(&mut self, cx: &mut Cx<'_>, proof: Authenticated<Pair>) {
        if let Outward::Partner(_, shared) = &mut self.directions.outward {
            self.watch.stanza(cx.now.monotonic);
            Directions::tell(cx, &proof);
            shared.push(proof);
        }
    }

    /// Acts on what the shell wants of the traffic.
    pub(super) fn handle(&mut self, cx: &mut Cx<'_>, input: &Input<'_>) {
        let now = cx.now.monotonic;
        match (input, &self.directions.outward) {
            (Input::Deliver(stanza), _) => {
                let mut bytes = Vec::new();
                self.deliver(cx, stanza, &mut bytes);
                if !bytes.is_empty() {
                    cx.wire.send_with(|out| out.append(&mut bytes));
                }
            }
            (Input::Pong(id), _) if self.watch.pong(id, now) => {
                let pong = Milestone::Pong(Pong::OnTheirs);
                cx.wire.record(Record::Reached(pong));
            }
            (Input::Probe, _) if self.is_resuming() => {}
            (Input::Probe, _) if self.watch.probe(now, now + Timing::PROBE_ANSWER) => {
                self.ping(cx, now + Timing::PROBE_ANSWER);
            }
            _ => {}
        }
    }

    /// Writes a stanza for the other side, where it may have any, and what belongs behind it.
    pub(super) fn deliver(&mut self, cx: &Cx<'_>, stanza: &Written, out: &mut Vec<u8>) {
        // XEP-0220 §2.6: a stream carries the pairs that were proven on it, and no other.
        match &self.directions.outward {
            Outward::Nobody => return,
            Outward::Partner(pair, shared) => {
                let is_of = |pair: &Pair| {
                    pair.local == *stanza.from.domain() && pair.remote == *stanza.to.domain()
                };
                if !is_of(pair) && !shared.iter().any(|pair| is_of(pair)) {
                    return;
                }
            }
            Outward::Gateway => {}
        }
        let now = cx.now.monotonic;
        self.watch.stanza(now);
        out.extend_from_slice(stanza.bytes());
        if let Some(request) = self.counted(now, true) {
            write_element(cx.wire.stream_kind(), &request, out);
        }
    }

    /// For so long the shell has not read: it is not the fault of whoever sends.
    pub(super) fn held(&mut self, time: Duration) {
        if self.takes_stanzas() {
            self.watch.held(time);
        }
    }

    /// When [`tick`](Self::tick) has something to do. A link may be silent as long as it likes.
    pub(super) fn deadline(
        &self,
        timing: &Timing,
        security: &Security,
        wire: &Wire,
    ) -> Option<Instant> {
        if matches!(self.directions.inward, Inward::Gateway(_)) {
            return self.acks_due();
        }
        let proven_until = security
            .expiry()
            .filter(|_| self.directions.by_certificate())
            .map(|expiry| expiry.deadline());
        let unfinished = self.unfinished_due(timing, wire);
        // Nothing may be written now, so nothing is asked.
        let watch = (!self.is_resuming()).then(|| self.watch.deadline(timing));
        let all = [proven_until, unfinished, self.acks_due(), watch];
        all.into_iter().flatten().min()
    }

    /// Acts on a deadline that has come; an error is the end of the stream.
    pub(super) fn tick(&mut self, cx: &mut Cx<'_>) -> Result<(), Reason> {
        let now = cx.now.monotonic;
        let timing = &cx.context.timing;
        // RFC 6120 §13.7.2.3: a certificate that has expired proves nothing any more.
        if self.directions.by_certificate()
            && let Some(expiry) = cx.security.expiry_mut()
            && expiry.deadline() <= now
            && let Some(since) = expiry.look(cx.now)
        {
            return Err(Reason::CertificateExpired(since));
        }
        let is_stuck = self
            .unfinished_due(timing, cx.wire)
            .is_some_and(|due| due <= now);
        if is_stuck {
            return Err(Reason::StanzaUnfinished);
        }
        self.acks_tick(cx)?;
        if matches!(self.directions.inward, Inward::Gateway(_)) || self.is_resuming() {
            return Ok(());
        }
        if self.watch.tick(now, timing)? {
            self.ping(cx, now + Timing::PING_ANSWER);
        }
        Ok(())
    }

    /// Whether other rules admit the stream, by the facts it was admitted on, and what they find the
    /// chain worth.
    pub(super) fn judged_again(&self, view: View<'_>) -> Result<Option<Box<Judged>>, Reason> {
        if let Inward::Gateway(domain) = &self.directions.inward
            && !view.context.rules.is_local(domain)
        {
            return Err(Reason::UnknownLocalDomain(domain.to_string()));
        }
        admitted(view, &self.directions).map_err(|reason| Reason::PolicyChanged(Box::new(reason)))
    }

    /// Other rules are in force, and admit the stream.
    pub(super) fn rules_changed(&mut self, cx: &mut Cx<'_>) {
        self.watch.keeps_alive(keeps_alive(cx, &self.directions));
        cx.wire.proven(self.directions.limits(cx.context));
    }

    /// Asks whether the partner lives; the stream ends without an answer by `due`.
    fn ping(&mut self, cx: &mut Cx<'_>, due: Instant) {
        let Outward::Partner(pair, _) = &self.directions.outward else {
            return;
        };
        let id = cx.ids.next_id();
        let ping = self.watch.ping(pair, id.clone(), due);
        cx.wire.send(&ping);
        self.wrote(cx, false);
        cx.wire.push(Output::Pinged(id));
    }

    /// When a stanza that was begun must be whole: whoever has proven a pair may send much, but
    /// not keep it here in pieces.
    fn unfinished_due(&self, timing: &Timing, wire: &Wire) -> Option<Instant> {
        match self.directions.inward {
            Inward::Partners(_) => Some(wire.unfinished_since()? + timing.establishment),
            Inward::Nobody | Inward::Gateway(_) => None,
        }
    }
}

/// Whether the rules admit every pair, by the method and the chain that proved it, and what they find
/// the chain worth.
fn admitted(view: View<'_>, directions: &Directions) -> Result<Option<Box<Judged>>, Reason> {
    for pair in directions.pairs() {
        let partner = view.allowed(pair, pair.method())?;
        if directions.is_shared() && !partner.share_streams {
            return Err(Reason::SharingOff);
        }
    }
    if !directions.by_certificate() {
        return Ok(None);
    }
    let judged = view.judged_again()?;
    let fault = match &judged {
        Some(judged) => judged.report.verdict.as_ref().err(),
        None => view.security.fault(),
    };
    match fault {
        Some(fault) => Err(Reason::Certificate(fault.clone())),
        None => Ok(judged),
    }
}

/// Whether the partner's server is asked, now and then, whether it lives.
fn keeps_alive(cx: &Cx<'_>, directions: &Directions) -> bool {
    match &directions.outward {
        Outward::Partner(pair, _) => cx
            .allowed(pair, None)
            .is_ok_and(|partner| partner.keep_alive),
        Outward::Nobody | Outward::Gateway => false,
    }
}
