//! What admission holds and has charged, for reports.

/// How admission is at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Unauthenticated connections from addresses of which nothing is known.
    pub strangers: usize,
    /// From addresses from which some domain has proven itself lately.
    pub acquainted: usize,
    /// From addresses from which a listed partner has.
    pub listed: usize,
    /// For streams that claim to be a partner.
    pub attempts: Charges,
    /// For dialback questions.
    pub questions: Charges,
}

/// How often something was charged since the process was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charges {
    /// In all.
    pub charged: u64,
    /// And taken back, because it came to something.
    pub refunded: u64,
}

/// What was charged, and what for.
#[derive(Debug, Default)]
pub(super) struct Charged {
    pub(super) attempts: Charges,
    pub(super) questions: Charges,
}
