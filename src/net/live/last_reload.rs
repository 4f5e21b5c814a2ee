//! What the last reload has left undone: whoever has changed a file and sees no change finds it here.

use std::sync::{Mutex, PoisonError};

/// What is left undone.
#[derive(Debug, Default)]
pub struct LastReload(Mutex<Undone>);

/// What a reload has left undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// The whole of it, where it was refused.
    pub refused: Option<ReloadFailure>,
    /// Settings that change with a restart only.
    pub waits_for_restart: Vec<&'static str>,
}

/// A reload that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadFailure {
    /// When, in Unix time.
    pub at: u64,
    /// Why, in words.
    pub why: String,
}

impl LastReload {
    /// It was refused, and nothing has changed.
    pub fn refused(&self, refused: ReloadFailure) {
        self.with(|undone| undone.refused = Some(refused));
    }

    /// It is done, but for these settings.
    pub fn done(&self, waits_for_restart: Vec<&'static str>) {
        self.with(|undone| {
            *undone = Undone {
                refused: None,
                waits_for_restart,
            };
        });
    }

    /// What is left undone now.
    #[must_use]
    pub fn undone(&self) -> Undone {
        self.with(|undone| undone.clone())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Undone) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
