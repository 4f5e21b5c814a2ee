//! What partners have shown, across openings.

use std::path::Path;

use redb::{Database, TableDefinition};

use super::super::Contacts;
use super::{numbered, open};
use crate::proto::auth::continuity::{Continuity, Shown};
use crate::proto::auth::pin::Pin;

const NOW: u64 = 1_800_000_000;
const TABLE: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("certificates");

/// How many entries [`fill`] notes.
pub(super) const ENTRIES: usize = 20;

pub(super) fn entry(number: usize) -> String {
    format!("partner{number}.example")
}

/// Notes two chains of each entry.
pub(super) fn fill(contacts: &Contacts) {
    let certificates = contacts.certificates();
    for number in 0..ENTRIES {
        for key in [1, 2] {
            let continuity = certificates.note(&entry(number), &shown("One", key), NOW);
            assert_ne!(continuity, Continuity::Same);
        }
    }
}

fn shown(issuer: &str, key: u8) -> Shown {
    Shown {
        issuer: Pin::of(issuer.as_bytes()).0,
        issuer_name: format!("CN={issuer}"),
        key: Pin([key; 32]),
    }
}

#[test]
fn what_was_shown_is_compared_with_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let note = |entry: &str, issuer, key| {
        let contacts = open(directory.path());
        contacts
            .certificates()
            .note(entry, &shown(issuer, key), NOW)
    };
    for (entry, issuer, key, want) in [
        ("a.example", "One", 1, Continuity::First),
        ("a.example", "One", 1, Continuity::Same),
        (
            "a.example",
            "One",
            2,
            Continuity::NewKey {
                before: Pin([1; 32]),
            },
        ),
        (
            "a.example",
            "Two",
            3,
            Continuity::NewIssuer {
                before: "CN=One".to_owned(),
            },
        ),
        ("a.example", "One", 1, Continuity::Same),
        ("a.example", "Two", 3, Continuity::Same),
        ("*.a.example", "Two", 3, Continuity::First),
    ] {
        assert_eq!(note(entry, issuer, key), want, "{entry} {issuer} {key}");
    }
}

#[test]
fn the_file_stays_open_for_whoever_holds_one_of_the_two_handles() {
    let directory = tempfile::tempdir().unwrap();
    let contacts = open(directory.path());
    let certificates = contacts.certificates();
    drop(contacts);
    let first = certificates.note("a.example", &shown("One", 1), NOW);
    assert_eq!(first, Continuity::First);
    drop(certificates);
    let history = open(directory.path()).certificates().history("a.example");
    assert_eq!(history.seen().len(), 1);
}

/// Changes the file behind the store's back.
fn meddle(directory: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(directory.join("contacts.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_file_of_the_first_edges_has_contacts_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let (local, remote) = numbered(1);
    open(directory.path()).add(&local, &remote).await.unwrap();
    meddle(directory.path(), |transaction| {
        assert!(transaction.delete_table(TABLE).unwrap());
    });
    let contacts = open(directory.path());
    assert!(contacts.contains(&local, &remote));
    fill(&contacts);
    drop(contacts);
    let contacts = open(directory.path());
    assert!(contacts.contains(&local, &remote));
    assert_eq!(contacts.certificates().history(&entry(0)).seen().len(), 2);
}

#[test]
fn an_entry_that_is_no_history_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    fill(&open(directory.path()));
    meddle(directory.path(), |transaction| {
        let mut table = transaction.open_table(TABLE).unwrap();
        table.insert("partner3.example", &b"[{}]"[..]).unwrap();
    });
    let set_aside = Contacts::open(directory.path()).unwrap().set_aside.unwrap();
    assert_eq!(set_aside.reason, "an entry is no history of certificates");
}
