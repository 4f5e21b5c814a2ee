//! What lies between redb and the operating system.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{DatabaseError, StorageBackend};

/// Makes a backend of a file; tests make one that fails.
pub(super) trait Disk: Send + 'static {
    type Backend: StorageBackend;

    fn backend(&self, file: File) -> Result<Self::Backend, DatabaseError>;
}

/// The operating system as it is.
#[derive(Debug)]
pub(super) struct Plain;

impl Disk for Plain {
    type Backend = FileBackend;

    fn backend(&self, file: File) -> Result<FileBackend, DatabaseError> {
        FileBackend::new(file)
    }
}

/// Stops writing for good once it is thrown.
#[derive(Clone, Debug, Default)]
pub(super) struct Switch(Arc<AtomicBool>);

impl Switch {
    pub(super) fn throw(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A backend that can be stopped.
///
/// A database that is closed in order has a summary of its free space in it, which redb believes
/// when it opens the file, without looking at its checksum, and panics where it is damaged. So ours
/// is never closed in order, but as by `kill -9`: redb then verifies every page and counts anew.
/// It has no locks: the directory is locked.
#[derive(Debug)]
pub(super) struct Stoppable<B> {
    pub(super) backend: B,
    pub(super) switch: Switch,
}

impl<B> Stoppable<B> {
    fn running(&self) -> io::Result<&B> {
        if self.switch.0.load(Ordering::SeqCst) {
            return Err(io::Error::other("the store is closed"));
        }
        Ok(&self.backend)
    }
}

impl<B: StorageBackend> StorageBackend for Stoppable<B> {
    fn len(&self) -> io::Result<u64> {
        self.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.backend.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.running()?.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.running()?.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.running()?.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.backend.close()
    }
}
