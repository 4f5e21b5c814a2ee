//! The one thread that writes: what waits goes into one transaction.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{mpsc, oneshot};

use super::certificates::{CertificateMemory, Entries};
use super::contact::{Contact, Known, Limits};
use super::directory::Directory;
use super::disk::Disk;
use super::error::StoreError;
use super::file::{self, OnDamage, Store};

/// Most changes that one transaction takes.
pub(super) const BATCH: usize = 1024;

/// What the writer is told.
pub(super) enum Wish {
    /// A contact is to change.
    Contact(Change),
    /// What is remembered of certificates has changed.
    Certificates,
}

/// A wish for a contact to be present or absent.
pub(super) struct Change {
    pub(super) contact: Contact,
    pub(super) present: bool,
    /// Told, once it is on the disk, whether it changed anything.
    pub(super) answer: oneshot::Sender<Result<bool, StoreError>>,
}

/// Owns the file.
pub(super) struct Writer<D> {
    pub(super) directory: Directory,
    pub(super) disk: D,
    /// `None` after a fault: redb then wants to be opened again.
    pub(super) store: Option<Store>,
    pub(super) known: Arc<RwLock<Known>>,
    pub(super) remembered: Arc<CertificateMemory>,
    pub(super) limits: Limits,
    /// How many contacts each local account may have.
    pub(super) per_account: Arc<AtomicUsize>,
}

impl<D: Disk> Writer<D> {
    /// Makes changes until every handle is gone.
    pub(super) fn run(mut self, mut changes: mpsc::Receiver<Wish>) {
        let mut batch = Vec::new();
        while changes.blocking_recv_many(&mut batch, BATCH) > 0 {
            self.serve(batch.drain(..));
        }
    }

    /// Decides each change in the order in which they came, writes what they come to, and answers.
    fn serve(&mut self, batch: impl Iterator<Item = Wish>) {
        let known = Arc::clone(&self.known);
        let mut outcome = Outcome::new(&known, self.limits, self.per_account.load(Relaxed));
        let mut answers = Vec::new();
        for wish in batch {
            let Wish::Contact(change) = wish else {
                continue;
            };
            let answer = outcome.take(&change.contact, change.present);
            answers.push((change.answer, change.contact, answer));
        }
        let written = self.write(&outcome.changes, &self.remembered.take_unsaved());
        if written.is_ok() {
            let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
            for (contact, present) in &outcome.changes {
                known.set(contact, *present);
            }
        }
        for (sender, contact, answer) in answers {
            // What was decided by a change that failed is as open as that change.
            let answer = match &written {
                Err(error) if outcome.changes.contains_key(&contact) => Err(error.clone()),
                _ => answer,
            };
            // Whoever asked may be gone; the change stands.
            sender.send(answer).unwrap_or_default();
        }
    }

    fn write(
        &mut self,
        changes: &HashMap<Contact, bool>,
        entries: &Entries,
    ) -> Result<(), StoreError> {
        if changes.is_empty() && entries.is_empty() {
            return Ok(());
        }
        let written = match &self.store {
            Some(store) => store.write(changes, entries).map_err(StoreError::write),
            None => self.reopen().and_then(|(store, drift, entries)| {
                let changes = drift.iter().chain(changes);
                store.write(changes, &entries).map_err(StoreError::write)?;
                self.store = Some(store);
                Ok(())
            }),
        };
        if let Err(error) = &written {
            // One line for each time that the disk begins to fail; whoever asked is told each time.
            if self.store.take().is_some() {
                tracing::error!(%error, "the state cannot be written: contacts are not changed, certificates not kept yet");
            }
        }
        written
    }

    /// Opens the file after a fault, and tells what must change in it to be what memory is: of the
    /// transaction that failed, nothing or all may be in it.
    fn reopen(&self) -> Result<(Store, HashMap<Contact, bool>, Entries), StoreError> {
        let loaded = file::open(&self.directory, &self.disk, OnDamage::SetAside)?;
        if let Some(set_aside) = &loaded.set_aside {
            tracing::error!("{set_aside}; what is in memory is written to the new file");
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let found: Known = loaded.contacts.into_iter().collect();
        let missing = known.iter().filter(|contact| !found.contains(contact));
        let extra = found.iter().filter(|contact| !known.contains(contact));
        let drift = missing
            .map(|contact| (contact, true))
            .chain(extra.map(|contact| (contact, false)))
            .collect();
        let entries = self.remembered.drift(&loaded.certificates);
        Ok((loaded.store, drift, entries))
    }
}

/// What the changes of a batch come to.
struct Outcome<'k> {
    known: &'k RwLock<Known>,
    limits: Limits,
    per_account: usize,
    changes: HashMap<Contact, bool>,
    /// How many contacts each account of `changes` would have.
    accounts: HashMap<Box<str>, usize>,
    contacts: usize,
    bytes: usize,
}

impl<'k> Outcome<'k> {
    fn new(known: &'k RwLock<Known>, limits: Limits, per_account: usize) -> Self {
        let (contacts, bytes) = known.read().unwrap_or_else(PoisonError::into_inner).size();
        Self {
            known,
            limits,
            per_account,
            changes: HashMap::new(),
            accounts: HashMap::new(),
            contacts,
            bytes,
        }
    }

    /// Takes one change on, and tells whether it changes anything.
    fn take(&mut self, contact: &Contact, present: bool) -> Result<bool, StoreError> {
        let (was, of_account) = self.before(contact);
        if was == present {
            return Ok(false);
        }
        let length = contact.as_bytes().len();
        let of_account = if !present {
            self.contacts -= 1;
            self.bytes -= length;
            of_account - 1
        } else if of_account >= self.per_account {
            return Err(StoreError::AccountFull(self.per_account));
        } else if self.contacts >= self.limits.contacts || self.bytes + length > self.limits.bytes {
            return Err(StoreError::Full {
                contacts: self.contacts,
                bytes: self.bytes,
            });
        } else {
            self.contacts += 1;
            self.bytes += length;
            of_account + 1
        };
        self.accounts.insert(contact.local().into(), of_account);
        self.changes.insert(contact.clone(), present);
        Ok(true)
    }

    /// Whether a contact is there, and how many its account has, after the changes so far.
    fn before(&self, contact: &Contact) -> (bool, usize) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let was = self.changes.get(contact).copied();
        let of_account = self.accounts.get(contact.local()).copied();
        (
            was.unwrap_or_else(|| known.contains(contact)),
            of_account.unwrap_or_else(|| known.of(contact.local())),
        )
    }
}
