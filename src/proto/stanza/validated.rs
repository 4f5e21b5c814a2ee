//! The token of what may be relayed. [`permit`](super::permit()) gives it to what others send, and the
//! answers of the edge have it of their own right.

use std::ops::Deref;

/// A value that has passed every check; what is relayed is always one of these.
#[derive(Clone, Debug)]
pub struct Validated<T>(T);

impl<T> Validated<T> {
    /// Claims that the value has been checked. `grep assertion` finds every such claim.
    pub(super) fn assertion(value: T) -> Self {
        Self(value)
    }

    /// The value, to become part of another.
    pub(super) fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Validated<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
