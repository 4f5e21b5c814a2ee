//! Which stanzas of a stream are settled, where their sender is told so (XEP-0198).
//!
//! ```text
//!   stream reads a stanza ─► Receipt ─► rides with the stanza's Accepted token ─► its end ─► h grows
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::proto::stream::{Serial, Settled};

/// What was received on one stream with acknowledgements. It outlives the connection: what is in
/// hand when that is lost is settled all the same.
#[derive(Debug, Default)]
pub struct Receipts {
    state: Mutex<State>,
    grown: Notify,
}

#[derive(Debug, Default)]
struct State {
    settled: Settled,
    /// How many have not ended.
    in_hand: usize,
    /// Whether no more are taken on.
    is_closed: bool,
}

/// The word that its sender is owed for one stanza. It is given when this is dropped: however the
/// stanza ends, it has ended.
#[derive(Debug)]
pub struct Receipt {
    receipts: Arc<Receipts>,
    serial: Serial,
    is_withheld: bool,
}

impl Receipts {
    /// A stanza was read.
    #[must_use]
    pub fn received(self: &Arc<Self>) -> Receipt {
        let mut state = self.lock();
        state.in_hand += 1;
        let serial = state.settled.received();
        drop(state);
        Receipt {
            serial,
            receipts: Arc::clone(self),
            is_withheld: false,
        }
    }

    /// How many are settled before the first that is not, modulo 2^32.
    #[must_use]
    pub fn handled(&self) -> u32 {
        self.lock().settled.handled()
    }

    /// How many were received, modulo 2^32.
    #[must_use]
    pub fn in_all(&self) -> u32 {
        self.lock().settled.in_all()
    }

    /// What comes from here on is not taken on: its sender is to send it again, elsewhere.
    pub fn close(&self) {
        self.lock().is_closed = true;
    }

    /// Whether nothing is taken on any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Whether all has ended that was received before [`Receipts::close`]: nothing more will be settled.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let state = self.lock();
        state.is_closed && state.in_hand == 0
    }

    /// Waits until [`Receipts::handled`] has grown, or the last in hand has ended, since this was last awaited.
    pub async fn grown(&self) {
        self.grown.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receipt {
    /// The stanza counts as never read: its sender is to send it again.
    ///
    /// Its serial stays open, and holds back all behind it.
    pub fn withhold(mut self) {
        self.is_withheld = true;
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let mut state = self.receipts.lock();
        state.in_hand = state.in_hand.saturating_sub(1);
        let has_grown = !self.is_withheld && state.settled.settle(self.serial);
        let is_last = state.is_closed && state.in_hand == 0;
        drop(state);
        if has_grown || is_last {
            self.receipts.grown.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_hears_that_stanzas_are_settled_in_whatever_order() {
        let receipts = Arc::<Receipts>::default();
        let [first, second] = [(); 2].map(|()| receipts.received());
        drop(second);
        assert_eq!((receipts.handled(), receipts.in_all()), (0, 2));
        drop(first);
        receipts.grown().await;
        assert_eq!(receipts.handled(), 2);
    }

    #[test]
    fn what_was_received_before_it_was_closed_is_settled_with_the_last_of_it() {
        let receipts = Arc::<Receipts>::default();
        let [first, second] = [(); 2].map(|()| receipts.received());
        drop(second);
        assert!(!receipts.is_closed() && !receipts.is_settled());
        receipts.close();
        receipts.close();
        assert!(receipts.is_closed() && !receipts.is_settled());
        drop(first);
        assert!(receipts.is_settled());
        assert_eq!(receipts.handled(), 2);
    }

    #[test]
    fn what_is_withheld_is_never_acknowledged_nor_is_what_follows() {
        let receipts = Arc::<Receipts>::default();
        receipts.received().withhold();
        drop(receipts.received());
        assert_eq!((receipts.handled(), receipts.in_all()), (0, 2));
    }

    #[tokio::test]
    async fn nobody_waits_for_what_is_withheld() {
        let receipts = Arc::<Receipts>::default();
        let [first, second, third] = [(); 3].map(|()| receipts.received());
        drop(first);
        receipts.close();
        receipts.grown().await;
        second.withhold();
        assert!(!receipts.is_settled(), "the third is in hand");
        third.withhold();
        receipts.grown().await;
        assert!(receipts.is_settled());
        assert_eq!(receipts.handled(), 1);
    }
}
