//! What answers a stanza that was not delivered: the truth for its sender, where it may be told.

use super::{Form, Kind, Stanza, Validated, Written};
use crate::proto::jid::Jid;
use crate::proto::policy::{Direction, Reason};
use crate::proto::xml::{Element, Ns, StreamKind, writer};

/// The error that answers a stanza, or `None` where RFC 6120 forbids an answer.
///
/// The text names the cause in the operator's words, and no host inside.
#[must_use]
pub fn bounce(stanza: &Stanza, reason: &Reason) -> Option<Validated<Stanza>> {
    // RFC 6120 §8.3.1, rule 4: an error is never answered with an error.
    if !stanza.is_answerable() {
        return None;
    }
    Some(error(stanza, reason.stanza_condition(), Some(reason))).filter(is_short)
}

/// The answer to a stanza that the partner's terms or `[access]` keep from passing, or `None`
/// where silence is the answer.
#[must_use]
pub fn refuse(stanza: &Stanza, reason: &Reason, direction: Direction) -> Option<Validated<Stanza>> {
    // A partner must not learn that the user exists, and is kept out.
    let hidden = *reason == Reason::AccessDenied && direction == Direction::Inbound;
    let text = (!hidden).then_some(reason);
    const UNAVAILABLE: (&str, &str) = ("cancel", "service-unavailable");
    let answer = match (stanza.kind, stanza.stanza_type()) {
        // RFC 6121 §8.5.1: to a user who does not exist, presence of any type is ignored.
        (Kind::Presence, _) if hidden => None,
        // RFC 6121 §3.1.3, §4.3.2: whoever may not subscribe, nor probe, is told so.
        (Kind::Presence, Some("subscribe" | "probe")) => unsubscribed(stanza),
        (Kind::Presence, _) => None,
        // RFC 6121 §8.5.1: service-unavailable, whether the user exists or not.
        (Kind::Iq, Some("get" | "set")) => Some(error(stanza, UNAVAILABLE, text)),
        // RFC 6120 §8.3.1, rule 4: an error is never answered with an error.
        (Kind::Iq, _) | (Kind::Message, Some("error")) => None,
        (Kind::Message, _) if hidden => Some(error(stanza, UNAVAILABLE, None)),
        (Kind::Message, _) => Some(error(stanza, reason.stanza_condition(), text)),
    };
    answer.filter(is_short)
}

/// Whether an answer is no longer than what is written of a stanza may be. One with an id of a hundred
/// thousand quotes is six times as long as the id, and nobody waits for it.
fn is_short(answer: &Validated<Stanza>) -> bool {
    let Form::Tree(element) = &answer.form else {
        return true;
    };
    let id = element.attribute("id").map_or(0, str::len);
    let most = Written::most(id);
    writer::at_most(element) <= most || writer::length(StreamKind::Server, element, most) <= most
}

fn error(
    stanza: &Stanza,
    (error_type, condition): (&'static str, &'static str),
    text: Option<&Reason>,
) -> Validated<Stanza> {
    // RFC 6120 §8.3.2: the syntax of an error.
    let mut error = Element::new(Ns::CONTENT, "error")
        .with_attribute("type", error_type)
        .with_child(Element::new(Ns::STANZA_ERRORS, condition));
    if let Some(reason) = text {
        error.push(Element::new(Ns::STANZA_ERRORS, "text").with_text(&reason.to_string()));
    }
    let mut element = answer(stanza, "error", stanza.to.as_str(), stanza.from.as_str());
    element.push(error);
    Validated::assertion(Stanza {
        kind: stanza.kind,
        from: stanza.to.clone(),
        to: stanza.from.clone(),
        form: element.into(),
    })
}

/// RFC 6121 §4.3.2: from the bare address, because a full one would say what is there.
fn unsubscribed(stanza: &Stanza) -> Option<Validated<Stanza>> {
    let from = Jid::parse(stanza.to.bare()).ok()?;
    let to = Jid::parse(stanza.from.bare()).ok()?;
    let element = answer(stanza, "unsubscribed", from.as_str(), to.as_str());
    Some(Validated::assertion(Stanza {
        kind: Kind::Presence,
        from,
        to,
        form: element.into(),
    }))
}

fn answer(stanza: &Stanza, stanza_type: &str, from: &str, to: &str) -> Element {
    let mut element = Element::new(Ns::CONTENT, stanza.kind.as_str())
        .with_attribute("type", stanza_type)
        .with_attribute("from", from)
        .with_attribute("to", to);
    if let Some(id) = stanza.id() {
        element.set_attribute("id", id);
    }
    element
}
