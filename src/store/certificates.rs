//! What certificates partners have shown: memory first, the file as soon as may be.
//!
//! Nobody waits for the disk here. An alarm has been raised before what it is about is on the disk,
//! so after a `kill -9` it may be raised once more, and is never lost.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::proto::auth::continuity::{Continuity, History, Seen, Shown};
use crate::proto::auth::pin::Pin;

/// What is to be written: the entries, in the form of the file; `None` for those to be removed.
pub(super) type Entries = BTreeMap<String, Option<Vec<u8>>>;

/// How many entries are kept: more than any partner file lists. Some 10 MB of memory.
const MOST: usize = 10_000;

/// What they take in memory at most, in bytes.
pub const CERTIFICATES_BYTES: usize = MOST * 1200;

/// What was seen of each entry, and what of it is not in the file yet.
#[derive(Default)]
pub(super) struct CertificateMemory(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    histories: HashMap<String, History>,
    unsaved: BTreeSet<String>,
}

impl CertificateMemory {
    pub(super) fn new(histories: HashMap<String, History>) -> Self {
        Self(Mutex::new(Memory {
            histories,
            unsaved: BTreeSet::new(),
        }))
    }

    /// Compares a chain with what was seen before, remembers it, and tells whether there is
    /// something to be written.
    pub(super) fn note(&self, entry: &str, shown: &Shown, now: u64) -> (Continuity, bool) {
        let mut memory = self.lock();
        let history = memory.histories.entry(entry.to_owned()).or_default();
        let continuity = history.compare(shown, now);
        let changed = history.note(shown, now);
        if changed {
            memory.unsaved.insert(entry.to_owned());
            memory.keep_within(MOST);
        }
        (continuity, changed)
    }

    /// What was seen of an entry.
    pub(super) fn history(&self, entry: &str) -> History {
        let memory = self.lock();
        memory.histories.get(entry).cloned().unwrap_or_default()
    }

    /// What is not in the file yet; the caller writes it.
    pub(super) fn take_unsaved(&self) -> Entries {
        let mut memory = self.lock();
        let unsaved = std::mem::take(&mut memory.unsaved);
        unsaved
            .into_iter()
            .map(|entry| {
                let written = memory.histories.get(&entry).map(encode);
                (entry, written)
            })
            .collect()
    }

    /// What must change in a file with these entries to say what memory says.
    pub(super) fn drift(&self, found: &HashMap<String, History>) -> Entries {
        let memory = self.lock();
        let differing = memory
            .histories
            .iter()
            .filter(|(entry, history)| found.get(*entry) != Some(history))
            .map(|(entry, history)| (entry.clone(), Some(encode(history))));
        let extra = found
            .keys()
            .filter(|entry| !memory.histories.contains_key(*entry))
            .map(|entry| (entry.clone(), None));
        differing.chain(extra).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Forgets the entries that nothing was seen of for the longest time.
    fn keep_within(&mut self, most: usize) {
        while self.histories.len() > most {
            let last = |history: &History| history.seen().first().map(|seen| seen.last);
            let oldest = self.histories.iter().min_by_key(|(_, it)| last(it));
            let Some(oldest) = oldest.map(|(entry, _)| entry.clone()) else {
                return;
            };
            self.histories.remove(&oldest);
            self.unsaved.insert(oldest);
        }
    }
}

impl fmt::Debug for CertificateMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertificateMemory(..)")
    }
}

/// A chain as it is kept in the file: JSON, so that a later edge may add to it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Kept {
    issuer: String,
    issuer_name: String,
    key: String,
    last: u64,
}

/// A history in the form of the file.
fn encode(history: &History) -> Vec<u8> {
    let kept: Vec<_> = history
        .seen()
        .iter()
        .map(|seen| Kept {
            issuer: Pin(seen.shown.issuer).to_string(),
            issuer_name: seen.shown.issuer_name.clone(),
            key: seen.shown.key.to_string(),
            last: seen.last,
        })
        .collect();
    // Texts and numbers can always be written.
    serde_json::to_vec(&kept).unwrap_or_default()
}

/// What stands in the file, if it is a history.
pub(super) fn decode(bytes: &[u8]) -> Option<History> {
    let kept: Vec<Kept> = serde_json::from_slice(bytes).ok()?;
    let seen: Option<Vec<_>> = kept
        .into_iter()
        .map(|kept| {
            Some(Seen {
                shown: Shown {
                    issuer: Pin::parse(&kept.issuer)?.0,
                    issuer_name: kept.issuer_name,
                    key: Pin::parse(&kept.key)?,
                },
                last: kept.last,
            })
        })
        .collect();
    seen.map(History::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_bounded_and_the_oldest_is_forgotten() {
        let remembered = CertificateMemory::default();
        let shown = Shown {
            issuer: [1; 32],
            issuer_name: "CN=one".to_owned(),
            key: Pin([2; 32]),
        };
        let most = u64::try_from(MOST).unwrap();
        for number in 0..=most {
            let (continuity, changed) = remembered.note(&number.to_string(), &shown, number + 1);
            assert_eq!((continuity, changed), (Continuity::First, true));
        }
        let entries = remembered.take_unsaved();
        let removed: Vec<_> = entries.iter().filter(|(_, it)| it.is_none()).collect();
        assert_eq!(removed, [(&"0".to_owned(), &None)]);
        assert_eq!(entries.len(), MOST + 1);
        assert!(remembered.take_unsaved().is_empty());
        assert_eq!(remembered.note("1", &shown, 2).0, Continuity::Same);
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let mut history = History::default();
        for number in 0..3 {
            let shown = Shown {
                issuer: [number; 32],
                issuer_name: r#"CN=a "name" with \u{202e}"#.to_owned(),
                key: Pin([number + 9; 32]),
            };
            assert!(history.note(&shown, u64::from(number)));
        }
        assert_eq!(decode(&encode(&history)), Some(history));
        for bytes in [&b""[..], b"{}", b"[{}]", b"[1", b"\xff"] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
    }
}
