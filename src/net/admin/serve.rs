//! Answers administrators, a few at a time and for a bounded time each.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::UnixStream;
use tokio::task::{AbortHandle, JoinSet, spawn_blocking};
use tokio::time::timeout;

use super::contacts;
use super::desk::Desk;
use super::preview::preview;
use super::protocol::{Greeting, MAX_REQUEST, RefusalCode, Reply, Request, VERSION};
use super::socket::may_ask;
use super::trace;
use crate::net::io::clock;
use crate::proto::jid::Domain;

pub use super::socket::Socket;

/// How many are served at once. Whoever comes when all places are taken takes that of the one that has
/// asked nothing for the longest time.
pub const PLACES: usize = 8;
/// How long one may stay silent.
const IDLE: Duration = Duration::from_secs(60);
/// How long one may take to read an answer.
const READING: Duration = Duration::from_secs(30);
/// How long to wait after a connection could not be taken.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers until it is dropped.
pub async fn serve(socket: Socket, desk: Arc<Desk>) {
    let own = rustix::process::geteuid().as_raw();
    let mut tasks = JoinSet::new();
    let mut places: Vec<Conversation> = Vec::new();
    let began = clock::instant();
    loop {
        let Ok((stream, _)) = socket.listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        while tasks.try_join_next().is_some() {}
        let is_welcome = stream.peer_cred().is_ok_and(|it| may_ask(it.uid(), own));
        if !is_welcome {
            continue;
        }
        places.retain(|place| !place.task.is_finished());
        if places.len() >= PLACES && !make_room(&mut places) {
            refuse(&stream);
            continue;
        }
        let waiting = Arc::new(Waiting::new(began));
        let conversation = converse(stream, Arc::clone(&desk), Arc::clone(&waiting));
        let task = tasks.spawn(async move {
            // Whoever went away in the middle is told by its own end.
            conversation.await.unwrap_or_default();
        });
        places.push(Conversation { task, waiting });
    }
}

/// One that is being served.
struct Conversation {
    task: AbortHandle,
    waiting: Arc<Waiting>,
}

/// Since when one has asked nothing, in milliseconds after the beginning; [`BUSY`] while an answer is
/// being made or read.
struct Waiting {
    began: Instant,
    since: AtomicU64,
}

const BUSY: u64 = u64::MAX;

impl Waiting {
    fn new(began: Instant) -> Self {
        let waiting = Self {
            began,
            since: AtomicU64::new(BUSY),
        };
        waiting.begin();
        waiting
    }

    fn begin(&self) {
        let since = u64::try_from(clock::instant().duration_since(self.began).as_millis())
            .unwrap_or_default();
        self.since.store(since, Relaxed);
    }

    fn end(&self) {
        self.since.store(BUSY, Relaxed);
    }

    fn since(&self) -> u64 {
        self.since.load(Relaxed)
    }
}

/// Ends the conversation that has been silent for the longest time; false where all are busy.
fn make_room(places: &mut Vec<Conversation>) -> bool {
    let all = places.iter().enumerate();
    let waiting = all.filter(|(_, place)| place.waiting.since() != BUSY);
    let Some((index, _)) = waiting.min_by_key(|(_, place)| place.waiting.since()) else {
        return false;
    };
    places.remove(index).task.abort();
    true
}

/// Says why, if that can be said at once.
fn refuse(stream: &UnixStream) {
    let reply = Reply::refused(RefusalCode::Busy, "all places are taken: try again");
    let mut line = serde_json::to_vec(&reply).unwrap_or_default();
    line.push(b'\n');
    stream.try_write(&line).map(drop).unwrap_or_default();
}

async fn converse(stream: UnixStream, desk: Arc<Desk>, waiting: Arc<Waiting>) -> io::Result<()> {
    let (reader, writer) = stream.into_split();
    let (mut reader, mut writer) = (BufReader::new(reader), BufWriter::new(writer));
    let greeting = Greeting {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: VERSION,
    };
    timeout(READING, write(&mut writer, &[greeting])).await??;
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut reader).take(MAX_REQUEST as u64);
        timeout(IDLE, limited.read_until(b'\n', &mut line)).await??;
        if line.is_empty() {
            return Ok(());
        }
        waiting.end();
        let is_whole = line.ends_with(b"\n");
        let replies = match serde_json::from_slice(&line) {
            _ if !is_whole => {
                let text = format!("the line has no end within {MAX_REQUEST} bytes");
                vec![Reply::refused(RefusalCode::TooLong, text)]
            }
            Ok(Request::Trace { domain, seconds }) => match trace::begin(&desk, &domain, seconds) {
                Ok(traced) => {
                    traced.run(&mut reader, &mut writer).await?;
                    Vec::new()
                }
                Err(refused) => vec![refused],
            },
            Ok(request) => answer(request, &desk).await,
            Err(error) => {
                let text = format!("not a request: {error}");
                vec![Reply::refused(RefusalCode::NotARequest, text)]
            }
        };
        timeout(READING, write(&mut writer, &replies)).await??;
        if !is_whole {
            return Ok(());
        }
        waiting.begin();
    }
}

async fn answer(request: Request, desk: &Arc<Desk>) -> Vec<Reply> {
    match request {
        Request::Contacts(request) => contacts::answer(request, &desk.edge.contacts).await,
        Request::Status {} => {
            let desk = Arc::clone(desk);
            made(spawn_blocking(move || Reply::Status(Box::new(desk.status()))).await)
        }
        Request::ReloadPreview {} => {
            let found = preview(desk).await;
            made(found.map(|preview| Reply::ReloadPreview(Box::new(preview))))
        }
        // It is answered by many lines, where it is read.
        Request::Trace { .. } => Vec::new(),
        Request::Explain { domain } => match Domain::parse(&domain) {
            Ok(domain) => {
                let desk = Arc::clone(desk);
                made(spawn_blocking(move || Reply::Explain(Box::new(desk.live(&domain)))).await)
            }
            Err(error) => {
                let text = format!("`{domain}` is no domain: {error}");
                vec![Reply::refused(RefusalCode::NotAnAddress, text)]
            }
        },
    }
}

fn made(report: Result<Reply, tokio::task::JoinError>) -> Vec<Reply> {
    let failed = |error| Reply::refused(RefusalCode::Failed, error);
    vec![report.unwrap_or_else(failed)]
}

async fn write(
    writer: &mut (impl AsyncWriteExt + Unpin),
    lines: &[impl serde::Serialize],
) -> io::Result<()> {
    for line in lines {
        let mut line = serde_json::to_vec(line)?;
        line.push(b'\n');
        writer.write_all(&line).await?;
    }
    writer.flush().await
}
