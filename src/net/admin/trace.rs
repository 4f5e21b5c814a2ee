//! A trace for an administrator: begun, announced, written as it comes, and ended in time.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, interval, timeout};

use super::desk::Desk;
use super::moment::Moment;
use super::protocol::{RefusalCode, Reply, TRACE_LINE};
use crate::net::io::{chance, clock};
use crate::net::live::traces::{LONGEST, MOST, NoTrace, Running};
use crate::ops::events::{Event, Line};
use crate::proto::auth::certificate::utc;
use crate::proto::jid::Domain;
use crate::proto::trace::{Head, Tail, VERSION, Why};

/// How long one may take to read what there is.
const READING: Duration = Duration::from_secs(30);
/// How often it is looked whether the reader is still there and the file is full.
const LOOK: Duration = Duration::from_millis(500);

/// A trace that has begun.
pub(super) struct Traced {
    domain: Domain,
    is_local: bool,
    seconds: u64,
    began: String,
    running: Running,
}

/// Begins one, and says so in the log.
///
/// # Errors
/// What is answered instead.
pub(super) fn begin(desk: &Desk, domain: &str, seconds: u64) -> Result<Traced, Reply> {
    let parsed = Domain::parse(domain).map_err(|error| {
        let text = format!("`{domain}` is no domain: {error}");
        Reply::refused(RefusalCode::NotAnAddress, text)
    })?;
    let refused = |text: String| Reply::refused(RefusalCode::NotTraced, text);
    if !(1..=LONGEST.as_secs()).contains(&seconds) {
        let most = LONGEST.as_secs();
        return Err(refused(format!("a trace runs for 1 to {most} seconds")));
    }
    let mut salt = [0; 16];
    chance::fill(&mut salt).map_err(|error| refused(error.to_string()))?;
    let (edge, context) = (&desk.edge, desk.edge.context());
    let running = edge
        .traces
        .begin(&parsed, &context.rules, salt, clock::instant());
    let running = running.map_err(|why| {
        refused(match why {
            NoTrace::TooMany => format!("{MOST} traces are running already"),
            NoTrace::Already => format!("a trace of {parsed} is running already"),
        })
    })?;
    let traced = Traced {
        is_local: context.rules.is_local(&parsed),
        domain: parsed,
        seconds,
        began: utc(Moment::now().wall),
        running,
    };
    traced
        .log_line(Event::TraceBegun)
        .detail(format_args!("for {seconds} s"))
        .log();
    Ok(traced)
}

impl Traced {
    fn log_line(&self, event: Event) -> Line {
        match self.is_local {
            true => Line::new(event).local(&self.domain),
            false => Line::new(event).remote(&self.domain),
        }
    }

    /// Writes what happens until the time is over, or the other side says or reads nothing more.
    pub(super) async fn run(
        mut self,
        reader: &mut (impl AsyncBufRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let written = self.write(reader, writer).await;
        let (lines, missed) = self.running.counts();
        self.log_line(Event::TraceEnded)
            .detail(format_args!("{lines} lines; records left out: {missed}"))
            .log();
        written
    }

    async fn write(
        &mut self,
        reader: &mut (impl AsyncBufRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let until = Instant::now() + Duration::from_secs(self.seconds);
        let head = Head {
            format: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            domain: self.domain.as_str().to_owned(),
            is_local: self.is_local,
            began: self.began.clone(),
            seconds: self.seconds,
        };
        line(writer, &serde_json::to_string(&head)?).await?;
        timeout(READING, writer.flush()).await??;
        let mut look = interval(LOOK);
        let why = loop {
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(until) => break "time",
                said = reader.fill_buf() => {
                    // Whoever says something wants to go on with something else.
                    said?;
                    break "stopped";
                }
                Some(text) = self.running.next() => {
                    line(writer, &text).await?;
                    while let Some(text) = self.running.ready() {
                        line(writer, &text).await?;
                    }
                    timeout(READING, writer.flush()).await??;
                }
                _ = look.tick() => if self.running.is_full() {
                    break "size";
                }
            }
        };
        self.running.stop();
        while let Some(text) = self.running.ready() {
            line(writer, &text).await?;
        }
        let (lines, missed) = self.running.counts();
        let tail = Tail {
            end: Why {
                why: why.to_owned(),
                lines,
                missed,
            },
        };
        line(writer, &serde_json::to_string(&tail)?).await?;
        timeout(READING, writer.flush()).await?
    }
}

/// Writes one line of the file.
async fn line(writer: &mut (impl AsyncWrite + Unpin), text: &str) -> io::Result<()> {
    let (before, after) = TRACE_LINE;
    let written = async {
        for part in [before, text, after] {
            writer.write_all(part.as_bytes()).await?;
        }
        Ok(())
    };
    timeout(READING, written).await?
}
