use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use tracing_subscriber::layer::SubscriberExt;

use super::super::form::Form;
use super::super::queue::{CAPACITY, Next, Queue};
use super::super::writer;
use super::*;
use crate::ops::events::{self, Line};
use crate::proto::codes::Code;

const PATIENCE: Duration = Duration::from_secs(20);

/// The fields of an entry, as the journal reads them.
fn fields(mut entry: &[u8]) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    while !entry.is_empty() {
        let end = entry.iter().position(|&byte| byte == b'\n').unwrap();
        let (name, rest) = entry.split_at(end);
        let (length, rest) = rest[1..].split_first_chunk().unwrap();
        let (value, rest) = rest.split_at(u64::from_le_bytes(*length).try_into().unwrap());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        fields.push((text(name), text(value)));
        entry = rest.strip_prefix(b"\n").unwrap();
    }
    fields
}

fn field(entry: &[u8], name: &str) -> Option<String> {
    let mut fields = fields(entry).into_iter();
    fields.find(|field| field.0 == name).map(|field| field.1)
}

/// The entries that an act makes.
fn logged(act: impl FnOnce()) -> Vec<Vec<u8>> {
    let queue = Arc::new(Queue::new(CAPACITY));
    let layer = JournalLayer(Lines(Arc::clone(&queue)));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), act);
    let mut entries = Vec::new();
    while !queue.flush(Duration::ZERO) {
        let Next::Line(entry) = queue.next() else {
            panic!("one is lost");
        };
        entries.push(entry);
        queue.done();
    }
    entries
}

#[test]
fn an_entry_has_every_field_by_its_name() {
    let line = Line::new(events::Event::StreamRefused)
        .claimed("evil.example\n_UID=0")
        .reason(Code::UNKNOWN_PARTNER);
    let [entry] = logged(|| line.log()).try_into().unwrap();
    let mut found = fields(&entry);
    found.retain(|(name, _)| !["CODE_FILE", "CODE_LINE", "XMPP_EDGE_TIME"].contains(&&**name));
    let message = line.message();
    let want = [
        ("PRIORITY", "6"),
        ("SYSLOG_IDENTIFIER", "xmpp-edge"),
        ("TARGET", "xmpp_edge::decision"),
        ("MESSAGE", &message),
        ("XMPP_EDGE_EVENT", "stream-refused"),
        ("XMPP_EDGE_CLAIMED", "evil.example\\u{a}_UID=0"),
        ("XMPP_EDGE_REASON", "unknown-partner"),
    ];
    let mut want = want.map(|(name, value)| (name.to_owned(), value.to_owned()));
    want.sort();
    found.sort();
    assert_eq!(found, want);

    // The one that the log writes itself has the same.
    let mut own = fields(&Form::Journal.bytes(&line));
    own.retain(|(name, _)| name != "XMPP_EDGE_TIME");
    own.sort();
    assert_eq!(own, want);
}

#[test]
fn levels_names_and_values_fit_the_journal() {
    let entries = logged(|| {
        tracing::error!(a.b = 1, "x");
        tracing::warn!(value = ?"two\nlines", "x");
        tracing::debug!(long = "x".repeat(1 << 20), "x");
        tracing::trace!("x");
    });
    let priorities: Vec<_> = entries
        .iter()
        .filter_map(|entry| field(entry, "PRIORITY"))
        .collect();
    assert_eq!(priorities, ["3", "4", "7", "7"]);
    assert_eq!(field(&entries[0], "XMPP_EDGE_A_B").as_deref(), Some("1"));
    assert_eq!(
        field(&entries[1], "XMPP_EDGE_VALUE").as_deref(),
        Some("\"two\\nlines\"")
    );
    assert!(entries[2].len() < LONGEST + 1024);
    assert!(
        field(&entries[3], "CODE_FILE")
            .unwrap()
            .ends_with("tests.rs")
    );
}

/// A socket of datagrams blocks its senders when nobody receives: ten wait, on most systems.
#[test]
fn a_journal_that_does_not_read_holds_nobody_up_and_learns_what_it_missed() {
    const LINES: u64 = 20_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    assert!(Journal::open(&path).is_err());
    let socket = UnixDatagram::bind(&path).unwrap();
    let queue = Arc::new(Queue::new(CAPACITY));
    let journal = Journal::open(&path).unwrap();
    writer::start(Arc::clone(&queue), journal, Form::Journal).unwrap();
    let layer = JournalLayer(Lines(Arc::clone(&queue)));
    let (logged, all_logged) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            (0..LINES).for_each(|number| tracing::info!(number, "a line"));
        });
        logged.send(()).unwrap();
    });
    all_logged.recv_timeout(PATIENCE).unwrap();
    // It reads again.
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = vec![0; 1 << 16];
    for number in 0.. {
        let length = socket.recv(&mut buffer).unwrap();
        let entry = &buffer[..length];
        if let Some(detail) = field(entry, "XMPP_EDGE_DETAIL") {
            assert_eq!(
                field(entry, "XMPP_EDGE_EVENT").as_deref(),
                Some("log-lines-lost")
            );
            let lost = detail.split(' ').next().unwrap().parse::<u64>().unwrap();
            assert_eq!(number + lost, LINES, "{detail}");
            assert!(number > 1000, "{detail}");
            break;
        }
        assert_eq!(field(entry, "XMPP_EDGE_NUMBER"), Some(number.to_string()));
    }
    assert!(queue.flush(PATIENCE));
}

#[test]
fn the_journal_is_recognised_by_device_and_inode() {
    let file = tempfile::tempfile().unwrap();
    let found = file.metadata().unwrap();
    let right = format!("{}:{}", found.dev(), found.ino());
    let wrong = format!("{}:{}", found.dev(), found.ino() + 1);
    assert!(is_journal(Some(&right), file.as_fd()));
    for other in [None, Some(wrong.as_str()), Some(""), Some("1"), Some("a:b")] {
        assert!(!is_journal(other, file.as_fd()), "{other:?}");
    }
}
