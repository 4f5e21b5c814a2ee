//! A pair that shares the stream of another one, where the partner's entry says so and such a stream is open
//! (XEP-0220 §2.6): else it has a stream of its own.

use std::sync::Arc;

use tokio::time::timeout;

use crate::net::edge::Edge;
use crate::net::relay::guests::{Guests, Put};
use crate::net::relay::queue::Queue;
use crate::proto::auth::Pair;

/// Carries what waits for a pair on the stream of another, until that has ended. False where there is none, or the
/// pair was not proven on it: it is to have a stream of its own, and hears there what is wrong.
pub(super) async fn carried(edge: &Arc<Edge>, pair: &Pair, queue: &Arc<Queue>) -> bool {
    let context = edge.context();
    let entry = context.rules.partner_of(&pair.remote);
    if !entry.is_some_and(|entry| entry.share_streams) {
        return false;
    }
    let Some((stream, guests)) = edge.hub.open_to(pair) else {
        return false;
    };
    let word = guests.ask(pair, &stream);
    if !matches!(
        timeout(context.timing.establishment, word).await,
        Ok(Ok(Ok(())))
    ) {
        return false;
    }
    pass_on(pair, queue, edge.registry.number(), &guests).await;
    true
}

async fn pass_on(pair: &Pair, queue: &Queue, number: u64, guests: &Guests) {
    queue.attach(number);
    let mut in_hand = Vec::new();
    loop {
        let batch = tokio::select! {
            biased;
            () = guests.ended() => break,
            batch = queue.take(number) => batch,
        };
        let mut batch = batch.into_iter();
        while let Some(mut queued) = batch.next() {
            loop {
                let room = guests.has_room();
                match guests.put(queued) {
                    Put::Taken => break,
                    Put::Full(back) => queued = back,
                    Put::Over(back) => {
                        in_hand.push(back);
                        break;
                    }
                }
                tokio::select! {
                    () = room => {}
                    () = guests.ended() => {}
                }
            }
            if !in_hand.is_empty() {
                in_hand.extend(batch.by_ref());
            }
        }
    }
    // What the stream had comes first, or the order would change.
    let mut back = guests.left_of(&pair.local);
    back.append(&mut in_hand);
    queue.detach(number, back);
}
