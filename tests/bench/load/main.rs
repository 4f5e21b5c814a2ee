//! What a quiet partner waits while another one floods: a load driver that is both partners, their
//! servers and the gateway, around one edge after the other.
//!
//! ```text
//!   load [--seconds N] [--rounds N] [--streams N] [--rate N] [--watched]
//!        [--gateway-rate BYTES] [--gateway-buffer BYTES] [--body BYTES] EDGE…
//!
//!   flood partner ══ 8 streams ══► ┌──────┐ ──► gateway: reads all it can, or so many bytes a second
//!   quiet partner ── 1 stream ───► │ edge │        │
//!   its server   ◄──────────────── └──────┘ ◄──────┘ answers the quiet partner alone
//! ```
//!
//! Each EDGE is a program; they run in turn, `--rounds` times, so that a busy machine is as unfair to the
//! one as to the other. The ratios are to the first of them. With `--watched` the last of them is looked at
//! meanwhile: its metrics each second, its page, and a trace of the partner that floods. The same program given
//! twice says what that costs:
//!
//! ```text
//!   load --watched --rate 50000 --seconds 600 target/release/xmpp-edge target/release/xmpp-edge
//! ```
#![allow(
    clippy::disallowed_types,
    clippy::exit,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a bench fails by panicking"
)]

mod edge;
mod figures;
mod gateway;
mod partner;
#[path = "../../pki/mod.rs"]
mod pki;
mod server;
mod tls;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use edge::Edge;
use figures::{Figures, Table};
use gateway::Gateway;
use watch::Watchers;

const USAGE: &str = "load [--seconds N] [--rounds N] [--streams N] [--rate N] [--watched] [--gateway-rate BYTES] [--gateway-buffer BYTES] [--body BYTES] EDGE...";

/// How the load is.
#[derive(Clone, Debug)]
pub struct Load {
    pub seconds: u64,
    rounds: usize,
    /// Streams of the partner that floods; 0: nobody floods.
    pub streams: usize,
    /// Stanzas of the flood a second; 0: all it can.
    pub rate: u32,
    /// How much the gateway reads a second, in bytes; 0: all it can.
    pub gateway_rate: usize,
    /// Its receive buffer, in bytes; 0: as the system has it.
    pub gateway_buffer: usize,
    /// Of a message of the flood.
    pub body: usize,
    /// Whether the last edge is looked at.
    is_watched: bool,
}

fn main() {
    let (load, edges) = arguments();
    let mut tables: Vec<_> = edges.iter().map(|_| Table::default()).collect();
    for round in 0..load.rounds {
        for (place, (program, table)) in edges.iter().zip(&mut tables).enumerate() {
            let is_watched = load.is_watched && place + 1 == edges.len();
            let figures = measure(program, &load, is_watched);
            println!("{} {}: {figures}", round + 1, program.display());
            table.add(figures);
        }
    }
    println!("medians of {} rounds, {load:?}", load.rounds);
    for (program, table) in edges.iter().zip(&tables) {
        let first = &tables[0];
        println!("{}: {}", program.display(), table.median());
        println!(
            "    to the first: {}",
            table.median().ratio(&first.median())
        );
    }
}

fn arguments() -> (Load, Vec<PathBuf>) {
    let mut load = Load {
        seconds: 5,
        rounds: 1,
        streams: 8,
        rate: 0,
        gateway_rate: 0,
        gateway_buffer: 0,
        body: 100,
        is_watched: false,
    };
    let mut edges = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            arguments
                .next()
                .and_then(|it| it.parse::<usize>().ok())
                .expect(USAGE)
        };
        match argument.as_str() {
            "--seconds" => load.seconds = number().try_into().unwrap(),
            "--rounds" => load.rounds = number(),
            "--streams" => load.streams = number(),
            "--rate" => load.rate = number().try_into().unwrap(),
            "--gateway-rate" => load.gateway_rate = number(),
            "--gateway-buffer" => load.gateway_buffer = number(),
            "--body" => load.body = number(),
            "--watched" => load.is_watched = true,
            path => edges.push(PathBuf::from(path)),
        }
    }
    assert!(!edges.is_empty() && load.rounds > 0, "{USAGE}");
    (load, edges)
}

/// One edge under the load.
fn measure(program: &std::path::Path, load: &Load, is_watched: bool) -> Figures {
    let house = edge::House::new();
    let server = server::Server::start(&house.tls);
    let edge = Edge::start(program, &house, server.address);
    let gateway = Gateway::open(&edge, load);
    let stop = Arc::<AtomicBool>::default();
    // The quiet partner's server is dialled by the first answer; that is not measured.
    let mut quiet = partner::Quiet::open(&edge, &house.tls, &server);
    quiet.round_trip();
    let rate = load.rate / u32::try_from(load.streams.max(1)).unwrap();
    let floods: Vec<_> = (0..load.streams)
        .map(|number| {
            let stream = partner::open(&edge, &house.tls, partner::FLOOD);
            let (stop, body) = (Arc::clone(&stop), load.body);
            thread::spawn(move || partner::flood(stream, number, (body, rate), &stop))
        })
        .collect();
    let watchers = is_watched.then(|| Watchers::start(edge.http, &house.socket(), load.seconds));
    // Until the flood has filled what it can fill.
    thread::sleep(Duration::from_secs(1));
    let before = (gateway.read(), edge.cpu(), Instant::now());
    let mut trips = Vec::new();
    while before.2.elapsed() < Duration::from_secs(load.seconds) {
        trips.push(quiet.round_trip());
        thread::sleep(Duration::from_millis(5));
    }
    let seconds = before.2.elapsed().as_secs_f64();
    let (read, cpu) = (gateway.read() - before.0, edge.cpu() - before.1);
    let memory = edge.memory();
    if let Some(watchers) = watchers {
        println!("  watched: {}", watchers.end());
    }
    stop.store(true, Relaxed);
    edge.stop();
    for flood in floods {
        flood.join().unwrap();
    }
    trips.sort_unstable();
    Figures::new(&trips, read, seconds, cpu, memory)
}
