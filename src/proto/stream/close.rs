//! The one way a stream ends (RFC 6120 §4.4): error if any, closing tag, a grace, then the socket.

use std::time::Instant;

use super::wire::Wire;
use super::{Now, Output, Timing};
use crate::proto::policy::Reason;
use crate::proto::xml::writer::write_close;
use crate::proto::xml::{Element, Ns};

/// Our closing tag is sent; the other side's is awaited.
#[derive(Debug)]
pub(super) struct Closing {
    reason: Reason,
    deadline: Instant,
}

impl Closing {
    /// Sends the closing tag, with a stream error before it where `reason` deserves one.
    pub(super) fn begin(wire: &mut Wire, now: Now, reason: Reason) -> Self {
        if is_error(&reason) {
            wire.send(&stream_error(&reason));
        }
        wire.send_with(write_close);
        Self {
            reason,
            deadline: now.monotonic + Timing::CLOSE_GRACE,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The other side closed too, or the grace is over.
    pub(super) fn end(self, wire: &mut Wire) {
        wire.push(Output::Close(self.reason));
    }
}

/// Why the other side ended the stream, from its `<stream:error/>`.
pub(super) fn peer_error(element: &Element) -> Option<Reason> {
    if !element.is(&Ns::STREAM, "error") {
        return None;
    }
    let condition = element
        .children()
        .find(|child| *child.ns() == Ns::STREAM_ERRORS && child.name() != "text")
        .map_or("undefined-condition", Element::name);
    let text = element
        .child(&Ns::STREAM_ERRORS, "text")
        .map(Element::text)
        .filter(|text| !text.is_empty());
    Some(Reason::PeerError(match text {
        Some(text) => format!("{condition} ({text})"),
        None => condition.to_owned(),
    }))
}

/// Ends that nobody is to blame for have no stream error.
fn is_error(reason: &Reason) -> bool {
    // RFC 6120 §4.6.4: an idle stream is closed, not failed.
    !matches!(
        reason,
        Reason::PeerClosed
            | Reason::PeerError(_)
            | Reason::Idle
            | Reason::Finished
            | Reason::Transport(_)
    )
}

/// RFC 6120 §4.9.2: condition, then text; RFC 6120 §4.9.4: an application's own condition last.
fn stream_error(reason: &Reason) -> Element {
    let mut error = Element::new(Ns::STREAM, "error")
        .with_child(Element::new(Ns::STREAM_ERRORS, reason.stream_condition()))
        .with_child(Element::new(Ns::STREAM_ERRORS, "text").with_text(&reason.to_string()));
    if let Reason::Xml(fault) = reason
        && let Some(condition) = fault.application_condition()
    {
        error.push(Element::new(Ns::APPLICATION_ERRORS, condition));
    }
    error
}
