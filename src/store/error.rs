//! Why the store cannot do what it is asked to.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::proto::words;

/// Why contacts cannot be opened or changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has the store open.
    #[error("another process has the contacts in {} open", .0.display())]
    Locked(PathBuf),
    /// The file is damaged, and was left where it is.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file or its directory cannot be read or made.
    #[error("{}: {}", path.display(), words::of_error(error))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system says.
        error: Arc<io::Error>,
    },
    /// The change could not be written: the disk is full, for one. It has not been made; later ones are
    /// tried again.
    #[error("the contacts cannot be written: {}", words::of_error(.0))]
    Write(Arc<redb::Error>),
    /// As many contacts are kept as may be.
    #[error("no more contacts are kept: there are {contacts}, in {bytes} bytes")]
    Full {
        /// How many there are.
        contacts: usize,
        /// The length of their addresses in all.
        bytes: usize,
    },
    /// The local user has as many contacts as each may have.
    #[error("the user has {0} contacts already, as many as contact-limit allows")]
    AccountFull(usize),
    /// The disk has not answered for so long, in seconds. The change may be made later all the same.
    #[error("the disk has not answered for {0} s")]
    Slow(u64),
    /// The writer has ended.
    #[error("the store of contacts is closed")]
    Closed,
}

impl StoreError {
    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            error: Arc::new(error),
        }
    }

    pub(super) fn write(error: impl Into<redb::Error>) -> Self {
        Self::Write(Arc::new(error.into()))
    }
}

/// A damaged file and where it is now; nothing of it was deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} was damaged ({reason}); it is now {}, and the contacts begin empty",
    file.display(),
    aside.display()
)]
pub struct SetAside {
    /// Where it was.
    pub file: PathBuf,
    /// Where it is.
    pub aside: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}
