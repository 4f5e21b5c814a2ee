//! The shell: sockets, tasks, timers and TLS. It gathers facts and acts; it decides nothing.
//!
//! Who starts whom: [`daemon`] opens the listeners and the dialler; [`listen`] starts a
//! [`receive`] or [`link`] task for each connection; [`hub`] asks [`dial`] for a stream when a
//! stanza needs one. Each connection is one [`driver`] that owns its socket and its machine.
//! Stanzas wait in [`queue`]s. Stopping goes the way the stanzas go: partners' streams first,
//! then links, then our own streams.

pub mod admission;
pub mod backoff;
pub mod bounds;
pub mod connect;
pub mod contacts;
pub mod continuity;
pub mod daemon;
pub mod dial;
pub mod drained;
pub mod driver;
pub mod edge;
pub mod gate;
pub mod hub;
pub mod journal;
pub mod learning;
pub mod link;
pub mod listen;
pub mod mailbox;
pub mod partners;
pub mod places;
pub mod questions;
pub mod queue;
pub mod quiet;
pub mod receive;
pub mod registry;
pub mod resolve;
pub mod routes;
pub mod send_buffer;
pub mod stock;
pub mod tls;
pub mod told;
pub mod transport;
pub mod turnstile;
pub mod ways;
