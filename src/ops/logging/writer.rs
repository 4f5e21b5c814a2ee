//! The one thread that waits for whoever reads the log, so that nobody else has to.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::form::Form;
use super::queue::{Next, Queue};
use crate::ops::events::{Event, Line};

/// After how long a reader who was gone is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often a non-blocking reader who is not ready is tried.
const PAUSE: Duration = Duration::from_millis(20);

/// Starts to write what is in a queue, for as long as the process lives.
pub(super) fn start(
    queue: Arc<Queue>,
    mut sink: impl Write + Send + 'static,
    form: Form,
) -> io::Result<()> {
    let work = move || {
        loop {
            write_next(&queue, &mut sink, form);
        }
    };
    thread::Builder::new().name("log".to_owned()).spawn(work)?;
    Ok(())
}

fn write_next(queue: &Queue, sink: &mut impl Write, form: Form) {
    match queue.next() {
        Next::Line(line) => match write_whole(sink, &line) {
            Ok(()) => queue.done(),
            Err(_) => queue.line_failed(),
        },
        Next::Gap(lost) => {
            let detail =
                format_args!("{lost} lines: the log was not read fast enough, or not at all");
            let line = Line::new(Event::LogLinesLost).detail(detail);
            match write_whole(sink, &form.bytes(&line)) {
                Ok(()) => queue.done(),
                Err(_) => {
                    queue.gap_failed(lost);
                    thread::sleep(RETRY);
                }
            }
        }
    }
}

fn write_whole(sink: &mut impl Write, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match sink.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Standard error may be shared with a program that made it so.
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
