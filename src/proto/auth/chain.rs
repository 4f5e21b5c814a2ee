//! Chains.

/// The certification authorities that are trusted.
#[derive(Debug, Default)]
pub struct Anchors;
