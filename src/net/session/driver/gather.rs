//! How a stream that brings little, very often, is read less often.
//!
//! Many servers write each stanza in a TLS record of its own, and each is there alone when the edge looks. To wake
//! up, to read and to write then cost several times what the stanza itself does. So a stream that was read 16 times
//! within a millisecond, little each time, rests for about a millisecond after it has nothing more to read: then
//! there is a batch to read and to write. It goes on so while half as much comes each time.
//!
//! Who waits for an answer before the next stanza may be read as often, and a rest only delays it. The rest shows
//! that: nearly nothing came. Each rest in vain puts off the next one, twice as long as the last one did, up to a
//! second.
//!
//! ```text
//!   at once ── 16 reads in 1 ms ──► gathering: read until little comes ──► rest ──┐
//!      ▲                                ▲                                         │
//!      └─── less than half came: ───────┴─────────────────────────────────────────┘
//!           put off for 16 ms to 1 s
//! ```

use std::time::{Duration, Instant};

/// A read of fewer bytes has taken all there was: as TLS is read, 4 KiB at a time, there are more in any other.
const LITTLE: u32 = 2 << 10;
/// So many reads within [`WINDOW`] are worth a rest.
const OFTEN: u32 = 16;
const WINDOW: Duration = Duration::from_millis(1);
/// The runtime's clock has steps of 1 ms, so a rest takes from 0.5 to 1.5 ms.
const REST: Duration = Duration::from_micros(500);
/// For how long the first rest in vain puts off the next one, and how often that is doubled at most: to 1,024 ms.
const PUT_OFF: Duration = Duration::from_millis(16);
const DOUBLED: u8 = 6;

/// When a stream is read next.
#[derive(Debug)]
pub(super) struct Gather {
    /// Since when reads and bytes are counted. It may lie ahead.
    since: Instant,
    reads: u32,
    bytes: u32,
    /// While it gathers: how many bytes make the next rest worth while.
    enough: Option<u32>,
    rests_until: Option<Instant>,
    /// How often in a row a rest was in vain.
    in_vain: u8,
}

impl Gather {
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            since: now,
            reads: 0,
            bytes: 0,
            enough: None,
            rests_until: None,
            in_vain: 0,
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
        if now < self.since {
            return;
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if self.enough.is_none() && now.saturating_duration_since(self.since) >= WINDOW {
            self.count_from(now);
        }
        self.reads = self.reads.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        if bytes >= LITTLE {
            return;
        }
        match self.enough {
            Some(enough) if self.bytes < enough => {
                self.enough = None;
                self.count_from(now + put_off(self.in_vain));
                self.in_vain = self.in_vain.saturating_add(1);
            }
            None if self.reads < OFTEN => {}
            enough => {
                // The first rest shows nothing yet; another came because the last one was worth while.
                if enough.is_some() {
                    self.in_vain = 0;
                }
                self.enough = Some(enough.unwrap_or(self.bytes / 2));
                self.count_from(now);
                self.rests_until = Some(now + REST);
            }
        }
    }

    fn count_from(&mut self, since: Instant) {
        self.since = since;
        self.reads = 0;
        self.bytes = 0;
    }
}

/// For how long no other rest is tried after one in vain, of which so many came before it in a row.
fn put_off(before: u8) -> Duration {
    PUT_OFF * (1 << before.min(DOUBLED))
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

    /// Until when the next rest is of a stream that brings so much, so long after the last time.
    fn next_rest(
        gather: &mut Gather,
        now: Instant,
        bytes: usize,
        pause: Duration,
    ) -> Option<Instant> {
        let mut reads = (1..100_000).map(|read| now + read * pause);
        reads.find_map(|at| {
            gather.read(bytes, at);
            gather.rests_until(|| at)
        })
    }

    #[test]
    fn who_is_read_less_often_never_rests() {
        let now = Instant::now();
        let mut gather = Gather::begin(now);
        assert_eq!(next_rest(&mut gather, now, 1200, 70 * MICRO), None);
    }

    #[test]
    fn each_rest_in_vain_puts_off_the_next_one_for_twice_as_long() {
        // Who answers within 50 µs, and sends nothing before it was answered.
        let rest = |gather: &mut Gather, now: &mut Instant| {
            let until = next_rest(gather, *now, 200, 50 * MICRO).unwrap();
            until - std::mem::replace(now, until)
        };
        let mut now = Instant::now();
        let mut gather = Gather::begin(now);
        rest(&mut gather, &mut now);
        for milliseconds in [16, 32, 64, 128, 256, 512, 1024, 1024, 1024] {
            let after = rest(&mut gather, &mut now).as_millis();
            assert!(
                (milliseconds..milliseconds + 3).contains(&after),
                "{after} ms"
            );
        }
        // One that is worth while makes up for all of them.
        gather.read(LITTLE as usize, now);
        rest(&mut gather, &mut now);
        let after = rest(&mut gather, &mut now).as_millis();
        assert!((16..19).contains(&after), "{after} ms");
        assert_eq!(put_off(u8::MAX), Duration::from_millis(1024));
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
