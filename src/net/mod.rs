//! The shell: sockets, tasks, timers and TLS. It gathers facts and acts; it decides nothing.
//!
//! ```text
//!   daemon ─► accept ─► session ─► edge ─► relay ─► live ─► guard ─► io       who uses whom
//! ```
//!
//! Who starts whom: [`daemon`] opens the listeners and the dialler; [`accept`] starts a
//! [`session`] for each connection; [`relay`] asks for a stream when a stanza needs one. Each
//! connection is one [`session::driver`] that owns its socket and its machine. Stanzas wait in
//! [`relay::queue`]s. Stopping goes the way the stanzas go: partners' streams first, then links, then
//! our own streams.

pub mod accept;
pub mod admin;
pub mod bounds;
pub mod daemon;
pub mod drained;
pub mod edge;
pub mod guard;
pub mod io;
#[cfg(test)]
mod lab;
pub mod live;
pub mod prepare;
pub mod relay;
pub mod session;
