//! How many partners may be dialled at the same time.

/// How many dials there may be at the same time; 0 stands for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialLimits {
    /// In all.
    pub in_all: usize,
    /// To one partner, all its domains together.
    pub per_partner: usize,
}

impl Default for DialLimits {
    fn default() -> Self {
        Self {
            // Each takes some descriptors and 50 KiB for as long as a server takes to answer.
            in_all: 64,
            per_partner: 8,
        }
    }
}
