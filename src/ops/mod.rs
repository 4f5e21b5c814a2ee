//! What the daemon tells its operator and its service manager.
//!
//! [`logging`] is where lines go, [`events`] which lines there are, [`counters`] the proof that no
//! stanza is lost, [`measures`] how long things took, [`systemd`] and [`signals`] the conversation with the outside.

#[cfg(test)]
pub(crate) mod counted;
pub mod counters;
pub mod events;
pub mod logging;
pub mod measures;
pub mod memory;
pub mod peer_text;
pub mod receipts;
pub mod signals;
pub mod systemd;
pub(crate) mod text;
