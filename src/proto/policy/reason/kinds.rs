//! What kind of reason one is: whose limit, whose decision. The rows say, see [`Mark`].

use super::Reason;
use crate::proto::codes::Mark;

impl Reason {
    /// Which of our limits on a stream was reached, if it was one that the other side can keep to:
    /// the application condition of the stream error (RFC 6120 §4.9.4).
    #[must_use]
    pub fn limit(&self) -> Option<&'static str> {
        self.has(Mark::Limit).then(|| self.row().as_str())
    }

    /// Whether its row has the mark. A change of policy has a row of its own, whatever it is counted
    /// under.
    #[must_use]
    pub fn has(&self, mark: Mark) -> bool {
        self.row().has(mark)
    }

    /// The dialback error that tells who asked about a key that this kept us from asking about.
    #[must_use]
    pub fn dialback_condition(&self) -> &'static str {
        self.row().dialback_condition()
    }
}
