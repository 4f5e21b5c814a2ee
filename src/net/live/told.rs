//! A reason, and where the log has it in words: what follows from it need not repeat them.

use crate::proto::policy::Reason;

/// Why something was not done.
#[derive(Clone, Debug)]
pub struct Told {
    /// Why.
    pub reason: Reason,
    /// The stream under whose number a line of the log says so in words; `None` if there is none.
    pub stream: Option<u64>,
}

impl From<Reason> for Told {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            stream: None,
        }
    }
}
