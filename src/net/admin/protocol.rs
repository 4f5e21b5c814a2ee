//! What is said on the admin socket: lines of JSON, documented in `docs/reference/admin.md`.
//!
//! ```text
//!   ◄ {"xmpp-edge":"0.1.0","protocol":1}
//!   ► {"status":{}}
//!   ◄ {"status":{…}}
//!   ► {"contacts":{"add":{"local":"anne@contoso.example","remote":"bob@chat.example"}}}
//!   ◄ {"changed":true}
//! ```
//!
//! What is added to a reply later is a key of its own, so that whoever reads must overlook what it does
//! not know. What would mean something else to an old reader raises the version.

use serde::{Deserialize, Serialize};

use super::report::{Live, Preview, Status};
use crate::store::Contact;

/// What stands around each line of a trace.
pub const TRACE_LINE: (&str, &str) = ("{\"trace\":", "}\n");
/// The version of all this.
pub const VERSION: u32 = 1;
/// No request is longer, in bytes: two addresses, each character escaped.
pub const MAX_REQUEST: usize = 32 << 10;
/// No line of a reply is longer, in bytes.
pub const MAX_REPLY: usize = 8 << 20;

/// The first line, which the daemon says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// The version of the program.
    #[serde(rename = "xmpp-edge")]
    pub program: String,
    /// The version of the protocol.
    pub protocol: u32,
}

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How the edge is.
    Status {},
    /// What the daemon knows of one domain.
    Explain {
        /// The domain.
        domain: String,
    },
    /// What a reload would do; nothing changes.
    ReloadPreview {},
    /// What was learned of contacts.
    Contacts(ContactsRequest),
    /// The streams of one partner, or the links of the gateway of a local domain, as it happens, for so long.
    /// Each line of the answer is `{"trace":…}` around a line of the file that `docs/reference/trace.md` has,
    /// from its first to its last.
    Trace {
        /// A domain of the partner's, or a local one.
        domain: String,
        /// For how long.
        seconds: u64,
    },
}

/// What may be asked of contacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ContactsRequest {
    /// All contacts, in order.
    List {},
    /// A contact is to be present.
    Add(Entry),
    /// A contact is to be absent.
    Remove(Entry),
}

/// What is answered, one line each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// To `status`.
    Status(Box<Status>),
    /// To `explain`.
    Explain(Box<Live>),
    /// To `reload-preview`.
    ReloadPreview(Box<Preview>),
    /// Whether the change, which is now on the disk, changed anything.
    Changed(bool),
    /// One contact of the list.
    Contact(Entry),
    /// The list is complete; the number of its contacts.
    End(usize),
    /// Nothing was done, and why.
    Error(Refusal),
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// For programs.
    pub code: RefusalCode,
    /// For people.
    pub text: String,
}

/// What kind of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// The line is not one of the requests.
    NotARequest,
    /// The line has no end within the limit.
    TooLong,
    /// All places are taken.
    Busy,
    /// What should be a domain or an address is none.
    NotAnAddress,
    /// The contacts cannot be changed.
    NotChanged,
    /// The report could not be made.
    Failed,
    /// No trace can begin.
    NotTraced,
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

impl Reply {
    /// A refusal.
    #[must_use]
    pub fn refused(code: RefusalCode, text: impl ToString) -> Self {
        Self::Error(Refusal {
            code,
            text: text.to_string(),
        })
    }
}
