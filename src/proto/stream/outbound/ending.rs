//! How a stream of ours ends: who is told what, and what the end means.

use super::{Channel, Outbound, Purpose, State};
use crate::proto::policy::Reason;
use crate::proto::stream::close::Closing;
use crate::proto::stream::{Now, Output, Timing};
use crate::proto::xml::writer::write_close;
use crate::proto::xml::{Fault, Ns};

impl Outbound {
    /// Ends the stream.
    pub(super) fn fail(&mut self, now: Now, reason: Reason) {
        match self.state {
            // What closes already closes for its first reason. If nothing can be read any more, the
            // grace is still the other side's, to read why.
            State::Closing(_) | State::Closed => {}
            // There is no stream yet, or no XML can be written while TLS is being set up.
            State::Connecting | State::ExpectTls => self.gone(reason),
            _ => self.begin_closing(now, reason),
        }
    }

    pub(super) fn begin_closing(&mut self, now: Now, reason: Reason) {
        let reason = self.weighed(reason);
        // After TLS our header of the new document may not have left yet.
        if !self.wire.header_sent() {
            self.send_header(Channel::default());
        }
        let asks = matches!(self.purpose, Purpose::Ask(_));
        let grace = if self.give_up(&reason) || asks {
            Timing::SHORT_GRACE
        } else {
            Timing::CLOSE_GRACE
        };
        let closing = Closing::begin_within(grace, &mut self.wire, now, reason);
        self.wire.allow(self.context.unproven.bytes);
        self.state = State::Closing(closing);
    }

    pub(super) fn closed_by_peer(&mut self, now: Now) {
        match self.state {
            State::Closing(_) => {}
            State::Doubt(_) => self.begin_closing(now, Reason::PeerClosed),
            _ => self.wire.send_with(write_close),
        }
        self.gone(Reason::PeerClosed);
    }

    /// Tells that the stream will not open, if it is so; the next place need not wait for its end.
    fn give_up(&mut self, reason: &Reason) -> bool {
        if !self.is_done && !self.has_failed {
            self.has_failed = true;
            self.wire.push(Output::GaveUp(reason.clone()));
        }
        !self.is_done
    }

    pub(super) fn gone(&mut self, reason: Reason) {
        let reason = self.weighed(reason);
        self.give_up(&reason);
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Closing(closing) => closing.end(&mut self.wire),
            State::Closed => {}
            _ => self.wire.push(Output::Close(reason)),
        }
    }

    /// Where the connection ends, or cannot be read any more: what was seen before it says more.
    fn weighed(&self, reason: Reason) -> Reason {
        match (&self.state, reason) {
            (
                State::Doubt(doubt),
                Reason::PeerClosed
                | Reason::Transport(_)
                | Reason::Xml(_)
                | Reason::TooMuchUnproven
                | Reason::EstablishmentTimeout(_),
            ) => self.in_words(doubt.reason()),
            (_, Reason::Xml(Fault::WrongContentNamespace(ns)))
                if !self.is_done && ns == Ns::CLIENT.as_str().into() =>
            {
                Reason::ClientPort
            }
            (_, reason) => reason,
        }
    }
}
