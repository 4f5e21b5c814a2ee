//! Serves `xmpp-edge contacts` while this process holds the contacts.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::proto::jid::BareJid;
use crate::store::Contacts;
use crate::store::protocol::{Entry, MAX_LINE, Reply, Request, socket};

/// How many administrators are served at once; others wait.
const MAX_CONVERSATIONS: usize = 8;
/// How long one may stay silent, or not read.
const IDLE: Duration = Duration::from_secs(30);
/// How long to wait after a connection could not be taken.
const PAUSE: Duration = Duration::from_millis(200);

/// Opens the socket, for its owner only. The contacts must be open: then a socket that is there
/// is of a process that has ended.
///
/// # Errors
/// When the socket cannot be made: its path may be too long (107 bytes).
pub fn listen(directory: &Path) -> io::Result<UnixListener> {
    let path = socket(directory);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until it is dropped.
pub async fn serve(listener: UnixListener, contacts: Contacts) {
    let places = Arc::new(Semaphore::new(MAX_CONVERSATIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let contacts = contacts.clone();
        tokio::spawn(async move {
            // Whoever went away in the middle is told by its own end.
            converse(stream, &contacts).await.unwrap_or_default();
            drop(place);
        });
    }
}

async fn converse(stream: UnixStream, contacts: &Contacts) -> io::Result<()> {
    let (reader, writer) = stream.into_split();
    let (mut reader, mut writer) = (BufReader::new(reader), BufWriter::new(writer));
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut reader).take(MAX_LINE as u64);
        timeout(IDLE, limited.read_until(b'\n', &mut line)).await??;
        if line.is_empty() {
            return Ok(());
        }
        let whole = line.ends_with(b"\n");
        let replies = match serde_json::from_slice(&line) {
            Ok(request) if whole => answer(request, contacts).await,
            Ok(_) => vec![Reply::Error("the line has no end".to_owned())],
            Err(error) => vec![Reply::Error(format!("not a request: {error}"))],
        };
        timeout(IDLE, write(&mut writer, &replies)).await??;
        if !whole {
            return Ok(());
        }
    }
}

async fn write(writer: &mut (impl AsyncWriteExt + Unpin), replies: &[Reply]) -> io::Result<()> {
    for reply in replies {
        let mut line = serde_json::to_vec(reply)?;
        line.push(b'\n');
        writer.write_all(&line).await?;
    }
    writer.flush().await
}

async fn answer(request: Request, contacts: &Contacts) -> Vec<Reply> {
    let (entry, present) = match request {
        Request::List {} => {
            let list = contacts.list();
            let entries = list.iter().map(|contact| Reply::Contact(contact.into()));
            return entries.chain([Reply::End(list.len())]).collect();
        }
        Request::Add(entry) => (entry, true),
        Request::Remove(entry) => (entry, false),
    };
    vec![
        change(&entry, present, contacts)
            .await
            .map_or_else(Reply::Error, Reply::Changed),
    ]
}

async fn change(entry: &Entry, present: bool, contacts: &Contacts) -> Result<bool, String> {
    let address = |text: &str| {
        BareJid::parse(text).map_err(|error| format!("`{text}` is no address: {error}"))
    };
    let (local, remote) = (address(&entry.local)?, address(&entry.remote)?);
    let changed = if present {
        contacts.add(&local, &remote).await
    } else {
        contacts.remove(&local, &remote).await
    };
    changed.map_err(|error| error.to_string())
}
