//! The way to the contacts: through the daemon that holds them, else straight to the file.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use tokio::runtime::{self, Runtime};

use crate::proto::jid::BareJid;
use crate::store::protocol::{Entry, MAX_LINE, Reply, Request, socket};
use crate::store::{Contacts, StoreError};

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a store that somebody holds without serving it is tried again: a daemon that starts
/// or stops is in that state for a moment.
const ATTEMPTS: u32 = 30;
const PAUSE: Duration = Duration::from_millis(100);

/// The contacts, wherever they are.
pub(super) enum Access {
    Daemon(Conversation),
    Own(Contacts, Runtime),
}

/// Why the contacts cannot be reached or changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{} is held by another process, which does not answer on {}", .0.display(), socket(.0).display())]
    Held(PathBuf),
    #[error("the daemon cannot be asked on {}: {error}", path.display())]
    Socket { path: PathBuf, error: io::Error },
    #[error("the daemon does not answer: {0}")]
    Silent(io::Error),
    #[error("the daemon answers what was not asked")]
    Odd,
    #[error("the daemon refuses: {0}")]
    Refused(String),
    #[error("{0}; the daemon sets it aside when it starts")]
    Damaged(StoreError),
    #[error(transparent)]
    Store(StoreError),
    #[error("{0}")]
    Runtime(io::Error),
}

impl Access {
    pub(super) fn open(directory: &Path) -> Result<Self, Refusal> {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                thread::sleep(PAUSE);
            }
            let path = socket(directory);
            match UnixStream::connect(&path) {
                Ok(stream) => return Conversation::new(stream).map(Self::Daemon),
                Err(error) if no_daemon(&error) => {}
                Err(error) => return Err(Refusal::Socket { path, error }),
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
        Err(Refusal::Held(directory.to_owned()))
    }

    pub(super) fn list(&mut self) -> Result<Vec<Entry>, Refusal> {
        match self {
            Self::Own(contacts, _) => Ok(contacts.list().iter().map(Entry::from).collect()),
            Self::Daemon(conversation) => {
                conversation.ask(&Request::List {})?;
                let mut entries = Vec::new();
                loop {
                    match conversation.reply()? {
                        Reply::Contact(entry) => entries.push(entry),
                        Reply::End(number) if number == entries.len() => return Ok(entries),
                        _ => return Err(Refusal::Odd),
                    }
                }
            }
        }
    }

    pub(super) fn change(&mut self, entry: &Entry, present: bool) -> Result<bool, Refusal> {
        match self {
            Self::Own(contacts, runtime) => {
                let address = |text| BareJid::parse(text).map_err(|_| Refusal::Odd);
                let (local, remote) = (address(&entry.local)?, address(&entry.remote)?);
                let changed = if present {
                    runtime.block_on(contacts.add(local, remote))
                } else {
                    runtime.block_on(contacts.remove(local, remote))
                };
                changed.map_err(Refusal::Store)
            }
            Self::Daemon(conversation) => {
                let entry = entry.clone();
                conversation.ask(&if present {
                    Request::Add(entry)
                } else {
                    Request::Remove(entry)
                })?;
                match conversation.reply()? {
                    Reply::Changed(changed) => Ok(changed),
                    Reply::Error(reason) => Err(Refusal::Refused(reason)),
                    _ => Err(Refusal::Odd),
                }
            }
        }
    }
}

/// Whether nobody listens: there is no socket, or one of a process that has ended.
fn no_daemon(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

/// A connection to the daemon.
pub(super) struct Conversation(BufReader<UnixStream>);

impl Conversation {
    fn new(stream: UnixStream) -> Result<Self, Refusal> {
        stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .map_err(Refusal::Silent)?;
        Ok(Self(BufReader::new(stream)))
    }

    fn ask(&mut self, request: &Request) -> Result<(), Refusal> {
        let mut line = serde_json::to_vec(request).map_err(|_| Refusal::Odd)?;
        line.push(b'\n');
        self.0.get_mut().write_all(&line).map_err(Refusal::Silent)
    }

    fn reply(&mut self) -> Result<Reply, Refusal> {
        let mut line = Vec::new();
        (&mut self.0)
            .take(MAX_LINE as u64)
            .read_until(b'\n', &mut line)
            .map_err(Refusal::Silent)?;
        if line.is_empty() {
            return Err(Refusal::Silent(io::ErrorKind::UnexpectedEof.into()));
        }
        serde_json::from_slice(&line).map_err(|_| Refusal::Odd)
    }
}
