//! How a stream ends (RFC 6120 §4.4): by a fault, by the other side, or with the connection.

use std::mem::replace;

use super::{Phase, Stream};
use crate::proto::codes::Mark;
use crate::proto::policy::Reason;
use crate::proto::stream::established::Established;
use crate::proto::stream::negotiation::Negotiation;
use crate::proto::stream::{Now, Output};
use crate::proto::xml::writer::write_close;

impl<N: Negotiation> Stream<N> {
    /// Ends the stream.
    pub(super) fn fail(&mut self, now: Now, reason: Reason) {
        let (negotiation, phase, _) = self.parts(now);
        match phase {
            // What closes already closes for its first reason. If nothing can be read any more, the
            // grace is still the other side's, to read why.
            Phase::Closing(..) | Phase::Closed => {}
            // No XML can be written while TLS is being set up.
            Phase::Handshake(_) => self.gone(reason),
            Phase::Negotiating(state) if !negotiation.can_speak(state) => self.gone(reason),
            Phase::Negotiating(_) => self.begin_closing(now, reason, None),
            Phase::Established(open, _) if matches!(reason, Reason::Replaced) => {
                // XEP-0198 §5: whose session goes on elsewhere hears `<conflict/>`. Whoever resumes it
                // waits for what both sides have counted, so nothing is waited for here.
                let suspended = open.suspend().map(Box::new);
                self.begin_closing(now, reason.clone(), None);
                self.gone(reason);
                self.suspended = suspended;
            }
            Phase::Established(..) => {
                let phase = replace(phase, Phase::Closed);
                let late = match phase {
                    // The other side has done nothing wrong.
                    Phase::Established(mut open, _) if reason.has(Mark::TakesTheRest) => {
                        open.last_words(&mut self.parts(now).2);
                        Some(open)
                    }
                    // XEP-0198 §4: the other side may be cut off, and come back on another connection.
                    Phase::Established(mut open, _)
                        if matches!(
                            reason,
                            Reason::AcknowledgementTimeout | Reason::PingTimeout
                        ) =>
                    {
                        self.suspended = open.suspend().map(Box::new);
                        None
                    }
                    _ => None,
                };
                let late = late.filter(|open| open.takes_stanzas() || open.is_owed_acks());
                self.begin_closing(now, reason, late);
            }
        }
    }

    pub(super) fn begin_closing(
        &mut self,
        now: Now,
        reason: Reason,
        late: Option<Box<Established>>,
    ) {
        let reason = self.weighed(reason);
        let (negotiation, phase, mut cx) = self.parts(now);
        // RFC 6120 §4.9.1.2: an error is sent inside a stream, so our header goes first.
        if !cx.wire.header_sent() {
            negotiation.send_header(&mut cx);
        }
        let closing = negotiation.close(&mut cx, reason);
        if late.is_none() {
            cx.wire.allow(cx.context.unproven.bytes);
        }
        *phase = Phase::Closing(closing, late);
    }

    pub(super) fn closed_by_peer(&mut self, now: Now) {
        if let (_, Phase::Established(open, _), mut cx) = self.parts(now) {
            open.last_words(&mut cx);
        }
        if !matches!(self.phase, Phase::Closing(..)) {
            match self.weighed(Reason::PeerClosed) {
                // RFC 6120 §4.4: a closing tag is answered with one.
                Reason::PeerClosed => self.wire.send_with(write_close),
                reason => self.begin_closing(now, reason, None),
            }
        }
        self.gone(Reason::PeerClosed);
        // XEP-0198 §7: what was closed in order is over, and is not resumed.
        self.suspended = None;
    }

    /// The connection is over, or as good as that.
    pub(super) fn gone(&mut self, reason: Reason) {
        let reason = self.weighed(reason);
        self.negotiation.gone(&mut self.wire, &reason);
        match replace(&mut self.phase, Phase::Closed) {
            Phase::Closing(closing, open) => {
                // XEP-0198 §7: the other side has not closed, so our closing tag may never have come there. On a
                // stream of ours the session is asked for again: who has closed in order says that it is over.
                let own = open.filter(|open| !open.takes_stanzas());
                let suspended = own.and_then(|mut open| open.suspend());
                self.suspended = self.suspended.take().or_else(|| suspended.map(Box::new));
                closing.end(&mut self.wire);
            }
            Phase::Closed => {}
            Phase::Established(mut open, _) => {
                self.suspended = open.suspend().map(Box::new);
                self.wire.push(Output::Close(reason));
            }
            _ => self.wire.push(Output::Close(reason)),
        }
    }

    /// What the end means, by what was seen before it.
    fn weighed(&self, reason: Reason) -> Reason {
        let state = match &self.phase {
            Phase::Negotiating(state) => Some(state),
            _ => None,
        };
        self.negotiation.weighed(state, reason)
    }
}
