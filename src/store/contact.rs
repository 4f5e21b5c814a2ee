//! One contact, and the set of all of them in memory.

use std::borrow::Borrow;
use std::collections::HashSet;

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

impl Borrow<str> for Contact {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// No bare address has a space in it.
const SEPARATOR: char = ' ';

/// How much is kept at most, so that memory is bounded whatever local users add.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The number of contacts.
    pub(super) contacts: usize,
    /// The length of their addresses in all.
    pub(super) bytes: usize,
}

impl Limits {
    /// About 150 MB of memory when both are reached.
    pub(super) const DEFAULT: Self = Self {
        contacts: 1_000_000,
        bytes: 64 << 20,
    };
}

/// All contacts.
#[derive(Debug, Default)]
pub(super) struct Known {
    contacts: HashSet<Contact>,
    bytes: usize,
}

impl Known {
    pub(super) fn contains(&self, contact: &Contact) -> bool {
        self.contacts.contains(contact)
    }

    /// Makes a contact present or absent.
    pub(super) fn set(&mut self, contact: Contact, present: bool) {
        let length = contact.as_bytes().len();
        if present {
            if self.contacts.insert(contact) {
                self.bytes += length;
            }
        } else if self.contacts.remove(&contact) {
            self.bytes -= length;
        }
    }

    /// How many contacts there are, and the length of their addresses in all.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.contacts.len(), self.bytes)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Contact> {
        self.contacts.iter()
    }
}

impl FromIterator<Contact> for Known {
    fn from_iter<I: IntoIterator<Item = Contact>>(contacts: I) -> Self {
        let mut known = Self::default();
        for contact in contacts {
            known.set(contact, true);
        }
        known
    }
}
