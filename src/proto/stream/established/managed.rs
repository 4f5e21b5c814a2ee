//! Acknowledgements on an established stream (XEP-0198): who asks for them, and what they say.
//!
//! ```text
//!   whoever opened it ── <enable/> ──► Agreed            ◄── we answer <enabled/>
//!                     ── <resume/> ──► Looking ─ found ─► Agreed, counters carried over
//!                                              └ not ───► Offered, we answer <failed/>
//!   opened by us: <enable/> ─► Asked ── <enabled/> ─► Agreed
//!                    ▲               └─ <failed/> ──► Refused
//!                    │ <failed/>
//!                 <resume/> ─► Resuming ─ <resumed/> ─► Agreed, counters carried over
//! ```
//!
//! While a session of ours is being resumed nothing is written, not even a ping: whether it counts is not
//! known before the answer.

mod resuming;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Established;
use crate::proto::policy::Reason;
use crate::proto::stream::acks::{
    Agreed, Broken, Found, Nonza, RESUME_WITHIN, Seen, Step, Suspended,
};
use crate::proto::stream::cx::Cx;
use crate::proto::stream::directions::Inward;
use crate::proto::stream::features::Offer;
use crate::proto::stream::machine::{AckChange, Output};
use crate::proto::xml::{Element, Ns};

/// How far acknowledgements are agreed on.
#[derive(Debug, Default)]
pub(super) enum Acks {
    /// Nothing was said of them.
    #[default]
    Unspoken,
    /// They are offered to a gateway that reads offers: nothing is written before it has chosen, or this
    /// time has come. What it would resume would else be written twice.
    Offered(Instant),
    /// We want to go on with a session, and wait for the answer until then.
    Resuming(Box<Suspended>, Instant),
    /// We have asked for them; what is written counts already.
    Asked(Box<Counted>),
    /// The other side wants to go on with a session, and the shell looks for it.
    Looking { previd: String, h: u32 },
    /// Both sides count.
    Agreed(Box<Counted>),
    /// The other side wants none.
    Refused,
}

/// The counters, and what is to be known of what they count.
#[derive(Debug, Default)]
pub(super) struct Counted {
    agreed: Agreed,
    /// Of each stanza that is unacknowledged, whether the shell has it. We write pings ourselves.
    is_carried: VecDeque<bool>,
    /// By what the session may be resumed, if it may.
    id: Option<String>,
    /// For how long, in seconds, where the other side has said so.
    within: Option<u32>,
    /// Whether something came since the last `<r/>`: one request a stanza costs nothing.
    may_ask: bool,
}

/// How long a gateway may take to choose.
const CHOICE: Duration = Duration::from_secs(1);

impl Established {
    /// Offers acknowledgements on a link.
    pub(in crate::proto::stream) fn offer_acks(&mut self, cx: &mut Cx<'_>) {
        let offer = Offer {
            acks: true,
            ..Offer::default()
        };
        cx.wire.send(&offer.to_element());
        self.acks = Acks::Offered(cx.now.monotonic + CHOICE);
    }

    /// Whether an element belongs here.
    pub(in crate::proto::stream) fn is_managed(&self, element: &Element) -> bool {
        let is_spoken_of = match self.directions.inward {
            // Who opens a stream asks; on ours that was to be us.
            Inward::Nobody => !matches!(self.acks, Acks::Unspoken | Acks::Refused),
            Inward::Partners(_) | Inward::Gateway(_) => true,
        };
        *element.ns() == Ns::STREAM_MANAGEMENT && is_spoken_of
    }

    /// Takes an element of stream management.
    pub(in crate::proto::stream) fn manage(
        &mut self,
        cx: &mut Cx<'_>,
        element: &Element,
    ) -> Result<(), Reason> {
        let unexpected = || Err(Reason::UnexpectedElement(element.name().to_owned()));
        let Some(nonza) = Nonza::read(element) else {
            return unexpected();
        };
        let may_answer = !matches!(self.directions.inward, Inward::Nobody);
        match (&mut self.acks, nonza) {
            (Acks::Unspoken | Acks::Offered(_), Nonza::Enable { resume, .. }) if may_answer => {
                let id = resume.then(|| cx.ids.next_id());
                let max = resume.then_some(RESUME_WITHIN);
                let counted = Counted {
                    id: id.clone(),
                    ..Counted::default()
                };
                let enabled = Nonza::Enabled {
                    id: id.clone(),
                    max,
                };
                cx.wire.send(&enabled.to_element());
                cx.wire.push(Output::Acks(AckChange::Begun(id)));
                self.acks = Acks::Agreed(Box::new(counted));
                cx.wire.push(Output::Pace);
            }
            (Acks::Unspoken | Acks::Offered(_), Nonza::Resume { previd, h }) if may_answer => {
                let id = previd.clone();
                cx.wire.push(Output::Acks(AckChange::Sought { id, h }));
                self.acks = Acks::Looking { previd, h };
                cx.wire.push(Output::Pace);
            }
            (Acks::Asked(_), Nonza::Enabled { id, max }) => self.enabled(id, max),
            (Acks::Resuming(session, _), Nonza::Resumed { previd, h }) if previd == session.id => {
                return self.resumed(cx, h);
            }
            (Acks::Resuming(..), Nonza::Failed { h }) => return self.not_resumed(cx, h),
            (Acks::Asked(_), Nonza::Failed { .. }) => {
                self.acks = Acks::Refused;
                cx.wire.push(Output::Acks(AckChange::Refused));
            }
            (
                Acks::Agreed(counted) | Acks::Asked(counted),
                nonza @ (Nonza::Request | Nonza::Ack(_)),
            ) => {
                counted.read(cx, &nonza)?;
            }
            // XEP-0198 §3: a second attempt is answered with a stream error.
            _ => return unexpected(),
        }
        Ok(())
    }

    /// The same after our closing tag: only what is acknowledged still counts.
    pub(in crate::proto::stream) fn manage_late(
        &mut self,
        cx: &mut Cx<'_>,
        element: &Element,
    ) -> Result<(), Reason> {
        if let (Acks::Agreed(counted), Some(nonza @ Nonza::Ack(_))) =
            (&mut self.acks, Nonza::read(element))
        {
            return counted.read(cx, &nonza);
        }
        cx.wire.push(Output::Pace);
        Ok(())
    }

    /// Whether the shell looks for a session that is to be resumed.
    pub(in crate::proto::stream) fn is_looking(&self) -> bool {
        matches!(self.acks, Acks::Looking { .. })
    }

    /// The shell has looked for the session that is to be resumed.
    pub(in crate::proto::stream) fn found(
        &mut self,
        cx: &mut Cx<'_>,
        found: Option<Found>,
    ) -> Result<(), Reason> {
        let Acks::Looking { previd, h } = std::mem::take(&mut self.acks) else {
            return Ok(());
        };
        // XEP-0198 §5: who is told so may go on without, or ask for acknowledgements anew.
        let Some(Found { agreed, handled }) = found else {
            cx.wire.send(&Nonza::Failed { h: None }.to_element());
            self.acks = Acks::Offered(cx.now.monotonic + CHOICE);
            return Ok(());
        };
        let mut counted = Counted {
            id: Some(previd.clone()),
            ..Counted::default()
        };
        let now = cx.now.monotonic;
        let (own_h, mut agreed) = agreed.resumed(handled);
        agreed.peer_resumed(h, now).map_err(broken)?;
        counted.agreed = agreed;
        let h = own_h;
        let id = Some(previd.clone());
        cx.wire.send(&Nonza::Resumed { previd, h }.to_element());
        cx.wire.push(Output::Acks(AckChange::Begun(id)));
        self.acks = Acks::Agreed(Box::new(counted));
        Ok(())
    }

    /// The first `h` of the stanzas that came are settled.
    pub(in crate::proto::stream) fn settled(&mut self, cx: &mut Cx<'_>, h: u32) {
        if let Acks::Agreed(counted) = &mut self.acks
            && let Some(nonza) = counted.agreed.handled(h, cx.now.monotonic)
        {
            cx.wire.send(&nonza.to_element());
        }
    }

    /// A stanza was written; whether the shell has it, and is to be told when it is acknowledged.
    pub(super) fn wrote(&mut self, cx: &mut Cx<'_>, is_carried: bool) {
        if let Some(request) = self.counted(cx.now.monotonic, is_carried) {
            cx.wire.send(&request);
        }
    }

    /// The same; returns what is to be written behind the stanza.
    pub(super) fn counted(&mut self, now: Instant, is_carried: bool) -> Option<Element> {
        let (Acks::Agreed(counted) | Acks::Asked(counted)) = &mut self.acks else {
            return None;
        };
        counted.is_carried.push_back(is_carried);
        let nonza = counted.agreed.wrote(now)?;
        Some(nonza.to_element())
    }

    /// A stanza came; whether it is to be acted on.
    pub(super) fn saw(&mut self, now: Instant) -> Seen {
        match &mut self.acks {
            Acks::Agreed(counted) => {
                counted.may_ask = true;
                counted.agreed.stanza(now)
            }
            Acks::Offered(_) => {
                // Whoever sends stanzas has chosen.
                self.acks = Acks::Unspoken;
                Seen::New
            }
            _ => Seen::New,
        }
    }

    /// The answer to a ping of ours came on our own stream. XEP-0198 §4: it counts as every stanza does.
    pub(super) fn took(&mut self, cx: &mut Cx<'_>) {
        if let Acks::Agreed(counted) = &mut self.acks {
            counted.may_ask = true;
            if let Some(nonza) = counted.agreed.took(cx.now.monotonic) {
                cx.wire.send(&nonza.to_element());
            }
        }
    }

    /// Whether what is written is acknowledged.
    pub(super) fn has_acks(&self) -> bool {
        matches!(self.acks, Acks::Agreed(_))
    }

    /// Whether stanzas may be written now.
    pub(in crate::proto::stream) fn is_writable(&self) -> bool {
        match &self.acks {
            Acks::Agreed(counted) | Acks::Asked(counted) => !counted.agreed.is_full(),
            Acks::Offered(_) | Acks::Looking { .. } | Acks::Resuming(..) => false,
            Acks::Unspoken | Acks::Refused => true,
        }
    }

    /// Whether the other side has yet to say what it has taken on.
    pub(in crate::proto::stream) fn is_owed_acks(&self) -> bool {
        match &self.acks {
            Acks::Agreed(counted) => counted.agreed.unacknowledged() > 0,
            _ => false,
        }
    }

    /// What both sides should know before our closing tag (XEP-0198 §4).
    pub(in crate::proto::stream) fn last_words(&mut self, cx: &mut Cx<'_>) {
        if let Acks::Agreed(counted) = &mut self.acks {
            if let Some(nonza) = counted.agreed.last_word() {
                cx.wire.send(&nonza.to_element());
            }
            if counted.agreed.unacknowledged() > 0 {
                cx.wire.send(&Nonza::Request.to_element());
            }
        }
    }

    /// When acknowledgements ask for something.
    pub(super) fn acks_due(&self) -> Option<Instant> {
        match &self.acks {
            Acks::Agreed(counted) | Acks::Asked(counted) => counted.agreed.deadline(),
            Acks::Offered(until) | Acks::Resuming(_, until) => Some(*until),
            _ => None,
        }
    }

    /// Does what the time asks for.
    pub(super) fn acks_tick(&mut self, cx: &mut Cx<'_>) -> Result<(), Reason> {
        if matches!(&self.acks, Acks::Offered(until) if *until <= cx.now.monotonic) {
            self.acks = Acks::Unspoken;
        }
        if matches!(&self.acks, Acks::Resuming(_, until) if *until <= cx.now.monotonic) {
            // What is not answered now will not be answered on the next stream.
            self.acks = Acks::Refused;
            return Err(Reason::AcknowledgementTimeout);
        }
        if let Acks::Agreed(counted) | Acks::Asked(counted) = &mut self.acks
            && let Some(nonza) = counted.agreed.due(cx.now.monotonic).map_err(broken)?
        {
            cx.wire.send(&nonza.to_element());
        }
        Ok(())
    }

    /// The connection is lost: what may go on, on another one.
    pub(in crate::proto::stream) fn suspend(&mut self) -> Option<Suspended> {
        match std::mem::take(&mut self.acks) {
            Acks::Agreed(counted) => Some(Suspended {
                id: counted.id?,
                within: counted.within,
                agreed: counted.agreed,
                is_carried: counted.is_carried,
            }),
            // Whether the other side goes on with it is not known: it may be asked again.
            Acks::Resuming(session, _) => Some(*session),
            _ => None,
        }
    }
}

impl Counted {
    fn read(&mut self, cx: &mut Cx<'_>, nonza: &Nonza) -> Result<(), Reason> {
        let step = self.agreed.read(nonza, cx.now.monotonic).map_err(broken)?;
        match step {
            Some(Step::Send(answer)) => {
                cx.wire.send(&answer.to_element());
                // RFC 6120 §13.12, item 6: what a peer server makes us do is limited in rate.
                if !std::mem::take(&mut self.may_ask) {
                    cx.wire.push(Output::Pace);
                }
            }
            Some(Step::Acknowledged(more)) => {
                let more = usize::try_from(more).unwrap_or(usize::MAX);
                let most = self.is_carried.len();
                let carried = self.is_carried.drain(..more.min(most)).filter(|it| *it);
                let count = u32::try_from(carried.count()).unwrap_or(u32::MAX);
                cx.wire.push(Output::Acks(AckChange::Acknowledged(count)));
            }
            None => cx.wire.push(Output::Pace),
        }
        Ok(())
    }
}

fn broken(broken: Broken) -> Reason {
    match broken {
        Broken::TooHigh(too_high) => Reason::AcknowledgedTooMuch(too_high),
        Broken::Late => Reason::AcknowledgementTimeout,
    }
}
