//! The state directory: who holds it, and the names of the files in it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::error::StoreError;

/// A state directory that no other process may use while this lives.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Open for its lock, which ends with the process, however that ends.
    handle: File,
}

/// How often a held lock is tried again: an administrator's edit takes some milliseconds.
const PATIENCE: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

impl Directory {
    /// Makes the directory if there is none (mode 0700), and locks it; waits two seconds for
    /// another process to go.
    pub(super) fn make(path: &Path) -> Result<Self, StoreError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| StoreError::io(path, error))?;
        Self::lock(path, PATIENCE)
    }

    /// Locks the directory; where another process has it, tries so many times more.
    ///
    /// The lock is on the directory, not on a file in it: such a file would belong to whoever came
    /// first, and might be root's.
    pub(super) fn lock(path: &Path, patience: u32) -> Result<Self, StoreError> {
        let io = |error| StoreError::io(path, error);
        let handle = File::open(path).map_err(io)?;
        for attempt in 0_u32.. {
            match handle.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(io(error)),
                Err(TryLockError::WouldBlock) if attempt < patience => {
                    thread::sleep(PAUSE);
                }
                Err(TryLockError::WouldBlock) => return Err(StoreError::Locked(path.to_owned())),
            }
        }
        Ok(Self {
            path: path.to_owned(),
            handle,
        })
    }

    /// Where the contacts are.
    pub(super) fn contacts(&self) -> PathBuf {
        self.path.join("contacts.redb")
    }

    /// Opens a new, empty file that will be the contacts once [`Directory::publish`] names it so:
    /// a file by that name is never half made.
    pub(super) fn draft(&self) -> io::Result<File> {
        match fs::remove_file(self.draft_path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.draft_path())?;
        let (owner, made) = (self.handle.metadata()?, file.metadata()?);
        // Root may be the first to add a contact; the daemon must be able to open what it made.
        if owner.uid() != made.uid() {
            fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        Ok(file)
    }

    /// Gives the draft its name.
    pub(super) fn publish(&self) -> io::Result<()> {
        fs::rename(self.draft_path(), self.contacts())?;
        self.handle.sync_all()
    }

    /// Renames the contacts to the first free name for damaged ones, and tells it.
    pub(super) fn set_aside(&self) -> io::Result<PathBuf> {
        let mut number = 1_u32;
        let aside = loop {
            let aside = self.path.join(format!("contacts.redb.damaged-{number}"));
            match fs::symlink_metadata(&aside) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => break aside,
                Err(error) => return Err(error),
                Ok(_) => number += 1,
            }
        };
        fs::rename(self.contacts(), &aside)?;
        self.handle.sync_all()?;
        Ok(aside)
    }

    fn draft_path(&self) -> PathBuf {
        self.path.join("contacts.redb.new")
    }
}
