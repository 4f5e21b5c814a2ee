//! How a link leaves in the queue what its gateway would not read soon.
//!
//! What the socket has taken can no longer be put in a fair order. A gateway that reads slowly lets its system's
//! receive buffer fill up, and a quiet partner's stanza waits behind all of it. What the gateway has not read shows in
//! the window that its system advertises: the widest that was seen, less the present one. So while that is
//! more than the gateway reads in 25 ms, and more than 32 KiB, a link takes more slowly than the gateway read lately.
//!
//! ```text
//!   free ── the socket has not taken all at once ──► watched ──► take so much ──► look ─┐
//!    ▲                                                ▲                    little unread │ much unread
//!    └────────── no such thing for 1 s ───────────────┴◄──── take a batch at 3/4 of the ─┴─ rate of late
//! ```
//!
//! A window tells less than it seems to. Systems widen it late: Linux says nothing as long as half of it is
//! open, and counts a piece as unread until the last byte of it is read. It may also never be as wide again. So whatever it
//! says, something is taken from time to time, and the widest window is forgotten when it has not become much wider for 2 s.
//! What is taken at once is no more than may be unread, or than is read in 25 ms, or than [`FEW`]: a whole batch would fill
//! the buffer of a very slow gateway again.

use std::time::{Duration, Instant};

use crate::net::io::transport::Window;
use crate::net::relay::queue::BATCH_BYTES;

/// So much may be unread, in bytes, and what is read in [`SOON`].
const LITTLE: u64 = 32 << 10;
/// No more than so much can be unread where the window was never wider, in bytes: that is not worth a pause.
const NARROW: u64 = 48 << 10;
/// As a part of [`SPAN`].
const SOON: u64 = 16;
/// Over so long it is counted how much is taken.
const SPAN: Duration = Duration::from_micros(SPAN_MICROS);
const SPAN_MICROS: u64 = 400_000;
/// For so long after the socket has not taken all at once, windows are looked at.
const WATCHED: Duration = Duration::from_secs(1);
/// Between two looks at a window.
const LOOK_EACH: Duration = Duration::from_millis(3);
/// After so long with much unread, and no window much wider than before, the widest one is no longer believed.
const BELIEVED: Duration = Duration::from_secs(2);
/// The longest that nothing is taken.
const LONGEST: Duration = Duration::from_millis(200);
/// A window is much wider that gained such a part of what was missing.
const STEP: u64 = 32;
/// So much may always be taken at once, in bytes: who can read no more than that in [`LONGEST`] hardly reads.
const FEW: u64 = 2 << 10;
/// From there on much is in flight because of the distance.
const FAR: Duration = Duration::from_millis(3);

/// What a link takes, and when.
#[derive(Debug)]
pub struct Unread {
    /// Until when windows are looked at.
    watched_until: Option<Instant>,
    /// How much may be taken before the next look, in bytes.
    credit: u64,
    /// How much may be taken at once, in bytes.
    batch: u64,
    /// When the next look is due.
    look_at: Option<Instant>,
    widest: u64,
    /// While much is unread: the widest window of that time, and since when it is no wider.
    much: Option<(u64, Instant)>,
    /// The last batch: when it was taken, and its bytes.
    last: (Instant, u64),
    lately: Lately,
}

impl Unread {
    /// Nothing is known.
    #[must_use]
    pub fn begin(now: Instant) -> Self {
        Self {
            watched_until: None,
            credit: 0,
            batch: BATCH_BYTES as u64,
            look_at: None,
            widest: 0,
            much: None,
            last: (now, 0),
            lately: Lately::begin(now),
        }
    }

    /// The socket has not taken everything at once.
    pub(super) fn blocked(&mut self, now: Instant) {
        if self.watched_until.is_none() {
            self.look_at = None;
        }
        self.watched_until = Some(now + WATCHED);
    }

    /// A batch of so many bytes was taken.
    pub(super) fn took(&mut self, bytes: usize, now: Instant) {
        let bytes = bytes as u64;
        self.credit = self.credit.saturating_sub(bytes);
        self.last = (now, bytes);
        self.lately.add(bytes, now);
    }

    /// How much may be taken at once, in bytes, but for the last stanza.
    pub(super) fn batch(&self) -> usize {
        usize::try_from(self.batch).unwrap_or(BATCH_BYTES)
    }

    /// Until when nothing is to be taken, if not now.
    pub(super) fn held_until(
        &mut self,
        now: Instant,
        look: impl FnOnce() -> Option<Window>,
    ) -> Option<Instant> {
        if self.watched_until.is_none_or(|until| until <= now) {
            self.watched_until = None;
            self.much = None;
            self.credit = 0;
            self.batch = BATCH_BYTES as u64;
            // How wide the window is while little is unread has to be seen before much is.
            if self.look_at.is_none_or(|at| at <= now) {
                self.look_at = Some(now + WATCHED);
                self.widest = self.widest.max(look()?.room);
            }
            return None;
        }
        if self.credit > 0 {
            return None;
        }
        if let Some(at) = self.look_at.filter(|at| *at > now) {
            return Some(at);
        }
        self.look_at = None;
        let window = look()?;
        self.widest = self.widest.max(window.room);
        let unread = self.widest - window.room;
        let on_its_way = window.unsent
            + if window.round_trip < FAR {
                window.in_flight
            } else {
                0
            };
        let lately = self.lately.bytes(now);
        let batch = (lately / SOON).clamp(FEW, BATCH_BYTES as u64);
        let left = LITTLE
            .max(lately / SOON)
            .saturating_sub(unread + on_its_way);
        if left > 0 || self.widest < NARROW {
            self.credit = left.max(1);
            self.batch = batch.max(left).min(BATCH_BYTES as u64);
            self.much = None;
            return None;
        }
        self.watched_until = Some(now + WATCHED);
        let (room, since) = self.much.get_or_insert((window.room, now));
        if window.room > *room + (self.widest - *room) / STEP {
            (*room, *since) = (window.room, now);
        } else if now.saturating_duration_since(*since) >= BELIEVED {
            self.much = None;
            self.widest = window.room;
        }
        self.batch = batch;
        let at = self.last.0 + slower(self.last.1, lately);
        if at <= now {
            self.credit = 1;
            return None;
        }
        self.look_at = Some(at.min(now + LOOK_EACH));
        self.look_at
    }
}

/// How long so many bytes take at 3/4 of the rate of late.
fn slower(bytes: u64, lately: u64) -> Duration {
    let micros = SPAN_MICROS * bytes * 4 / 3 / lately.max(1);
    Duration::from_micros(micros).min(LONGEST)
}

/// How much was taken lately.
#[derive(Debug)]
struct Lately {
    since: Instant,
    bytes: u64,
    /// In the [`SPAN`] before.
    before: u64,
}

impl Lately {
    fn begin(now: Instant) -> Self {
        Self {
            since: now,
            bytes: 0,
            before: 0,
        }
    }

    fn add(&mut self, bytes: u64, now: Instant) {
        self.turn(now);
        self.bytes += bytes;
    }

    /// In a [`SPAN`].
    fn bytes(&mut self, now: Instant) -> u64 {
        self.turn(now);
        self.before.max(self.bytes)
    }

    fn turn(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        if age >= SPAN {
            self.before = if age < 2 * SPAN { self.bytes } else { 0 };
            self.bytes = 0;
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests;
