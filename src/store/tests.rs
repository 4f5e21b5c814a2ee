//! The store as its users see it. Faults of the disk are in `faults`, damaged files in `damage`.

mod certificates;
mod damage;
mod faults;
pub(crate) mod slow;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tokio::task::JoinSet;

use super::contact::Limits;
use super::directory::Directory;
use super::disk::Plain;
use super::file::OnDamage;
use super::{Contacts, StoreError};
use crate::proto::jid::Jid;

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

/// The contact of a number; every tenth is somebody with two.
fn numbered(number: usize) -> (Jid, Jid) {
    (
        jid(&format!("user{}@contoso.com", number / 10)),
        jid(&format!("friend{number}@chat.example")),
    )
}

fn open(directory: &Path) -> Contacts {
    let opened = Contacts::open(directory).unwrap();
    assert_eq!(opened.set_aside, None);
    opened.contacts
}

fn limited(directory: &Path, limits: Limits) -> Contacts {
    let directory = Directory::make(directory).unwrap();
    Contacts::open_with(directory, Plain, OnDamage::SetAside, limits)
        .unwrap()
        .contacts
}

/// All that is kept, in words.
fn texts(contacts: &Contacts) -> Vec<String> {
    let list = contacts.list();
    let contacts_kept = list
        .iter()
        .map(|contact| format!("{} {}", contact.local(), contact.remote()));
    let certificates = contacts.certificates();
    let shown = (0..certificates::ENTRIES)
        .map(certificates::entry)
        .map(|entry| certificates.history(&entry))
        .filter(|history| !history.seen().is_empty())
        .map(|history| format!("{history:?}"));
    contacts_kept.chain(shown).collect()
}

#[tokio::test]
async fn what_was_added_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let (anne, bob, carl) = (
        jid("Anne@contoso.com/desk"),
        jid("bob@chat.example"),
        jid("carl@chat.example"),
    );
    let contacts = open(directory.path());
    assert!(contacts.add(&anne, &bob).await.unwrap());
    assert!(contacts.add(&anne, &carl).await.unwrap());
    assert!(contacts.remove(&anne, &carl).await.unwrap());
    drop(contacts);
    let contacts = open(directory.path());
    assert_eq!(texts(&contacts), ["anne@contoso.com bob@chat.example"]);
    assert!(contacts.contains(&jid("anne@CONTOSO.com"), &jid("BOB@chat.example/phone")));
    for (local, remote) in [(&anne, &carl), (&bob, &anne)] {
        assert!(!contacts.contains(local, remote), "{local} {remote}");
    }
}

#[tokio::test]
async fn a_change_tells_whether_it_changed_anything() {
    let directory = tempfile::tempdir().unwrap();
    let contacts = open(directory.path());
    let (anne, bob) = (jid("anne@contoso.com"), jid("bob@chat.example"));
    assert!(!contacts.remove(&anne, &bob).await.unwrap());
    assert!(contacts.add(&anne, &bob).await.unwrap());
    assert!(!contacts.add(&anne, &bob).await.unwrap());
    assert!(contacts.remove(&anne, &bob).await.unwrap());
    assert_eq!(contacts.list(), []);
}

#[tokio::test]
async fn many_may_change_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let contacts = open(directory.path());
    let mut tasks = JoinSet::new();
    // Each contact is added twice at once, and every third is then removed.
    for number in 0..600 {
        let contacts = contacts.clone();
        tasks.spawn(async move {
            let (local, remote) = numbered(number % 300);
            let added = contacts.add(&local, &remote).await.unwrap();
            if added && number % 3 == 0 {
                assert!(contacts.remove(&local, &remote).await.unwrap());
            }
            (number % 300, added)
        });
    }
    let mut adds = [0; 300];
    while let Some(done) = tasks.join_next().await {
        let (number, added) = done.unwrap();
        adds[number] += usize::from(added);
    }
    for (number, adds) in adds.into_iter().enumerate() {
        // Where it is removed, the second may add it anew, and then removes it again.
        let possible = if number % 3 == 0 { 1..=2 } else { 1..=1 };
        assert!(possible.contains(&adds), "{number}: {adds}");
        let (local, remote) = numbered(number);
        assert_eq!(contacts.contains(&local, &remote), number % 3 != 0);
    }
    let before = contacts.list();
    assert_eq!(before.len(), 200);
    drop(contacts);
    assert_eq!(open(directory.path()).list(), before);
}

#[tokio::test]
async fn there_is_a_limit_to_number_and_to_length() {
    for (limits, fit) in [
        (
            Limits {
                contacts: 3,
                bytes: 10_000,
            },
            3,
        ),
        (
            Limits {
                contacts: 100,
                bytes: 100,
            },
            2,
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let contacts = limited(directory.path(), limits);
        for number in 0..fit {
            let (local, remote) = numbered(number);
            contacts.add(&local, &remote).await.unwrap();
        }
        let (local, remote) = numbered(fit);
        let error = contacts.add(&local, &remote).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Full { contacts, .. } if contacts == fit),
            "{error}"
        );
        assert!(!contacts.contains(&local, &remote));
        let (first_local, first_remote) = numbered(0);
        contacts.remove(&first_local, &first_remote).await.unwrap();
        assert!(contacts.add(&local, &remote).await.unwrap());
    }
}

#[test]
fn only_the_owner_may_read() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("lib/xmpp-edge");
    let contacts = open(&state);
    for (path, want) in [(state.clone(), 0o700), (state.join("contacts.redb"), 0o600)] {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, want, "{}", path.display());
    }
    assert_eq!(fs::read_dir(&state).unwrap().count(), 1);
    drop(contacts);
}

#[test]
fn two_processes_never_share_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path());
    let second = Contacts::open_for_edit(directory.path()).unwrap_err();
    assert!(matches!(second, StoreError::Locked(_)), "{second}");
    drop(first);
    Contacts::open_for_edit(directory.path()).unwrap();
}

#[test]
fn the_daemon_waits_for_an_edit_to_end() {
    let directory = tempfile::tempdir().unwrap();
    let edit = Contacts::open_for_edit(directory.path()).unwrap();
    std::thread::scope(|scope| {
        let daemon = scope.spawn(|| Contacts::open(directory.path()).is_ok());
        drop(edit);
        assert!(daemon.join().unwrap());
    });
}

#[test]
fn a_beginning_that_was_cut_short_is_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("contacts.redb.new"), b"half").unwrap();
    assert_eq!(open(directory.path()).list(), []);
}
