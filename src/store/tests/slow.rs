//! A disk that takes its time, and one that hangs until it is released.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{DatabaseError, StorageBackend};

use super::super::contact::Limits;
use super::super::directory::Directory;
use super::super::disk::Disk;
use super::super::file::OnDamage;
use super::super::{Contacts, StoreError};
use super::numbered;

/// Each `fsync` takes so long, and none ends while it hangs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slow {
    fsync: Duration,
    pub(crate) syncs: Arc<AtomicU64>,
    hangs: Arc<(Mutex<bool>, Condvar)>,
}

impl Slow {
    pub(crate) fn new(fsync: Duration) -> Self {
        Self {
            fsync,
            ..Self::default()
        }
    }

    /// Contacts on this disk.
    pub(crate) fn open(&self, directory: &Path) -> Contacts {
        let directory = Directory::make(directory).unwrap();
        Contacts::open_with(directory, self.clone(), OnDamage::SetAside, Limits::DEFAULT)
            .unwrap()
            .contacts
    }

    pub(crate) fn hang(&self, hangs: bool) {
        *self.hangs.0.lock().unwrap() = hangs;
        self.hangs.1.notify_all();
    }
}

#[derive(Debug)]
pub(crate) struct SlowBackend(FileBackend, Slow);

impl Disk for Slow {
    type Backend = SlowBackend;

    fn backend(&self, file: File) -> Result<SlowBackend, DatabaseError> {
        Ok(SlowBackend(FileBackend::new(file)?, self.clone()))
    }
}

impl StorageBackend for SlowBackend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let Slow {
            fsync,
            syncs,
            hangs,
        } = &self.1;
        syncs.fetch_add(1, SeqCst);
        std::thread::sleep(*fsync);
        let hanging = hangs.0.lock().unwrap();
        drop(hangs.1.wait_while(hanging, |hangs| *hangs).unwrap());
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}

#[tokio::test]
async fn each_account_has_a_limit_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let contacts = super::open(directory.path());
    contacts.limit_each(5);
    // Every ten numbers are one user's.
    for number in (0..5).chain(10..15) {
        let (local, remote) = numbered(number);
        assert!(contacts.add(&local, &remote).await.unwrap());
    }
    let (local, remote) = numbered(5);
    let error = contacts.add(&local, &remote).await.unwrap_err();
    assert!(matches!(error, StoreError::AccountFull(5)), "{error}");
    // What is there already can be said again, and what is taken back makes room.
    let (_, first) = numbered(0);
    assert!(!contacts.add(&local, &first).await.unwrap());
    assert!(contacts.remove(&local, &first).await.unwrap());
    assert!(contacts.add(&local, &remote).await.unwrap());
    drop(contacts);
    assert_eq!(super::open(directory.path()).list().len(), 10);
}

/// Of changes that come at once, too.
#[tokio::test]
async fn a_burst_passes_no_limit() {
    let directory = tempfile::tempdir().unwrap();
    let contacts = super::open(directory.path());
    contacts.limit_each(5);
    let adds = (0..10).map(|number| {
        let contacts = contacts.clone();
        let (local, remote) = numbered(number);
        tokio::spawn(async move { contacts.add(&local, &remote).await.is_ok() })
    });
    let mut kept = 0;
    for add in adds.collect::<Vec<_>>() {
        kept += usize::from(add.await.unwrap());
    }
    assert_eq!((kept, contacts.list().len()), (5, 5));
}
