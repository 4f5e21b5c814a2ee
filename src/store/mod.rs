//! What the daemon learns and must not forget: the contacts of local users, and what certificates
//! partners have shown.
//!
//! [`Contacts`] is the handle, [`Certificates`] another one to the same file. Reads are answered
//! from memory; changes go to one writer thread, which puts all that wait into one transaction of
//! redb, and answers when a contact is on the disk. While the process runs, memory is the truth:
//! after a fault of the disk the file is opened again and made to say what memory says.
//!
//! A file that is damaged is set aside under another name, never emptied: on opening, the
//! checksum of every page is verified before anything is believed (`disk`, `file`, `header`).

mod certificates;
mod contact;
mod contacts;
mod directory;
mod disk;
mod error;
mod file;
mod header;
mod writer;

pub use certificates::CERTIFICATES_BYTES;
pub use contact::Contact;
pub use contacts::{Certificates, Contacts, Opened};
pub use error::{SetAside, StoreError};

#[cfg(test)]
pub(crate) mod tests;
