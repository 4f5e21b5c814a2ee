//! The edge is stopped while both sides acknowledge: what it has acknowledged is with whom it was for, and
//! all else is with its sender still.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::fates::messages;
use super::super::world::Kind;
use super::Stage;
use crate::net::io::transport::memory::Side;

const GATEWAY: usize = 0;
const PARTNER: usize = 2;

/// Stops the edge while both sides speak; how long that took, how much had come, and how much is left.
async fn stop(late: Duration) -> (Duration, usize, usize) {
    let mut stage = Stage::small([true, true], [late, Duration::ZERO]);
    for peer in [GATEWAY, PARTNER] {
        stage.connect(peer);
    }
    sleep(Duration::from_secs(1)).await;
    for round in 0..100 {
        for peer in [GATEWAY, PARTNER] {
            for _ in 0..3 {
                stage.tell(peer, 100);
            }
        }
        if round < 50 {
            sleep(Duration::from_millis(5)).await;
        }
    }
    let begun = Instant::now();
    let (left, daemon) = stage.left();
    // They go on speaking.
    let talking = left.peers[PARTNER].clone();
    let gateway = left.peers[GATEWAY].clone();
    let more = tokio::spawn(async move {
        for number in 0..1000 {
            for (peer, from, to) in [
                (&talking, "a@fabrikam.example", "b@contoso.example"),
                (&gateway, "a@contoso.example", "b@fabrikam.example"),
            ] {
                let id = format!("{from}more-{number}");
                let stanza = super::message(from, to, &id, 100);
                peer.say(id, stanza);
            }
            sleep(Duration::from_millis(5)).await;
        }
    });
    daemon.drain().await;
    let took = begun.elapsed();
    sleep(Duration::from_secs(5)).await;
    more.await.unwrap();
    let (mut came, mut kept) = (0, 0);
    let carried: Vec<_> = left.around.lines(|lines| {
        let out = lines.iter().filter(|it| matches!(it.kind, Kind::Out(_)));
        let seen = out.flat_map(|line| messages(line, Side::Edge));
        seen.filter(|it| it.is_read).map(|it| it.id).collect()
    });
    let of_gateway = left.peers[GATEWAY].came();
    for (peer, id) in &left.said {
        let there = if *peer == GATEWAY {
            &carried
        } else {
            &of_gateway
        };
        let times = there.iter().filter(|it| *it == id).count();
        let is_kept = left.peers[*peer].has_unsaid(id);
        assert!(
            times == usize::from(!is_kept),
            "{id} came {times} times, and its sender has it: {is_kept}"
        );
        came += times;
        kept += usize::from(is_kept);
    }
    let more = of_gateway.iter().chain(&carried);
    for id in more.filter(|id| id.contains("more")) {
        let peers = [GATEWAY, PARTNER].map(|it| left.peers[it].has_unsaid(id));
        assert_eq!(peers, [false, false], "{id}");
    }
    left.check(true).unwrap();
    (took, came, kept)
}

#[tokio::test(start_paused = true)]
async fn who_acknowledges_late_is_waited_for_and_nothing_comes_twice_or_not_at_all() {
    for late in [0, 300, 3_000, 9_000].map(Duration::from_millis) {
        let (took, came, kept) = stop(late).await;
        println!("{late:?}: took {took:?}, {came} came, {kept} did not");
        assert!(came >= 300, "{came}");
        assert!(took < late + Duration::from_secs(2), "{took:?}");
    }
}

/// A gateway that takes on nothing: nothing is acknowledged, and all of it may come twice but for what waits.
#[tokio::test(start_paused = true)]
async fn what_a_gateway_never_takes_on_stays_with_its_sender() {
    let mut stage = Stage::small([true, true], [Duration::from_secs(50), Duration::ZERO]);
    for peer in [GATEWAY, PARTNER] {
        stage.connect(peer);
    }
    sleep(Duration::from_secs(1)).await;
    for _ in 0..500 {
        stage.tell(PARTNER, 100);
    }
    sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    let (left, daemon) = stage.left();
    daemon.drain().await;
    assert!(begun.elapsed() < Duration::from_secs(20));
    sleep(Duration::from_secs(5)).await;
    for (_, id) in &left.said {
        assert!(left.peers[PARTNER].has_unsaid(id), "{id}");
    }
    let total = left.edge.ledger.total();
    assert_eq!((total.queued, total.bounced), (0, 0), "{total:?}");
}
