//! Partners that never acknowledge: what is written to them is neither lost nor written for ever.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Stage;
use super::left::Left;
use super::server::{Habit, Server};
use crate::net::io::chance;
use crate::net::io::transport::memory::Side;
use crate::net::lab::fates::messages;
use crate::net::lab::world::Kind;
use crate::net::relay::queue::MOST_TIMES;
use crate::net::session::send_buffer::UNACKNOWLEDGED_BYTES;

/// The gateway among the peers of a stage.
const GATEWAY: usize = 0;
/// Longer than any stanza may take.
const LONG: Duration = Duration::from_secs(400);

/// Plays with a gateway and a partner of this habit, in virtual time.
fn on_stage<T>(habit: Habit, late: Duration, play: impl AsyncFnOnce(Stage) -> T) -> T {
    let _seeded = chance::seed(1);
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    builder.build().unwrap().block_on(async {
        let mut stage = Stage::small([true, false], [Duration::ZERO; 2]);
        let server = Server::new(0, habit, late, &stage.board);
        stage.servers[0] = Some(stage.world.served_by(0, server));
        stage.connect(GATEWAY);
        sleep(Duration::from_secs(1)).await;
        play(stage).await
    })
}

/// Three stanzas go to a partner; its stream is cut, again and again, so long after something came. How often each
/// was written, and how long it took until nothing waited.
fn play(habit: Habit, late: Duration, cut_after: Option<Duration>) -> (Vec<usize>, Duration) {
    on_stage(habit, late, async |mut stage| {
        (0..3).for_each(|_| stage.tell(GATEWAY, 20));
        let begun = Instant::now();
        let mut took = None;
        while begun.elapsed() < LONG {
            sleep(cut_after.unwrap_or(Duration::from_secs(1))).await;
            if cut_after.is_some() {
                stage.cut(Kind::Out(0));
            }
            if stage.world.edge.ledger.total().queued == 0 {
                took.get_or_insert_with(|| begun.elapsed());
            }
        }
        let (left, _daemon) = stage.left();
        left.check(false).unwrap_or_else(|fault| panic!("{fault}"));
        (times(&left), took.expect("nothing waits any more"))
    })
}

/// How often each of the three was written to the partner; each was bounced.
fn times(left: &Left) -> Vec<usize> {
    left.around.lines(|lines| {
        let of = |wanted: Kind, id: &str, is_error| {
            let lines = lines.iter().filter(|line| line.kind == wanted);
            let seen = lines.flat_map(|line| messages(line, Side::Edge));
            seen.filter(|it| it.id == id && it.is_error == is_error)
                .count()
        };
        let ids = left.said.iter().map(|(_, id)| id);
        ids.map(|id| {
            assert_eq!(of(Kind::Link(0), id, true), 1, "{id}");
            of(Kind::Out(0), id, false)
        })
        .collect()
    })
}

#[test]
fn what_a_partner_never_takes_on_comes_back_in_time() {
    let (times, took) = play(Habit::TakesNothingOn, Duration::ZERO, None);
    // The stream has two minutes, and then the stanzas are too old for the next one.
    assert_eq!(times, [1, 1, 1]);
    assert!(took < Duration::from_secs(130), "{took:?}");
}

#[test]
fn what_ends_each_stream_that_it_is_written_on_comes_back_after_a_few() {
    let cut = Some(Duration::from_secs(3));
    for habit in [Habit::Forgets, Habit::TakesNothingOn] {
        let (times, took) = play(habit, Duration::from_secs(10), cut);
        assert_eq!(times, [usize::from(MOST_TIMES); 3], "{habit:?}");
        assert!(took < Duration::from_secs(25), "{took:?}");
    }
}

#[test]
fn who_takes_nothing_on_holds_no_more_than_a_lane_does() {
    on_stage(Habit::TakesNothingOn, Duration::ZERO, async |mut stage| {
        (0..500).for_each(|_| stage.tell(GATEWAY, 8_000));
        sleep(Duration::from_secs(10)).await;
        let written = stage.world.around.lines(|lines| {
            let out = lines.iter().filter(|line| line.kind == Kind::Out(0));
            out.map(|line| line.wire.record(Side::Edge).written.len())
                .sum::<usize>()
        });
        let most = UNACKNOWLEDGED_BYTES;
        assert!(
            (most / 2..most + (64 << 10)).contains(&written),
            "{written}"
        );
        sleep(LONG).await;
        let (left, _daemon) = stage.left();
        left.check(false).unwrap_or_else(|fault| panic!("{fault}"));
    });
}

#[test]
fn who_closes_each_stream_as_soon_as_it_opens_is_not_dialled_without_end() {
    on_stage(
        Habit::ClosesAtOnce,
        Duration::from_millis(1),
        async |mut stage| {
            (0..3).for_each(|_| stage.tell(GATEWAY, 20));
            // The second of two streams that come to nothing is a failure, and what waits comes back.
            while stage.world.edge.ledger.total().bounced < 3 {
                sleep(Duration::from_millis(10)).await;
                let count = stage.wires(Kind::Out(0)).len();
                assert!(count <= 2, "{count} streams");
            }
            let (left, _daemon) = stage.left();
            left.check(false).unwrap_or_else(|fault| panic!("{fault}"));
            assert_eq!(times(&left), [0; 3]);
        },
    );
}
