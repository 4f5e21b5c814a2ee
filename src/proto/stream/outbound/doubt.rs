//! What is made of an answer whose header is not right: what the peer says counts for more.
//!
//! A server that was reached by mistake answers with a header of its own, and then says what is
//! wrong. RFC 6120 §4.9.1.2: the error comes after a header, however little the server knows of the
//! stream. Some send an error and no header: then the error itself is the root that is read.

use std::time::Instant;

use super::super::close::{Said, peer_error};
use super::super::features::Offered;
use super::super::{Now, Timing};
use crate::proto::policy::Reason;
use crate::proto::xml::{Element, Header, Ns};

/// An answer that comes to nothing; why is not settled before the next event.
#[derive(Debug)]
pub struct Doubt {
    fault: Reason,
    due: Instant,
    is_for_servers: bool,
    /// What was said so far, where the root is an error.
    said: Option<Said>,
}

impl Doubt {
    pub(super) fn new(now: Now, header: &Header, fault: Reason) -> Self {
        let is_error = header.name() == "error" && [Ns::STREAM, Ns::NONE].contains(header.ns());
        Self {
            fault,
            due: now.monotonic + Timing::AFTERTHOUGHT,
            is_for_servers: is_for_servers(header),
            said: is_error.then(Said::default),
        }
    }

    /// When nothing more is waited for.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Takes the element that came next; the reason, where it is settled.
    pub(super) fn hear(&mut self, element: &Element) -> Option<Reason> {
        if let Some(said) = &mut self.said {
            said.note(element);
            return None;
        }
        Some(match any_error(element) {
            Some(reason) => reason,
            None if !self.is_for_servers && is_for_clients(element) => Reason::ClientPort,
            None => self.reason(),
        })
    }

    /// The reason, if nothing more comes.
    pub(super) fn reason(&self) -> Reason {
        match &self.said {
            Some(said) => said.reason(),
            None => self.fault.clone(),
        }
    }
}

/// Whether a header says that stanzas of servers follow; it need not say anything.
pub(super) fn is_for_servers(header: &Header) -> bool {
    header.default_namespace() == Some(Ns::SERVER.as_str())
}

/// RFC 6120 §4.8.2: the content namespace tells a port for clients from one for servers.
pub(super) fn is_root_for_clients(header: &Header) -> bool {
    header.default_namespace() == Some(Ns::CLIENT.as_str())
}

fn is_for_clients(element: &Element) -> bool {
    Offered::read(element).is_some_and(|offered| offered.is_for_clients)
}

/// A stream error, also in the namespace that a wrong header gives to its prefix.
fn any_error(element: &Element) -> Option<Reason> {
    let is_condition = |part: &Element| *part.ns() == Ns::STREAM_ERRORS;
    peer_error(element).or_else(|| {
        (element.name() == "error" && element.children().any(is_condition)).then(|| {
            let mut said = Said::default();
            element.children().for_each(|part| said.note(part));
            said.reason()
        })
    })
}
