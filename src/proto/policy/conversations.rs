//! Which conversations are open: what a partner's `direction` needs to know.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::contact::Link;

/// How long a conversation stays open after its last stanza.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Most conversations that are kept; the quietest are forgotten first.
const MAX_OPEN: usize = 65_536;

/// The conversations that the side which may open them has opened, and when each was last heard.
#[derive(Debug, Default)]
pub struct Conversations(HashMap<Link, Instant>);

impl Conversations {
    /// A stanza passed in a conversation that is open, or that it opens.
    pub fn heard(&mut self, link: Link, now: Instant) {
        let mut age = LIFETIME;
        while self.0.len() >= MAX_OPEN && !self.0.contains_key(&link) && !age.is_zero() {
            self.0
                .retain(|_, last| now.saturating_duration_since(*last) < age);
            age /= 2;
        }
        self.0.insert(link, now);
    }

    /// Whether a conversation is open.
    #[must_use]
    pub fn is_open(&self, link: &Link, now: Instant) -> bool {
        self.0
            .get(link)
            .is_some_and(|last| now.saturating_duration_since(*last) < LIFETIME)
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant to start from"
    )]

    use super::*;
    use crate::proto::jid::BareJid;

    fn link(number: usize) -> Link {
        let bare = |text: &str| BareJid::parse(text).unwrap();
        (
            bare("a@contoso.example"),
            bare(&format!("b{number}@fabrikam.example")),
        )
    }

    #[test]
    fn a_conversation_ends_a_day_after_its_last_stanza() {
        let start = Instant::now();
        let mut open = Conversations::default();
        assert!(!open.is_open(&link(0), start));
        open.heard(link(0), start);
        let almost = start + LIFETIME - Duration::from_secs(1);
        assert!(open.is_open(&link(0), almost));
        assert!(!open.is_open(&link(1), almost));
        open.heard(link(0), almost);
        assert!(open.is_open(&link(0), start + LIFETIME));
        assert!(!open.is_open(&link(0), almost + LIFETIME));
    }

    #[test]
    fn the_quietest_are_forgotten_first() {
        let start = Instant::now();
        let mut open = Conversations::default();
        open.heard(link(0), start);
        let later = start + LIFETIME / 2;
        for number in 1..=MAX_OPEN {
            open.heard(link(number), later);
        }
        assert!(open.0.len() <= MAX_OPEN);
        assert!(!open.is_open(&link(0), later));
        assert!(open.is_open(&link(MAX_OPEN), later));
    }
}
