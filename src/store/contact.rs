//! One contact, and the set of all of them in memory.

use std::collections::{HashMap, HashSet};

use crate::proto::jid::BareJid;

/// A local account and the remote account it has added, both bare and in normal form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Contact(Box<str>);

impl Contact {
    /// The contact of two addresses, whatever their resources.
    #[must_use]
    pub fn new(local: impl Into<BareJid>, remote: impl Into<BareJid>) -> Self {
        let (local, remote) = (local.into(), remote.into());
        Self(format!("{local}{SEPARATOR}{remote}").into())
    }

    /// The account here.
    #[must_use]
    pub fn local(&self) -> &str {
        self.split().0
    }

    /// The account at the partner's.
    #[must_use]
    pub fn remote(&self) -> &str {
        self.split().1
    }

    /// As it is kept in the file.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// As it was kept in the file, if it is a contact.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (local, remote) = text.split_once(SEPARATOR)?;
        let sound = !local.is_empty() && !remote.is_empty() && !remote.contains(SEPARATOR);
        sound.then(|| Self(text.into()))
    }

    fn split(&self) -> (&str, &str) {
        self.0.split_once(SEPARATOR).unwrap_or_default()
    }
}

/// No bare address has a space in it.
const SEPARATOR: char = ' ';

/// How much is kept at most, so that memory is bounded whatever local users add.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The number of contacts.
    pub(super) contacts: usize,
    /// The length of their addresses in all, in bytes.
    pub(super) bytes: usize,
}

impl Limits {
    /// About 150 MB of memory when both are reached.
    pub(super) const DEFAULT: Self = Self {
        contacts: 1_000_000,
        bytes: 64 << 20,
    };
}

/// All contacts, by local account.
#[derive(Debug, Default)]
pub(super) struct Known {
    accounts: HashMap<Box<str>, HashSet<Box<str>>>,
    contacts: usize,
    bytes: usize,
}

impl Known {
    pub(super) fn contains(&self, contact: &Contact) -> bool {
        let (local, remote) = contact.split();
        self.accounts
            .get(local)
            .is_some_and(|remotes| remotes.contains(remote))
    }

    /// Makes a contact present or absent.
    pub(super) fn set(&mut self, contact: &Contact, present: bool) {
        let (local, remote) = contact.split();
        let changed = match (self.accounts.get_mut(local), present) {
            (Some(remotes), true) => remotes.insert(remote.into()),
            (None, true) => {
                let remotes = HashSet::from([remote.into()]);
                self.accounts.insert(local.into(), remotes);
                true
            }
            (Some(remotes), false) => {
                let changed = remotes.remove(remote);
                if remotes.is_empty() {
                    self.accounts.remove(local);
                }
                changed
            }
            (None, false) => false,
        };
        let length = contact.as_bytes().len();
        match (changed, present) {
            (true, true) => {
                self.contacts += 1;
                self.bytes += length;
            }
            (true, false) => {
                self.contacts -= 1;
                self.bytes -= length;
            }
            (false, _) => {}
        }
    }

    /// How many contacts there are, and the length of their addresses in all, in bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.contacts, self.bytes)
    }

    /// How many contacts a local account has.
    pub(super) fn of(&self, local: &str) -> usize {
        self.accounts.get(local).map_or(0, HashSet::len)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Contact> {
        self.accounts.iter().flat_map(|(local, remotes)| {
            remotes
                .iter()
                .map(move |remote| Contact(format!("{local}{SEPARATOR}{remote}").into()))
        })
    }
}

impl FromIterator<Contact> for Known {
    fn from_iter<I: IntoIterator<Item = Contact>>(contacts: I) -> Self {
        let mut known = Self::default();
        for contact in contacts {
            known.set(&contact, true);
        }
        known
    }
}
