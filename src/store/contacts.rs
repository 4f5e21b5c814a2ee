//! The handle that everyone else uses.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};

use super::certificates::CertificateMemory;
use super::contact::{Contact, Known, Limits};
use super::directory::Directory;
use super::disk::{Disk, Plain};
use super::error::{SetAside, StoreError};
use super::file::{self, OnDamage};
use super::writer::{BATCH, Change, Wish, Writer};
use crate::proto::auth::continuity::{Continuity, History, Shown};
use crate::proto::jid::BareJid;

/// The contacts of all local users. Cheap to clone; the file is closed with the last clone.
#[derive(Clone)]
pub struct Contacts(Arc<Shared>);

/// A store that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The contacts.
    pub contacts: Contacts,
    /// The file that was there before, if it was damaged: the contacts then begin empty.
    pub set_aside: Option<SetAside>,
}

impl Contacts {
    /// Opens the contacts of a state directory, for the daemon. Makes the directory (mode 0700) and the
    /// file (mode 0600) where there are none; waits two seconds for an administrator's edit to
    /// end.
    ///
    /// # Errors
    /// [`StoreError`], when another process stays in the way, or the operating system does.
    pub fn open(directory: &Path) -> Result<Opened, StoreError> {
        let directory = Directory::make(directory)?;
        Self::open_with(directory, Plain, OnDamage::SetAside, Limits::DEFAULT)
    }

    /// As [`Contacts::open`], for an administrator's edit: does not wait, makes no directory (it
    /// would be the administrator's own), and leaves a damaged file to the daemon.
    ///
    /// # Errors
    /// [`StoreError`]; among others [`StoreError::Locked`] while a daemon runs.
    pub fn open_for_edit(directory: &Path) -> Result<Self, StoreError> {
        let directory = Directory::lock(directory, 0)?;
        Self::open_with(directory, Plain, OnDamage::Refuse, Limits::DEFAULT)
            .map(|opened| opened.contacts)
    }

    /// No contacts, and a memory that nothing is kept of. Changes are refused.
    #[must_use]
    pub fn kept_nowhere() -> Self {
        Self(Arc::new(Shared {
            known: Arc::default(),
            remembered: Arc::default(),
            per_account: Arc::default(),
            changes: None,
            thread: None,
        }))
    }

    /// Whether the local account has added the remote one. Asks memory only.
    #[must_use]
    pub fn contains(&self, local: impl Into<BareJid>, remote: impl Into<BareJid>) -> bool {
        let contact = Contact::new(local, remote);
        let known = self.0.known.read();
        known
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&contact)
    }

    /// Adds a contact, and tells whether it was absent. It is on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub async fn add(
        &self,
        local: impl Into<BareJid>,
        remote: impl Into<BareJid>,
    ) -> Result<bool, StoreError> {
        self.change(Contact::new(local, remote), true).await
    }

    /// Removes a contact, and tells whether it was there. It is off the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub async fn remove(
        &self,
        local: impl Into<BareJid>,
        remote: impl Into<BareJid>,
    ) -> Result<bool, StoreError> {
        self.change(Contact::new(local, remote), false).await
    }

    /// All contacts, ordered by the local account, then by the remote one.
    #[must_use]
    pub fn list(&self) -> Vec<Contact> {
        let known = self.0.known.read();
        let known = known.unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<_> = known.iter().collect();
        drop(known);
        list.sort_unstable();
        list
    }

    /// How many contacts each local account may have from here on. Those that are there stay.
    pub fn limit_each(&self, contacts: usize) {
        self.0.per_account.store(contacts, Relaxed);
    }

    /// What certificates partners have shown, which is kept in the same file.
    #[must_use]
    pub fn certificates(&self) -> Certificates {
        Certificates(Arc::clone(&self.0))
    }

    pub(super) fn open_with(
        directory: Directory,
        disk: impl Disk,
        on_damage: OnDamage,
        limits: Limits,
    ) -> Result<Opened, StoreError> {
        let path = directory.contacts();
        let loaded = file::open(&directory, &disk, on_damage)?;
        let known = Arc::new(RwLock::new(loaded.contacts.into_iter().collect()));
        let remembered = Arc::new(CertificateMemory::new(loaded.certificates));
        let (changes, queue) = mpsc::channel(BATCH);
        let per_account = Arc::new(AtomicUsize::new(usize::MAX));
        let writer = Writer {
            directory,
            disk,
            store: Some(loaded.store),
            known: Arc::clone(&known),
            remembered: Arc::clone(&remembered),
            limits,
            per_account: Arc::clone(&per_account),
        };
        let thread = thread::Builder::new()
            .name("contacts".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|error: io::Error| StoreError::io(&path, error))?;
        Ok(Opened {
            contacts: Self(Arc::new(Shared {
                known,
                remembered,
                per_account,
                changes: Some(changes),
                thread: Some(thread),
            })),
            set_aside: loaded.set_aside,
        })
    }

    /// All changes go through one queue, also those that seem to change nothing: what is in
    /// memory may be about to change by one that is ahead.
    async fn change(&self, contact: Contact, present: bool) -> Result<bool, StoreError> {
        let (answer, answered) = oneshot::channel();
        let change = Change {
            contact,
            present,
            answer,
        };
        let changes = self.0.changes.as_ref().ok_or(StoreError::Closed)?;
        let wish = Wish::Contact(change);
        changes.send(wish).await.map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl fmt::Debug for Contacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contacts(..)")
    }
}

/// What certificates the partners have shown. Cheap to clone, and keeps the file open as
/// [`Contacts`] do.
#[derive(Clone)]
pub struct Certificates(Arc<Shared>);

impl Certificates {
    /// Compares a good chain with those that were seen of the same entry lately, and remembers it:
    /// at once in memory, on the disk soon after. `now` is in Unix time, in seconds.
    #[must_use]
    pub fn note(&self, entry: &str, shown: &Shown, now: u64) -> Continuity {
        let (continuity, changed) = self.0.remembered.note(entry, shown, now);
        if let Some(changes) = self.0.changes.as_ref().filter(|_| changed) {
            // If there is no room, the writer has work, and takes this with it.
            changes.try_send(Wish::Certificates).unwrap_or_default();
        }
        continuity
    }

    /// What was seen of an entry lately.
    #[must_use]
    pub fn history(&self, entry: &str) -> History {
        self.0.remembered.history(entry)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates(..)")
    }
}

struct Shared {
    known: Arc<RwLock<Known>>,
    remembered: Arc<CertificateMemory>,
    per_account: Arc<AtomicUsize>,
    changes: Option<mpsc::Sender<Wish>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Shared {
    /// Waits until the file is closed, so that the next opening finds it whole and free.
    fn drop(&mut self) {
        drop(self.changes.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has been reported where it was.
            thread.join().unwrap_or_default();
        }
    }
}
