//! rustls without TLS: the core knows its certificates and times, and nothing else of it.

pub use pki_types;
