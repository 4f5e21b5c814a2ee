//! One stream that is opened to see whether it can be, and closed again.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{Dialling, Reached, reach};
use crate::net::edge::Edge;
use crate::net::io::clock;
use crate::net::live::trail::{Fact, Trail};
use crate::net::session::stream_log::Charged;
use crate::proto::auth::Pair;
use crate::proto::auth::cert_fault::CertFault;
use crate::proto::discover::{Target, Via};
use crate::proto::policy::Reason;
use crate::proto::stream::{Purpose, Timing};

/// How long it may take to find out where DNS leads.
const LOOK_UP: Duration = Duration::from_secs(2);

/// Opens a stream for a pair as its first stanza would, pings over it where the partner is pinged,
/// and closes it. Streams go one way: the answer comes on one that the partner opens to the daemon, and
/// is heard here only where it comes on ours. Each step is noted on `trail`, with why it failed. Where a `route` has led nowhere,
/// DNS is asked where it would lead, and that is noted last.
///
/// # Errors
/// Why there was no stream, or why it broke as soon as it was open.
pub async fn try_out(edge: &Arc<Edge>, pair: &Pair, trail: &Arc<Trail>) -> Result<(), Reason> {
    let outcome = try_to_open(edge, pair, trail).await;
    if let Err(reason) = &outcome {
        trail.fail(reason);
        look_beside_the_route(edge, pair, reason, trail).await;
    }
    outcome
}

async fn try_to_open(edge: &Arc<Edge>, pair: &Pair, trail: &Arc<Trail>) -> Result<(), Reason> {
    let side = |stream_log| Dialling {
        edge: Arc::clone(edge),
        stream_log,
        queue: None,
        opened: None,
        told: None,
        outcome: None,
        external_refused: false,
        resumes: None,
        entry: None,
        guests: None,
        end_is_told: false,
        trail: Some(Arc::clone(trail)),
    };
    let purpose = (&Purpose::Carry, Charged::Partner);
    let deadline = clock::instant() + edge.context().timing.whole_way();
    let reached = reach(edge, pair, purpose, deadline, Some(trail), side).await;
    let reached = reached.map_err(|told| told.reason)?;
    let context = edge.context();
    let partner = context.rules.partner_of(&pair.remote);
    let pings = partner.is_some_and(|it| it.keep_alive);
    hold(reached, pings, trail).await
}

/// Whether the stream lasts for a moment, and takes a ping.
async fn hold(reached: Reached, pings: bool, trail: &Arc<Trail>) -> Result<(), Reason> {
    let mailbox = reached.mailbox.clone();
    let mut end = pin!(reached.end());
    // What is wrong is often said as soon as the stream is open.
    if let Ok(ended) = timeout(Timing::FRESH, &mut end).await {
        return Err(ended?.reason);
    }
    if pings {
        trail.note(Fact::Pinged);
        mailbox.probe();
        tokio::select! {
            ended = &mut end => return Err(ended?.reason),
            () = trail.until(|fact| matches!(fact, Fact::Pong(_))) => {}
            () = sleep(Timing::FRESH) => {}
        }
    } else {
        trail.note(Fact::NotPinged);
    }
    mailbox.end(Reason::Finished);
    // Whether the partner closes its side, too, changes nothing any more.
    timeout(Timing::SHORT_GRACE, end)
        .await
        .map(drop)
        .unwrap_or_default();
    Ok(())
}

/// A `route` may be older than what the partner has published since.
async fn look_beside_the_route(edge: &Edge, pair: &Pair, reason: &Reason, trail: &Trail) {
    let is_about_the_place = matches!(
        reason,
        Reason::NotServed { .. }
            | Reason::ClientPort
            | Reason::LeadsBack { .. }
            | Reason::NoService(_)
            | Reason::ConnectFailed(..)
            | Reason::HeaderTimeout
            | Reason::Certificate(CertFault::WrongName { .. })
    );
    let context = edge.context();
    let partner = context.rules.partner_of(&pair.remote);
    if !is_about_the_place || partner.is_none_or(|it| it.route.is_empty()) {
        return;
    }
    let resolver = Arc::clone(&edge.settings.load().resolver);
    let asking = resolver.targets(&pair.remote, MOST_PLACES);
    if let Ok(Ok(found)) = timeout(LOOK_UP, asking).await {
        // Where nothing is published, DNS leads nowhere.
        let published = |target: &Target| matches!(target.via, Via::Srv { .. });
        let targets: Vec<_> = found.targets.into_iter().filter(published).collect();
        if !targets.is_empty() {
            trail.note(Fact::WithoutRoute(targets));
        }
    }
}

/// More places than these are not worth a line each.
const MOST_PLACES: usize = 4;
