//! What became of every stanza: the ledger's word against what both ends of every connection saw.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use super::script::{LOCALS, PARTNERS, attribute, end_of_first};
use super::world::{Kind, Line};
use crate::net::io::transport::memory::Side;
use crate::ops::counters::{Counts, Ledger};
use crate::proto::codes::Code;
use crate::proto::policy::Direction;

/// A message on a connection.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) id: String,
    from: String,
    to: String,
    pub(super) is_error: bool,
    /// Whether the one it was written for has read the whole of it.
    pub(super) is_read: bool,
    /// Whether it was on a connection that broke.
    is_on_dead: bool,
    /// In which order the edge wrote, over all connections.
    pub(super) number: u64,
}

/// One partner's stanzas in one direction.
#[derive(Debug, Default)]
struct Flow {
    /// What its senders wrote.
    sent: Vec<Seen>,
    /// What the edge wrote onwards.
    carried: Vec<Seen>,
    /// The errors that the edge wrote back.
    errors: Vec<Seen>,
}

/// How a schedule ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Everything works again, and has had time.
    Well,
    /// The edge was stopped in the middle of it.
    Stopped,
}

/// How much was looked at, so that a schedule in which nothing happens does not pass for a good one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) accepted: u64,
    pub(super) delivered: u64,
    pub(super) bounced: u64,
    pub(super) dropped: u64,
    /// Written to a connection that broke before they were read.
    pub(super) lost: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.bounced += other.bounced;
        self.dropped += other.dropped;
        self.lost += other.lost;
    }
}

/// Compares; to be called when nothing waits any more.
///
/// # Errors
/// What does not agree.
pub(super) fn check(lines: &[Line], ledger: &Ledger, end: End) -> Result<Tally, String> {
    let mut flows = flows(lines);
    let mut tally = Tally::default();
    if !ledger.balances() {
        return Err("the ledger does not balance".to_owned());
    }
    for snapshot in ledger.snapshot() {
        for flow in [&snapshot.inbound, &snapshot.outbound] {
            if flow.dropped_by.contains_key(Code::LOST.as_str()) {
                return Err("a stanza was forgotten".to_owned());
            }
        }
        let name = snapshot.partner.as_ref().map(ToString::to_string);
        let partner = PARTNERS
            .iter()
            .position(|known| Some(*known) == name.as_deref());
        for (direction, counts) in [
            (Direction::Inbound, snapshot.inbound.counts),
            (Direction::Outbound, snapshot.outbound.counts),
        ] {
            let Some(partner) = partner else {
                equal("accepted of nobody", counts.accepted, 0)?;
                continue;
            };
            let flow = flows
                .remove(&(direction.as_str(), partner))
                .unwrap_or_default();
            let here = |fault| format!("{} of {}: {fault}", direction.as_str(), PARTNERS[partner]);
            tally.lost += of_one(&flow, counts, end).map_err(here)?;
            tally.accepted += counts.accepted;
            tally.delivered += counts.delivered;
            tally.bounced += counts.bounced;
            tally.dropped += counts.dropped;
        }
    }
    match flows.values().find(|flow| !flow.carried.is_empty()) {
        Some(flow) => Err(format!("carried, and never counted: {flow:?}")),
        None => Ok(tally),
    }
}

/// Checks one flow; returns how many were lost in sockets.
fn of_one(flow: &Flow, counts: Counts, end: End) -> Result<u64, String> {
    equal("queued", counts.queued, 0)?;
    // What the edge has read, it has accepted.
    let read: BTreeSet<_> = flow
        .sent
        .iter()
        .filter(|seen| seen.is_read)
        .map(|seen| &seen.id)
        .collect();
    match end {
        End::Well => {
            equal(
                "accepted, and read by the edge",
                counts.accepted,
                count(read.len()),
            )?;
            // Each of them may be answered, so none is dropped.
            equal("dropped", counts.dropped, 0)?;
        }
        // What is read when there is no more time counts as never read.
        End::Stopped if counts.accepted <= count(read.len()) => {}
        End::Stopped => return Err(format!("{} accepted, {} read", counts.accepted, read.len())),
    }
    // Nothing is carried twice, answered twice, or made up.
    let carried = once(&flow.carried, &read)?;
    let errors = once(&flow.errors, &read)?;
    // Delivered is what was written; only of a connection that broke it may be said to be uncertain.
    let (dead, alive): (Vec<_>, Vec<_>) = flow.carried.iter().partition(|seen| seen.is_on_dead);
    let bounced = carried.intersection(&errors).count();
    if counts.delivered < count(alive.len()) || counts.delivered > count(carried.len() - bounced) {
        return Err(format!(
            "{} were delivered, but {} were written, {} of them to connections that broke",
            counts.delivered,
            carried.len(),
            dead.len()
        ));
    }
    if let Some(unread) = alive.iter().find(|seen| !seen.is_read) {
        return Err(format!("{unread:?} was never read, on a sound connection"));
    }
    for seen in &alive {
        if errors.contains(&seen.id) {
            return Err(format!("{seen:?} was delivered and bounced"));
        }
    }
    // Who was not carried was bounced or dropped; an error may find no way back.
    let told = carried.union(&errors).count();
    let untold = count(read.len() - told);
    let silent = counts.bounced.saturating_sub(count(errors.len()))
        + counts.dropped
        + (count(read.len()) - counts.accepted);
    if count(errors.len()) > counts.bounced || untold > silent {
        return Err(format!(
            "{} errors of {} bounced, {untold} stanzas without a word, {} dropped",
            errors.len(),
            counts.bounced,
            counts.dropped
        ));
    }
    in_order(&flow.carried)?;
    Ok(count(dead.iter().filter(|seen| !seen.is_read).count()))
}

/// The ids, each of which may occur once, and only if it was read.
fn once<'a>(seen: &'a [Seen], read: &BTreeSet<&String>) -> Result<BTreeSet<&'a String>, String> {
    let mut ids = BTreeSet::new();
    for one in seen {
        if !read.contains(&one.id) {
            return Err(format!("{one:?} was never read by the edge"));
        }
        if !ids.insert(&one.id) {
            return Err(format!("{one:?} twice"));
        }
    }
    Ok(ids)
}

/// Between two users, the edge writes in the order in which it read.
fn in_order(carried: &[Seen]) -> Result<(), String> {
    let mut carried: Vec<_> = carried.iter().collect();
    carried.sort_by_key(|seen| seen.number);
    let mut last = BTreeMap::new();
    for seen in carried {
        let (_, number) = seen.id.split_once('-').ok_or("an id without a number")?;
        let number: usize = number.parse().map_err(|_| "an id without a number")?;
        let before = last.insert((&seen.from, &seen.to), number);
        if before.is_some_and(|before| before > number) {
            return Err(format!("{seen:?} after {before:?}"));
        }
    }
    Ok(())
}

fn flows(lines: &[Line]) -> BTreeMap<(&'static str, usize), Flow> {
    let mut flows = BTreeMap::<_, Flow>::new();
    for line in lines {
        for side in [Side::Edge, Side::Other] {
            for seen in messages(line, side) {
                let domain = |user: &str| user.split_once('@').map(|(_, domain)| domain.to_owned());
                let (from, to) = (domain(&seen.from), domain(&seen.to));
                let place = |names: &[&str], name: &Option<String>| {
                    names
                        .iter()
                        .position(|known| Some(*known) == name.as_deref())
                };
                let (inward, partner) = match (place(&PARTNERS, &from), place(&PARTNERS, &to)) {
                    (Some(partner), None) => (true, partner),
                    (None, Some(partner)) => (false, partner),
                    other => panic!("{other:?} {LOCALS:?} {seen:?}"),
                };
                // An error goes against the direction of what it answers.
                let direction = if inward == seen.is_error {
                    Direction::Outbound
                } else {
                    Direction::Inbound
                };
                let flow = flows.entry((direction.as_str(), partner)).or_default();
                match (side, line.kind, seen.is_error) {
                    (Side::Other, Kind::In(..) | Kind::Link(_), false) => flow.sent.push(seen),
                    (Side::Edge, Kind::Out(_) | Kind::Link(_), false) => flow.carried.push(seen),
                    (Side::Edge, Kind::Out(_) | Kind::Link(_), true) => flow.errors.push(seen),
                    other => panic!("{other:?} {seen:?}"),
                }
            }
        }
    }
    flows
}

/// The messages that one side of a connection has written whole.
pub(super) fn messages(line: &Line, side: Side) -> Vec<Seen> {
    let record = line.wire.record(side);
    let (mut at, mut found) = (0, Vec::new());
    let text = str::from_utf8(&record.written).expect("scripts are ASCII");
    while let Some(end) = end_of_first(&text[at..]) {
        let element = &text[at..at + end];
        at += end;
        let mark = record.marks.partition_point(|(_, written)| *written < at);
        if element.starts_with("<message") {
            let get = |name| attribute(element, name).unwrap_or_default().to_owned();
            found.push(Seen {
                id: get("id"),
                from: get("from"),
                to: get("to"),
                is_error: get("type") == "error",
                is_read: at <= record.read,
                is_on_dead: line.wire.is_dead(),
                number: record.marks[mark].0,
            });
        }
    }
    found
}

fn equal(what: &str, one: u64, other: u64) -> Result<(), String> {
    if one == other {
        Ok(())
    } else {
        Err(format!("{what}: {one} and {other}"))
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap()
}
