//! One stream that is opened to see whether it can be, and closed again.

use std::pin::pin;
use std::sync::Arc;

use tokio::time::{sleep, timeout};

use super::{Dialling, Reached, reach};
use crate::net::edge::Edge;
use crate::net::io::clock;
use crate::net::live::trail::{Fact, Trail};
use crate::net::relay::queue::Queue;
use crate::net::session::stream_log::Charged;
use crate::proto::auth::Pair;
use crate::proto::policy::Reason;
use crate::proto::stream::{Purpose, Timing};

/// Opens a stream for a pair as its first stanza would, pings over it where the partner is pinged,
/// and closes it. Each step is noted on `trail`, why it failed as the last one.
///
/// # Errors
/// Why there was no stream, or why it broke as soon as it was open.
pub async fn try_out(edge: &Arc<Edge>, pair: &Pair, trail: &Arc<Trail>) -> Result<(), Reason> {
    let outcome = try_to_open(edge, pair, trail).await;
    if let Err(reason) = &outcome {
        trail.fail(reason);
    }
    outcome
}

async fn try_to_open(edge: &Arc<Edge>, pair: &Pair, trail: &Arc<Trail>) -> Result<(), Reason> {
    let queue = Arc::<Queue>::default();
    let side = |stream_log| Dialling {
        edge: Arc::clone(edge),
        stream_log,
        queue: Some(Arc::clone(&queue)),
        opened: None,
        told: None,
        outcome: None,
        external_refused: false,
        end_is_told: false,
        trail: Some(Arc::clone(trail)),
    };
    let purpose = (&Purpose::Carry, Charged::Partner);
    let deadline = clock::instant() + edge.context().timing.whole_way();
    let reached = reach(edge, pair, purpose, deadline, Some(trail), side).await;
    let reached = reached.map_err(|told| told.reason)?;
    let context = edge.context();
    let partner = context.rules.partner_of(&pair.remote);
    hold(reached, partner.is_some_and(|it| it.keep_alive), trail).await
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
        mailbox.probe();
        trail.note(Fact::Pinged);
        // Its answer comes on a stream that the partner opens. What comes on this one is a refusal.
        tokio::select! {
            ended = &mut end => return Err(ended?.reason),
            () = sleep(Timing::FRESH) => {}
        }
    }
    mailbox.end(Reason::Finished);
    // Whether the partner closes its side, too, changes nothing any more.
    timeout(Timing::SHORT_GRACE, end)
        .await
        .map(drop)
        .unwrap_or_default();
    Ok(())
}
