//! A disk that fails: nothing acknowledged is lost, nothing else is kept, and it goes on.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use redb::backends::FileBackend;
use redb::{DatabaseError, StorageBackend};

use super::super::contact::Limits;
use super::super::directory::Directory;
use super::super::disk::Disk;
use super::super::file::OnDamage;
use super::super::{Contacts, StoreError};
use super::{certificates, numbered, open, texts};

/// Lets so many writing calls through, and is then full until it is given more.
#[derive(Clone, Debug)]
struct Failing(Arc<AtomicI64>);

const ENDLESS: i64 = i64::MAX;
/// ENOSPC.
const NO_SPACE: i32 = 28;

#[derive(Debug)]
struct FailingBackend {
    file: FileBackend,
    left: Arc<AtomicI64>,
}

impl Disk for Failing {
    type Backend = FailingBackend;

    fn backend(&self, file: File) -> Result<FailingBackend, DatabaseError> {
        Ok(FailingBackend {
            file: FileBackend::new(file)?,
            left: Arc::clone(&self.0),
        })
    }
}

impl FailingBackend {
    fn spend(&self) -> io::Result<()> {
        if self.left.fetch_sub(1, Ordering::SeqCst) > 0 {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(NO_SPACE))
        }
    }
}

impl StorageBackend for FailingBackend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.spend().and_then(|()| self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.spend().and_then(|()| self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.spend().and_then(|()| self.file.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

fn failing(directory: &std::path::Path, left: &Arc<AtomicI64>) -> Result<Contacts, StoreError> {
    let directory = Directory::make(directory)?;
    let disk = Failing(Arc::clone(left));
    let opened = Contacts::open_with(directory, disk, OnDamage::SetAside, Limits::DEFAULT)?;
    assert_eq!(opened.set_aside, None);
    Ok(opened.contacts)
}

/// Wherever in a change the disk fails, and whatever of it reaches the file.
#[tokio::test]
async fn a_full_disk_costs_only_what_was_refused() {
    let mut failures = 0;
    for calls in 0.. {
        let directory = tempfile::tempdir().unwrap();
        let left = Arc::new(AtomicI64::new(ENDLESS));
        let contacts = failing(directory.path(), &left).unwrap();
        let (kept, refused, later) = (numbered(1), numbered(2), numbered(3));
        contacts.add(&kept.0, &kept.1).await.unwrap();

        left.store(calls, Ordering::SeqCst);
        let result = contacts.add(&refused.0, &refused.1).await;
        assert_eq!(contacts.contains(&refused.0, &refused.1), result.is_ok());
        assert!(contacts.contains(&kept.0, &kept.1));
        if let Err(error) = &result {
            assert!(matches!(error, StoreError::Write(_)), "{error}");
            // Still full: refused again, and nothing is lost.
            left.store(calls / 2, Ordering::SeqCst);
            let again = contacts.remove(&kept.0, &kept.1).await;
            assert_eq!(contacts.contains(&kept.0, &kept.1), again.is_err());
            failures += 1;
        }

        left.store(ENDLESS, Ordering::SeqCst);
        assert!(contacts.add(&later.0, &later.1).await.unwrap());
        let before = contacts.list();
        drop(contacts);
        assert_eq!(open(directory.path()).list(), before, "after {calls} calls");
        // A full disk is no damage.
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        if result.is_ok() {
            break;
        }
    }
    assert!(failures > 3, "{failures}");
}

/// Wherever in the writing the disk fails, what was seen is known, and is in the file with the next
/// change that succeeds.
#[tokio::test]
async fn what_a_full_disk_did_not_take_is_written_later() {
    let mut failures = 0;
    for calls in 0.. {
        let directory = tempfile::tempdir().unwrap();
        let left = Arc::new(AtomicI64::new(ENDLESS));
        let contacts = failing(directory.path(), &left).unwrap();
        left.store(calls, Ordering::SeqCst);
        certificates::fill(&contacts);
        // Answered when what was noted before it has been written, or not.
        let (local, remote) = numbered(1);
        let refused = contacts.add(&local, &remote).await.is_err();
        let before = texts(&contacts);
        assert!(before.len() >= certificates::ENTRIES);

        left.store(ENDLESS, Ordering::SeqCst);
        let (local, remote) = numbered(2);
        assert!(contacts.add(&local, &remote).await.unwrap());
        let before = texts(&contacts);
        drop(contacts);
        assert_eq!(
            texts(&open(directory.path())),
            before,
            "after {calls} calls"
        );
        failures += usize::from(refused);
        if !refused {
            break;
        }
    }
    assert!(failures > 3, "{failures}");
}

/// A beginning that fails leaves nothing that looks like a store.
#[test]
fn a_disk_that_is_full_from_the_start_is_an_error() {
    for calls in 0.. {
        let directory = tempfile::tempdir().unwrap();
        let left = Arc::new(AtomicI64::new(calls));
        let opened = failing(directory.path(), &left);
        let succeeded = opened.is_ok();
        drop(opened);
        assert_eq!(open(directory.path()).list(), []);
        if succeeded {
            break;
        }
    }
}

/// However far an opening comes, it neither takes a full disk for damage nor does any.
#[tokio::test]
async fn a_disk_that_is_full_when_it_is_opened_harms_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (local, remote) = numbered(1);
    open(directory.path()).add(&local, &remote).await.unwrap();
    for calls in 0.. {
        let left = Arc::new(AtomicI64::new(calls));
        let opened = failing(directory.path(), &left);
        let succeeded = opened.is_ok();
        drop(opened);
        assert!(open(directory.path()).contains(&local, &remote), "{calls}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        if succeeded {
            assert!(calls > 3, "{calls}");
            break;
        }
    }
}
