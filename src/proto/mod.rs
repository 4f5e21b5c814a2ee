//! The pure core: bytes, facts and `now` go in; ordered outputs come out.
//!
//! Nothing here is async, does I/O, reads a clock or draws a random number. What a stream does
//! next is decided here, so it can be replayed from a text file, split at every byte, and fuzzed.
//!
//! The vocabulary: a **stream** is one s2s XML stream; a **pair** is (local domain, remote
//! domain); a **link** is one XEP-0114 connection from a gateway. A **fact** is something the
//! shell observed; a [`policy::Decision`] is what follows from facts and [`policy::Rules`], and
//! never comes without its [`policy::Reason`].
#![deny(clippy::disallowed_methods)]

pub mod auth;
pub mod codes;
pub mod discover;
pub(crate) mod hex;
pub mod jid;
pub mod policy;
pub mod stanza;
pub mod stream;
pub mod trace;
pub mod words;
pub mod xml;
