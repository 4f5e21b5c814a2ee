//! The way to the contacts: through the daemon that holds them, else straight to the file.

use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use tokio::runtime::{self, Runtime};

use crate::config::Config;
use crate::net::admin::client::{Client, NoAnswer};
use crate::net::admin::protocol::{ContactsRequest, Entry, Reply, Request};
use crate::proto::jid::BareJid;
use crate::store::{Contacts, StoreError};

/// How often a store that somebody holds without serving it is tried again: a daemon that starts
/// or stops is in that state for a moment.
const ATTEMPTS: u32 = 30;
const PAUSE: Duration = Duration::from_millis(100);

/// The contacts, wherever they are.
pub(super) enum Access {
    Daemon(Client),
    Own(Contacts, Runtime),
}

/// Why the contacts cannot be reached or changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{} is held by another process, which does not answer on {}", .state.display(), .socket.display())]
    Held { state: PathBuf, socket: PathBuf },
    #[error("{0}; {hint}", hint = .0.hint())]
    Daemon(#[from] NoAnswer),
    #[error("{} is not there: the daemon makes it when it starts", .0.display())]
    NoState(PathBuf),
    #[error("{0}; the daemon sets it aside when it starts")]
    Damaged(StoreError),
    #[error(transparent)]
    Store(StoreError),
    #[error("{0}")]
    Runtime(io::Error),
}

impl Access {
    pub(super) fn open(config: &Config) -> Result<Self, Refusal> {
        let (directory, socket) = (&config.state_directory, &config.admin.socket);
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                thread::sleep(PAUSE);
            }
            match Client::connect(socket) {
                Ok(client) => return Ok(Self::Daemon(client)),
                Err(error) if error.is_absence() => {}
                Err(error) => return Err(error.into()),
            }
            if !directory.exists() {
                return Err(Refusal::NoState(directory.clone()));
            }
            match Contacts::open_for_edit(directory) {
                Ok(contacts) => {
                    let runtime = runtime::Builder::new_current_thread().build();
                    return Ok(Self::Own(contacts, runtime.map_err(Refusal::Runtime)?));
                }
                Err(StoreError::Locked(_)) => {}
                Err(error @ StoreError::Damaged { .. }) => return Err(Refusal::Damaged(error)),
                Err(error) => return Err(Refusal::Store(error)),
            }
        }
        Err(Refusal::Held {
            state: directory.clone(),
            socket: socket.clone(),
        })
    }

    pub(super) fn list(&mut self) -> Result<Vec<Entry>, Refusal> {
        match self {
            Self::Own(contacts, _) => Ok(contacts.list().iter().map(Entry::from).collect()),
            Self::Daemon(client) => {
                let mut reply = client.ask(&Request::Contacts(ContactsRequest::List {}))?;
                let mut entries = Vec::new();
                loop {
                    match reply {
                        Reply::Contact(entry) => entries.push(entry),
                        Reply::End(number) if number == entries.len() => return Ok(entries),
                        _ => return Err(NoAnswer::Odd.into()),
                    }
                    reply = client.reply()?;
                }
            }
        }
    }

    pub(super) fn change(&mut self, entry: &Entry, present: bool) -> Result<bool, Refusal> {
        match self {
            Self::Own(contacts, runtime) => {
                let address = |text| BareJid::parse(text).map_err(|_| NoAnswer::Odd);
                let (local, remote) = (address(&entry.local)?, address(&entry.remote)?);
                let changed = if present {
                    runtime.block_on(contacts.add(local, remote))
                } else {
                    runtime.block_on(contacts.remove(local, remote))
                };
                changed.map_err(Refusal::Store)
            }
            Self::Daemon(client) => {
                let entry = entry.clone();
                let request = match present {
                    true => ContactsRequest::Add(entry),
                    false => ContactsRequest::Remove(entry),
                };
                match client.ask(&Request::Contacts(request))? {
                    Reply::Changed(changed) => Ok(changed),
                    _ => Err(NoAnswer::Odd.into()),
                }
            }
        }
    }
}
