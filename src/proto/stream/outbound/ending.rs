//! How a stream of ours ends: who is told what, and what the end means.

use super::{Initiating, State};
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::stream::Output;
use crate::proto::stream::wire::Wire;
use crate::proto::xml::{Condition, Fault, Ns};

impl Initiating {
    /// Tells that nothing will be established; the next place need not wait for the end of this.
    pub(super) fn give_up(&mut self, wire: &mut Wire, reason: &Reason) -> bool {
        if !self.is_done && !self.has_failed {
            self.has_failed = true;
            wire.push(Output::GaveUp(reason.clone()));
        }
        !self.is_done
    }

    /// Where the connection ends, or cannot be read any more: what was seen before it says more.
    pub(super) fn weigh(&self, state: Option<&State>, reason: Reason) -> Reason {
        match (state, reason) {
            (
                Some(State::Doubt(doubt)),
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

    /// What an error of the partner's means to whoever runs this edge.
    pub(super) fn in_words(&self, reason: Reason) -> Reason {
        match reason {
            // RFC 6120 §4.9.3.6: `to` is not served there. Later in a stream's life it would be
            // host-gone (RFC 6120 §4.9.3.5).
            Reason::PeerError {
                condition: Condition::HostUnknown,
                ..
            } if !self.is_done => Reason::NotServed {
                domain: self.pair.remote.clone(),
                address: self.place.map(|place| place.address),
            },
            reason => reason,
        }
    }

    /// The way ends where it began, or at a server that answers in the name of one of our domains.
    pub(super) fn leads_back(&self, answers_as: Option<Domain>) -> Reason {
        Reason::LeadsBack {
            domain: self.pair.remote.clone(),
            address: self.place.map(|place| place.address),
            answers_as,
        }
    }
}
