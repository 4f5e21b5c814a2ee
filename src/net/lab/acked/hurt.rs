//! Schedules between a partner that keeps to nothing, and one that does as it should: each stanza to the first has
//! a fate, nothing is written to it where its pair is not proven, and nothing of the second is lost, comes twice or
//! comes back.
//!
//! A fifth as many are played as `XMPP_EDGE_ACKED_SCHEDULES` says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::dice::Dice;
use super::super::fates::messages;
use super::super::script::{LOCALS, PARTNERS, message, user};
use super::super::world::{Kind, Sort, World};
use super::Stage;
use super::hostile::{Hostile, MOST_CONNECTIONS};
use super::left::Left;
use super::peer::{Board, Peer, Role};
use super::seeds;
use super::server::{Habit, Server};
use crate::net::io::chance;
use crate::net::io::transport::memory::Side;
use crate::net::relay::queue::MOST_TIMES;
use crate::proto::codes::Code;

/// Which of the partners is hostile, and which is not.
const HOSTILE: usize = 0;
const HONEST: usize = 1;
/// So many connections to one partner take at least so long: a pair has one stream at a time, and after two that
/// break at once there is a pause.
const MANY: usize = 40;
const LEAST: Duration = Duration::from_secs(10);
/// When nothing waits any more, at the latest: twice the time that a stanza may be unacknowledged.
const PATIENCE: Duration = Duration::from_secs(1200);
/// How long a stop may take, and a moment more.
const STOP: Duration = Duration::from_secs(22);

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(Duration),
    /// The gateway of a local domain sends so many stanzas of so many bytes to a partner.
    Say(usize, usize, usize, usize),
    /// All connections of the edge to the hostile partner break.
    Cut,
    /// Nothing gets through on them any more.
    Hole,
    Reload(Sort),
}

/// What came of a schedule.
#[derive(Debug, Default)]
struct Tally {
    said: usize,
    bounced: usize,
    /// How many connections the edge made to the hostile partner, and how many stanzas that has read.
    connections: usize,
    read: usize,
}

fn step(dice: &mut Dice) -> Step {
    match dice.below(16) {
        0..6 => Step::Wait(dice.time().min(Duration::from_secs(20))),
        6..13 => {
            let partner = if dice.below(3) == 0 { HONEST } else { HOSTILE };
            let bytes = [20, 200, 3_000, 30_000][dice.below(4)];
            Step::Say(dice.below(2), partner, 1 + dice.below(12), bytes)
        }
        13 => Step::Cut,
        14 => Step::Hole,
        _ => Step::Reload(Sort {
            shares: dice.below(2) == 0,
            is_described: dice.below(2) == 0,
        }),
    }
}

impl Stage {
    /// Two gateways, of which each may acknowledge, between the two partners.
    fn beside_hostile(seed: u64, dice: &mut Dice) -> Self {
        let (world, board) = (World::new(), Arc::<Mutex<Board>>::default());
        let peers = (0..LOCALS.len()).map(|local| {
            let mut gateway = Peer::new(Role::Gateway(local), &board);
            gateway.acks = dice.below(2) == 0;
            // What the hostile partner acknowledges it may not have.
            gateway.is_strict = false;
            Arc::new(gateway)
        });
        let peers = peers.collect();
        let mut hostile = Server::new(HOSTILE, Habit::Hostile, Duration::ZERO, &board);
        hostile.hostile = Some(Hostile::new(seed, &board));
        let honest = Server::new(HONEST, Habit::Resumes, Duration::ZERO, &board);
        let servers = [
            Some(world.served_by(HOSTILE, hostile)),
            Some(world.served_by(HONEST, honest)),
        ];
        Self {
            world,
            board,
            peers,
            servers,
            said: Vec::new(),
        }
    }

    async fn suffer(&mut self, step: Step) {
        match step {
            Step::Wait(time) => sleep(time).await,
            Step::Say(local, partner, count, bytes) => {
                for _ in 0..count {
                    let id = format!("{local}{partner}-{}", self.said.len());
                    let (from, to) = (user("a", LOCALS[local]), user("b", PARTNERS[partner]));
                    self.said.push((local, id.clone()));
                    self.peers[local].say(id.clone(), message(&from, &to, &id, bytes));
                }
            }
            Step::Cut => self.cut(Kind::Out(HOSTILE)),
            Step::Hole => {
                let wires = self.wires(Kind::Out(HOSTILE));
                wires.iter().for_each(|wire| wire.stall(true));
            }
            Step::Reload(sort) => self.world.reload_as(sort),
        }
    }

    fn waits(&self) -> bool {
        let unsaid: usize = self.peers.iter().map(|peer| peer.unsaid()).sum();
        unsaid > 0 || self.world.edge.ledger.total().queued > 0
    }
}

async fn play(seed: u64, story: &mut Vec<String>) -> Result<Tally, String> {
    let mut dice = Dice(seed);
    let mut stage = Stage::beside_hostile(seed, &mut dice);
    let begun = Instant::now();
    (0..stage.peers.len()).for_each(|peer| stage.connect(peer));
    for _ in 0..10 + dice.below(25) {
        let step = step(&mut dice);
        story.push(format!("{:>8} ms {step:?}", begun.elapsed().as_millis()));
        stage.suffer(step).await;
    }
    let is_stopped = seed % 4 == 3;
    let patience = Instant::now() + PATIENCE;
    while !is_stopped && stage.waits() && Instant::now() < patience {
        sleep(Duration::from_secs(1)).await;
    }
    let ended = Instant::now();
    story.push(format!("{:>8} ms the end", begun.elapsed().as_millis()));
    let (left, daemon) = stage.left();
    if is_stopped {
        daemon.drain().await;
        if ended.elapsed() > STOP {
            return Err(format!("stopping took {:?}", ended.elapsed()));
        }
        sleep(Duration::from_secs(5)).await;
    }
    left.check_beside_hostile(is_stopped)
}

impl Left {
    fn check_beside_hostile(&self, is_stopped: bool) -> Result<Tally, String> {
        let ledger = &self.edge.ledger;
        if !ledger.balances() || ledger.total().queued > 0 {
            return Err(format!("the ledger: {:?}", ledger.total()));
        }
        let lost = Code::LOST.as_str();
        for snapshot in ledger.snapshot() {
            let flows = [&snapshot.inbound, &snapshot.outbound];
            if flows.iter().any(|it| it.dropped_by.contains_key(lost)) {
                return Err("a stanza was forgotten".to_owned());
            }
        }
        if let Some(id) = self.board.lock().unwrap().unproven.first() {
            return Err(format!("{id} was written where its pair was not proven"));
        }
        let hostile = self.servers[HOSTILE].as_ref().unwrap();
        let hostile = hostile.hostile.as_ref().unwrap().state();
        let connections = &hostile.connections;
        let took = |window: &[Instant]| window[MANY - 1].duration_since(window[0]);
        let shortest = connections.windows(MANY).map(took).min();
        if connections.len() > MOST_CONNECTIONS || shortest.is_some_and(|it| it < LEAST) {
            let count = connections.len();
            return Err(format!("{count} connections, {MANY} in {shortest:?}"));
        }
        let mut tally = Tally {
            said: self.said.len(),
            connections: connections.len(),
            read: hostile.read,
            ..Tally::default()
        };
        let written = self.written()?;
        let at_honest = self.servers[HONEST].as_ref().unwrap().came();
        let to_honest = format!("{HONEST}-");
        let came: Vec<_> = self.peers.iter().map(|peer| peer.came()).collect();
        if let Some(id) = came.iter().flatten().find(|id| !id.starts_with('e')) {
            return Err(format!("{id} came in on a stream of the edge's"));
        }
        for (local, id) in &self.said {
            let errors = came[*local].iter().filter(|it| it[1..] == **id).count();
            tally.bounced += errors;
            // What is not taken on before a stop is its sender's, where that one keeps it.
            let peer = &self.peers[*local];
            let may_be_left = is_stopped && (peer.has_unsaid(id) || !peer.acks);
            let times = written.get(id).copied().unwrap_or_default();
            let fault = if id[1..].starts_with(&to_honest) {
                let times = at_honest.iter().filter(|it| *it == id).count();
                let is_good = times + errors == 1 || times + errors == 0 && may_be_left;
                !is_good || errors > 0 && !is_stopped
            } else {
                let has_none = times + errors == 0 && !hostile.has_claimed && !may_be_left;
                errors > 1 || times > usize::from(MOST_TIMES) || has_none
            };
            if fault {
                return Err(format!("{id}: written {times} times, {errors} errors"));
            }
        }
        Ok(tally)
    }

    /// How often each was written to partners; between two users the first time comes in order.
    fn written(&self) -> Result<BTreeMap<String, usize>, String> {
        let mut written = self.around.lines(|lines| {
            let out = lines.iter().filter(|it| matches!(it.kind, Kind::Out(_)));
            let seen = out.flat_map(|line| messages(line, Side::Edge));
            let seen = seen.map(|it| (it.number, it.id));
            seen.collect::<Vec<_>>()
        });
        written.sort_by_key(|(number, _)| *number);
        let ids: Vec<_> = written.into_iter().map(|(_, id)| id).collect();
        super::left::in_order(ids.iter())?;
        let mut times = BTreeMap::new();
        for id in ids {
            *times.entry(id).or_default() += 1;
        }
        Ok(times)
    }
}

fn run(seed: u64) -> Result<Tally, String> {
    let _seeded = chance::seed(seed);
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
    builder.build().unwrap().block_on(async {
        let mut story = Vec::new();
        let outcome = play(seed, &mut story).await;
        outcome.map_err(|fault| format!("seed {seed}: {fault}\n  {}", story.join("\n  ")))
    })
}

#[test]
fn whatever_a_partner_does_on_the_streams_of_the_edge_it_hurts_nobody_else() {
    let seeds = seeds(5);
    let mut total = Tally::default();
    for seed in seeds.clone() {
        let tally = run(seed).unwrap_or_else(|fault| panic!("{fault}"));
        total.said += tally.said;
        total.bounced += tally.bounced;
        total.connections += tally.connections;
        total.read += tally.read;
    }
    println!("{seeds:?}: {total:?}");
    if seeds.end > seeds.start + 50 {
        assert!(total.read > 200 && total.bounced > 200, "{total:?}");
    }
}
