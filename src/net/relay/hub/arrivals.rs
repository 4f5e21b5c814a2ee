//! What a partner sends, on its way to the gateway.
//!
//! Thousands of partners' streams may be idle, and each keeps room for all that its future may wait for. So what
//! needs no waiting is no future, and what is waited for is in a box of its own, made when it is due.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{Hub, withhold};
use crate::net::relay::partners::Standing;
use crate::net::relay::queue::QueuedStanza;
use crate::net::relay::ways::WayIn;
use crate::ops::events::Direction;
use crate::ops::receipts::Receipt;
use crate::proto::policy::Reason;
use crate::proto::stanza::Addressed;

/// What became of a partner's stanza at once.
#[derive(Debug)]
pub enum TakenIn {
    /// It is not paced: there is no more time, or it answers a ping of ours.
    Over,
    /// It has passed, or has not; the partner is paced.
    Paced,
    /// The partner's lane is full.
    Waits(Box<QueuedStanza>),
}

impl Hub {
    /// A partner's stanza: all that is done at once. What is left is for [`Hub::wait_for_room`].
    /// Where the partner is owed a receipt for it, that is given when the stanza has ended.
    pub fn take_in(
        &self,
        addressed: Addressed,
        receipt: Option<Receipt>,
        way: &mut WayIn,
        now: Instant,
    ) -> TakenIn {
        // When there is no more time, what was read counts as never read.
        if self.is_over.load(Relaxed) {
            withhold(receipt);
            return TakenIn::Over;
        }
        if self.is_pong(&addressed) {
            return TakenIn::Over;
        }
        self.renew(&mut way.standing, &way.pair.remote);
        let accepted = way.standing.counters.accept(Direction::Inbound);
        let accepted = accepted.with_receipt(receipt);
        if let Some(queued) = self.judge(addressed, accepted, &way.standing, now) {
            let queued = queued.on_account_of(way.standing.share.clone());
            match way.inbox.push_now(&way.standing.state.account, queued) {
                Ok(()) => self.tell_of_absence(&way.pair.local, &way.inbox),
                Err(queued) => return TakenIn::Waits(Box::new(queued)),
            }
        }
        TakenIn::Paced
    }

    /// Waits while that partner's lane to the gateway is full, and while the partner is ahead of its rate.
    pub async fn wait_for_room(&self, taken: TakenIn, way: &WayIn, now: Instant) {
        match taken {
            TakenIn::Over => return,
            TakenIn::Paced => {}
            TakenIn::Waits(queued) => {
                let account = &way.standing.state.account;
                let outcome = Box::pin(way.inbox.push(account, *queued)).await;
                if let Err(queued) = outcome {
                    self.bounce(queued, &Reason::QueueFull.into());
                }
                self.tell_of_absence(&way.pair.local, &way.inbox);
            }
        }
        self.pace(&way.standing, now).await;
    }

    /// Takes a stanza from the budget of a partner, and waits while the partner is ahead of its
    /// rate: what was read passes, and what was not waits with the sender.
    pub async fn pace(&self, standing: &Standing, now: Instant) {
        let Some(entry) = &standing.entry else {
            return;
        };
        let pause = standing.state.take(entry.terms.stanza_rate, now);
        if !pause.is_zero() {
            Box::pin(self.pause(pause)).await;
        }
    }

    async fn pause(&self, pause: Duration) {
        let mut hurry = self.hurry.subscribe();
        tokio::select! {
            () = sleep(pause) => {}
            _ = hurry.wait_for(|hurry| *hurry) => {}
        }
    }
}
