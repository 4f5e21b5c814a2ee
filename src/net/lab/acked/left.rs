//! What is left when a schedule is over: the fate of every stanza, by what both ends saw.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::Tally;
use super::peer::{Board, Peer, Role};
use super::server::{Habit, Server};
use crate::net::edge::Edge;
use crate::net::io::transport::memory::{Side, Wire};
use crate::net::lab::fates::messages;
use crate::net::lab::script::{LOCALS, PARTNERS};
use crate::net::lab::world::{Around, Kind};
use crate::proto::codes::Code;

/// What is left of a stage at the end.
pub(super) struct Left {
    pub(super) edge: Arc<Edge>,
    pub(super) around: Arc<Around>,
    pub(super) board: Arc<Mutex<Board>>,
    pub(super) peers: Vec<Arc<Peer>>,
    pub(super) servers: [Option<Arc<Server>>; PARTNERS.len()],
    pub(super) said: Vec<(usize, String)>,
}

impl Left {
    /// What was not said yet when the edge stopped has no fate.
    pub(super) fn check(&self, is_stopped: bool) -> Result<Tally, String> {
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
        if let Some(id) = board.unproven.first() {
            return Err(format!("{id} was written where its pair was not proven"));
        }
        let mut tally = Tally {
            said: self.said.len(),
            bounced: bounced.len(),
            resumed: self.peers.iter().map(|peer| peer.resumed()).sum(),
            resumed_out: (self.servers.iter().flatten())
                .map(|server| server.resumed())
                .sum(),
            shared: (self.servers.iter().flatten())
                .map(|server| server.shared())
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

/// Between two users, what comes for the first time comes in order.
pub(super) fn in_order<'a>(ids: impl Iterator<Item = &'a String>) -> Result<(), String> {
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
