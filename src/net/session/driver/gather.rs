//! How a stream that brings little, very often, is read less often.
//!
//! Many servers write each stanza in a TLS record of its own, and each is there alone when the edge looks. To wake
//! up, to read and to write then cost several times what the stanza itself does. So a stream that was read 16 times
//! within a millisecond, little each time, rests for about a millisecond after it has nothing more to read: then
//! there is a batch to read and to write. It goes on so while half as much comes each time.
//!
//! ```text
//!   at once ── 16 reads in 1 ms ──► gathering: read until little comes ──► rest ──┐
//!      ▲                                ▲                                         │
//!      └─── less than half came ────────┴─────────────────────────────────────────┘
//! ```

use std::time::{Duration, Instant};

/// A read of fewer bytes has taken all there was: as TLS is read, 4 KiB at a time, there are more in any other.
const LITTLE: u32 = 2 << 10;
/// So many reads within [`WINDOW`] are worth a rest.
const OFTEN: u32 = 16;
const WINDOW: Duration = Duration::from_millis(1);
/// The runtime's clock has steps of 1 ms, so a rest takes from 0.5 to 1.5 ms.
const REST: Duration = Duration::from_micros(500);

/// When a stream is read next.
#[derive(Debug)]
pub(super) struct Gather {
    /// Since when reads and bytes are counted.
    since: Instant,
    reads: u32,
    bytes: u32,
    /// While it gathers: how many bytes make the next rest worth while.
    enough: Option<u32>,
    rests_until: Option<Instant>,
}

impl Gather {
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            since: now,
            reads: 0,
            bytes: 0,
            enough: None,
            rests_until: None,
        }
    }

    /// Until when nothing is read, if that is not over.
    pub(super) fn rests_until(&mut self, now: impl FnOnce() -> Instant) -> Option<Instant> {
        if self.rests_until? <= now() {
            self.rests_until = None;
        }
        self.rests_until
    }

    /// Whether that was not over when it was asked last.
    pub(super) fn is_resting(&self) -> bool {
        self.rests_until.is_some()
    }

    /// So many bytes were read.
    pub(super) fn read(&mut self, bytes: usize, now: Instant) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if self.enough.is_none() && now.saturating_duration_since(self.since) >= WINDOW {
            *self = Self::begin(now);
        }
        self.reads = self.reads.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        if bytes >= LITTLE {
            return;
        }
        let worth = match self.enough {
            Some(enough) => self.bytes >= enough,
            None if self.reads < OFTEN => return,
            None => true,
        };
        let enough = self.enough.unwrap_or(self.bytes / 2);
        *self = Self::begin(now);
        if worth {
            self.enough = Some(enough);
            self.rests_until = Some(now + REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICRO: Duration = Duration::from_micros(1);

    fn rests(gather: &mut Gather, now: Instant) -> bool {
        gather.rests_until(|| now).is_some()
    }

    #[test]
    fn who_brings_little_often_is_gathered_until_it_brings_less() {
        let start = Instant::now();
        let mut gather = Gather::begin(start);
        let mut now = start;
        for _ in 1..OFTEN {
            now += 60 * MICRO;
            gather.read(130, now);
            assert!(!rests(&mut gather, now));
        }
        now += 60 * MICRO;
        gather.read(130, now);
        assert!(rests(&mut gather, now));
        now += REST;
        assert!(!rests(&mut gather, now));
        // What has come meanwhile is read whole before the next rest.
        gather.read(LITTLE as usize, now);
        assert!(!rests(&mut gather, now));
        gather.read(130, now);
        assert!(rests(&mut gather, now));
        now += REST;
        // So little was not worth waiting for.
        gather.read(130, now);
        assert!(!rests(&mut gather, now));
        gather.read(130, now + MICRO);
        assert!(!rests(&mut gather, now + MICRO));
    }

    #[test]
    fn who_waits_for_an_answer_each_time_never_rests() {
        let mut now = Instant::now();
        let mut gather = Gather::begin(now);
        for _ in 0..1000 {
            now += 70 * MICRO;
            gather.read(1200, now);
            assert!(!rests(&mut gather, now));
        }
    }

    #[test]
    fn who_brings_much_never_rests() {
        let mut now = Instant::now();
        let mut gather = Gather::begin(now);
        for _ in 0..1000 {
            now += 5 * MICRO;
            gather.read(LITTLE as usize, now);
            assert!(!rests(&mut gather, now));
        }
    }
}
