//! What waits to be written: in order, bounded in bytes, and what finds no room is counted.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::ops::counters::Ledger;
use crate::proto::codes::Code;

/// How much may wait, in bytes: some ten thousand decisions, which is many minutes of an edge at
/// its default level, and one hundredth of what strangers may hold.
///
/// Bytes, not lines: at `trace` a library writes lines of any length.
pub(super) const CAPACITY: usize = 4 << 20;

/// What a line costs beyond its text.
const OVERHEAD: usize = 64;

/// Lines on their way to the one thread that writes them.
///
/// When a line finds no room, all that follow are lost, too, until everything that waits is
/// written and the loss is told: so a reader who is merely slow finds few gaps, each where its
/// number stands, and not one between any two lines.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// All is written.
    settled: Condvar,
    capacity: usize,
}

/// What is to be written next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A line as it stands.
    Line(Vec<u8>),
    /// That so many lines are missing here.
    Gap(u64),
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines lost and not told of.
    lost: u64,
    lost_in_all: u64,
    /// Whether the writer has something in hand.
    writing: bool,
    ledger: Option<Arc<Ledger>>,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            settled: Condvar::new(),
            capacity,
        }
    }

    /// Takes in a line, or loses it. Never waits for the reader.
    pub(super) fn push(&self, line: Vec<u8>) {
        let mut state = self.lock();
        let bytes = state.bytes.saturating_add(cost(&line));
        if state.lost > 0 || bytes > self.capacity {
            state.lose();
            return;
        }
        state.bytes = bytes;
        state.lines.push_back(line);
        self.filled.notify_one();
    }

    /// Waits for what is to be written next. Each is followed by one of [`done`](Self::done),
    /// [`line_failed`](Self::line_failed) and [`gap_failed`](Self::gap_failed).
    pub(super) fn next(&self) -> Next {
        let nothing = |state: &mut State| state.lines.is_empty() && state.lost == 0;
        let waited = self.filled.wait_while(self.lock(), nothing);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.writing = true;
        if let Some(line) = state.lines.pop_front() {
            state.bytes = state.bytes.saturating_sub(cost(&line));
            return Next::Line(line);
        }
        // What the stall has taken is given back.
        state.lines = VecDeque::new();
        Next::Gap(std::mem::take(&mut state.lost))
    }

    /// It is written.
    pub(super) fn done(&self) {
        self.release(|_| {});
    }

    /// The line cannot be written.
    pub(super) fn line_failed(&self) {
        self.release(State::lose);
    }

    /// So many lines are still to be told of.
    pub(super) fn gap_failed(&self, lost: u64) {
        self.release(|state| state.lost += lost);
    }

    /// Waits until all is written, but no longer than `limit`: whether it is.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let unsettled =
            |state: &mut State| state.writing || state.lost > 0 || !state.lines.is_empty();
        let waited = self
            .settled
            .wait_timeout_while(self.lock(), limit, unsettled);
        let (_state, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
        !outcome.timed_out()
    }

    /// Counts every line lost in a ledger, from the first on.
    pub(super) fn count_in(&self, ledger: Arc<Ledger>) {
        let mut state = self.lock();
        for _ in 0..state.lost_in_all {
            ledger.count(Code::LOG_LINES_LOST);
        }
        state.ledger = Some(ledger);
    }

    fn release(&self, act: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        state.writing = false;
        act(&mut state);
        self.settled.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lose(&mut self) {
        self.lost += 1;
        self.lost_in_all += 1;
        if let Some(ledger) = &self.ledger {
            ledger.count(Code::LOG_LINES_LOST);
        }
    }
}

/// Where the formatter writes: each write is a line.
#[derive(Clone, Debug)]
pub(super) struct Lines(pub(super) Arc<Queue>);

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn cost(line: &[u8]) -> usize {
    line.len().saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: usize) -> Vec<u8> {
        format!("line {number:03}\n").into_bytes()
    }

    /// Room for so many of these lines.
    fn queue(lines: usize) -> Queue {
        Queue::new(lines * cost(&line(0)))
    }

    #[test]
    fn what_is_lost_is_lost_in_one_piece_and_told_in_its_place() {
        let queue = queue(3);
        (0..5).for_each(|number| queue.push(line(number)));
        assert_eq!(queue.next(), Next::Line(line(0)));
        queue.done();
        // There would be room, but the gap is open.
        queue.push(line(5));
        for number in 1..3 {
            assert_eq!(queue.next(), Next::Line(line(number)));
            queue.done();
        }
        assert_eq!(queue.next(), Next::Gap(3));
        queue.push(line(6));
        queue.done();
        assert_eq!(queue.next(), Next::Line(line(6)));
        queue.done();
        assert!(queue.flush(Duration::ZERO));
    }

    #[test]
    fn the_bound_is_in_bytes() {
        let queue = Queue::new(1000);
        queue.push(vec![b'x'; 1000]);
        assert_eq!(queue.next(), Next::Gap(1));
        queue.done();
        for _ in 0..1000 {
            queue.push(Vec::new());
        }
        assert_eq!(queue.lock().lines.len(), 1000 / OVERHEAD);
        assert!(queue.lock().bytes <= 1000);
    }

    #[test]
    fn every_line_lost_is_counted_once_whenever_the_counting_begins() {
        let queue = queue(1);
        (0..4).for_each(|number| queue.push(line(number)));
        let ledger = Arc::new(Ledger::new());
        queue.count_in(Arc::clone(&ledger));
        let counted = || ledger.reasons().get("log-lines-lost").copied();
        assert_eq!(counted(), Some(3));
        queue.push(line(4));
        assert_eq!(counted(), Some(4));
        // One cannot be written, and what tells of it cannot at first.
        queue.next();
        queue.line_failed();
        assert_eq!(queue.next(), Next::Gap(5));
        queue.gap_failed(5);
        assert_eq!(queue.next(), Next::Gap(5));
        assert_eq!(counted(), Some(5));
    }

    #[test]
    fn flushing_waits_for_what_is_in_hand_and_no_longer_than_told() {
        let queue = queue(1);
        assert!(queue.flush(Duration::ZERO));
        queue.push(line(0));
        assert!(!queue.flush(Duration::ZERO));
        queue.next();
        assert!(!queue.flush(Duration::from_millis(1)));
        std::thread::scope(|scope| {
            let flushed = scope.spawn(|| queue.flush(Duration::from_secs(20)));
            queue.done();
            assert!(flushed.join().unwrap());
        });
    }
}
