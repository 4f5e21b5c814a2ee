//! Faults on real sockets, by seed: a gateway, a partner or the edge is killed, connections are cut and
//! black-holed, under 500 stanzas a second; and then every stanza is accounted for.
//!
//! What is killed of the scripted two are their sockets and what they had not acknowledged.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::peers::{Outcome, Peer, ground, outcome};
use super::process::Daemon;
use super::proxy::Proxy;
use crate::lab::Lab;
use crate::proven::lab;

/// The variable that says how many schedules there are.
const SEEDS: &str = "XMPP_EDGE_FAULT_SEEDS";
/// The variable that says which one it is, where there is one alone.
const SEED: &str = "XMPP_EDGE_FAULT_SEED";
/// How many run side by side: each waits more than it works.
const AT_ONCE: usize = 5;
/// So many stanzas each way, so often: 500 a second.
const BURST: usize = 5;
const EVERY: Duration = Duration::from_millis(20);
/// How long they are sent.
const TRAFFIC: Duration = Duration::from_millis(1800);
const PATIENCE: Duration = Duration::from_secs(40);
/// What a connection without acknowledgements may take along, in bytes.
const DEAD_SOCKET: usize = 64 << 10;
/// A message of the peers', in bytes, at least.
const MESSAGE: usize = 150;
/// No limits for strangers: whoever is cut off comes again and again.
const ADMISSION: &str = "[admission]\nattempts-per-address = 0\nattempts-per-prefix = 0\n\
                         unauthenticated-per-address = 0\nconnections-per-address = 0\n";

/// The edge as a process, on sockets that outlive it.
pub(super) struct Edge {
    lab: Lab,
    sockets: [TcpListener; 2],
    pub(super) daemon: Option<Daemon>,
}

impl Edge {
    /// The partner's server is at `route`.
    pub(super) fn start(sockets: [TcpListener; 2], route: std::net::SocketAddr) -> Self {
        let lab = lab(route, ADMISSION, "");
        let mut toml = std::fs::read_to_string(lab.path("edge.toml")).unwrap();
        for socket in &sockets {
            let address = socket.local_addr().unwrap().to_string();
            toml = toml.replacen("127.0.0.1:0", &address, 1);
        }
        lab.write("edge.toml", &toml, 0o644);
        let mut edge = Self {
            lab,
            sockets,
            daemon: None,
        };
        edge.again();
        edge
    }

    /// A new process, where there is none.
    pub(super) fn again(&mut self) {
        let [s2s, gateway] = &self.sockets;
        self.daemon = Some(Daemon::start_with_sockets(&self.lab, [s2s, gateway]));
    }

    fn status(&self) -> String {
        self.lab.run(&["status", "--config", "edge.toml"]).1
    }

    /// Stops it: what its last line says of stanzas, and the line.
    pub(super) fn stop(&mut self) -> (Ledger, String) {
        let daemon = self.daemon.take().unwrap();
        daemon.signal("TERM");
        let line = daemon.log_line("drained");
        daemon.ends_with(0);
        let number = |mark: &str| -> usize {
            let (_, rest) = line.split_once(mark).unwrap();
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
            rest[..end].parse().unwrap()
        };
        let ledger = Ledger {
            accepted: number("accepted "),
            delivered: number("delivered "),
            bounced: number("bounced "),
            dropped: number("dropped "),
        };
        let ended = ledger.delivered + ledger.bounced + ledger.dropped;
        assert_eq!(ledger.accepted, ended, "{line}");
        (ledger, line)
    }
}

/// What the edge says of all stanzas, both ways.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ledger {
    pub(super) accepted: usize,
    pub(super) delivered: usize,
    pub(super) bounced: usize,
    pub(super) dropped: usize,
}

/// All there is in a schedule.
struct Stage {
    edge: Edge,
    gateway: Arc<Peer>,
    sender: Arc<Peer>,
    receiver: Arc<Peer>,
    /// To the gateways' port, to the partners', and to the partner.
    ways: [Proxy; 3],
    // Last: what runs in it ends with it.
    _runtime: tokio::runtime::Runtime,
}

/// What a schedule has come to.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    said: usize,
    twice: usize,
    refused: usize,
    lost: usize,
    resumed: usize,
}

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

impl Stage {
    fn new(acks: bool) -> Self {
        let (runtime, sockets, [gateway, sender, receiver]) = ground(acks);
        let [s2s, link] = [0, 1].map(|at: usize| sockets[at].local_addr().unwrap());
        let serving = Arc::clone(&receiver);
        let ways = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(serving.serves(listener));
            [
                Proxy::start(link).await,
                Proxy::start(s2s).await,
                Proxy::start(address).await,
            ]
        });
        let edge = Edge::start(sockets, ways[2].address);
        runtime.spawn(Arc::clone(&gateway).lives(ways[0].address));
        runtime.spawn(Arc::clone(&sender).lives(ways[1].address));
        Self {
            edge,
            gateway,
            sender,
            receiver,
            ways,
            _runtime: runtime,
        }
    }

    /// Something breaks; what, in words.
    fn breaks(&mut self, dice: &mut Dice, kills_edge: bool) -> String {
        let which = usize::try_from(dice.below(3)).unwrap();
        let way = &self.ways[which];
        let name = ["the link", "the partner's stream", "our stream"][which];
        let (away, hole) = (dice.millis(0, 300), dice.millis(100, 600));
        match dice.below(if kills_edge { 7 } else { 6 }) {
            0 => {
                self.gateway.dies(away);
                format!("the gateway is killed, and away for {away:?}")
            }
            1 => {
                // It is one process.
                self.sender.dies(away);
                self.receiver.dies(away);
                format!("the partner is killed, and away for {away:?}")
            }
            2..4 => {
                way.cut();
                format!("{name} is cut")
            }
            4..6 => {
                way.hole();
                sleep(hole);
                match dice.below(3) {
                    0 => way.heal(),
                    1 => way.cut(),
                    // It finds its connection dead before the edge does.
                    _ => {
                        [&self.gateway, &self.sender, &self.receiver][which].leaves();
                        sleep(hole);
                        way.cut();
                    }
                }
                format!("nothing got through {name} for {hole:?}")
            }
            _ => {
                // SIGKILL.
                drop(self.edge.daemon.take());
                self.edge.again();
                "the edge was killed".to_owned()
            }
        }
    }

    /// Waits until everybody has said everything, and nothing comes any more.
    fn recovers(&self) -> Result<(), String> {
        let begun = Instant::now();
        let came = || self.gateway.came().len() + self.receiver.came().len();
        let (mut before, mut since) = (came(), Instant::now());
        loop {
            sleep(EVERY);
            let now = came();
            if now != before {
                (before, since) = (now, Instant::now());
            }
            let unsaid = [self.gateway.unsaid(), self.sender.unsaid()];
            if unsaid == [0, 0] && since.elapsed() > Duration::from_millis(500) {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                let log = self.edge.daemon.as_ref().unwrap().whole_log();
                let log = log.lock().unwrap();
                let last = log.len().saturating_sub(20);
                let status = self.edge.status();
                return Err(format!(
                    "not said, or not acknowledged: {unsaid:?}\n{}\n{status}",
                    log[last..].join("\n")
                ));
            }
        }
    }
}

fn play(seed: u64, story: &mut Vec<String>) -> Result<Tally, String> {
    let mut dice = Dice(seed);
    let (acks, kills_edge) = (seed % 4 != 3, seed % 4 == 1);
    let mut stage = Stage::new(acks);
    let stop = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let talk = {
        let (gateway, sender) = (Arc::clone(&stage.gateway), Arc::clone(&stage.sender));
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            let begun = Instant::now();
            let mut bursts = 0;
            while !stop.load(SeqCst) {
                let due = begun.elapsed().as_millis() / EVERY.as_millis();
                while bursts < due {
                    gateway.say(BURST);
                    sender.say(BURST);
                    bursts += 1;
                }
                sleep(EVERY);
            }
        })
    };
    let mut edge_died = false;
    loop {
        sleep(dice.millis(100, 500));
        if begun.elapsed() > TRAFFIC {
            break;
        }
        let at = begun.elapsed().as_millis();
        let what = stage.breaks(&mut dice, kills_edge);
        edge_died |= what.contains("edge");
        story.push(format!("{at:>6} ms {what}"));
    }
    stop.store(true, SeqCst);
    talk.join().unwrap();
    stage.ways.iter().for_each(Proxy::heal);
    stage.recovers()?;
    let (ledger, line) = stage.edge.stop();
    story.push(line);
    let inward = outcome(&stage.sender, &stage.gateway, &stage.receiver)?;
    let outward = outcome(&stage.gateway, &stage.receiver, &stage.gateway)?;
    story.push(format!("inward {inward:?}\n  outward {outward:?}"));
    let sum = |of: fn(&Outcome) -> usize| of(&inward) + of(&outward);
    let (lost, said) = (sum(|it| it.lost), sum(|it| it.said));
    if acks && lost > 0 {
        return Err(format!("{lost} were lost"));
    }
    if !acks && !edge_died {
        // What was in sockets that died, and nothing else: either the edge never read it, or it says that it
        // was delivered; an error may be lost as well.
        let unread = said - ledger.accepted;
        let (came, both) = (sum(|it| it.came), sum(|it| it.both));
        let unseen = ledger.delivered + both - came;
        let untold = ledger.bounced - sum(|it| it.refused);
        if lost != unread + unseen + untold + ledger.dropped || ledger.dropped > 0 {
            return Err(format!("{lost} were lost: {unread}, {unseen}, {untold}"));
        }
        for (which, lost) in [(&[0, 1], inward.lost), (&[0, 2], outward.lost)] {
            let connections: usize = which.iter().map(|at: &usize| stage.ways[*at].count()).sum();
            if lost * MESSAGE > connections * DEAD_SOCKET {
                return Err(format!("{lost} were lost in {connections} connections"));
            }
        }
    }
    Ok(Tally {
        said,
        twice: sum(|it| it.twice),
        refused: sum(|it| it.refused),
        lost,
        resumed: stage.gateway.resumed() + stage.sender.resumed(),
    })
}

#[test]
fn whatever_is_killed_cut_or_stalled_every_stanza_is_accounted_for() {
    let number = |name| std::env::var(name).map(|text| text.parse::<u64>().unwrap());
    let (first, seeds) = match number(SEED) {
        Ok(seed) => (seed, seed + 1),
        Err(_) => (0, number(SEEDS).unwrap_or(5)),
    };
    let next = AtomicU64::new(first);
    let run_all = || {
        let mut tallies = Vec::new();
        loop {
            let seed = next.fetch_add(1, SeqCst);
            if seed >= seeds {
                return tallies;
            }
            let mut story = Vec::new();
            match play(seed, &mut story) {
                Ok(tally) => tallies.push((seed, tally)),
                Err(fault) => panic!("seed {seed}: {fault}\n  {}", story.join("\n  ")),
            }
        }
    };
    let begun = Instant::now();
    let mut tallies = std::thread::scope(|scope| {
        let others = [(); AT_ONCE].map(|()| scope.spawn(run_all));
        let tallies = others.map(|other| match other.join() {
            Ok(tallies) => tallies,
            Err(fault) => std::panic::resume_unwind(fault),
        });
        tallies.concat()
    });
    tallies.sort_by_key(|(seed, _)| *seed);
    let all = |of: fn(&Tally) -> usize| tallies.iter().map(|(_, it)| of(it)).sum::<usize>();
    let [said, twice, refused, lost, resumed] = [
        all(|it| it.said),
        all(|it| it.twice),
        all(|it| it.refused),
        all(|it| it.lost),
        all(|it| it.resumed),
    ];
    println!(
        "{} schedules in {:?}: {said} said, {twice} came twice, {refused} refused, {lost} lost, \
         {resumed} times resumed",
        tallies.len(),
        begun.elapsed()
    );
    assert!(said > 500 * tallies.len() && (resumed > 0 || tallies.len() == 1));
}
