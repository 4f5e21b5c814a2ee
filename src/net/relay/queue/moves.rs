//! Stanzas that go from one queue to another, and take the room that they have along.
//!
//! If they gave it back and took it anew, another could have it meanwhile, and they would wait for room beside a lane that
//! is empty.

use tokio::sync::futures::Notified;

use super::{NotQueued, OF_LANE, PATIENT_LANE_BYTES, Queue, QueuedStanza};
use crate::proto::jid::Domain;

impl Queue {
    /// Takes in what was taken from another queue, if the lane has less than half of what it may have: the rest is for
    /// those who cannot wait.
    ///
    /// # Errors
    /// [`NotQueued::Full`]: then something will be taken ([`Queue::has_taken`]).
    pub fn move_in(&self, lane: &Domain, queued: QueuedStanza) -> Result<(), NotQueued> {
        let state = self.lock();
        if state.is_closed {
            return Err(NotQueued::Closed(queued));
        }
        let (has_lane, waiting) = state.pool.look(queued.conversation, lane);
        if waiting > 0 && waiting + queued.cost > PATIENT_LANE_BYTES {
            return Err(NotQueued::Full(queued));
        }
        let room = (!has_lane).then(|| self.stock.take_anyway(OF_LANE));
        self.put(state, lane, queued, room);
        Ok(())
    }

    /// Resolves when something is taken after this call.
    pub fn has_taken(&self) -> Notified<'_> {
        self.space.notified()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::net::relay::queue::tests::queued;
    use crate::net::relay::stock::Stock;

    #[tokio::test]
    async fn what_moves_keeps_its_room_and_waits_for_its_lane_alone() {
        let lane = Domain::parse("partner.example").unwrap();
        let stock = Arc::new(Stock::default());
        let [guest, host] = [(); 2].map(|()| Queue::sharing(Arc::clone(&stock)));
        guest.attach(1);
        host.attach(2);
        let mut waits = None;
        for _ in 0..10_000 {
            guest.try_push(&lane, queued("m")).unwrap();
            let stanza = guest.take(1).await.remove(0);
            // Nobody finds any room now: that is nothing to what has some.
            stock.set_limit(1);
            let moved = host.move_in(&lane, stanza);
            stock.set_limit(usize::MAX / 2);
            if let Err(NotQueued::Full(back)) = moved {
                waits = Some(back);
                break;
            }
        }
        assert!(!host.is_empty() && guest.is_empty());
        // Half of the lane is free for those who cannot wait.
        stock.set_limit(usize::MAX / 2);
        host.try_push(&lane, queued("now")).unwrap();
        // It is told also of what is taken before it waits.
        let mut taken = pin!(host.has_taken());
        drop(host.take(2).await);
        let poll = taken.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(poll, Poll::Ready(()));
        host.move_in(&lane, waits.unwrap()).unwrap();
    }
}
