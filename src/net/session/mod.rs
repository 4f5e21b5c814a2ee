//! One task a connection: [`driver`] pumps bytes between a socket and a machine; [`inbound`], [`outbound`] and
//! [`gateway`] are what the three kinds of connection do besides.

pub mod continuity;
pub mod driver;
pub mod gateway;
pub mod inbound;
pub mod outbound;
pub mod send_buffer;
pub mod stream_log;
mod tap;
pub mod visit;
