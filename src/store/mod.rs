//! What the daemon learns and must not forget: the contacts of local users.
//!
//! [`Contacts`] is the handle. Reads are answered from memory; changes go to one writer thread,
//! which puts all that wait into one transaction of redb and answers when it is on the disk. While the
//! process runs, memory is the truth: after a fault of the disk the file is opened again and made
//! to say what memory says.
//!
//! A file that is damaged is set aside under another name, never emptied: on opening, the
//! checksum of every page is verified before anything is believed (`disk`, `file`).

mod contact;
mod contacts;
mod directory;
mod disk;
mod error;
mod file;
pub mod protocol;
mod writer;

pub use contact::Contact;
pub use contacts::{Contacts, Opened};
pub use error::{SetAside, StoreError};

#[cfg(test)]
mod tests;
