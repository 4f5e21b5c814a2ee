//! What was measured, in words.

use std::fmt;
use std::time::Duration;

/// What one edge did under the load.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Round trips of the quiet partner, in milliseconds.
    p50: f64,
    p99: f64,
    /// What the gateway got, in MB a second.
    rate: f64,
    /// CPU of the edge, in seconds for each 100 MB that the gateway got.
    cpu: f64,
    /// The most memory that the edge held, in MiB.
    memory: f64,
    trips: usize,
}

impl Figures {
    /// `trips` are sorted.
    pub fn new(trips: &[Duration], read: u64, seconds: f64, cpu: f64, memory: f64) -> Self {
        let at = |part: usize| trips[(trips.len() - 1) * part / 100].as_secs_f64() * 1000.0;
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let megabytes = read as f64 / 1e6;
        Self {
            p50: at(50),
            p99: at(99),
            rate: megabytes / seconds,
            cpu: 100.0 * cpu / megabytes,
            memory,
            trips: trips.len(),
        }
    }

    fn all(&self) -> [f64; 5] {
        [self.p50, self.p99, self.rate, self.cpu, self.memory]
    }

    /// Each figure as a part of another's.
    pub fn ratio(&self, other: &Self) -> String {
        let names = ["p50", "p99", "rate", "CPU", "memory"];
        let figures = self.all().into_iter().zip(other.all()).zip(names);
        let words = figures.map(|((own, first), name)| format!("{name} x {:.3}", own / first));
        words.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "round trip p50 {:.2} ms, p99 {:.2} ms ({} trips); {:.2} MB/s, CPU {:.2} s/100 MB; {:.1} MiB",
            self.p50, self.p99, self.trips, self.rate, self.cpu, self.memory
        )
    }
}

/// The figures of several rounds.
#[derive(Debug, Default)]
pub struct Table(Vec<Figures>);

impl Table {
    pub fn add(&mut self, figures: Figures) {
        self.0.push(figures);
    }

    /// The median of each figure by itself.
    pub fn median(&self) -> Figures {
        let median = |of: fn(&Figures) -> f64| {
            let mut all: Vec<_> = self.0.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        Figures {
            p50: median(|it| it.p50),
            p99: median(|it| it.p99),
            rate: median(|it| it.rate),
            cpu: median(|it| it.cpu),
            memory: median(|it| it.memory),
            trips: self.0.iter().map(|it| it.trips).sum(),
        }
    }
}
