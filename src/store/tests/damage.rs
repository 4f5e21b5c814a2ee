//! Files that something else than the store has written to.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::super::{Contacts, StoreError};
use super::{certificates, numbered, open, texts};

/// What a file has been through before it is spoilt.
#[derive(Clone, Copy, Debug)]
enum Past {
    /// Written, and the process killed.
    Killed,
    /// Written, and closed.
    Closed,
    /// Written, closed, opened once more, and nothing changed.
    Reopened,
}

/// A sound file of 200 contacts, and as many certificates as are looked for.
fn sound(directory: &Path, past: Past) -> (Vec<u8>, Vec<String>) {
    let path = file(directory);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let contacts = open(directory);
    for number in 0..200 {
        let (local, remote) = numbered(number);
        runtime.block_on(contacts.add(&local, &remote)).unwrap();
    }
    certificates::fill(&contacts);
    // What was noted before a change that is on the disk is there with it.
    let (local, remote) = numbered(200);
    runtime.block_on(contacts.add(&local, &remote)).unwrap();
    let texts = texts(&contacts);
    let running = fs::read(&path).unwrap();
    drop(contacts);
    let bytes = match past {
        Past::Killed => running,
        Past::Closed => fs::read(&path).unwrap(),
        Past::Reopened => {
            drop(open(directory));
            fs::read(&path).unwrap()
        }
    };
    (bytes, texts)
}

/// How many bytes the magic number has, and the header with it.
const MAGIC: usize = 9;
const HEADER: usize = 320;
/// As redb divides the file.
const PAGE: usize = 4096;

fn file(directory: &Path) -> PathBuf {
    directory.join("contacts.redb")
}

/// Opens spoilt bytes: all contacts are there, or the file is set aside and told of.
fn all_or_aside(spoilt: &[u8], want: &[String]) -> Result<bool, TestCaseError> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(file(directory.path()), spoilt).unwrap();
    let opened = Contacts::open(directory.path()).unwrap();
    let found = texts(&opened.contacts);
    let Some(set_aside) = opened.set_aside else {
        prop_assert_eq!(found, want);
        return Ok(false);
    };
    prop_assert!(found.is_empty());
    prop_assert_eq!(&set_aside.file, &file(directory.path()));
    prop_assert_eq!(
        fs::metadata(&set_aside.aside).unwrap().len(),
        spoilt.len() as u64
    );
    // Its own panic would end the release build.
    prop_assert_ne!(set_aside.reason, "it cannot be read");
    drop(opened.contacts);
    prop_assert!(texts(&open(directory.path())).is_empty());
    Ok(true)
}

#[test]
fn no_flipped_or_lost_bytes_go_unnoticed() {
    for past in [Past::Killed, Past::Closed, Past::Reopened] {
        let directory = tempfile::tempdir().unwrap();
        let (bytes, want) = sound(directory.path(), past);
        assert!(!all_or_aside(&bytes, &want).unwrap());
        // What is in use stands at the start of the file; the tail is free space.
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        let place = prop_oneof![0..320_usize, 0..used];
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(40)
        });
        let flips = prop::collection::vec((place, 1..=255_u8), 1..6);
        let cut = prop::option::weighted(0.2, 0..bytes.len());
        runner
            .run(&(flips, cut), |(flips, cut)| {
                let mut spoilt = bytes.clone();
                for (at, bits) in flips {
                    spoilt[at] ^= bits;
                }
                spoilt.truncate(cut.unwrap_or(bytes.len()));
                all_or_aside(&spoilt, &want).map(drop)
            })
            .unwrap();
    }
}

/// Behind the magic number everything in the header is known from elsewhere: the slots are there
/// twice, and the rest is the same in every file. A wrong bit there costs nothing.
#[test]
fn no_single_byte_of_the_header_costs_a_contact() {
    let directory = tempfile::tempdir().unwrap();
    let (bytes, want) = sound(directory.path(), Past::Reopened);
    for at in MAGIC..HEADER {
        let mut spoilt = bytes.clone();
        spoilt[at] ^= 1 << (at % 8);
        assert!(!all_or_aside(&spoilt, &want).unwrap(), "{at}");
    }
}

/// A damaged page sends redb from the slot that leads there to the other one, and that may be
/// damaged, too: its page numbers are then chance, in a part of the file that was read already.
#[test]
fn a_damaged_slot_is_not_gone_back_to() {
    for past in [Past::Killed, Past::Reopened] {
        let directory = tempfile::tempdir().unwrap();
        let (bytes, want) = sound(directory.path(), past);
        // As it was found: the order of a root's page, and the kind of the page of the other root.
        let mut cases = vec![(239, 16, 8192)];
        // The like: each root of each slot, and each page that may be the root of the other.
        let roots = [79, 111, 207, 239];
        let pages = (PAGE..bytes.len().min(20 * PAGE)).step_by(PAGE);
        let pages: Vec<_> = pages.filter(|page| bytes[*page] != 0).collect();
        for root in roots {
            cases.extend(pages.iter().map(|page| (root, 16, *page)));
        }
        for (root, bits, page) in cases {
            let mut spoilt = bytes.clone();
            spoilt[root] ^= bits;
            spoilt[page] ^= 1;
            all_or_aside(&spoilt, &want).unwrap();
        }
    }
}

/// A flag tells redb that it need not verify the pages.
#[test]
fn no_flag_keeps_a_damaged_page_from_being_verified() {
    let directory = tempfile::tempdir().unwrap();
    let (bytes, want) = sound(directory.path(), Past::Reopened);
    let mut found = 0;
    for page in (PAGE..bytes.len()).step_by(PAGE) {
        for flags in [4, 6] {
            let mut spoilt = bytes.clone();
            spoilt[MAGIC] ^= flags;
            spoilt[page] ^= 4;
            found += usize::from(all_or_aside(&spoilt, &want).unwrap());
        }
    }
    assert!(found > 2, "{found}");
}

/// The first byte of a page says what kind of page it is, and redb panics where it believes a
/// wrong one.
#[test]
fn the_kind_of_every_page_is_verified() {
    let directory = tempfile::tempdir().unwrap();
    let (bytes, want) = sound(directory.path(), Past::Reopened);
    let mut found = 0;
    for page in (0..bytes.len()).step_by(PAGE).filter(|at| bytes[*at] != 0) {
        let mut spoilt = bytes.clone();
        spoilt[page] ^= 4;
        found += usize::from(all_or_aside(&spoilt, &want).unwrap());
    }
    assert!(found > 2, "{found}");
}

#[test]
fn what_is_no_store_at_all_is_set_aside_as_it_is() {
    for (number, text) in [&b""[..], b"x", &[0; 4096], &[0xff; 100_000]]
        .into_iter()
        .enumerate()
    {
        let directory = tempfile::tempdir().unwrap();
        fs::write(file(directory.path()), text).unwrap();
        let set_aside = Contacts::open(directory.path()).unwrap().set_aside.unwrap();
        assert_eq!(fs::read(&set_aside.aside).unwrap(), text, "{number}");
        assert_eq!(
            set_aside.aside,
            directory.path().join("contacts.redb.damaged-1")
        );
    }
}

#[test]
fn a_second_damaged_file_does_not_replace_the_first() {
    let directory = tempfile::tempdir().unwrap();
    for text in ["one", "two"] {
        fs::write(file(directory.path()), text).unwrap();
        Contacts::open(directory.path()).unwrap();
    }
    for (number, text) in [(1, "one"), (2, "two")] {
        let aside = directory
            .path()
            .join(format!("contacts.redb.damaged-{number}"));
        assert_eq!(fs::read_to_string(aside).unwrap(), text);
    }
}

#[test]
fn an_edit_leaves_a_damaged_file_where_it_is() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(file(directory.path()), "damaged").unwrap();
    let error = Contacts::open_for_edit(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert_eq!(
        fs::read_to_string(file(directory.path())).unwrap(),
        "damaged"
    );
}

#[test]
fn what_cannot_be_opened_is_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(file(directory.path())).unwrap();
    let error = Contacts::open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
}
