//! Reaching a partner: policy, then places, then one stream after the other until one opens.
//!
//! ```text
//!   wanted pair ─► policy ─► route or SRV ─► target 1 ─► connect ─► negotiate ─► open ─► carry
//!                                              │ any failure, TLS and stream included
//!                                              └► target 2 …        none left: bounce, back off
//! ```

mod attempt;
mod dial_log;
mod measured;
mod question;
mod remember;
mod resumption;
mod sharing;
mod side;
mod trial;

pub use question::ask;
pub use trial::try_out;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use self::attempt::{Attempt, Outcome, Reached};
use self::dial_log::DialLog;
use self::measured::Measured;
use self::resumption::Resumption;
use self::side::Dialling;
use crate::net::edge::{Edge, Wanted, jitter};
use crate::net::guard::places::{NoPlace, Rank};
use crate::net::io::clock;
use crate::net::io::connect::{ConnectSettings, connect};
use crate::net::io::resolve::Found;
use crate::net::io::transport::{Socket, Transport};
use crate::net::live::log_limiter::Known;
use crate::net::live::told::Told;
use crate::net::live::trail::{Fact, Trail};
use crate::net::relay::pair_queues::Wish;
use crate::net::relay::queue::Queue;
use crate::net::session::stream_log::{Charged, StreamLog};
use crate::ops::measures::Answered;
use crate::proto::auth::Pair;
use crate::proto::codes::{Code, Mark};
use crate::proto::discover::{self, Effort, Target};
use crate::proto::jid::BareJid;
use crate::proto::policy::{Decision, Facts, Method, Partner, Reason, evaluate};
use crate::proto::stream::Purpose;

/// How long one address may take to answer.
const ATTEMPT: Duration = Duration::from_secs(10);
/// A stream that breaks this soon after it opened counts as a failure, or it would be a loop.
const TOO_SOON: Duration = Duration::from_secs(2);

/// Opens streams for the pairs that want one, for as long as the edge runs.
pub async fn dial_all(edge: Arc<Edge>, mut wanted: Wanted) {
    while let Some(wish) = wanted.recv().await {
        tokio::spawn(carry(Arc::clone(&edge), wish));
    }
}

/// Carries a pair's stanzas until nothing waits any more.
async fn carry(edge: Arc<Edge>, wish: Wish) {
    let Wish { pair, queue, user } = wish;
    let backoff = &edge.hub.backoff;
    let mut session = None;
    loop {
        let epoch = backoff.epoch();
        if let Err(why) = carry_once(&edge, &pair, &queue, &user, &mut session).await {
            // What was decided here says nothing about the partner, and may soon be decided otherwise.
            if !why.reason.has(Mark::OwnDecision) {
                let now = clock::instant();
                backoff.failed(&pair.remote, why.clone(), now, jitter(), epoch);
            }
            for queued in queue.drain() {
                edge.hub.bounce(queued, &why);
            }
        }
        if edge.hub.finished(&pair) {
            return;
        }
    }
}

/// One stream's life; an error if none could be opened, or streams break as soon as they open. It goes on with
/// `session` where the partner does, and leaves one there that may be resumed.
async fn carry_once(
    edge: &Arc<Edge>,
    pair: &Pair,
    queue: &Arc<Queue>,
    user: &BareJid,
    session: &mut Option<Arc<Resumption>>,
) -> Result<(), Told> {
    let resumes = session.take();
    // A session that may go on is not given up for another's stream: what is not acknowledged would come twice.
    if resumes.is_none() && sharing::carried(edge, pair, queue).await {
        give_up_old(edge, queue);
        return Ok(());
    }
    let timing = edge.context().timing;
    // The end of a pause that is nearly over is waited for.
    sleep(edge.hub.backoff.left(&pair.remote, clock::instant())).await;
    let soon = tokio::time::Instant::now() + timing.establishment;
    let account = edge.hub.account_of(&pair.remote);
    let place = edge
        .dials
        .enter(user, &account, Rank::First, soon)
        .await
        .map_err(|NoPlace| Reason::TooManyDials)?;
    let trail = Arc::new(Trail::short());
    let side = |stream_log| Dialling {
        edge: Arc::clone(edge),
        stream_log,
        queue: Some(Arc::clone(queue)),
        opened: None,
        told: None,
        outcome: None,
        external_refused: false,
        resumes: resumes.clone(),
        entry: None,
        guests: None,
        end_is_told: false,
        trail: Some(Arc::clone(&trail)),
    };
    let deadline = clock::instant() + timing.whole_way();
    let purpose = (&Purpose::Carry, Charged::Partner);
    let reached = reach(edge, pair, purpose, deadline, Some(&trail), side).await;
    drop(place);
    remember::attempt(edge, pair, &trail, reached.as_ref().err());
    let mut ended = reached?.end().await?;
    let Some((id, since)) = ended.side.opened else {
        return Err(ended.reason.into());
    };
    // Where the partner has not said whether it goes on with the one before, that may be asked for again.
    let unanswered = ended.side.resumes.take();
    // What others had on it is theirs, and goes over other streams.
    let guests = ended.side.guests.take();
    let is_own = !guests.as_ref().is_some_and(|guests| guests.has_shared());
    let suspended = ended.suspended.filter(|_| is_own);
    *session = suspended.and_then(|suspended| match unanswered {
        Some(unanswered) => Some(unanswered),
        None => {
            let entry = ended.side.entry.take()?;
            let unacknowledged = &mut ended.left.unacknowledged;
            let now = clock::instant();
            Some(Resumption::of(suspended, id, entry, unacknowledged, now))
        }
    });
    let why = Told {
        reason: ended.reason,
        stream: ended.side.end_is_told.then_some(id),
    };
    // What never left goes out on the next stream, and what is not acknowledged before it. Where nothing
    // is acknowledged, what may have left is not sent twice.
    let left = ended.left;
    edge.ledger
        .count_many(Code::PERHAPS_LOST, left.perhaps_lost(&why.reason));
    // One that ends each stream that it is written on would be written for ever.
    let mut unacknowledged = left.unacknowledged;
    let given_up = unacknowledged.extract_if(.., |queued| !queued.may_be_sent_again());
    let given_up: Vec<_> = given_up.collect();
    edge.ledger
        .count_many(Code::SENT_AGAIN, unacknowledged.len());
    let again = unacknowledged.into_iter().chain(left.untouched);
    queue.detach(id, again.collect());
    if let Some(guests) = guests {
        guests.end(&pair.local);
    }
    for queued in given_up {
        edge.hub
            .bounce(queued, &Reason::AcknowledgementTimeout.into());
    }
    for queued in left.uncertain {
        edge.hub.bounce(queued, &why);
    }
    let patience = edge.context().timing.silence();
    // RFC 6120 §4.9.3.16: a stream that was open is opened again at once. One that breaks as soon as it
    // opens is, too, but not the next one, or it would be a loop. So is one that the partner closes in
    // order as soon as it opens, while something waits.
    let ends_well = why.reason.has(Mark::EndsWell);
    let is_in_vain = !ends_well || !(why.reason.has(Mark::OwnDecision) || queue.is_empty());
    let now = clock::instant();
    if is_in_vain
        && now.saturating_duration_since(since) < TOO_SOON
        && edge.hub.backoff.broke_soon(&pair.remote, now)
    {
        return Err(why);
    }
    if ends_well {
        give_up_old(edge, queue);
        return Ok(());
    }
    // The next stream may break as this one did, and the one after: nothing waits for a partner that
    // takes every stream and reads none.
    for queued in queue.drain_older_than(clock::instant(), patience) {
        edge.hub.bounce(queued, &why);
    }
    Ok(())
}

/// A partner that acknowledges nothing until its stream is idle would get what waits for ever.
fn give_up_old(edge: &Edge, queue: &Queue) {
    let patience = edge.context().timing.silence();
    let why = Reason::AcknowledgementTimeout.into();
    for queued in queue.drain_older_than(clock::instant(), patience) {
        edge.hub.bounce(queued, &why);
    }
}

/// Why there is no stream, where the time was up before one was begun.
const NO_DNS: Reason = Reason::EstablishmentTimeout("the answer of DNS");
const NO_CONNECTION: Reason = Reason::EstablishmentTimeout("a connection");

/// Tries one place after the other until a stream has opened, or its question is answered; all of
/// it until `deadline`. Each step is noted on `trail`, if there is one.
async fn reach(
    edge: &Arc<Edge>,
    pair: &Pair,
    (purpose, charged): (&Purpose, Charged),
    deadline: Instant,
    trail: Option<&Arc<Trail>>,
    side: impl Fn(StreamLog) -> Dialling,
) -> Result<Reached, Told> {
    let note = |fact: &dyn Fn() -> Fact| {
        if let Some(trail) = trail {
            trail.note(fact());
        }
    };
    // Policy is asked before anything leaves this host.
    let (partner, known) = permitted(edge, pair)?;
    note(&|| Fact::Permitted {
        partner: Arc::clone(&partner),
        listed_as: edge.context().rules.listed_as(&pair.remote),
    });
    if matches!(purpose, Purpose::Carry) {
        let limit = edge.settings.load().connection_limit;
        let rules = &edge.context().rules;
        edge.registry.has_room(&pair.remote, rules, limit)?;
    }
    let dial_log = DialLog {
        edge,
        pair,
        partner: &known,
        is_routed: !partner.route.is_empty(),
        charged,
    };
    let effort = match purpose {
        Purpose::Carry => Effort::CARRY,
        Purpose::Ask(_) => Effort::ASK,
    };
    if partner.route.is_empty() {
        note(&|| Fact::AsksDns);
    }
    let places = places(edge, pair, &partner, effort);
    let places = timeout_at(deadline.into(), places).await;
    let places = places.unwrap_or(Err(NO_DNS));
    let places = places.map_err(|reason| dial_log.failed(edge.registry.number(), None, reason))?;
    note(&|| Fact::Places {
        targets: places.targets.clone(),
        ttl: places.ttl,
    });
    let mut failure = None;
    let to_each = effort.to_each(&places.targets);
    for target in places.targets {
        let mut try_external = true;
        // A server that has answered is met again where it was met.
        let mut met = None;
        loop {
            if clock::instant() >= deadline {
                return Err(failure.unwrap_or_else(|| NO_CONNECTION.into()));
            }
            let number = edge.registry.number();
            note(&|| Fact::Place {
                target: target.clone(),
                try_external,
            });
            let there = met.as_ref().unwrap_or(&target);
            let (stream, address) = match open(edge, there, (to_each, deadline), trail).await {
                Ok(connected) => connected,
                Err(reason) => {
                    note(&|| Fact::Failed(reason.clone()));
                    edge.ledger.count(reason.code());
                    let why = dial_log.failed(number, None, reason);
                    failure.get_or_insert(why);
                    break;
                }
            };
            let attempt = Attempt {
                number,
                edge,
                pair,
                known: &known,
                purpose,
                charged,
                try_external,
                deadline,
            };
            let (reason, external_refused) = match attempt.negotiate(stream, address, &side).await?
            {
                Outcome::Reached(reached) => return Ok(reached),
                Outcome::Failed(reason, external_refused) => (reason, external_refused),
            };
            note(&|| Fact::Failed(reason.clone()));
            edge.ledger.count(reason.code());
            let there = Some((&target, address));
            // XEP-0178 §3, step 11: some end the stream when they refuse EXTERNAL; dialback needs a new one.
            let dialback = partner.methods().contains(Method::TlsDialback);
            let again = try_external && external_refused && dialback;
            // A stream that was spoken on says more than a connection that was refused.
            failure = Some(dial_log.failed(number, there, reason));
            if !again {
                break;
            }
            try_external = false;
            met = Some(Target {
                host: address.ip().to_string(),
                ..target.clone()
            });
        }
    }
    Err(failure
        .unwrap_or_else(|| Reason::NoService(format!("no place for {}", pair.remote)).into()))
}

fn permitted(edge: &Edge, pair: &Pair) -> Result<(Arc<Partner>, Known), Reason> {
    let context = edge.context();
    let facts = Facts::of_pair(&pair.local, &pair.remote);
    match evaluate(facts, &context.rules) {
        Decision::Allow(partner) => {
            let known = Known {
                partner: partner.primary.clone(),
                is_listed: context.rules.is_listed(partner),
            };
            Ok((Arc::clone(partner), known))
        }
        Decision::Refuse(reason) => Err(reason),
    }
}

/// Where the partner may be found: the configured route, or what DNS says.
async fn places(
    edge: &Edge,
    pair: &Pair,
    partner: &Partner,
    effort: Effort,
) -> Result<Found, Reason> {
    if !partner.route.is_empty() {
        return Ok(Found {
            targets: discover::route(&partner.route),
            ttl: None,
        });
    }
    let resolver = Arc::clone(&edge.settings.load().resolver);
    let begin = clock::instant();
    let targets = resolver.targets(&pair.remote, effort.targets).await;
    let answered = match &targets {
        Ok(_) => Answered::Found,
        Err(failure) if failure.is_no_such_service() => Answered::Nothing,
        Err(_) => Answered::Failed,
    };
    let timing = edge.ledger.timings().lookup(answered);
    timing.observe(clock::instant().saturating_duration_since(begin));
    targets.map_err(|failure| {
        let reason = if failure.is_no_such_service() {
            Reason::NoService(failure.to_string())
        } else {
            Reason::DnsFailed(failure.to_string())
        };
        edge.ledger.count(failure.code());
        reason
    })
}

async fn open(
    edge: &Edge,
    target: &Target,
    (connections, deadline): (usize, Instant),
    trail: Option<&Arc<Trail>>,
) -> Result<(Transport, SocketAddr), Reason> {
    #[cfg(test)]
    if let Some(network) = edge.network.get() {
        let refused = || Reason::ConnectFailed("refused".to_owned(), Code::CONNECTION_REFUSED);
        let (end, address) = network.dial(target).ok_or_else(refused)?;
        return Ok((Transport::Memory(end), address));
    }
    let settings = edge.settings.load_full();
    let left = deadline.saturating_duration_since(clock::instant());
    let limits = ConnectSettings {
        attempt_timeout: ATTEMPT,
        overall_timeout: edge.context().timing.establishment.min(left),
        connections,
        allow_private_addresses: settings.allow_private_addresses,
        silence: edge.context().timing.silence(),
    };
    let watch = Measured {
        ledger: Arc::clone(&edge.ledger),
        trail: trail.cloned(),
    };
    connect(&settings.resolver, target, limits, Some(Arc::new(watch)))
        .await
        .map(|(stream, address)| (Transport::Clear(Socket::new(stream)), address))
        .map_err(|failure| {
            edge.ledger.count(failure.code());
            failure.reason()
        })
}
