//! An outbound stream that carries stanzas: is it still wanted, and does the partner still live?

use std::time::Instant;

use super::super::expiry::Expiry;
use super::super::{Now, Timing};
use crate::proto::auth::Pair;
use crate::proto::policy::Method;
use crate::proto::xml::{Element, Ns};

/// The stream carries stanzas.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) method: Method,
    pub(super) last_stanza: Instant,
    /// When the stream last showed that the partner lives.
    last_alive: Instant,
    ping: Option<Ping>,
    /// Until when the certificate proves the partner, where it does.
    expiry: Option<Expiry>,
}

#[derive(Debug)]
struct Ping {
    id: String,
    due: Instant,
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The certificate has expired: its last second, in Unix time.
    Expired(u64),
    /// The certificate was looked at, and is good.
    Nothing,
    PingTimeout,
    Idle,
    Ping,
}

impl Open {
    /// `until` is when the path expires that proved the partner by certificate.
    pub(super) fn new(method: Method, until: Option<u64>, now: Now) -> Self {
        Self {
            expiry: until.map(|until| Expiry::new(until, now)),
            method,
            last_stanza: now.monotonic,
            last_alive: now.monotonic,
            ping: None,
        }
    }

    /// When something is due next.
    pub(super) fn deadline(&self, timing: &Timing, keep_alive: bool) -> Instant {
        let mut idle = self.last_stanza + timing.inactivity;
        if let Some(expiry) = &self.expiry {
            idle = idle.min(expiry.deadline());
        }
        match &self.ping {
            Some(ping) => idle.min(ping.due),
            None if keep_alive => idle.min(self.last_alive + timing.keep_alive),
            None => idle,
        }
    }

    /// What is due, now that the deadline has come.
    pub(super) fn due(&mut self, at: Now, timing: &Timing) -> Due {
        let now = at.monotonic;
        if let Some(expiry) = self.expiry.as_mut().filter(|it| it.deadline() <= now) {
            return expiry.look(at).map_or(Due::Nothing, Due::Expired);
        }
        if self.ping.as_ref().is_some_and(|ping| ping.due <= now) {
            Due::PingTimeout
        } else if self.last_stanza + timing.inactivity <= now {
            Due::Idle
        } else {
            Due::Ping
        }
    }

    /// XEP-0199 §4.5: a server asks a server. Nobody can guess `id`, so only the partner's server,
    /// which has read it, can answer.
    pub(super) fn ping(&mut self, pair: &Pair, id: String, due: Instant) -> Element {
        self.ping = Some(Ping {
            id: id.clone(),
            due,
        });
        Element::new(Ns::CONTENT, "iq")
            .with_attribute("type", "get")
            .with_attribute("from", pair.local.written())
            .with_attribute("to", pair.remote.written())
            .with_attribute("id", id)
            .with_child(Element::new(Ns::PING, "ping"))
    }

    /// Whether a ping is to be sent because the partner may be gone. One that is open will do, and
    /// is due sooner from here on.
    pub(super) fn probe(&mut self, now: Instant, due: Instant) -> bool {
        if let Some(ping) = &mut self.ping {
            ping.due = ping.due.min(due);
            return false;
        }
        now.saturating_duration_since(self.last_alive) >= Timing::FRESH
    }

    /// An answer to a ping; an error is one, too. False if no such ping was sent.
    pub(super) fn pong(&mut self, id: &str, now: Instant) -> bool {
        let is_ours = self.ping.as_ref().is_some_and(|ping| ping.id == id);
        if is_ours {
            self.ping = None;
            self.last_alive = now;
        }
        is_ours
    }
}
