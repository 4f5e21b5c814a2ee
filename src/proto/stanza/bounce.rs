//! Stanza errors: the truth for a sender whose stanza was not delivered.

use super::{Stanza, Validated};
use crate::proto::policy::Reason;
use crate::proto::xml::{Element, Ns};

/// The error that answers a stanza, or `None` where RFC 6120 forbids an answer.
///
/// The text names the cause in the operator's words, and no host inside.
#[must_use]
pub fn bounce(stanza: &Stanza, reason: &Reason) -> Option<Validated<Stanza>> {
    // RFC 6120 §8.3.1, rule 4: an error is never answered with an error.
    if !stanza.is_answerable() {
        return None;
    }
    let (error_type, condition) = reason.stanza_condition();
    let mut element = Element::new(Ns::CONTENT, stanza.kind.as_str())
        .with_attribute("type", "error")
        .with_attribute("from", stanza.to.as_str())
        .with_attribute("to", stanza.from.as_str());
    if let Some(id) = stanza.element.attribute("id") {
        element.set_attribute("id", id);
    }
    element.push(
        // RFC 6120 §8.3.2: the syntax of an error.
        Element::new(Ns::CONTENT, "error")
            .with_attribute("type", error_type)
            .with_child(Element::new(Ns::STANZA_ERRORS, condition))
            .with_child(Element::new(Ns::STANZA_ERRORS, "text").with_text(&reason.to_string())),
    );
    Some(Validated::assertion(Stanza {
        kind: stanza.kind,
        from: stanza.to.clone(),
        to: stanza.from.clone(),
        element,
    }))
}
