//! The journal's native protocol: one datagram an event, each field by its name.
//!
//! Written here, and not by tracing-journald, because that library sends where the event arises:
//! a socket of datagrams blocks when its reader does not read, and what cannot be sent is
//! forgotten without a count. The protocol is a dozen lines (systemd's "Native Journal Protocol").

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::queue::Lines;
use crate::ops::events::TARGET;
use crate::ops::text::{in_words, now};

/// Where the journal receives.
pub(super) const PATH: &str = "/run/systemd/journal/socket";

/// What is sent of one value, in bytes. A datagram has some 200 KiB; ours are far shorter, and a
/// library's may be any length.
const LONGEST: usize = 16 << 10;

/// The way to the journal.
#[derive(Debug)]
pub(super) struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journal {
    /// Finds a journal at a path. Nothing is sent yet, so this never waits.
    ///
    /// # Errors
    /// Nobody receives there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        UnixDatagram::unbound()?.connect(path)?;
        Ok(Self {
            // Not connected: the journal may be replaced by another at the same path.
            socket: UnixDatagram::unbound()?,
            path: path.to_owned(),
        })
    }
}

impl io::Write for Journal {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        self.socket.send_to(entry, &self.path)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes an entry of each event.
#[derive(Debug)]
pub(super) struct JournalLayer(pub(super) Lines);

impl<S: Subscriber> Layer<S> for JournalLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut entry = Entry::new(*metadata.level(), metadata.target());
        if let (Some(file), Some(line)) = (metadata.file(), metadata.line()) {
            entry.put("CODE_FILE", file);
            entry.put("CODE_LINE", &line.to_string());
        }
        if metadata.target() == TARGET {
            // journalctl(1) shows nothing but the message, so it has the fields of a decision, too.
            entry.put("MESSAGE", &in_words(event));
            event.record(&mut Fields(&mut entry));
        } else {
            event.record(&mut entry);
        }
        self.0.0.push(entry.into_bytes());
    }
}

/// One entry, as the journal reads it.
#[derive(Debug)]
pub(super) struct Entry(Vec<u8>);

impl Entry {
    /// What every entry has.
    pub(super) fn new(level: Level, target: &str) -> Self {
        let mut entry = Self(Vec::with_capacity(512));
        entry.put("PRIORITY", priority(level));
        entry.put("SYSLOG_IDENTIFIER", "xmpp-edge");
        entry.put("TARGET", target);
        // The journal's own time is that of its receipt, which may be later.
        entry.put("XMPP_EDGE_TIME", &now());
        entry
    }

    /// Adds a field of an event.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        if name == "message" {
            return self.put("MESSAGE", value);
        }
        // systemd.journal-fields(7): upper case, digits and underscores.
        let name: String = name
            .chars()
            .map(|c| if c == '.' { '_' } else { c })
            .filter(|&c| c == '_' || c.is_ascii_alphanumeric())
            .map(|c| c.to_ascii_uppercase())
            .collect();
        self.put(&format!("XMPP_EDGE_{name}"), value);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The form that takes any value: name, line feed, length, value, line feed.
    fn put(&mut self, name: &str, value: &str) {
        let value = value.as_bytes();
        let value = value.get(..LONGEST).unwrap_or(value);
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'\n');
        let length = value.len() as u64;
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field.name(), &format!("{value:?}"));
    }
}

/// An entry whose message is there already.
struct Fields<'e>(&'e mut Entry);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != "message" {
            self.0.field(field.name(), value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// The priority of a level, as in syslog.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

/// Whether a stream is the one the service manager connected to the journal.
///
/// `JOURNAL_STREAM` is inherited, so it alone proves nothing: its device and inode must be those
/// of the stream (systemd.exec(5)).
pub(super) fn is_journal(journal_stream: Option<&str>, stream: BorrowedFd<'_>) -> bool {
    let Some((device, inode)) = journal_stream.and_then(|text| text.split_once(':')) else {
        return false;
    };
    let (Ok(device), Ok(inode)) = (device.parse(), inode.parse()) else {
        return false;
    };
    stream
        .try_clone_to_owned()
        .and_then(|stream| File::from(stream).metadata())
        .is_ok_and(|found| (found.dev(), found.ino()) == (device, inode))
}

#[cfg(test)]
mod tests;
