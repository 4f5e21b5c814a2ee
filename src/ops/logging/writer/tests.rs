use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn push(queue: &Queue, number: u64) {
    queue.push(format!("line {number}\n").into_bytes());
}

/// How many lines a line says are lost.
fn lost(line: &str) -> Option<u64> {
    let (_, detail) = line.split_once("event=log-lines-lost detail=\"")?;
    detail.split(' ').next()?.parse().ok()
}

#[test]
fn a_pipe_that_nobody_reads_holds_nobody_up_and_the_reader_learns_what_is_missing() {
    const LINES: u64 = 10_000;
    let (reader, pipe) = io::pipe().unwrap();
    let queue = Arc::new(Queue::new(256 << 10));
    start(Arc::clone(&queue), pipe, Form::Text).unwrap();
    let line = |number: u64| format!("line {number} {}", "x".repeat(100));
    (0..LINES).for_each(|number| queue.push((line(number) + "\n").into_bytes()));
    // More than the pipe takes.
    assert!(!queue.flush(Duration::from_millis(1)));

    let (sender, lines) = sync_channel(1024);
    thread::spawn(move || {
        let mut lines = BufReader::new(reader).lines();
        lines.try_for_each(|line| sender.send(line.unwrap()))
    });
    let next = || lines.recv_timeout(PATIENCE).unwrap();
    let (mut read, mut missing) = (0, 0);
    while read + missing < LINES {
        let found = next();
        if let Some(lost) = lost(&found) {
            missing += lost;
        } else {
            assert_eq!(found, line(read + missing));
            read += 1;
        }
    }
    assert!(missing > 0, "all of it found room");
    assert!(queue.flush(PATIENCE));
    queue.push(b"more\n".into());
    assert_eq!(next(), "more");
}

/// What a sink does with one write after the other; then it takes all.
#[derive(Clone, Default)]
struct Moody {
    moods: Arc<Mutex<VecDeque<Result<usize, ErrorKind>>>>,
    taken: Arc<Mutex<Vec<u8>>>,
}

impl Write for Moody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mood = self.moods.lock().unwrap().pop_front();
        let count = mood.unwrap_or(Ok(bytes.len()))?.min(bytes.len());
        self.taken.lock().unwrap().extend(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Moody {
    /// What is taken of these lines.
    fn take(moods: &[Result<usize, ErrorKind>], lines: u64) -> String {
        let sink = Self::default();
        sink.moods.lock().unwrap().extend(moods);
        let queue = Arc::new(Queue::new(1 << 20));
        (0..lines).for_each(|number| push(&queue, number));
        start(Arc::clone(&queue), sink.clone(), Form::Text).unwrap();
        assert!(queue.flush(PATIENCE));
        let taken = sink.taken.lock().unwrap().clone();
        String::from_utf8(taken).unwrap()
    }
}

#[test]
fn a_sink_that_takes_little_or_later_loses_nothing() {
    let moods = [
        Ok(1),
        Err(ErrorKind::Interrupted),
        Err(ErrorKind::WouldBlock),
        Ok(3),
        Err(ErrorKind::WouldBlock),
    ];
    assert_eq!(Moody::take(&moods, 3), "line 0\nline 1\nline 2\n");
}

#[test]
fn a_reader_who_was_away_learns_what_is_missing() {
    // Two lines, and the first time it is told of them.
    let gone = Err(ErrorKind::BrokenPipe);
    let text = Moody::take(&[gone, gone, gone], 2);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_eq!(lost(&text), Some(2), "{text}");
}
