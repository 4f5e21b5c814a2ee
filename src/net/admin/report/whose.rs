//! Whose fault it is, and what led to it, as the terminal and the page share it.

use super::{Attempt, Failure, Step};

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

impl Attempt {
    /// The steps that say something that the failure does not say in the same words.
    pub fn untold(&self) -> impl Iterator<Item = &Step> {
        let told = self.failure.as_ref().map(|it| it.text.as_str());
        // The text of a step may be cut.
        let is_told = move |text: &str| told.is_some_and(|told| told.starts_with(text));
        self.steps.iter().filter(move |it| !is_told(&it.text))
    }
}
