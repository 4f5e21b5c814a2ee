//! HTTP for those who look and scrape: read only, a few at a time, one answer a connection.
//!
//! ```text
//!   /            a page for people          /metrics   OpenMetrics
//!   /partner/D   one partner, step by step  /status    the JSON of `status`
//!   /healthz     the process lives          /readyz    it can relay
//! ```
//!
//! Nobody is asked who he is, so it listens on loopback, and answers there only whoever names it as such:
//! see `answer`. What is shown is read at most four times a second, on a thread for blocking work.

mod answer;
pub mod metrics;
pub mod page;
mod trends;
mod window;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use self::window::Window;
use super::desk::Desk;

pub use trends::Trends;

/// How many are served at once. Whoever comes when all places are taken takes that of the one that has
/// been there longest and has asked nothing, or else has been answered and has not read. Where all are
/// still waiting for an answer of ours, he waits too.
pub const PLACES: usize = 8;
/// What one connection takes in memory at most, besides its answer, in bytes.
pub const CONNECTION_BYTES: usize = 64 << 10;
/// What an answer takes at most, in bytes: so much for each entry, and so much for the rest.
pub const ANSWER_BYTES: (usize, usize) = (12 << 10, 256 << 10);

/// How long the head of a request may take.
const ASKING: Duration = Duration::from_secs(5);
/// How long one connection may take in all.
const WHOLE: Duration = Duration::from_secs(20);
/// How much of a request is held, in bytes: the least that the library takes.
const HEAD_BYTES: usize = 8 << 10;
/// How many fields a request may have.
const FIELDS: usize = 64;
/// How long to wait after a connection could not be taken.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers until it is dropped.
pub async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    let window = Arc::new(Window::new(desk));
    let mut tasks = JoinSet::new();
    tasks.spawn(window::keep(Arc::clone(&window)));
    let mut places: Vec<Visitor> = Vec::new();
    let answered = Arc::new(Notify::new());
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        loop {
            places.retain(|place| !place.task.is_finished());
            if places.len() < PLACES || make_room(&mut places) {
                break;
            }
            tokio::select! {
                _ = tasks.join_next() => {}
                () = answered.notified() => {}
            }
        }
        while tasks.try_join_next().is_some() {}
        let stage = Arc::new(AtomicU8::new(SILENT));
        let visit = converse(
            stream,
            Arc::clone(&window),
            Arc::clone(&stage),
            Arc::clone(&answered),
        );
        let task = tasks.spawn(visit);
        places.push(Visitor { task, stage });
    }
}

/// One that is being served.
struct Visitor {
    task: AbortHandle,
    stage: Arc<AtomicU8>,
}

/// The stages of a visitor: has asked nothing yet; waits for our answer; has only to read it.
const SILENT: u8 = 0;
const ASKED: u8 = 1;
const ANSWERED: u8 = 2;

/// Ends the connection that keeps us waiting longest; false where none does.
fn make_room(places: &mut Vec<Visitor>) -> bool {
    // The oldest come first.
    let oldest = |stage| {
        let mut each = places.iter();
        each.position(|it| it.stage.load(Relaxed) == stage)
    };
    let Some(index) = oldest(SILENT).or_else(|| oldest(ANSWERED)) else {
        return false;
    };
    places.remove(index).task.abort();
    true
}

async fn converse(
    stream: TcpStream,
    window: Arc<Window>,
    stage: Arc<AtomicU8>,
    answered: Arc<Notify>,
) {
    let is_loopback = stream.local_addr().is_ok_and(|it| it.ip().is_loopback());
    let service = service_fn(|request| {
        stage.store(ASKED, Relaxed);
        let (window, stage) = (Arc::clone(&window), Arc::clone(&stage));
        let answered = Arc::clone(&answered);
        async move {
            let response = answer::answer(&request, is_loopback, &window).await;
            stage.store(ANSWERED, Relaxed);
            answered.notify_one();
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(ASKING)
        .max_buf_size(HEAD_BYTES)
        .max_headers(FIELDS)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever asks nonsense, or goes away in the middle, is told by the end of the connection.
    timeout(WHOLE, connection)
        .await
        .map(drop)
        .unwrap_or_default();
}
