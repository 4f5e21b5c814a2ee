//! Is an established stream still wanted, and does the partner still live?

use std::time::{Duration, Instant};

use crate::proto::auth::Pair;
use crate::proto::policy::Reason;
use crate::proto::stream::timing::Timing;
use crate::proto::xml::{Element, Ns};

/// The clocks of an established stream.
#[derive(Debug)]
pub(super) struct Watch {
    last_stanza: Instant,
    /// When the stream last showed that the partner lives.
    last_alive: Instant,
    /// Whether the partner's server is pinged.
    keeps_alive: bool,
    ping: Option<Ping>,
}

#[derive(Debug)]
struct Ping {
    id: String,
    due: Instant,
}

impl Watch {
    pub(super) fn new(now: Instant, keeps_alive: bool) -> Self {
        Self {
            last_stanza: now,
            last_alive: now,
            keeps_alive,
            ping: None,
        }
    }

    /// A stanza passed.
    pub(super) fn stanza(&mut self, now: Instant) {
        self.last_stanza = now;
    }

    /// A reload may begin or end the pings.
    pub(super) fn keeps_alive(&mut self, keeps_alive: bool) {
        self.keeps_alive = keeps_alive;
    }

    /// So long nothing was read that may have been there.
    pub(super) fn held(&mut self, time: Duration) {
        self.last_stanza += time;
    }

    /// When something is due next.
    pub(super) fn deadline(&self, timing: &Timing) -> Instant {
        let idle = self.last_stanza + timing.inactivity;
        match &self.ping {
            Some(ping) => idle.min(ping.due),
            None if self.keeps_alive => idle.min(self.last_alive + timing.keep_alive),
            None => idle,
        }
    }

    /// What is due: the end of the stream, or, if true, a ping.
    pub(super) fn tick(&self, now: Instant, timing: &Timing) -> Result<bool, Reason> {
        if self.ping.as_ref().is_some_and(|ping| ping.due <= now) {
            return Err(Reason::PingTimeout);
        }
        if self.last_stanza + timing.inactivity <= now {
            return Err(Reason::Idle);
        }
        let is_quiet = self.last_alive + timing.keep_alive <= now;
        Ok(self.keeps_alive && self.ping.is_none() && is_quiet)
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

    /// Whether a ping is to be sent because the partner may be gone. One that is open will do, and is
    /// due sooner from here on. Where the partner does not answer pings, nothing can be found out.
    pub(super) fn probe(&mut self, now: Instant, due: Instant) -> bool {
        if !self.keeps_alive {
            return false;
        }
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
