//! The one way a stream ends (RFC 6120 §4.4): error if any, closing tag, a grace, then the socket.

use std::time::{Duration, Instant};

use super::acks::TooHigh;
use super::wire::Wire;
use super::{Now, Output, Timing};
use crate::proto::policy::Reason;
use crate::proto::xml::writer::write_close;
use crate::proto::xml::{Condition, Element, Ns};

/// Our closing tag is sent; the other side's is awaited.
#[derive(Debug)]
pub struct Closing {
    reason: Reason,
    deadline: Instant,
}

impl Closing {
    /// Sends the closing tag, with a stream error before it where `reason` deserves one.
    pub(super) fn begin(wire: &mut Wire, now: Now, reason: Reason) -> Self {
        Self::begin_within(Timing::CLOSE_GRACE, wire, now, reason)
    }

    /// The same with another grace.
    pub(super) fn begin_within(grace: Duration, wire: &mut Wire, now: Now, reason: Reason) -> Self {
        // Where nobody is to blame, or the other side knows, there is no error. XEP-0190 §3: an idle
        // stream is closed, not failed. RFC 6120 §5.4.2.2: `<failure/>` has said it.
        if let Some(condition) = reason.stream_condition() {
            wire.send(&stream_error(&reason, condition));
        }
        wire.send_with(write_close);
        Self {
            reason,
            deadline: now.monotonic + grace,
        }
    }

    /// The same towards a peer that may have proven nothing: it is to be gone soon.
    ///
    /// RFC 6120 §4.4 leaves it to us how long we wait. Were the connection closed at once, what is
    /// still unread would reset it, and the error with it: so only our direction is closed.
    pub(super) fn begin_accepted(wire: &mut Wire, now: Now, reason: Reason) -> Self {
        if wire.is_proven() {
            return Self::begin(wire, now, reason);
        }
        let closing = Self::begin_within(Timing::SHORT_GRACE, wire, now, reason);
        wire.push(Output::ShutWrite);
        closing
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
    let mut said = Said::default();
    element.children().for_each(|child| said.note(child));
    Some(said.reason())
}

/// What a stream error says, as its parts come.
#[derive(Debug, Default)]
pub(super) struct Said {
    condition: Option<Condition>,
    text: String,
}

impl Said {
    /// Takes one part of the error.
    pub(super) fn note(&mut self, part: &Element) {
        // RFC 6120 §4.9.2 gives its parts a namespace of their own; some servers leave it out.
        let left_out = [Ns::NONE, Ns::CONTENT, Ns::STREAM];
        if *part.ns() != Ns::STREAM_ERRORS && !left_out.contains(part.ns()) {
            return;
        }
        match part.name() {
            "text" => self.text = one_line(&part.text()),
            name => self.condition = self.condition.or_else(|| Condition::from_name(name)),
        }
    }

    /// The error, as a reason.
    pub(super) fn reason(&self) -> Reason {
        Reason::PeerError {
            condition: self.condition.unwrap_or(Condition::UndefinedCondition),
            text: self.text.clone(),
        }
    }
}

/// What the other side says of itself, cut to what an operator needs: it goes into logs and answers.
pub(super) fn one_line(text: &str) -> String {
    const SHOWN: usize = 200;
    let words = text.split(|c: char| c.is_whitespace() || is_unprintable(c));
    let mut line = String::new();
    for word in words.filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if let Some((end, _)) = line.char_indices().nth(SHOWN) {
            line.truncate(end);
            line.push('…');
            break;
        }
    }
    line
}

/// Controls, and what is not seen or turns its neighbours around: `Debug` of a character escapes these.
fn is_unprintable(c: char) -> bool {
    !matches!(c, '\'' | '"' | '\\') && c.escape_debug().len() > 1
}

/// RFC 6120 §4.9.2: condition, then text; RFC 6120 §4.9.4: an application's own condition last.
fn stream_error(reason: &Reason, condition: &'static str) -> Element {
    let mut error = Element::new(Ns::STREAM, "error")
        .with_child(Element::new(Ns::STREAM_ERRORS, condition))
        .with_child(Element::new(Ns::STREAM_ERRORS, "text").with_text(&reason.to_string()));
    if let Some(limit) = reason.limit() {
        // RFC 6120 §4.9.3.14 has a name for one of them.
        let ns = match limit {
            "stanza-too-big" => Ns::APPLICATION_ERRORS,
            _ => Ns::LIMITS,
        };
        error.push(Element::new(ns, limit));
    }
    if let Reason::AcknowledgedTooMuch(TooHigh { h, sent }) = reason {
        // XEP-0198 §6.
        let too_high = Element::new(Ns::STREAM_MANAGEMENT, "handled-count-too-high");
        error.push(
            too_high
                .with_attribute("h", h.to_string())
                .with_attribute("send-count", sent.to_string()),
        );
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_side_says_of_itself_turns_no_screen_around() {
        let said = "a\u{1b}[31m b\u{202e}c\u{9b}2J\u{2028}d\u{200b}e é 'x' \"y\" \\";
        assert_eq!(one_line(said), "a [31m b c 2J d e é 'x' \"y\" \\");
    }
}
