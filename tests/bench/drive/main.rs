//! The driver of the comparison: the partners, their servers and the gateway of one system under test.
//!
//! ```text
//!   partners ══ s2s, TLS, SASL EXTERNAL ══► ┌────────┐ ── link, XEP-0114 ──► gateway
//!   server   ◄═════════════════════════════ │ system │ ◄────────────────────
//!                                           └────────┘
//!
//!   drive pki DIRECTORY PARTNERS       writes the keys and certificates of all
//!   drive WORK DIRECTORY [--key N]…    does one piece of work
//! ```
//!
//! `tests/bench/compare` starts both sides. The driver says `ready` when everything is open and warm, waits for a
//! line on standard input, works, prints its figures as a line of JSON, and keeps everything open until
//! standard input ends. So the comparison can read the CPU time and the memory of the system in
//! between. What arrives twice, not in order, changed or not at all ends the driver with an error.
#![allow(
    clippy::disallowed_types,
    clippy::exit,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a bench fails by panicking"
)]

mod checker;
mod ends;
mod message;
mod options;
#[path = "../../pki/mod.rs"]
mod pki;
#[path = "../load/tls.rs"]
mod tls;
mod work;

use std::path::Path;

use options::Options;

fn main() {
    // Threads check what arrives: a fault that one of them finds is the end of all.
    std::panic::set_hook(Box::new(|fault| {
        eprintln!("{fault}");
        std::process::exit(1);
    }));
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [work, directory, rest @ ..] = arguments.as_slice() else {
        panic!("drive WORK DIRECTORY [--key N]...");
    };
    let directory = Path::new(directory);
    if work == "pki" {
        return options::write_pki(directory, rest[0].parse().unwrap());
    }
    let options = Options::new(directory, rest);
    match work.as_str() {
        "inbound" => work::inbound(&options),
        "flood" => work::flood(&options),
        "outbound" => work::outbound(&options),
        "trips" => work::trips(&options),
        "paced" => work::paced(&options),
        "negotiations" => work::negotiations(&options),
        "idle" => work::idle(&options),
        other => panic!("no such work: {other}"),
    }
}
