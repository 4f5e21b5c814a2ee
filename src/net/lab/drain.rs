//! How the edge stops: in the order in which stanzas flow, and with nothing left behind.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::fates::{End, check};
use super::script::{LOCALS, PARTNERS, message, user};
use super::world::{Kind, World};
use crate::net::io::transport::memory::Side;

/// Says so many things on the connections of one kind.
fn say(world: &World, kind: Kind, from: &str, to: &str, count: usize) {
    world.around.lines(|lines| {
        let line = lines.iter().enumerate().find(|(_, line)| line.kind == kind);
        let (place, line) = line.expect("a connection");
        let say = line.say.as_ref().expect("nobody has hung up");
        for number in 0..count {
            let id = format!("{place}-{number}");
            let stanza = message(&user("a", from), &user("b", to), &id, 200);
            say.try_send(stanza).unwrap();
        }
    });
}

/// A partner says so many things to a gateway that has just ceased to read.
async fn say_to_who_reads_nothing(world: &World, count: usize) {
    (0..LOCALS.len()).for_each(|local| world.link(local));
    world.enter(0, 0);
    sleep(Duration::from_secs(1)).await;
    world.around.lines(|lines| {
        for line in lines.iter().filter(|line| line.kind == Kind::Link(0)) {
            line.wire.stall(true);
        }
    });
    say(world, Kind::In(0, 0), PARTNERS[0], LOCALS[0], count);
    sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn streams_close_in_the_order_in_which_stanzas_flow_and_leave_nothing() {
    let world = World::new();
    (0..LOCALS.len()).for_each(|local| world.link(local));
    for partner in 0..PARTNERS.len() {
        world.enter(partner, partner);
        say(
            &world,
            Kind::In(partner, partner),
            PARTNERS[partner],
            LOCALS[partner],
            300,
        );
        say(
            &world,
            Kind::Link(partner),
            LOCALS[partner],
            PARTNERS[partner],
            300,
        );
    }
    // In the middle of it: something has passed, and something waits still.
    while world.edge.ledger.total().delivered < 100 {
        sleep(Duration::from_millis(1)).await;
    }
    let begun = Instant::now();
    let World {
        edge,
        around,
        daemon,
    } = world;
    daemon.drain().await;
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    sleep(Duration::from_secs(1)).await;
    around.lines(|lines| {
        let tally = check(lines, &edge.ledger, End::Stopped).unwrap();
        assert_eq!(
            (tally.bounced, tally.dropped, tally.lost),
            (0, 0, 0),
            "{tally:?}"
        );
        // Partners' streams first, then links, then ours; each with a word.
        let closed = |wanted: fn(Kind) -> bool| {
            let chosen = lines.iter().filter(|line| wanted(line.kind));
            let records = chosen.map(|line| (line, line.wire.record(Side::Edge)));
            // Streams that asked about a key have ended long before.
            let asked = b"<db:verify from=".as_slice();
            let mut numbers: Vec<_> = records
                .filter(|(_, record)| !record.written.windows(asked.len()).any(|it| it == asked))
                .map(|(line, record)| {
                    assert!(
                        record.written.ends_with(b"</stream:stream>"),
                        "{:?}",
                        line.kind
                    );
                    assert!(!line.wire.is_dead() && record.read == record.written.len());
                    record.marks.last().unwrap().0
                })
                .collect();
            numbers.sort_unstable();
            (numbers[0], numbers[numbers.len() - 1])
        };
        let inbound = closed(|kind| matches!(kind, Kind::In(..)));
        let links = closed(|kind| matches!(kind, Kind::Link(_)));
        let ours = closed(|kind| matches!(kind, Kind::Out(_)));
        assert!(
            inbound.1 < links.0 && links.1 < ours.0,
            "{inbound:?} {links:?} {ours:?}"
        );
    });
}

#[tokio::test(start_paused = true)]
async fn who_reads_nothing_holds_the_stop_up_for_its_time_and_no_longer() {
    let world = World::new();
    say_to_who_reads_nothing(&world, 500).await;
    let begun = Instant::now();
    let World { edge, daemon, .. } = world;
    daemon.drain().await;
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(5) && took < Duration::from_secs(25),
        "{took:?}"
    );
    let total = edge.ledger.total();
    assert!(edge.ledger.balances() && total.queued == 0, "{total:?}");
}

/// The stream waits for room when the edge is told to stop, with more in hand than finds room at once.
#[tokio::test(start_paused = true)]
async fn whoever_waited_for_room_is_told_of_all_that_it_had_sent() {
    let world = World::new();
    // Room for a small part of it.
    world.edge.hub.set_queue_bytes(1_000_000);
    say_to_who_reads_nothing(&world, 4_000).await;
    let World { edge, daemon, .. } = world;
    let before = edge.ledger.total().accepted;
    daemon.drain().await;
    let total = edge.ledger.total();
    assert!(total.accepted > before, "{total:?}");
    // But for the batch that the link has in its hands: the gateway may have that.
    assert!(total.dropped < 30 && total.queued == 0, "{total:?}");
}
