//! Keeps the log readable: of one thing that happens over and over, some lines a minute.
//!
//! The counters count everything all the same.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::ops::events::Event;
use crate::proto::codes::Code;
use crate::proto::jid::Domain;
use crate::proto::policy::{Network, Reason};

/// Lines that are written of one thing in one window: of one partner, or of one source.
const LINES: u64 = 10;
/// Lines that are written of all strangers together who fail in one way in one partner's name, and of
/// all domains under `[default-partner]`.
const STRANGERS: u64 = 60;
/// How long a window is.
const WINDOW: Duration = Duration::from_secs(60);
/// How many things are told apart.
const MOST: usize = 4096;

/// What was written lately.
#[derive(Debug, Default)]
pub struct LogLimiter(Mutex<Windows>);

/// What a line says. Lines that say the same count together, and hide no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct What {
    event: Event,
    /// Of lines that have one.
    code: Option<Code>,
}

impl What {
    /// That this happened, for this reason.
    #[must_use]
    pub fn new(event: Event, reason: &Reason) -> Self {
        Self::coded(event, reason.code())
    }

    /// That this happened, with the code of a reason.
    #[must_use]
    pub fn coded(event: Event, code: Code) -> Self {
        Self {
            event,
            code: Some(code),
        }
    }
}

impl From<Event> for What {
    fn from(event: Event) -> Self {
        Self { event, code: None }
    }
}

/// A partner as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// By its primary domain; that of `[default-partner]`, where no entry lists the domain.
    pub partner: Domain,
    /// Whether an entry of its own lists it. Anybody can be one of the others.
    pub is_listed: bool,
}

/// One of many: whose lines count together, and so use up only a share of what is there for all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The network of whoever connected.
    Network(Network),
    /// A domain that no entry lists, where somebody here writes to it.
    Domain(Domain),
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self::Network(Network::of(address))
    }
}

#[derive(Debug, Default)]
struct Windows {
    /// All domains that are no partner's are one thing, or each would have lines of its own.
    partners: HashMap<(Option<Domain>, What), Window>,
    /// By the partner that is claimed, where it is one.
    strangers: HashMap<(Option<Domain>, What), Window>,
    sources: HashMap<(Source, Option<Domain>, What), Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    lines: u64,
    left_out: u64,
}

impl LogLimiter {
    /// What it takes in memory at most, in bytes: three tables, with a name in each entry, or two.
    pub const BYTES: usize = 3 * MOST * 768;

    /// Whether a line is to be written now about a partner that is listed, or about a domain of our
    /// own; if so, how many were left out since the last one.
    pub fn admit(
        &self,
        partner: Option<&Domain>,
        what: impl Into<What>,
        now: Instant,
    ) -> Option<u64> {
        let what = what.into();
        self.with(|windows| {
            let window = share(&mut windows.partners, partner, what, now);
            window.take(LINES)
        })
    }

    /// The same about a peer that has proven nothing, or that anybody can be. It may claim to be a
    /// partner: then its lines are counted apart, so that no flood of others hides why this partner
    /// fails; and no source can use up what is there for all.
    pub fn admit_stranger(
        &self,
        claimed: Option<&Domain>,
        source: impl Into<Source>,
        what: impl Into<What>,
        now: Instant,
    ) -> Option<u64> {
        let (source, what) = (source.into(), what.into());
        self.with(|windows| {
            let all = share(&mut windows.strangers, claimed, what, now);
            let own = (source, claimed.cloned(), what);
            if is_full(&mut windows.sources, &own, now) {
                // What is there for all is not begun anew.
                windows.sources.clear();
            }
            let own = open(&mut windows.sources, own, now);
            if own.lines >= LINES {
                all.left_out += 1;
                return None;
            }
            let left_out = all.take(STRANGERS)?;
            own.lines += 1;
            Some(left_out)
        })
    }

    /// The same about a partner's domain that somebody here writes to.
    pub fn admit_about(
        &self,
        known: Option<&Known>,
        remote: &Domain,
        what: impl Into<What>,
        now: Instant,
    ) -> Option<u64> {
        match known {
            Some(known) if !known.is_listed => {
                let source = Source::Domain(remote.clone());
                self.admit_stranger(Some(&known.partner), source, what, now)
            }
            known => self.admit(known.map(|known| &known.partner), what, now),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Windows) -> T) -> T {
        #[cfg(test)]
        crate::ops::counted::shared_lock();
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Window {
    /// Takes a line, if there is one left.
    fn take(&mut self, lines: u64) -> Option<u64> {
        if self.lines >= lines {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= WINDOW
    }
}

/// The window of a partner, or where there is no room, that of nobody in particular: whoever fills
/// the table would else have as many lines as there are partners, again and again.
fn share<'a>(
    windows: &'a mut HashMap<(Option<Domain>, What), Window>,
    partner: Option<&Domain>,
    what: What,
    now: Instant,
) -> &'a mut Window {
    let mut key = (partner.cloned(), what);
    if is_full(windows, &key, now) {
        key.0 = None;
    }
    open(windows, key, now)
}

/// Whether there is no room for one more, though those whose time is over were forgotten.
fn is_full<K: Eq + Hash>(windows: &mut HashMap<K, Window>, key: &K, now: Instant) -> bool {
    if windows.len() < MOST || windows.contains_key(key) {
        return false;
    }
    windows.retain(|_, window| !window.is_over(now));
    windows.len() >= MOST
}

/// The window of a thing, begun anew where its time is over.
fn open<K: Eq + Hash>(windows: &mut HashMap<K, Window>, key: K, now: Instant) -> &mut Window {
    match windows.entry(key) {
        Entry::Occupied(found) => {
            let window = found.into_mut();
            if window.is_over(now) {
                window.began = now;
                window.lines = 0;
            }
            window
        }
        Entry::Vacant(place) => place.insert(Window {
            began: now,
            lines: 0,
            left_out: 0,
        }),
    }
}

#[cfg(test)]
mod tests;
