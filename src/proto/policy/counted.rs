//! How often policy was asked on this thread: for tests alone.

use std::cell::Cell;

thread_local! {
    static LOOK_UPS: Cell<usize> = const { Cell::new(0) };
    static EVALUATIONS: Cell<usize> = const { Cell::new(0) };
}

/// A partner was looked up by name.
pub(super) fn look_up() {
    LOOK_UPS.set(LOOK_UPS.get() + 1);
}

/// [`evaluate`](super::evaluate) was asked.
pub(super) fn evaluation() {
    EVALUATIONS.set(EVALUATIONS.get() + 1);
}

/// Look-ups and evaluations since the last call.
pub(crate) fn taken() -> (usize, usize) {
    (LOOK_UPS.take(), EVALUATIONS.take())
}
