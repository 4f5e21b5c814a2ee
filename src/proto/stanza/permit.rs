//! The only way to a [`Validated`] stanza: policy, and what policy takes off or puts on.

use super::{Addressed, Form, Kind, Stanza, Validated, Written, bounce, refuse};
use crate::proto::codes::Mark;
use crate::proto::policy::{
    Decision, Direction, Facts, Partner, Reason, Rules, StanzaFacts, evaluate, evaluate_stanza,
};
use crate::proto::xml::{Element, Fault, Ns, StreamKind, writer};

/// What is remembered about the local and the remote user of a stanza.
#[derive(Clone, Copy, Debug, Default)]
pub struct Remembered {
    /// Whether it answers what the local user has sent lately.
    pub was_asked: bool,
    /// Whether the local user has added the remote one.
    pub is_contact: bool,
    /// Whether the side that may open conversations has opened this one.
    pub is_open: bool,
}

/// Why a stanza does not pass, and what its sender is told.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// The answer, where there may be one.
    pub answer: Option<Box<Validated<Stanza>>>,
}

/// Decides whether a stanza passes, and makes it what the other side is to see; `annotate` tells
/// the gateway about the partner.
///
/// # Errors
/// [`Refused`], with the answer for the sender where there may be one.
pub fn permit(
    addressed: Addressed,
    remembered: Remembered,
    rules: &Rules,
    annotate: bool,
) -> Result<Validated<Stanza>, Refused> {
    let facts = Facts {
        method: addressed.method(),
        ..Facts::of_pair(addressed.local().domain(), addressed.remote().domain())
    };
    match evaluate(facts, rules) {
        Decision::Allow(partner) => permit_under(partner, addressed, remembered, rules, annotate),
        Decision::Refuse(reason) => Err(refusal(&addressed, reason)),
    }
}

/// The same under the terms of the entry that covers the partner, for whoever knows it: the stream
/// that read the stanza was judged by it, and is again after each reload.
///
/// # Errors
/// [`Refused`], with the answer for the sender where there may be one.
pub fn permit_under(
    partner: &Partner,
    addressed: Addressed,
    remembered: Remembered,
    rules: &Rules,
    annotate: bool,
) -> Result<Validated<Stanza>, Refused> {
    // What is on its way when a reload takes a method away belongs to a stream that is ending.
    if let Some(method) = addressed.method()
        && !partner.methods().contains(method)
    {
        return Err(refusal(&addressed, Reason::MethodNotAllowed(method)));
    }
    let direction = addressed.direction();
    let facts = StanzaFacts {
        direction,
        kind: addressed.kind,
        is_answer: addressed.is_answer(),
        to_service: addressed.local().local().is_none(),
        form: &addressed.form,
        bytes: written_length(&addressed.form, direction, partner),
        was_asked: remembered.was_asked,
        is_contact: remembered.is_contact,
        is_open: remembered.is_open,
        is_allowed: rules.access().admits(addressed.local()),
    };
    if let Decision::Refuse(reason) = evaluate_stanza(&facts, partner) {
        return Err(refusal(&addressed, reason));
    }
    let note = (annotate && direction == Direction::Inbound)
        .then(|| annotation(&addressed, partner, rules));
    let mut stanza = addressed.into_stanza();
    if let Some(note) = note {
        stanza.form.push(note);
    }
    let is_note = |child: &Element| child.is(&Ns::CONTENT, "status");
    if direction == Direction::Outbound
        && stanza.kind == Kind::Presence
        && !partner.terms.partner_type.sees_notes()
        && stanza.form.has_status()
    {
        match stanza.form.tree() {
            Ok(mut element) => {
                element.retain_children(|child| !is_note(child));
                stanza.form = element.into();
            }
            Err(fault) => return Err(unreadable(stanza, fault)),
        }
    }
    Ok(Validated::assertion(stanza))
}

/// What was written is not read back: a fault of ours, in which nothing passes.
fn unreadable(stanza: Stanza, fault: Fault) -> Refused {
    let reason = Reason::StanzaTooComplex(fault);
    Refused {
        answer: bounce(&stanza, &reason).map(Box::new),
        reason,
    }
}

fn refusal(addressed: &Addressed, reason: Reason) -> Refused {
    let answer = if reason.has(Mark::StanzaPolicy) {
        refuse(addressed, &reason, addressed.direction())
    } else {
        bounce(addressed, &reason)
    };
    Refused {
        reason,
        answer: answer.map(Box::new),
    }
}

fn annotation(stanza: &Addressed, partner: &Partner, rules: &Rules) -> Element {
    let domain = rules.account_of(stanza.remote().domain());
    let note = Element::new(Ns::PARTNER, "partner")
        .with_attribute("domain", domain.written())
        .with_attribute("type", partner.terms.partner_type.as_str());
    match stanza.method() {
        Some(method) => note.with_attribute("method", method.as_str()),
        None => note,
    }
}

/// How long an element is when it is written for the other side. Most are so short that a bound will
/// do, and what is far too long is not counted to its end.
fn written_length(form: &Form, direction: Direction, partner: &Partner) -> usize {
    let element = match form {
        Form::Span(span) => return span.bytes().len(),
        Form::Tree(element) => element,
    };
    let at_most = writer::at_most(element);
    if at_most <= partner.terms.most_written(direction) {
        return at_most;
    }
    let stream_kind = match direction {
        Direction::Inbound => StreamKind::Component,
        Direction::Outbound => StreamKind::Server,
    };
    let enough = Written::most(partner.terms.max_stanza_bytes);
    writer::length(stream_kind, element, enough)
}

#[cfg(test)]
mod tests;
