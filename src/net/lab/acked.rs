//! Schedules in which partners and gateways acknowledge and resume (XEP-0198): nothing is lost, and what
//! comes twice is what nobody could know of.
//!
//! `XMPP_EDGE_ACKED_SCHEDULES` says how many, `XMPP_EDGE_SCHEDULE_SEED` which one alone.

mod hostile;
mod hurt;
mod left;
mod never;
mod peer;
mod server;
mod small;
mod stopped;

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};

pub(in crate::net::lab) use self::server::Server;

use self::left::Left;
use self::peer::{Board, Peer, Role};
use self::server::Habit;
use super::dice::Dice;
use super::number;
use super::script::{LOCALS, PARTNERS, message, user};
use super::world::{Kind, World};
use crate::net::daemon::Daemon;
use crate::net::io::chance;
use crate::net::io::transport::memory::Wire;

/// Everybody around the edge, and what became of what they said.
struct Stage {
    world: World,
    board: Arc<Mutex<Board>>,
    peers: Vec<Arc<Peer>>,
    /// Who takes the edge's own streams, where that one acknowledges.
    servers: [Option<Arc<Server>>; PARTNERS.len()],
    said: Vec<(usize, String)>,
}

/// Something that happens to one of them.
#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(Duration),
    /// It sends so many stanzas of so many bytes.
    Say(usize, usize, usize),
    /// Its connection breaks.
    Cut(usize),
    /// It connects anew; the older connection is as dead as the edge finds it.
    Connect(usize),
    /// Nothing gets through to it any more.
    Hole(usize),
    /// It connects anew, and does not resume.
    Forget(usize),
    /// It dies, and begins anew.
    Kill(usize),
    /// All connections of the edge to a partner break.
    CutOut(usize),
    /// Nothing gets through on them any more.
    HoleOut(usize),
    /// They break, and the partner's server begins anew.
    ForgetOut(usize),
    Reload,
}

/// What a schedule has come to.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    said: usize,
    twice: usize,
    bounced: usize,
    lost: usize,
    resumed: usize,
    /// How often the edge has resumed a session of its own.
    resumed_out: usize,
    /// How many stanzas went over the stream of another pair.
    shared: usize,
}

impl Stage {
    fn new(dice: &mut Dice) -> Self {
        let world = World::new();
        let board = Arc::<Mutex<Board>>::default();
        let mut peers = Vec::new();
        let with_acks: Vec<_> = LOCALS.iter().map(|_| dice.below(4) > 0).collect();
        for (local, acks) in with_acks.iter().enumerate() {
            let mut gateway = Peer::new(Role::Gateway(local), &board);
            (gateway.acks, gateway.late) = (*acks, late(dice));
            peers.push(gateway);
        }
        let servers = std::array::from_fn(|partner| {
            let habit = [
                None,
                Some(Habit::Forgets),
                Some(Habit::Shares(true)),
                Some(Habit::Shares(false)),
                Some(Habit::Resumes),
                Some(Habit::Resumes),
            ][dice.below(6)]?;
            let server = Server::new(partner, habit, late(dice), &board);
            Some(world.served_by(partner, server))
        });
        for gateway in &mut peers {
            // What a partner that acknowledges nothing has, nobody knows.
            gateway.is_strict = servers.iter().all(Option::is_some);
        }
        for partner in 0..PARTNERS.len() {
            for (local, is_strict) in with_acks.iter().enumerate() {
                let mut server = Peer::new(Role::Partner(partner, local), &board);
                (server.acks, server.late) = (dice.below(4) > 0, late(dice));
                server.is_strict = *is_strict;
                peers.push(server);
            }
        }
        Self {
            world,
            board,
            peers: peers.into_iter().map(Arc::new).collect(),
            servers,
            said: Vec::new(),
        }
    }

    fn connect(&self, peer: usize) {
        let lives = Arc::clone(&self.peers[peer]);
        match lives.role {
            Role::Gateway(local) => self.world.link_as(local, |end, _, _| {
                tokio::spawn(lives.lives(end));
            }),
            Role::Partner(partner, local) => self.world.enter_as(partner, local, |end, _, _| {
                tokio::spawn(lives.lives(end));
            }),
        }
    }

    fn kind(&self, peer: usize) -> Kind {
        match self.peers[peer].role {
            Role::Gateway(local) => Kind::Link(local),
            Role::Partner(partner, local) => Kind::In(partner, local),
        }
    }

    fn wires(&self, kind: Kind) -> Vec<Wire> {
        self.world.around.lines(|lines| {
            let chosen = lines.iter().filter(|line| line.kind == kind);
            chosen.map(|line| line.wire.clone()).collect()
        })
    }

    fn cut(&self, kind: Kind) {
        self.wires(kind)
            .iter()
            .filter(|it| !it.is_over())
            .for_each(Wire::cut);
    }

    fn say(&mut self, peer: usize, count: usize, bytes: usize) {
        for _ in 0..count {
            let id = format!("{peer}-{}", self.said.len());
            let (from, to) = match self.peers[peer].role {
                Role::Gateway(local) => (LOCALS[local], PARTNERS[self.said.len() % 2]),
                Role::Partner(partner, local) => (PARTNERS[partner], LOCALS[local]),
            };
            let stanza = message(&user("a", from), &user("b", to), &id, bytes);
            self.said.push((peer, id.clone()));
            self.peers[peer].say(id, stanza);
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Wait(time) => sleep(time).await,
            Step::Say(peer, count, bytes) => self.say(peer, count, bytes),
            Step::Cut(peer) => self.cut(self.kind(peer)),
            Step::Connect(peer) => {
                // Whoever cannot resume, and comes beside its own old connection, asks for disorder.
                if !self.peers[peer].acks {
                    self.cut(self.kind(peer));
                }
                self.connect(peer);
            }
            Step::Hole(peer) => {
                let wires = self.wires(self.kind(peer));
                wires.iter().for_each(|wire| wire.stall(true));
            }
            Step::Forget(peer) => {
                self.cut(self.kind(peer));
                self.peers[peer].begins_anew();
                self.connect(peer);
            }
            Step::Kill(peer) => {
                self.cut(self.kind(peer));
                self.peers[peer].dies();
                self.connect(peer);
            }
            Step::CutOut(partner) => self.cut(Kind::Out(partner)),
            Step::HoleOut(partner) => {
                let wires = self.wires(Kind::Out(partner));
                wires.iter().for_each(|wire| wire.stall(true));
            }
            Step::ForgetOut(partner) => {
                self.cut(Kind::Out(partner));
                if let Some(server) = &self.servers[partner] {
                    server.begins_anew();
                }
            }
            Step::Reload => self.world.reload(),
        }
    }

    /// Everything works again, and has time.
    async fn recover(&self) {
        for peer in 0..self.peers.len() {
            self.cut(self.kind(peer));
            self.connect(peer);
        }
        let patience = Instant::now() + Duration::from_secs(900);
        let waits = || {
            let unsaid: usize = self.peers.iter().map(|peer| peer.unsaid()).sum();
            unsaid > 0 || self.world.edge.ledger.total().queued > 0
        };
        while waits() && Instant::now() < patience {
            sleep(Duration::from_secs(1)).await;
        }
        sleep(Duration::from_secs(3)).await;
    }

    /// What there is to check when it is over.
    fn left(self) -> (Left, Daemon) {
        let World {
            edge,
            around,
            daemon,
        } = self.world;
        let left = Left {
            edge,
            around,
            board: self.board,
            peers: self.peers,
            servers: self.servers,
            said: self.said,
        };
        (left, daemon)
    }
}

fn late(dice: &mut Dice) -> Duration {
    Duration::from_millis([0, 5, 300, 3_000][dice.below(4)])
}

fn step(dice: &mut Dice) -> Step {
    let peer = dice.below(6);
    match dice.below(20) {
        0..4 => Step::Wait(dice.time().min(Duration::from_secs(8))),
        4..9 => {
            let bytes = if dice.below(6) == 0 {
                3_000
            } else {
                dice.below(100)
            };
            Step::Say(peer, 1 + dice.below(12), bytes)
        }
        9 => Step::Cut(peer),
        10..12 => Step::Connect(peer),
        12 => Step::Hole(peer),
        13 => Step::Kill(peer),
        14 => Step::CutOut(peer % 2),
        15 => Step::Forget(peer),
        16 => Step::CutOut(peer % 2),
        17 => Step::HoleOut(peer % 2),
        18 => Step::ForgetOut(peer % 2),
        _ => Step::Reload,
    }
}

fn run(seed: u64) -> Result<Tally, String> {
    let _seeded = chance::seed(seed);
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
    builder.build().unwrap().block_on(async {
        let mut dice = Dice(seed);
        let mut stage = Stage::new(&mut dice);
        let begun = Instant::now();
        (0..stage.peers.len()).for_each(|peer| stage.connect(peer));
        let peers = stage.peers.iter().map(|it| (it.role, it.acks, it.late));
        let mut story = vec![format!("{:?}", peers.collect::<Vec<_>>())];
        let servers = stage
            .servers
            .iter()
            .map(|it| it.as_ref().map(|it| it.habit));
        story.push(format!("{:?}", servers.collect::<Vec<_>>()));
        for _ in 0..10 + dice.below(25) {
            let step = step(&mut dice);
            story.push(format!("{:>8} ms {step:?}", begun.elapsed().as_millis()));
            stage.take(step).await;
        }
        let is_stopped = seed % 4 == 3;
        if !is_stopped {
            stage.recover().await;
        }
        let (left, daemon) = stage.left();
        if is_stopped {
            story.push(format!("{:>8} ms stopped", begun.elapsed().as_millis()));
            daemon.drain().await;
            sleep(Duration::from_secs(5)).await;
        }
        let story = || story.join("\n  ");
        left.check(is_stopped)
            .map_err(|fault| format!("seed {seed}: {fault}\n  {}", story()))
    })
}

/// The seeds to play: the one that was asked for, or one of so many `parts` of all.
fn seeds(parts: u64) -> Range<u64> {
    match number("XMPP_EDGE_SCHEDULE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("XMPP_EDGE_ACKED_SCHEDULES").unwrap_or(300) / parts,
    }
}

#[test]
fn with_acknowledgements_nothing_is_lost_whatever_breaks() {
    let seeds = seeds(1);
    let mut total = Tally::default();
    for seed in seeds.clone() {
        let tally = run(seed).unwrap_or_else(|fault| panic!("{fault}"));
        total.said += tally.said;
        total.twice += tally.twice;
        total.bounced += tally.bounced;
        total.lost += tally.lost;
        total.resumed += tally.resumed;
        total.resumed_out += tally.resumed_out;
        total.shared += tally.shared;
    }
    println!("{seeds:?}: {total:?}");
    if seeds.end > seeds.start + 100 {
        assert!(
            total.resumed > 100 && total.twice > 0 && total.lost > 0,
            "{total:?}"
        );
        assert!(total.resumed_out > 5 && total.shared > 20, "{total:?}");
    }
}
