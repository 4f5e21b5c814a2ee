//! What touches the network itself: TCP, TLS, DNS.

pub mod connect;
pub mod resolve;
pub mod tls;
pub mod transport;
