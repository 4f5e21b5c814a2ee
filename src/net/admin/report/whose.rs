//! Whose fault it is, and what led to it, as the terminal and the page share it.

use super::{Attempt, Failure, Step};

/// The most characters of [`Step::text`].
pub(crate) const LONGEST_STEP: usize = 300;

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
        let cut = |told: &str| told.chars().take(LONGEST_STEP).collect::<String>();
        let told = told.map(cut);
        self.steps
            .iter()
            .filter(move |it| told.as_ref() != Some(&it.text))
    }
}
