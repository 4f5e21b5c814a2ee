//! What an attempt to reach a partner came to, for whoever asks later.

use crate::net::edge::Edge;
use crate::net::live::attempts::Attempt;
use crate::net::live::told::Told;
use crate::net::live::trail::{Fact, Trail};
use crate::net::session::driver::now;
use crate::proto::auth::Pair;
use crate::proto::codes::Mark;
use crate::proto::policy::Direction;

/// Keeps an attempt with what it met, and why it failed if it did, where an entry covers the domain.
pub(super) fn attempt(edge: &Edge, pair: &Pair, trail: &Trail, failure: Option<&Told>) {
    // What was decided here says nothing about the way.
    if failure.is_some_and(|why| why.reason.has(Mark::OwnDecision)) {
        return;
    }
    let Some(partner) = edge.hub.partner(&pair.remote) else {
        return;
    };
    let took = trail.age();
    if let Some(why) = failure {
        trail.fail(&why.reason);
    }
    let steps = trail.close();
    let facts = || steps.iter().rev().map(|step| &step.fact);
    let address = |fact: &Fact| match fact {
        Fact::Connected {
            address,
            outcome: Ok(()),
            ..
        } => Some(*address),
        _ => None,
    };
    let method = |fact: &Fact| match fact {
        Fact::Opened(method) => Some(*method),
        _ => None,
    };
    let outcome = match (failure, facts().find_map(method)) {
        (Some(why), _) => Err(why.reason.clone()),
        (None, Some(method)) => Ok(method),
        // A stream is reached when a pair is proven on it.
        (None, None) => return,
    };
    if outcome.is_err() {
        let counters = edge.ledger.partner(&partner);
        counters.openings.failed_outbound();
    }
    let timings = edge.ledger.timings();
    timings
        .opening(Direction::Outbound, outcome.is_ok())
        .observe(took);
    let wall = now().wall.as_secs();
    let attempt = Attempt {
        stream: failure.and_then(|why| why.stream),
        direction: Direction::Outbound,
        local: Some(pair.local.clone()),
        remote: pair.remote.clone(),
        address: facts().find_map(address),
        // We chose where to go.
        is_familiar: true,
        first: wall,
        last: wall,
        times: 1,
        took,
        outcome,
        steps,
    };
    edge.attempts.note(&partner, attempt);
}
