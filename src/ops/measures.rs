//! What is measured beside the ledger: how long things took, and what became of attempts to open streams.
//!
//! Counting is one or two additions that order nothing, so it holds nobody up; reading is for reports,
//! and may see a number that another thread has not finished to raise.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::events::Direction;
use crate::proto::policy::Method;

/// The upper bounds of the buckets, in microseconds: 0.1 ms to a minute.
pub const BOUNDS: [u64; 18] = [
    100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];
/// And what takes longer.
const BUCKETS: usize = BOUNDS.len() + 1;

/// How long something took, by how often it took how long.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

/// What a [`Histogram`] was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// How often it took no longer than each of [`BOUNDS`] and longer than the one before; then what took
    /// longer than all.
    pub buckets: [u64; BUCKETS],
    /// All together, in microseconds.
    pub sum: u64,
}

impl Histogram {
    /// It took so long.
    pub fn observe(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS.partition_point(|bound| *bound < took);
        // There is one place more than there are bounds.
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Relaxed);
        }
        self.sum.fetch_add(took, Relaxed);
    }

    /// How often it took how long.
    #[must_use]
    pub fn read(&self) -> Distribution {
        Distribution {
            buckets: self.buckets.each_ref().map(|bucket| bucket.load(Relaxed)),
            sum: self.sum.load(Relaxed),
        }
    }
}

impl Distribution {
    /// How often it was measured.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

impl AddAssign for Distribution {
    fn add_assign(&mut self, other: Self) {
        for (own, more) in self.buckets.iter_mut().zip(other.buckets) {
            *own += more;
        }
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// What a lookup in DNS came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// There are records.
    Found,
    /// A name server says that there are none.
    Nothing,
    /// None has answered in time, or what came could not be used.
    Failed,
}

impl Answered {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Found, Self::Nothing, Self::Failed];

    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Nothing => "nothing",
            Self::Failed => "failed",
        }
    }
}

/// How long things took that are not a stanza's.
#[derive(Debug, Default)]
pub struct Timings {
    lookups: [Histogram; 3],
    connects: [Histogram; 2],
    openings: [[Histogram; 2]; 2],
}

impl Timings {
    /// Lookups that came to this.
    #[must_use]
    pub fn lookup(&self, answered: Answered) -> &Histogram {
        let [found, nothing, failed] = &self.lookups;
        match answered {
            Answered::Found => found,
            Answered::Nothing => nothing,
            Answered::Failed => failed,
        }
    }

    /// Connections to one address, made or not.
    #[must_use]
    pub fn connect(&self, is_made: bool) -> &Histogram {
        let [failed, made] = &self.connects;
        if is_made { made } else { failed }
    }

    /// Attempts to open a stream, from their beginning until a pair was proven, or they had failed.
    #[must_use]
    pub fn opening(&self, direction: Direction, is_proven: bool) -> &Histogram {
        let [inbound, outbound] = &self.openings;
        let [failed, proven] = match direction {
            Direction::Inbound => inbound,
            Direction::Outbound => outbound,
        };
        if is_proven { proven } else { failed }
    }
}

/// Both directions, in the order of the reports.
pub const DIRECTIONS: [Direction; 2] = [Direction::Inbound, Direction::Outbound];
/// Every method, the strongest first.
pub const METHODS: [Method; 3] = [
    Method::SaslExternal,
    Method::TlsDialback,
    Method::TcpDialback,
];

/// What became of attempts to open streams with one partner.
#[derive(Debug, Default)]
pub struct Openings {
    proofs: [[AtomicU64; 3]; 2],
    failed_inbound: AtomicU64,
    failed_claims: AtomicU64,
    failed_outbound: AtomicU64,
    /// In Unix time; 0 where none was shown.
    certificate: AtomicU64,
}

/// What [`Openings`] were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// How often a pair was proven, by [`DIRECTIONS`] and [`METHODS`].
    pub proofs: [[u64; 3]; 2],
    /// How many streams of the partner's came to nothing, as far as is known that they were its.
    pub failed_inbound: u64,
    /// How many of somebody who came in its name, and has shown nothing of it.
    pub failed_claims: u64,
    /// How many attempts of ours did.
    pub failed_outbound: u64,
    /// The last second of validity of the good certificate that the partner has shown last, in Unix time.
    pub certificate: Option<u64>,
}

impl Openings {
    /// A pair was proven.
    pub fn proven(&self, direction: Direction, method: Method) {
        let [inbound, outbound] = &self.proofs;
        let of_direction = match direction {
            Direction::Inbound => inbound,
            Direction::Outbound => outbound,
        };
        let [external, tls, tcp] = of_direction;
        let count = match method {
            Method::SaslExternal => external,
            Method::TlsDialback => tls,
            Method::TcpDialback => tcp,
        };
        count.fetch_add(1, Relaxed);
    }

    /// A stream of the partner's came to nothing, or, where nothing shows that it was the partner's, one
    /// in its name.
    pub fn failed_inbound(&self, is_familiar: bool) {
        let count = match is_familiar {
            true => &self.failed_inbound,
            false => &self.failed_claims,
        };
        count.fetch_add(1, Relaxed);
    }

    /// An attempt of ours came to nothing.
    pub fn failed_outbound(&self) {
        self.failed_outbound.fetch_add(1, Relaxed);
    }

    /// The partner has shown a good certificate, valid until then.
    pub fn shown(&self, not_after: u64) {
        self.certificate.store(not_after, Relaxed);
    }

    /// All of it.
    #[must_use]
    pub fn read(&self) -> Opened {
        let load = |count: &AtomicU64| count.load(Relaxed);
        Opened {
            proofs: (self.proofs.each_ref()).map(|methods| methods.each_ref().map(load)),
            failed_inbound: load(&self.failed_inbound),
            failed_claims: load(&self.failed_claims),
            failed_outbound: load(&self.failed_outbound),
            certificate: Some(self.certificate.load(Relaxed)).filter(|until| *until > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_falls_into_the_bucket_whose_bound_it_does_not_exceed() {
        let histogram = Histogram::default();
        let micros = |count| Duration::from_micros(count);
        for took in [micros(0), micros(100), micros(101), Duration::MAX] {
            histogram.observe(took);
        }
        let read = histogram.read();
        assert_eq!(read.buckets[..2], [2, 1]);
        assert_eq!(read.buckets.last(), Some(&1));
        assert_eq!(read.count(), 4);
        let mut twice = read;
        twice += read;
        assert_eq!((twice.count(), twice.buckets[0]), (8, 4));
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn what_became_of_attempts_is_read_as_it_was_counted() {
        let openings = Openings::default();
        assert_eq!(openings.read(), Opened::default());
        openings.failed_inbound(true);
        for _ in 0..2 {
            openings.failed_inbound(false);
        }
        for _ in 0..3 {
            openings.failed_outbound();
        }
        for (number, method) in METHODS.into_iter().enumerate() {
            for _ in 0..=number {
                openings.proven(Direction::Outbound, method);
            }
        }
        openings.shown(7);
        let read = openings.read();
        assert_eq!((read.failed_inbound, read.failed_claims), (1, 2));
        assert_eq!(read.failed_outbound, 3);
        assert_eq!(read.proofs, [[0, 0, 0], [1, 2, 3]]);
        assert_eq!(read.certificate, Some(7));
    }

    #[test]
    fn times_are_kept_apart_by_what_they_came_to() {
        let timings = Timings::default();
        timings.lookup(Answered::Nothing).observe(Duration::ZERO);
        timings.connect(true).observe(Duration::ZERO);
        timings
            .opening(Direction::Inbound, false)
            .observe(Duration::ZERO);
        let lookups = Answered::ALL.map(|it| timings.lookup(it).read().count());
        assert_eq!(lookups, [0, 1, 0]);
        let connects = [true, false].map(|it| timings.connect(it).read().count());
        assert_eq!(connects, [1, 0]);
        let openings = DIRECTIONS
            .map(|direction| [true, false].map(|it| timings.opening(direction, it).read().count()));
        assert_eq!(openings, [[0, 1], [0, 0]]);
    }
}
