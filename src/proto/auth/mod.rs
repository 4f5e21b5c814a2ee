//! Who a partner is: the evidence, and the one token it mints.

pub mod cert_fault;
pub mod certificate;
pub mod chain;
pub mod dialback_key;
pub mod identity;

#[cfg(test)]
#[path = "../../../tests/pki/mod.rs"]
pub(crate) mod pki;
