//! `net`.

pub mod tls;
