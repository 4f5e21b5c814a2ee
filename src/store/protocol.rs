//! How contacts are edited while a daemon holds them: lines of JSON over a Unix socket.
//!
//! Each request is one line, and they are answered in order. A change has one reply, a list has
//! one for each contact and one at its end:
//!
//! ```text
//! {"add":{"local":"anne@contoso.com","remote":"bob@chat.example"}}    {"changed":true}
//! {"list":{}}                {"contact":{"local":"anne@contoso.com","remote":"bob@chat.example"}}
//!                            {"end":1}
//! {"add":{"local":"","remote":""}}                                    {"error":"…"}
//! ```

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Contact;

/// The name of the socket in the state directory.
#[must_use]
pub fn socket(directory: &Path) -> PathBuf {
    directory.join("contacts.sock")
}

/// No line is longer: two addresses, each character escaped.
pub const MAX_LINE: usize = 32 << 10;

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// All contacts, in order.
    List {},
    /// A contact is to be present.
    Add(Entry),
    /// A contact is to be absent.
    Remove(Entry),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Whether the change, which is now on the disk, changed anything.
    Changed(bool),
    /// One contact of the list.
    Contact(Entry),
    /// The list is complete; the number of its contacts.
    End(usize),
    /// Nothing was changed, and why.
    Error(String),
}

/// A contact in text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The account here.
    pub local: String,
    /// The account at the partner's.
    pub remote: String,
}

impl From<&Contact> for Entry {
    fn from(contact: &Contact) -> Self {
        Self {
            local: contact.local().to_owned(),
            remote: contact.remote().to_owned(),
        }
    }
}
