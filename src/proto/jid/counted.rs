//! How often an address was prepared after RFC 6122 on this thread: for tests alone.

use std::cell::Cell;

thread_local! {
    static PREPARATIONS: Cell<usize> = const { Cell::new(0) };
}

/// An address was prepared.
pub(super) fn preparation() {
    PREPARATIONS.set(PREPARATIONS.get() + 1);
}

/// Preparations since the last call.
pub(crate) fn taken() -> usize {
    PREPARATIONS.take()
}
