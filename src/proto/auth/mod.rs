//! Who a partner is: the evidence, and the one token it mints.

pub mod chain;
