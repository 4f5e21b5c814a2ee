//! `net`.

pub mod connect;
pub mod resolve;
pub mod tls;
