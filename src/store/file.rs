//! The file: opened and verified, changed in transactions.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::{
    Builder, Database, DatabaseError, Error, ReadableDatabase as _, ReadableTable as _,
    TableDefinition, TableError,
};

use super::certificates::{Entries, decode};
use super::contact::Contact;
use super::directory::Directory;
use super::disk::{Disk, Stoppable, Switch};
use super::error::{SetAside, StoreError};
use super::header;
use crate::proto::auth::continuity::History;

/// What to do with a damaged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnDamage {
    /// Rename it and begin a new one.
    SetAside,
    /// Leave it for the daemon.
    Refuse,
}

/// An open file, and what was in it.
pub(super) struct Loaded {
    pub(super) store: Store,
    pub(super) contacts: Vec<Contact>,
    pub(super) certificates: HashMap<String, History>,
    pub(super) set_aside: Option<SetAside>,
}

/// Opens the contacts of a directory, or begins them where there are none.
pub(super) fn open(
    directory: &Directory,
    disk: &impl Disk,
    on_damage: OnDamage,
) -> Result<Loaded, StoreError> {
    let path = directory.contacts();
    let set_aside = match existing(directory, disk) {
        Ok(Some(loaded)) => return Ok(loaded),
        Ok(None) => None,
        Err(Fault::Io(error)) => return Err(StoreError::io(&path, error)),
        Err(Fault::Locked) => return Err(StoreError::Locked(path)),
        Err(Fault::Damage(reason)) if on_damage == OnDamage::Refuse => {
            return Err(StoreError::Damaged { path, reason });
        }
        Err(Fault::Damage(reason)) => {
            let aside = directory
                .set_aside()
                .map_err(|error| StoreError::io(&path, error))?;
            Some(SetAside {
                file: path,
                aside,
                reason,
            })
        }
    };
    Ok(Loaded {
        store: begin(directory, disk)?,
        contacts: Vec::new(),
        certificates: HashMap::new(),
        set_aside,
    })
}

/// An open file. It stops where it is when this is dropped, and nothing more is written.
pub(super) struct Store {
    switch: Switch,
    database: Database,
}

impl Store {
    fn new(file: File, disk: &impl Disk) -> Result<Self, DatabaseError> {
        let switch = Switch::default();
        let backend = Stoppable {
            backend: disk.backend(file)?,
            switch: switch.clone(),
        };
        let database = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(backend)?;
        Ok(Self { switch, database })
    }

    /// Makes contacts and entries present or absent, all or none; on the disk when it returns.
    ///
    /// redb keeps the roots of the last two commits, and goes back to the older one where the newer
    /// one is damaged. After a second commit, of nothing but a number, both have the change in
    /// them. (redb's own two phases would make it read pages before it has verified them.)
    pub(super) fn write<'c>(
        &self,
        changes: impl IntoIterator<Item = (&'c Contact, &'c bool)>,
        entries: &Entries,
    ) -> Result<(), Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for (contact, present) in changes {
                if *present {
                    table.insert(contact.as_bytes(), ())?;
                } else {
                    table.remove(contact.as_bytes())?;
                }
            }
            let mut table = transaction.open_table(CERTIFICATES)?;
            for (entry, history) in entries {
                match history {
                    Some(history) => table.insert(entry.as_str(), history.as_slice())?,
                    None => table.remove(entry.as_str())?,
                };
            }
        }
        transaction.commit()?;
        let transaction = self.database.begin_write()?;
        {
            let mut commits = transaction.open_table(COMMITS)?;
            let number = commits.get(())?.map_or(0, |number| number.value());
            commits.insert((), number.wrapping_add(1))?;
        }
        Ok(transaction.commit()?)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.switch.throw();
    }
}

const TABLE: TableDefinition<'static, &[u8], ()> = TableDefinition::new("contacts");
/// What was seen of each entry of the partner file, as [`decode`] reads it.
const CERTIFICATES: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("certificates");
/// How many changes there were.
const COMMITS: TableDefinition<'static, (), u64> = TableDefinition::new("commits");

/// Everything is in our own memory already, so redb needs little of it.
const CACHE_BYTES: usize = 4 << 20;

enum Fault {
    Damage(String),
    Io(io::Error),
    Locked,
}

impl<E: Into<Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        match error.into() {
            // What the operating system did not say, the content did: cut short, no magic number.
            Error::Io(error) if error.raw_os_error().is_some() => Self::Io(error),
            Error::DatabaseAlreadyOpen => Self::Locked,
            // redb says no more of an error of the disk that came before.
            error @ Error::PreviousIo => Self::Io(io::Error::other(error.to_string())),
            error => Self::Damage(error.to_string()),
        }
    }
}

/// Opens and reads the file, if there is one.
fn existing(directory: &Directory, disk: &impl Disk) -> Result<Option<Loaded>, Fault> {
    let path = directory.contacts();
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(Fault::Io)?,
    };
    let metadata = file.metadata().map_err(Fault::Io)?;
    if !metadata.is_file() {
        return Err(Fault::Io(io::Error::other("it is not a regular file")));
    }
    // redb would take an empty file for a new one; ours are never empty.
    if metadata.len() == 0 {
        return Err(Fault::Damage("it is empty".to_owned()));
    }
    header::mend(&file).map_err(Fault::Io)?;
    // redb means to report every damage; should it fail to, that is one more kind of damage.
    catch_unwind(AssertUnwindSafe(|| read(file, disk)))
        .unwrap_or_else(|_| Err(Fault::Damage("it cannot be read".to_owned())))
        .map(Some)
}

fn read(file: File, disk: &impl Disk) -> Result<Loaded, Fault> {
    let mut store = Store::new(file, disk)?;
    // `false` says that free space was counted wrongly, and is not any more; what is kept was sound.
    store.database.check_integrity()?;
    let mut contacts = Vec::new();
    let table = store.database.begin_read()?.open_table(TABLE)?;
    for entry in table.iter()? {
        let (key, ()) = entry.map(|(key, value)| (key, value.value()))?;
        let contact = Contact::from_bytes(key.value());
        contacts.push(contact.ok_or_else(|| Fault::Damage("an entry is no contact".to_owned()))?);
    }
    drop(table);
    let certificates = certificates(&store)?;
    // Opening made a commit in two phases; see `Store::write`.
    store.write([], &Entries::new())?;
    Ok(Loaded {
        store,
        contacts,
        certificates,
        set_aside: None,
    })
}

fn certificates(store: &Store) -> Result<HashMap<String, History>, Fault> {
    let table = match store.database.begin_read()?.open_table(CERTIFICATES) {
        // The first edges kept nothing but contacts.
        Err(TableError::TableDoesNotExist(_)) => return Ok(HashMap::new()),
        table => table?,
    };
    let mut certificates = HashMap::new();
    for entry in table.iter()? {
        let (entry, history) = entry?;
        let history = decode(history.value())
            .ok_or_else(|| Fault::Damage("an entry is no history of certificates".to_owned()))?;
        certificates.insert(entry.value().to_owned(), history);
    }
    Ok(certificates)
}

/// Begins an empty file.
fn begin(directory: &Directory, disk: &impl Disk) -> Result<Store, StoreError> {
    let io = |error| StoreError::io(&directory.contacts(), error);
    let draft = directory.draft().map_err(io)?;
    let store = Store::new(draft, disk).map_err(StoreError::write)?;
    store
        .write([], &Entries::new())
        .map_err(StoreError::write)?;
    directory.publish().map_err(io)?;
    Ok(store)
}
