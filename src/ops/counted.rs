//! How often this thread took a lock that all streams share: for tests alone.

use std::cell::Cell;

thread_local! {
    static SHARED_LOCKS: Cell<usize> = const { Cell::new(0) };
}

/// Such a lock is being taken.
pub(crate) fn shared_lock() {
    SHARED_LOCKS.set(SHARED_LOCKS.get() + 1);
}

/// How many were taken since the last call.
pub(crate) fn taken() -> usize {
    SHARED_LOCKS.take()
}
