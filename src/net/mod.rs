//! `net`.

pub mod resolve;
pub mod tls;
