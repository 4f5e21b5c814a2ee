//! What touches the network itself: TCP, TLS, DNS.

pub mod chance;
pub mod clock;
pub mod connect;
pub mod resolve;
pub mod tls;
pub mod transport;
