//! Whose fault it is, in the words that the terminal and the page share.

use super::Failure;

impl Failure {
    /// Whose fault it is, for people.
    #[must_use]
    pub fn whose(&self) -> &'static str {
        match self.side.as_str() {
            "us" => "on this side",
            "peer" => "on the partner's side",
            "network" => "on the way between the two",
            _ => "nobody's fault",
        }
    }
}
