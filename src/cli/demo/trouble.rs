//! What keeps the demo itself from going on: no verdict on a stanza, but a stage that fell over.

use std::fmt::Display;

/// The demo cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Trouble(pub(super) String);

/// Names what was being done when it failed: `read(path).during("reading the key")?`.
pub(super) trait During<T> {
    fn during(self, what: impl Display) -> Result<T, Trouble>;
}

impl<T, E: Display> During<T> for Result<T, E> {
    fn during(self, what: impl Display) -> Result<T, Trouble> {
        self.map_err(|error| Trouble(format!("{what}: {error}")))
    }
}
