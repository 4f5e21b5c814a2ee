//! What an established stream does with each stanza that comes, and with what is none.

use std::time::{Duration, Instant};

use super::Established;
use crate::proto::policy::Reason;
use crate::proto::stanza::{
    Form, Refusal, excess_from_gateway, excess_from_partner, from_gateway, from_partner,
};
use crate::proto::stream::Output;
use crate::proto::stream::acks::Seen;
use crate::proto::stream::cx::Cx;
use crate::proto::stream::directions::Inward;
use crate::proto::stream::record::{Milestone, Pong, Record};
use crate::proto::xml::{Element, Excess, Ns, Span};

/// So many stanzas with malformed addresses in one minute end the stream.
const MAX_BAD_ADDRESSES: u8 = 50;
const MINUTE: Duration = Duration::from_secs(60);

/// Whether our closing tag is sent already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Open,
    Late,
}

impl Established {
    /// Takes a stanza, or an element of stream management; gives back what is neither.
    pub(in crate::proto::stream) fn element(
        &mut self,
        cx: &mut Cx<'_>,
        element: Element,
    ) -> Result<Option<Element>, Reason> {
        if self.is_managed(&element) {
            self.manage(cx, &element).map(|()| None)
        } else if self.is_stanza(&element) {
            self.read(cx, element.into(), When::Open).map(|()| None)
        } else {
            Ok(Some(element))
        }
    }

    /// Takes what came after our closing tag: only stanzas and acknowledgements still count.
    pub(in crate::proto::stream) fn late_element(
        &mut self,
        cx: &mut Cx<'_>,
        element: Element,
    ) -> Result<(), Reason> {
        if self.is_managed(&element) {
            return self.manage_late(cx, &element);
        }
        if self.is_stanza(&element) && self.takes_stanzas() {
            return self.read(cx, element.into(), When::Late);
        }
        cx.wire.push(Output::Pace);
        Ok(())
    }

    /// Takes a stanza.
    pub(in crate::proto::stream) fn stanza(
        &mut self,
        cx: &mut Cx<'_>,
        span: Box<Span>,
    ) -> Result<(), Reason> {
        self.read(cx, span.into(), When::Open)
    }

    /// The same, after our closing tag.
    pub(in crate::proto::stream) fn late_stanza(
        &mut self,
        cx: &mut Cx<'_>,
        span: Box<Span>,
    ) -> Result<(), Reason> {
        if self.takes_stanzas() {
            return self.read(cx, span.into(), When::Late);
        }
        cx.wire.push(Output::Pace);
        Ok(())
    }

    /// A stanza that is not kept, because it exceeds a limit: refused alone.
    pub(in crate::proto::stream) fn excess(
        &mut self,
        cx: &mut Cx<'_>,
        excess: Excess,
    ) -> Result<(), Reason> {
        self.read_excess(cx, excess, When::Open)
    }

    /// The same, after our closing tag.
    pub(in crate::proto::stream) fn late_excess(
        &mut self,
        cx: &mut Cx<'_>,
        excess: Excess,
    ) -> Result<(), Reason> {
        self.read_excess(cx, excess, When::Late)
    }

    /// XEP-0114 knows nothing but stanzas, so whatever comes on a link is judged as one.
    fn is_stanza(&self, element: &Element) -> bool {
        matches!(self.directions.inward, Inward::Gateway(_)) || *element.ns() == Ns::CONTENT
    }

    fn read(&mut self, cx: &mut Cx<'_>, form: Form, when: When) -> Result<(), Reason> {
        if let Some(pong) = self.pong(cx.now.monotonic, &form) {
            cx.wire.record(Record::Reached(pong));
            self.took(cx);
            return Ok(());
        }
        self.watch.stanza(cx.now.monotonic);
        if self.saw(cx.now.monotonic) == Seen::Before {
            cx.wire.push(Output::Pace);
            return Ok(());
        }
        let outcome = match &self.directions.inward {
            // RFC 6120 §4.5: the stream is one-way; nothing was proven for the other direction.
            Inward::Nobody => return Err(Reason::NotAuthorized),
            Inward::Partners(pairs) => from_partner(form, pairs),
            Inward::Gateway(domain) => from_gateway(form, domain, &cx.context.rules),
        };
        match outcome {
            Ok(stanza) => cx.wire.push(Output::Stanza(stanza)),
            Err(refusal) => self.refused(cx, refusal, when)?,
        }
        Ok(())
    }

    /// The answer to our ping, on the one-way stream that it was sent on. It belongs on the partner's
    /// own stream, but shows as well that the partner lives: nobody else has read the id.
    fn pong(&mut self, now: Instant, form: &Form) -> Option<Milestone> {
        let is_error = match form.stanza_type() {
            Some("result") => false,
            Some("error") => true,
            _ => return None,
        };
        if !matches!(self.directions.inward, Inward::Nobody)
            || !form.is_content()
            || form.name() != "iq"
        {
            return None;
        }
        let is_ours = self.watch.pong(form.id()?, now);
        is_ours.then_some(Milestone::Pong(Pong::OnOurs { is_error }))
    }

    fn read_excess(&mut self, cx: &mut Cx<'_>, excess: Excess, when: When) -> Result<(), Reason> {
        self.watch.stanza(cx.now.monotonic);
        if self.saw(cx.now.monotonic) == Seen::Before {
            cx.wire.push(Output::Pace);
            return Ok(());
        }
        let refusal = match &self.directions.inward {
            Inward::Nobody => return Err(Reason::Xml(excess.fault)),
            Inward::Partners(pairs) => excess_from_partner(excess, pairs),
            Inward::Gateway(domain) => excess_from_gateway(excess, domain),
        };
        self.refused(cx, refusal, when)
    }

    fn refused(&mut self, cx: &mut Cx<'_>, refusal: Refusal, when: When) -> Result<(), Reason> {
        let (reason, pair, users, mut answer) = match refusal {
            Refusal::Stream(reason) => return Err(reason),
            Refusal::Stanza {
                reason,
                pair,
                users,
                answer,
            } => (reason, pair, users, answer),
        };
        match &self.directions.inward {
            // The sender is at the other end of this very link: behind our closing tag the shell has
            // to find another way to it.
            // Where it is to be acknowledged, the shell keeps it until it is.
            Inward::Gateway(_) if when == When::Open && !self.has_acks() => {
                if let Some(answer) = answer.take() {
                    cx.wire.send_form(&answer.form);
                    self.wrote(cx, false);
                }
            }
            Inward::Partners(_) if matches!(reason, Reason::MalformedAddress { .. }) => {
                self.bad_address(cx.now.monotonic)?;
            }
            _ => {}
        }
        cx.wire.push(Output::Refused {
            reason,
            pair,
            users,
            answer,
        });
        Ok(())
    }

    /// Counts a malformed address: a server that makes one in each stanza is broken, or hostile.
    fn bad_address(&mut self, now: Instant) -> Result<(), Reason> {
        match &mut self.bad_addresses {
            Some((since, count)) if now.saturating_duration_since(*since) < MINUTE => {
                *count += 1;
                if *count >= MAX_BAD_ADDRESSES {
                    return Err(Reason::TooManyBadAddresses);
                }
            }
            window => *window = Some((now, 1)),
        }
        Ok(())
    }
}
