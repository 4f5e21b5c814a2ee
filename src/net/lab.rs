//! The fault laboratory: an edge between two partners and two gateways, all in one thread and on
//! virtual time, driven by a seed. The edge is the real one, from its sessions inwards; connections are
//! in memory, and the others are scripts.
//!
//! `XMPP_EDGE_SCHEDULES=10000 cargo test --lib net::lab` runs so many schedules, and
//! `XMPP_EDGE_SCHEDULE_SEED=17` that one alone. Where several things happen at the same instant, tokio
//! chooses by chance; built with `RUSTFLAGS='--cfg tokio_unstable'` it chooses by the seed, too.

mod acked;
mod dice;
mod drain;
mod fates;
mod gateway;
mod partner;
mod schedule;
mod script;
mod world;

use fates::Tally;
use schedule::run;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn whatever_breaks_the_fate_of_every_stanza_is_known() {
    let seeds = match number("XMPP_EDGE_SCHEDULE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("XMPP_EDGE_SCHEDULES").unwrap_or(500),
    };
    let begun = std::time::Instant::now();
    // Each schedule has one thread; two of them share the work.
    let run_all = |from: u64| {
        let mut total = Tally::default();
        for seed in (seeds.start + from..seeds.end).step_by(2) {
            total += run(seed).unwrap_or_else(|fault| panic!("{fault}"));
        }
        total
    };
    let total = std::thread::scope(|scope| {
        let other = scope.spawn(|| run_all(1));
        let mut total = run_all(0);
        match other.join() {
            Ok(others) => total += others,
            Err(fault) => std::panic::resume_unwind(fault),
        }
        total
    });
    println!("{seeds:?}: {total:?} in {:?}", begun.elapsed());
    if seeds.end > seeds.start + 100 {
        // A laboratory in which nothing breaks would prove nothing.
        assert!(total.delivered > total.accepted / 2 && total.lost > 0 && total.bounced > 0);
    }
}
