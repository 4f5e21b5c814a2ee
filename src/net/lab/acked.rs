//! Schedules in which partners and gateways acknowledge and resume (XEP-0198): nothing is lost, and what
//! comes twice is what nobody could know of.
//!
//! `XMPP_EDGE_ACKED_SCHEDULES` says how many, `XMPP_EDGE_SCHEDULE_SEED` which one alone.

mod never;
mod peer;
mod server;
mod small;
mod stopped;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};

pub(in crate::net::lab) use self::server::Server;

use self::peer::{Board, Peer, Role};
use self::server::Habit;
use super::fates::messages;
use super::number;
use super::schedule::Dice;
use super::script::{LOCALS, PARTNERS, message, user};
use super::world::{Around, Kind, World};
use crate::net::daemon::Daemon;
use crate::net::edge::Edge;
use crate::net::io::chance;
use crate::net::io::transport::memory::{Side, Wire};
use crate::proto::codes::Code;

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
                Some(Habit::Resumes),
                Some(Habit::Resumes),
            ][dice.below(4)]?;
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

/// What is left of a stage at the end.
struct Left {
    edge: Arc<Edge>,
    around: Arc<Around>,
    board: Arc<Mutex<Board>>,
    peers: Vec<Arc<Peer>>,
    servers: [Option<Arc<Server>>; PARTNERS.len()],
    said: Vec<(usize, String)>,
}

impl Left {
    /// What was not said yet when the edge stopped has no fate.
    fn check(&self, is_stopped: bool) -> Result<Tally, String> {
        let ledger = &self.edge.ledger;
        if !ledger.balances() || ledger.total().queued > 0 {
            return Err(format!("the ledger: {:?}", ledger.total()));
        }
        for snapshot in ledger.snapshot() {
            for flow in [&snapshot.inbound, &snapshot.outbound] {
                if flow.dropped_by.contains_key(Code::LOST.as_str()) {
                    return Err("a stanza was forgotten".to_owned());
                }
            }
        }
        let (mut bounced, mut out, mut unread) =
            (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        let (mut read, mut order) = (BTreeSet::new(), Vec::new());
        let mut unheard = BTreeSet::new();
        self.around.lines(|lines| {
            for line in lines.iter() {
                read.extend(
                    messages(line, Side::Other)
                        .into_iter()
                        .filter(|it| it.is_read)
                        .map(|it| it.id),
                );
                let server = match line.kind {
                    Kind::Out(partner) => self.servers[partner].as_ref(),
                    _ => None,
                };
                // What the edge can resume comes once, though an acknowledgement is lost.
                let is_unheard = match server.map(|server| server.habit) {
                    Some(Habit::Resumes) => leaves_unread(&line.wire, "<enabled "),
                    _ => leaves_unread(&line.wire, "<a "),
                };
                for seen in messages(line, Side::Edge) {
                    if is_unheard {
                        unheard.insert(seen.id.clone());
                    }
                    if seen.is_error {
                        bounced.insert(seen.id);
                        continue;
                    }
                    if !seen.is_read {
                        unread.insert(seen.id.clone());
                    }
                    if matches!(line.kind, Kind::Out(_)) && server.is_none() {
                        *out.entry(seen.id.clone()).or_insert(0) += 1;
                        order.push(seen.id);
                    }
                }
            }
        });
        let board = self.board.lock().unwrap();
        let early: Vec<_> = board
            .early
            .difference(&board.kept)
            .filter(|id| !bounced.contains(*id))
            .collect();
        if let Some(id) = early.first() {
            return Err(format!("{id} was acknowledged, and the gateway has it not"));
        }
        let mut tally = Tally {
            said: self.said.len(),
            bounced: bounced.len(),
            resumed: self.peers.iter().map(|peer| peer.resumed()).sum(),
            resumed_out: (self.servers.iter().flatten())
                .map(|server| server.resumed())
                .sum(),
            ..Tally::default()
        };
        let mut came: BTreeMap<String, usize> = out;
        for peer in &self.peers[..LOCALS.len()] {
            let ids = peer.came();
            // What was lost on a link without acknowledgements may come once more, behind what was not, from
            // a partner that begins anew.
            let has_place = |id: &&String| {
                !id.starts_with('e') && (peer.acks || !board.may_come_twice.contains(*id))
            };
            in_order(ids.iter().filter(has_place))?;
            for id in ids {
                *came.entry(id).or_default() += 1;
            }
        }
        for server in self.servers.iter().flatten() {
            let ids = server.came();
            in_order(ids.iter().filter(|id| !id.starts_with('e')))?;
            for id in ids {
                *came.entry(id).or_default() += 1;
            }
        }
        for (peer, id) in &self.said {
            let peer = &self.peers[*peer];
            let times = came.get(id).copied().unwrap_or_default();
            if times > 1 && !board.may_come_twice.contains(id) && !unheard.contains(id) {
                return Err(format!("{id} came {times} times"));
            }
            tally.twice += usize::from(times > 1);
            if times > 0 || bounced.contains(id) || (is_stopped && peer.has_unsaid(id)) {
                continue;
            }
            // What nobody has read from a socket, where one side acknowledges nothing; or what the edge, stopped,
            // could neither deliver nor bounce.
            let was_read = read.contains(id);
            let may_be_lost = !peer.acks && (!was_read || is_stopped)
                || matches!(peer.role, Role::Partner(..)) && !peer.is_strict && unread.contains(id);
            if !may_be_lost {
                return Err(format!("{id} was lost"));
            }
            tally.lost += 1;
        }
        Ok(tally)
    }
}

/// Whether the last element that begins so never reached the edge on a connection.
fn leaves_unread(wire: &Wire, element: &str) -> bool {
    let record = wire.record(Side::Other);
    let text = str::from_utf8(&record.written).expect("scripts are ASCII");
    let last = text.rfind(element);
    last.is_some_and(|at| {
        text[at..]
            .find('>')
            .is_none_or(|end| at + end >= record.read)
    })
}

fn late(dice: &mut Dice) -> Duration {
    Duration::from_millis([0, 5, 300, 3_000][dice.below(4)])
}

/// Between two users, what comes for the first time comes in order.
fn in_order<'a>(ids: impl Iterator<Item = &'a String>) -> Result<(), String> {
    let mut last = BTreeMap::<&str, usize>::new();
    let mut known = BTreeSet::new();
    for id in ids.filter(|id| known.insert(*id)) {
        let (who, number) = id.split_once('-').unwrap();
        let number: usize = number.parse().unwrap();
        let before = last.insert(who, number);
        if before.is_some_and(|before| before > number) {
            return Err(format!("{id} after {before:?}"));
        }
    }
    Ok(())
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

#[test]
fn with_acknowledgements_nothing_is_lost_whatever_breaks() {
    let seeds = match number("XMPP_EDGE_SCHEDULE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("XMPP_EDGE_ACKED_SCHEDULES").unwrap_or(300),
    };
    let mut total = Tally::default();
    for seed in seeds.clone() {
        let tally = run(seed).unwrap_or_else(|fault| panic!("{fault}"));
        total.said += tally.said;
        total.twice += tally.twice;
        total.bounced += tally.bounced;
        total.lost += tally.lost;
        total.resumed += tally.resumed;
        total.resumed_out += tally.resumed_out;
    }
    println!("{seeds:?}: {total:?}");
    if seeds.end > seeds.start + 100 {
        assert!(
            total.resumed > 100 && total.resumed_out > 20 && total.twice > 0 && total.lost > 0,
            "{total:?}"
        );
    }
}
