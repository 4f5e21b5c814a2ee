//! A world so small that all of it can be seen: three stanzas, one connection that breaks or one end that
//! dies, one that comes again. The fault comes after each single read and write that there is on the way of
//! the three, and the one who is gone comes back after each that follows. Connections take few bytes at a
//! time, so the fault finds tags and stanzas in pieces.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::peer::{Board, Peer, Role};
use super::server::{Habit, Server};
use super::{Stage, Tally};
use crate::net::io::chance;
use crate::net::lab::script::{LOCALS, PARTNERS, message, user};
use crate::net::lab::world::{GRACE, Kind, World};

/// So many bytes go through a connection at a time: a stanza is two pieces and a little.
const PIECE: usize = 97;
/// When nothing has happened for so long, nothing will: the clock is stopped.
const QUIET: Duration = Duration::from_secs(5);
/// The gateway, and the partner's stream to its domain, among the peers of a stage.
const GATEWAY: usize = 0;
const PARTNER: usize = LOCALS.len();

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The connection of this peer breaks.
    Cut(usize),
    /// This peer dies, and forgets what it has not acknowledged.
    Death(usize),
    /// The edge's own stream to the partner breaks.
    CutOut,
}

/// When whoever is gone comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Back {
    /// After so many more reads and writes.
    After(u64),
    /// When others are not waited for any more.
    TooLate,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    /// Whether the gateway and the partner acknowledge.
    acks: [bool; 2],
    /// Whether the stanzas go from the partner to the gateway.
    is_inward: bool,
    fault: Fault,
    /// After so many reads and writes.
    at: u64,
    back: Back,
}

/// How far a case has come.
struct Played {
    tally: Tally,
    /// Whether the fault came before the end of all that happens.
    has_broken: bool,
    /// Whether nothing happened any more before whoever was gone came back.
    was_quiet: bool,
}

impl Stage {
    /// One gateway and one partner's server are used; whether they acknowledge, and how late.
    pub(super) fn small(acks: [bool; 2], late: [Duration; 2]) -> Self {
        let board = Arc::<std::sync::Mutex<Board>>::default();
        let peer = |role, kind: usize| {
            let mut peer = Peer::new(role, &board);
            (peer.acks, peer.late) = (acks[kind], late[kind]);
            peer.is_strict = kind == 1 && acks[0];
            Arc::new(peer)
        };
        let mut peers: Vec<_> = (0..LOCALS.len())
            .map(|local| peer(Role::Gateway(local), 0))
            .collect();
        peers.push(peer(Role::Partner(0, 0), 1));
        let (world, said) = (World::new(), Vec::new());
        let mut servers = [None, None];
        if acks[1] {
            let server = Server::new(0, Habit::Resumes, late[1], &board);
            servers[0] = Some(world.served_by(0, server));
        }
        Self {
            world,
            board,
            peers,
            servers,
            said,
        }
    }

    /// One of the two says something to the other.
    pub(super) fn tell(&mut self, from: usize, bytes: usize) {
        let (sender, receiver) = match from {
            GATEWAY => (LOCALS[0], PARTNERS[0]),
            _ => (PARTNERS[0], LOCALS[0]),
        };
        let id = format!("{from}-{}", self.said.len());
        let stanza = message(&user("a", sender), &user("b", receiver), &id, bytes);
        self.said.push((from, id.clone()));
        self.peers[from].say(id, stanza);
    }
}

impl Case {
    fn kind(&self) -> Kind {
        match self.fault {
            Fault::Cut(GATEWAY) | Fault::Death(GATEWAY) => Kind::Link(0),
            Fault::Cut(_) | Fault::Death(_) => Kind::In(0, 0),
            Fault::CutOut => Kind::Out(0),
        }
    }

    async fn play(self) -> Result<Played, String> {
        let mut stage = Stage::small(self.acks, [Duration::ZERO; 2]);
        let around = Arc::clone(&stage.world.around);
        let clock = Arc::clone(&around.clock);
        let trap = |after: u64, also: Option<Kind>| {
            let sprung = Arc::new(Notify::new());
            let (around, tell) = (Arc::clone(&around), Arc::clone(&sprung));
            clock.lock().unwrap().set_trap(after, move || {
                if let Some(kind) = also {
                    around.lines(|lines| {
                        let chosen = lines.iter().filter(|line| line.kind == kind);
                        chosen.for_each(|line| line.wire.cut());
                    });
                }
                tell.notify_one();
            });
            sprung
        };
        for peer in [GATEWAY, PARTNER] {
            stage.connect(peer);
        }
        sleep(QUIET).await;
        clock.lock().unwrap().narrow(PIECE);
        let sprung = trap(self.at, Some(self.kind()));
        for _ in 0..3 {
            stage.tell(if self.is_inward { PARTNER } else { GATEWAY }, 20);
        }
        let has_broken = timeout(QUIET, sprung.notified()).await.is_ok();
        clock.lock().unwrap().disarm();
        let mut was_quiet = true;
        if let (true, Fault::Cut(peer) | Fault::Death(peer)) = (has_broken, self.fault) {
            if matches!(self.fault, Fault::Death(_)) {
                stage.peers[peer].dies();
            }
            match self.back {
                Back::After(0) => was_quiet = false,
                Back::After(steps) => {
                    let sprung = trap(steps, None);
                    was_quiet = timeout(QUIET, sprung.notified()).await.is_err();
                    clock.lock().unwrap().disarm();
                }
                Back::TooLate => sleep(GRACE + QUIET).await,
            }
            stage.connect(peer);
        }
        // Everything has its time now.
        let patience = Instant::now() + 10 * GRACE;
        let waits = |stage: &Stage| {
            let unsaid: usize = stage.peers.iter().map(|peer| peer.unsaid()).sum();
            unsaid > 0 || stage.world.edge.ledger.total().queued > 0
        };
        loop {
            sleep(QUIET).await;
            if !waits(&stage) || Instant::now() > patience {
                break;
            }
        }
        let tally = stage.left().0.check(false)?;
        Ok(Played {
            tally,
            has_broken,
            was_quiet,
        })
    }

    fn run(self) -> Played {
        let _seeded = chance::seed(1);
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true);
        let runtime = builder.build().unwrap();
        runtime
            .block_on(self.play())
            .unwrap_or_else(|fault| panic!("{fault}\n  {self:?}"))
    }
}

/// Plays all that can happen between two ends and one fault; how many cases these are, and what they came to.
fn explore(case: Case) -> (usize, Tally) {
    let (mut count, mut total) = (0, Tally::default());
    let mut note = |played: &Played| {
        count += 1;
        total.said += played.tally.said;
        total.twice += played.tally.twice;
        total.bounced += played.tally.bounced;
        total.lost += played.tally.lost;
        total.resumed += played.tally.resumed;
        total.resumed_out += played.tally.resumed_out;
    };
    for at in 1.. {
        let case = Case { at, ..case };
        for steps in 0.. {
            let back = Back::After(steps);
            let played = Case { back, ..case }.run();
            note(&played);
            if !played.has_broken {
                return (count, total);
            }
            if played.was_quiet {
                break;
            }
        }
        if case.fault != Fault::CutOut {
            let back = Back::TooLate;
            note(&Case { back, ..case }.run());
        }
    }
    unreachable!("there is an end to what happens")
}

#[test]
fn every_interleaving_of_three_stanzas_one_fault_and_one_return() {
    let faults = [
        Fault::Cut(GATEWAY),
        Fault::Death(GATEWAY),
        Fault::Cut(PARTNER),
        Fault::Death(PARTNER),
        Fault::CutOut,
    ];
    let begun = std::time::Instant::now();
    let mut cases = Vec::new();
    for acks in [[false, false], [false, true], [true, false], [true, true]] {
        for is_inward in [true, false] {
            // The stanzas pass only some of the connections.
            // Who acknowledges nothing forgets nothing when it dies.
            let makes_a_difference = |fault: &&Fault| match **fault {
                Fault::Cut(GATEWAY) => true,
                Fault::Death(GATEWAY) => acks[0],
                Fault::Cut(_) => is_inward,
                Fault::Death(_) => is_inward && acks[1],
                Fault::CutOut => !is_inward,
            };
            let on_the_way = faults.iter().filter(makes_a_difference);
            cases.extend(on_the_way.map(|fault| Case {
                acks,
                is_inward,
                fault: *fault,
                at: 1,
                back: Back::After(0),
            }));
        }
    }
    let run_all = |from: usize| {
        let (mut count, mut lines) = (0, Vec::new());
        for case in cases.iter().skip(from).step_by(2) {
            let (more, total) = explore(*case);
            count += more;
            let Case {
                acks,
                is_inward,
                fault,
                ..
            } = case;
            lines.push(format!("{acks:?} {is_inward} {fault:?}: {more}: {total:?}"));
            if *acks == [true, true] {
                assert_eq!(total.lost, 0, "{case:?}");
            }
            if *fault == Fault::CutOut && acks[1] {
                assert!(total.resumed_out > 5, "{case:?}: {total:?}");
                assert_eq!(total.twice, 0, "{case:?}: {total:?}");
            }
        }
        (count, lines)
    };
    let (count, lines) = std::thread::scope(|scope| {
        let other = scope.spawn(|| run_all(1));
        let (mut count, mut lines) = run_all(0);
        match other.join() {
            Ok((more, others)) => {
                count += more;
                lines.extend(others);
            }
            Err(fault) => std::panic::resume_unwind(fault),
        }
        (count, lines)
    });
    println!(
        "{count} cases in {:?}\n{}",
        begun.elapsed(),
        lines.join("\n")
    );
    // A world in which next to nothing happens would prove nothing.
    assert!(count > 1000, "{count}");
}

/// The gateway has acknowledged before, comes again while something waits, and is held up in the middle of
/// saying so: what waits is not written to where nobody would acknowledge it.
#[test]
fn a_link_that_stalls_anywhere_in_its_beginning_loses_nothing() {
    for at in 1.. {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true);
        let has_stalled = builder.build().unwrap().block_on(stalled_at(at));
        if !has_stalled {
            assert!(at > 10, "{at}");
            return;
        }
    }
}

async fn stalled_at(at: u64) -> bool {
    let mut stage = Stage::small([true, true], [Duration::ZERO; 2]);
    let around = Arc::clone(&stage.world.around);
    for peer in [GATEWAY, PARTNER] {
        stage.connect(peer);
    }
    sleep(QUIET).await;
    stage.cut(Kind::Link(0));
    for _ in 0..3 {
        stage.tell(PARTNER, 20);
    }
    sleep(QUIET).await;
    let stalled = Arc::new(Notify::new());
    let tell = Arc::clone(&stalled);
    let wires = Arc::clone(&around);
    around.clock.lock().unwrap().set_trap(at, move || {
        wires.lines(|lines| {
            let links = lines.iter().filter(|line| line.kind == Kind::Link(0));
            links.for_each(|line| line.wire.stall(true));
        });
        tell.notify_one();
    });
    stage.connect(GATEWAY);
    let has_stalled = timeout(QUIET, stalled.notified()).await.is_ok();
    around.clock.lock().unwrap().disarm();
    sleep(QUIET).await;
    stage.cut(Kind::Link(0));
    stage.connect(GATEWAY);
    sleep(2 * QUIET).await;
    let tally = stage.left().0.check(false);
    let tally = tally.unwrap_or_else(|fault| panic!("stalled at {at}: {fault}"));
    assert_eq!((tally.lost, tally.bounced), (0, 0), "stalled at {at}");
    has_stalled
}
