//! The traces that run: who wants to see the streams of which partner, or the links of which gateway, and how
//! much of them.
//!
//! ```text
//!   stream ── epoch: one relaxed load an input ──► has a trace begun or ended? then it looks here
//!   stream of that partner ── lines ──► Sink ── bounded ──► the desk, which writes them to who asked
//! ```
//!
//! Nothing here waits. Who is too fast for the reader, or for the rate that a trace may have, loses records,
//! and they are counted.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::proto::jid::Domain;
use crate::proto::policy::Rules;

/// How many may run at once.
pub const MOST: usize = 4;
/// How long one may run.
pub const LONGEST: Duration = Duration::from_secs(3600);
/// How many streams are recorded at once.
pub const MOST_STREAMS: usize = 128;
/// How much one may write, in bytes.
pub const MOST_BYTES: usize = 48 << 20;
/// How many lines wait for whoever reads them.
const WAITING: usize = 2048;
/// How many bytes of lines wait for whoever reads them.
const WAITING_BYTES: usize = 4 << 20;

/// The traces that run.
#[derive(Debug, Default)]
pub struct Traces {
    /// Changes when one begins or ends.
    epoch: AtomicU32,
    /// How many run.
    count: AtomicUsize,
    /// How many streams are recorded.
    streams: AtomicUsize,
    next: AtomicU64,
    running: Mutex<Vec<Arc<Sink>>>,
}

/// Where the streams of one trace write to.
#[derive(Debug)]
pub struct Sink {
    number: u64,
    domain: Domain,
    began: Instant,
    salt: [u8; 16],
    lines: mpsc::Sender<String>,
    /// Bytes that are in it.
    waiting: AtomicUsize,
    written: AtomicUsize,
    count: AtomicU64,
    missed: AtomicU64,
    is_full: AtomicBool,
    young: Bucket,
    settled: Bucket,
}

/// A trace that runs; it ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    traces: Arc<Traces>,
    sink: Arc<Sink>,
    lines: mpsc::Receiver<String>,
}

/// A stream that is recorded, in the count.
#[derive(Debug)]
pub struct Recorded(Arc<Traces>);

impl Drop for Recorded {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Relaxed);
    }
}

/// Why none begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTrace {
    /// As many run as may.
    TooMany,
    /// One of the same partner does.
    Already,
}

/// How old a stream is, as far as it matters here: what is negotiated is what a trace is for, so that traffic
/// never takes its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Its first records.
    Young,
    /// All others.
    Settled,
}

impl Traces {
    /// A number that changes when a trace begins or ends.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch.load(Relaxed)
    }

    /// Begins to trace the partner of a domain.
    ///
    /// # Errors
    /// [`NoTrace`].
    pub fn begin(
        self: &Arc<Self>,
        domain: &Domain,
        rules: &Rules,
        salt: [u8; 16],
        now: Instant,
    ) -> Result<Running, NoTrace> {
        let mut running = self.lock();
        if running.len() >= MOST {
            return Err(NoTrace::TooMany);
        }
        let account = rules.account_of(domain);
        let is_same = |sink: &Arc<Sink>| rules.account_of(&sink.domain) == account;
        if running.iter().any(is_same) {
            return Err(NoTrace::Already);
        }
        // A stream may be recorded before it is known whose it is.
        let salt = running.first().map_or(salt, |sink| sink.salt);
        let (sender, lines) = mpsc::channel(WAITING);
        let sink = Arc::new(Sink {
            number: self.next.fetch_add(1, Relaxed) + 1,
            domain: domain.clone(),
            began: now,
            salt,
            lines: sender,
            waiting: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
            count: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
            young: Bucket::new(now, 1000, 1 << 20),
            settled: Bucket::new(now, 250, 256 << 10),
        });
        running.push(Arc::clone(&sink));
        self.count.store(running.len(), Relaxed);
        drop(running);
        self.epoch.fetch_add(1, Relaxed);
        Ok(Running {
            traces: Arc::clone(self),
            sink,
            lines,
        })
    }

    /// Whether any runs.
    #[must_use]
    pub fn any(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    /// A place for one more stream that is recorded; `None`, which is counted, where there is none.
    #[must_use]
    pub fn place(self: &Arc<Self>) -> Option<Recorded> {
        if self.streams.fetch_add(1, Relaxed) < MOST_STREAMS {
            return Some(Recorded(Arc::clone(self)));
        }
        self.streams.fetch_sub(1, Relaxed);
        for sink in self.lock().iter() {
            sink.missed.fetch_add(1, Relaxed);
        }
        None
    }

    /// What names are mixed with, the same in all that run.
    #[must_use]
    pub fn salt(&self) -> Option<[u8; 16]> {
        self.lock().first().map(|sink| sink.salt)
    }

    /// The trace that wants the streams of this domain.
    #[must_use]
    pub fn wanting(&self, domain: &Domain, rules: &Rules) -> Option<Arc<Sink>> {
        let account = rules.account_of(domain);
        let running = self.lock();
        let mut all = running.iter();
        all.find(|sink| rules.account_of(&sink.domain) == account)
            .cloned()
    }

    /// The trace that wants the links of a gateway that asks for this domain.
    #[must_use]
    pub fn wanting_links(&self, domain: &Domain) -> Option<Arc<Sink>> {
        let running = self.lock();
        let mut all = running.iter();
        all.find(|sink| sink.domain == *domain).cloned()
    }

    /// Whether a trace still runs.
    #[must_use]
    pub fn has(&self, sink: &Sink) -> bool {
        self.lock().iter().any(|it| it.number == sink.number)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Sink>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink {
    /// What names are mixed with.
    #[must_use]
    pub fn salt(&self) -> [u8; 16] {
        self.salt
    }

    /// When it began.
    #[must_use]
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Whether there is room for a record about so many bytes; else it is counted as missed.
    #[must_use]
    pub fn admits(&self, age: Age, bytes: usize, now: Instant) -> bool {
        let bucket = match age {
            Age::Young => &self.young,
            Age::Settled => &self.settled,
        };
        let is_blocked = self.is_full.load(Relaxed)
            || self.lines.is_closed()
            || self.waiting.load(Relaxed) > WAITING_BYTES;
        let admits = !is_blocked && bucket.take(bytes, now);
        if !admits {
            self.missed.fetch_add(1, Relaxed);
        }
        admits
    }

    /// Writes a line; false where it is lost.
    #[must_use]
    pub fn write(&self, line: String) -> bool {
        let bytes = line.len();
        let written = self.written.fetch_add(bytes, Relaxed).saturating_add(bytes);
        if written > MOST_BYTES {
            self.is_full.store(true, Relaxed);
            self.missed.fetch_add(1, Relaxed);
            return false;
        }
        self.waiting.fetch_add(bytes, Relaxed);
        if self.lines.try_send(line).is_err() {
            self.waiting.fetch_sub(bytes, Relaxed);
            self.missed.fetch_add(1, Relaxed);
            return false;
        }
        self.count.fetch_add(1, Relaxed);
        true
    }
}

impl Running {
    /// The next line; never `None` while it runs.
    pub async fn next(&mut self) -> Option<String> {
        let line = self.lines.recv().await?;
        self.sink.waiting.fetch_sub(line.len(), Relaxed);
        Some(line)
    }

    /// A line that is there already.
    pub fn ready(&mut self) -> Option<String> {
        let line = self.lines.try_recv().ok()?;
        self.sink.waiting.fetch_sub(line.len(), Relaxed);
        Some(line)
    }

    /// Whether as much was written as may be.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.sink.is_full.load(Relaxed)
    }

    /// How many lines were written, and how many records are missing.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let sink = &self.sink;
        (sink.count.load(Relaxed), sink.missed.load(Relaxed))
    }

    /// Takes no more lines; those that wait can still be read.
    pub fn stop(&mut self) {
        self.lines.close();
        self.traces.end(self.sink.number);
    }
}

impl Traces {
    /// What the lines that wait, and the recorders of so many streams, take at most, in bytes, where a
    /// stanza has at most so many.
    #[must_use]
    pub const fn bytes(longest_stanza: usize) -> usize {
        let each = longest_stanza.saturating_mul(2).saturating_add(64 << 10);
        MOST * WAITING_BYTES + MOST_STREAMS.saturating_mul(each)
    }

    fn end(&self, number: u64) {
        let mut running = self.lock();
        running.retain(|sink| sink.number != number);
        self.count.store(running.len(), Relaxed);
        drop(running);
        self.epoch.fetch_add(1, Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.traces.end(self.sink.number);
    }
}

/// How much may be written a second, with a burst of ten seconds' worth.
#[derive(Debug)]
struct Bucket {
    begun: Instant,
    records: u64,
    bytes: u64,
    /// In milliseconds after the beginning: until then nothing is admitted. Nobody has to wait for the rest
    /// to know it.
    closed_until: AtomicU64,
    left: Mutex<Left>,
}

#[derive(Debug)]
struct Left {
    records: u64,
    bytes: u64,
    /// When something was added last, in milliseconds after the beginning.
    filled: u64,
}

const BURST: u64 = 10;

impl Bucket {
    fn new(begun: Instant, records: u64, bytes: u64) -> Self {
        Self {
            begun,
            records,
            bytes,
            closed_until: AtomicU64::new(0),
            left: Mutex::new(Left {
                records: records * BURST,
                bytes: bytes * BURST,
                filled: 0,
            }),
        }
    }

    fn take(&self, bytes: usize, now: Instant) -> bool {
        let millis = now.saturating_duration_since(self.begun).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        if millis < self.closed_until.load(Relaxed) {
            return false;
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let since = millis.saturating_sub(left.filled).min(BURST * 1000);
        if since > 0 {
            left.records = (left.records + self.records * since / 1000).min(self.records * BURST);
            left.bytes = (left.bytes + self.bytes * since / 1000).min(self.bytes * BURST);
            left.filled = millis;
        }
        // What one record takes besides: its line, and what comes of it.
        let cost = 256 + bytes as u64;
        let rest = left
            .records
            .checked_sub(1)
            .zip(left.bytes.checked_sub(cost));
        match rest {
            Some((records, bytes)) => {
                (left.records, left.bytes) = (records, bytes);
                true
            }
            None => {
                self.closed_until.store(millis + 100, Relaxed);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    fn begin(traces: &Arc<Traces>, name: &str) -> Result<Running, NoTrace> {
        traces.begin(&domain(name), &Rules::default(), [0; 16], Instant::now())
    }

    #[test]
    fn a_partner_is_traced_once_and_a_few_are_at_once() {
        let traces = Arc::<Traces>::default();
        let before = traces.epoch();
        let first = begin(&traces, "a.example").unwrap();
        assert_ne!(traces.epoch(), before);
        assert_eq!(begin(&traces, "a.example").err(), Some(NoTrace::Already));
        let _more: Vec<_> = (1..MOST)
            .map(|it| begin(&traces, &format!("p{it}.example")).unwrap())
            .collect();
        assert_eq!(begin(&traces, "b.example").err(), Some(NoTrace::TooMany));
        let rules = Rules::default();
        assert!(traces.wanting(&domain("a.example"), &rules).is_some());
        drop(first);
        assert!(traces.wanting(&domain("a.example"), &rules).is_none());
        assert!(begin(&traces, "b.example").is_ok());
    }

    #[test]
    fn the_links_of_a_gateway_are_wanted_by_the_domain_that_they_ask_for_alone() {
        let traces = Arc::<Traces>::default();
        let rules = Rules::new(
            vec![domain("ours.example")],
            vec![crate::proto::policy::Partner::new(domain("a.example"))],
        );
        let rules = rules.unwrap();
        let begin = |name| traces.begin(&domain(name), &rules, [0; 16], Instant::now());
        let _ours = begin("ours.example").unwrap();
        let _theirs = begin("a.example").unwrap();
        for name in ["ours.example", "a.example"] {
            let sink = traces.wanting_links(&domain(name)).unwrap();
            assert_eq!(sink.domain, domain(name));
        }
        assert!(
            traces
                .wanting_links(&domain("other.ours.example"))
                .is_none()
        );
    }

    #[test]
    fn so_many_streams_are_recorded_at_once_and_the_others_are_counted() {
        let traces = Arc::<Traces>::default();
        let running = begin(&traces, "a.example").unwrap();
        let mut places: Vec<_> = (0..MOST_STREAMS).map(|_| traces.place().unwrap()).collect();
        assert!(traces.place().is_none());
        assert_eq!(running.counts(), (0, 1));
        places.pop();
        assert!(traces.place().is_some());
        assert!(traces.any());
        drop(running);
        assert!(!traces.any());
    }

    #[test]
    fn who_does_not_read_loses_records_and_keeps_nobody_waiting() {
        let traces = Arc::<Traces>::default();
        let mut running = begin(&traces, "a.example").unwrap();
        let sink = traces
            .wanting(&domain("a.example"), &Rules::default())
            .unwrap();
        let line = "x".repeat(1000);
        let written = (0..10_000).filter(|_| sink.write(line.clone())).count();
        assert!(written <= WAITING, "{written}");
        let (lines, missed) = running.counts();
        assert_eq!((lines, missed), (written as u64, 10_000 - written as u64));
        // Lines that are long make less wait.
        assert!(sink.waiting.load(Relaxed) <= WAITING * 1000);
        while running.ready().is_some() {}
        assert_eq!(sink.waiting.load(Relaxed), 0);
        assert!(sink.write(line));
    }

    #[test]
    fn the_rate_and_the_whole_are_bounded() {
        let traces = Arc::<Traces>::default();
        let mut running = begin(&traces, "a.example").unwrap();
        let sink = traces
            .wanting(&domain("a.example"), &Rules::default())
            .unwrap();
        let now = Instant::now();
        let admitted = |age, now| (0..100_000).filter(|_| sink.admits(age, 0, now)).count();
        assert_eq!(admitted(Age::Settled, now), 2500);
        // Who negotiates has room all the same.
        assert_eq!(admitted(Age::Young, now), 10_000);
        let later = now + Duration::from_secs(1);
        assert_eq!(admitted(Age::Settled, later), 250);
        assert!(running.counts().1 > 100_000);
        let line = "x".repeat(1 << 20);
        for _ in 0..MOST_BYTES >> 20 {
            assert!(sink.write(line.clone()));
            assert!(running.ready().is_some());
        }
        assert!(!running.is_full());
        assert!(!sink.write(line));
        assert!(running.is_full() && !sink.admits(Age::Young, 0, later + LONGEST));
    }
}
