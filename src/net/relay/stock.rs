//! What waits in all queues of one direction together, in bytes: bounded, and shared so that nobody
//! takes all of it.
//!
//! - A lane may grow as long as it is not larger than half of what is still free. With one full lane a
//!   third of the room is its own, with ten full lanes each has a twelfth: so there is always room for a
//!   lane in which little waits, and nobody needs to be told a share.
//! - Whoever may have any number of lanes has a [`Share`] of the room, over all of them: a local user,
//!   and all that are partners by `[default-partner]` alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The room for all that waits.
#[derive(Debug)]
pub struct Stock {
    limit: AtomicUsize,
    held: AtomicUsize,
    /// Something was given back.
    freed: Notify,
}

/// What somebody holds of the room, over all lanes, and which part of it that may be at most.
#[derive(Debug)]
pub struct Share {
    held: AtomicUsize,
    part: usize,
}

impl Share {
    /// Nothing yet, of at most one `part`-th of the room.
    #[must_use]
    pub fn one_of(part: usize) -> Self {
        Self {
            held: AtomicUsize::new(0),
            part: part.max(1),
        }
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.held.load(SeqCst) == 0
    }
}

/// Some bytes of the room; given back when dropped.
#[derive(Debug)]
pub struct Held {
    stock: Arc<Stock>,
    share: Option<Arc<Share>>,
    bytes: usize,
}

/// Where nothing else is said: enough for sixteen full lanes.
pub const DEFAULT_BYTES: usize = 64 << 20;

impl Default for Stock {
    fn default() -> Self {
        Self {
            limit: AtomicUsize::new(DEFAULT_BYTES),
            held: AtomicUsize::new(0),
            freed: Notify::new(),
        }
    }
}

impl Stock {
    /// So much may wait from here on, in bytes; what waits already stays.
    pub fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, SeqCst);
        self.freed.notify_waiters();
    }

    /// Whether so many bytes find room at all, when nothing waits.
    #[must_use]
    pub fn can_hold(&self, bytes: usize, share: Option<&Share>) -> bool {
        let part = share.map_or(1, |share| share.part);
        bytes <= self.limit.load(SeqCst) / part
    }

    /// Takes room for `bytes` in a lane that holds `lane` bytes and may hold `most`, on the account of
    /// `share`; nothing, where there is no room for them. While less than half of the room is taken, an
    /// empty lane takes whatever there is, so that no stanza is too large for it.
    pub fn take(
        self: &Arc<Self>,
        bytes: usize,
        lane: usize,
        most: usize,
        share: Option<&Arc<Share>>,
    ) -> Option<Held> {
        let limit = self.limit.load(SeqCst);
        if let Some(share) = share {
            let fits = |held: usize| (held + bytes <= limit / share.part).then_some(held + bytes);
            share.held.fetch_update(SeqCst, SeqCst, fits).ok()?;
        }
        let fits = |held: usize| {
            let free = limit.checked_sub(held)?;
            let is_first = lane == 0 && held <= limit / 2;
            let has_room = is_first || lane + bytes <= most.min(free / 2);
            (bytes <= free && has_room).then_some(held + bytes)
        };
        if self.held.fetch_update(SeqCst, SeqCst, fits).is_err() {
            if let Some(share) = share {
                share.held.fetch_sub(bytes, SeqCst);
            }
            return None;
        }
        Some(Held {
            stock: Arc::clone(self),
            share: share.cloned(),
            bytes,
        })
    }

    /// Takes room that is needed, whatever there is: the little that stanzas take more where they wait
    /// now than where they waited before.
    #[must_use]
    pub fn take_anyway(self: &Arc<Self>, bytes: usize) -> Held {
        self.held.fetch_add(bytes, SeqCst);
        Held {
            stock: Arc::clone(self),
            share: None,
            bytes,
        }
    }

    /// How much waits, in bytes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.load(SeqCst)
    }

    /// Whether half of the room is taken: then the edge says nothing of its own any more, so that
    /// whoever makes it say much leaves room for stanzas.
    #[must_use]
    pub fn is_half_full(&self) -> bool {
        self.held() > self.limit.load(SeqCst) / 2
    }

    /// Resolves when something is given back after this call.
    pub fn freed(&self) -> Notified<'_> {
        self.freed.notified()
    }
}

impl Held {
    /// Some of these bytes on their own account.
    #[must_use]
    pub fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self {
            stock: Arc::clone(&self.stock),
            share: self.share.clone(),
            bytes,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(share) = &self.share {
            share.held.fetch_sub(self.bytes, SeqCst);
        }
        self.stock.held.fetch_sub(self.bytes, SeqCst);
        self.stock.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(limit: usize) -> Arc<Stock> {
        let stock = Arc::<Stock>::default();
        stock.set_limit(limit);
        stock
    }

    /// Fills lanes in turn until none takes any more: how much each has.
    fn filled(stock: &Arc<Stock>, lanes: usize, held: &mut Vec<Held>) -> Vec<usize> {
        let mut sizes = vec![0; lanes];
        loop {
            let mut is_full = true;
            for size in &mut sizes {
                if let Some(taken) = stock.take(100, *size, 40_000, None) {
                    held.push(taken);
                    *size += 100;
                    is_full = false;
                }
            }
            if is_full {
                return sizes;
            }
        }
    }

    #[test]
    fn lanes_share_the_room_and_leave_some_for_one_in_which_little_waits() {
        for lanes in [1_usize, 2, 10, 40] {
            let stock = stock(100_000);
            let mut held = Vec::new();
            let sizes = filled(&stock, lanes, &mut held);
            let share = (100_000 / (lanes + 2)).min(40_000);
            for size in sizes {
                assert!(size.abs_diff(share) <= 200, "{lanes}: {size}, not {share}");
            }
            assert!(stock.held() <= 100_000);
            // A quiet one finds room, and another lane gives back.
            assert!(stock.take(1000, 0, 40_000, None).is_some(), "{lanes}");
            held.clear();
            assert_eq!(stock.held(), 0);
        }
    }

    #[test]
    fn no_stanza_is_too_large_for_an_empty_lane_and_none_passes_the_limit() {
        let stock = stock(10_000);
        let large = stock.take(9_000, 0, 100, None).unwrap();
        assert!(stock.take(2_000, 0, 100, None).is_none());
        drop(large);
        assert!(stock.take(10_001, 0, 100, None).is_none());
        assert!(!stock.can_hold(10_001, None) && stock.can_hold(10_000, None));
    }

    /// However many lanes somebody has, and however small they are.
    #[test]
    fn many_lanes_leave_room_for_those_of_others() {
        for bytes in [100, 3_000, 26_000] {
            let stock = stock(100_000);
            let mut held = Vec::new();
            let eve = Arc::new(Share::one_of(4));
            while let Some(taken) = stock.take(bytes, 0, 40_000, Some(&eve)) {
                held.push(taken);
            }
            assert!(stock.held() <= 25_000, "{bytes}");
            assert!(stock.take(20_000, 0, 40_000, None).is_some(), "{bytes}");
            assert_eq!(stock.can_hold(bytes, Some(&eve)), bytes <= 25_000);
            held.clear();
            assert!(eve.is_idle() && stock.held() == 0);
        }
        // Without a share the last bytes are for small ones.
        let stock = stock(100_000);
        let mut held = Vec::new();
        while let Some(taken) = stock.take(10_000, 0, 40_000, None) {
            held.push(taken);
        }
        assert!(stock.take(5_000, 0, 40_000, None).is_some());
    }

    #[test]
    fn what_is_split_is_given_back_in_parts() {
        let stock = stock(10_000);
        let mut whole = stock.take(3_000, 0, 10_000, None).unwrap();
        let part = whole.split(1_000);
        assert_eq!(stock.held(), 3_000);
        drop(whole);
        assert_eq!(stock.held(), 1_000);
        drop(part);
        assert_eq!(stock.held(), 0);
    }

    proptest::proptest! {
        #[test]
        fn what_is_held_is_never_more_than_the_limit(
            steps in proptest::collection::vec((0usize..5, 1usize..3000), 0..300)
        ) {
            let stock = stock(20_000);
            let mut lanes: Vec<Vec<Held>> = (0..5).map(|_| Vec::new()).collect();
            for (which, bytes) in steps {
                let lane = &mut lanes[which];
                let size = lane.iter().map(|held| held.bytes).sum();
                match stock.take(bytes, size, 8_000, None) {
                    Some(held) => lane.push(held),
                    None => drop(lane.pop()),
                }
                proptest::prop_assert!(stock.held() <= 20_000);
            }
        }
    }
}
