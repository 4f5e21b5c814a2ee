//! The last connection that a gateway was refused: whoever looks for a missing gateway finds it here.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use crate::proto::codes::Code;

/// The last one, and how many there were like it in a row.
#[derive(Debug, Default)]
pub struct LastRefused(Mutex<Option<RefusedLink>>);

/// A connection to the gateways' port that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLink {
    /// From where it came.
    pub address: SocketAddr,
    /// The domain that it asked for, as far as it did.
    pub claimed: Option<String>,
    /// Why it was refused.
    pub code: Code,
    /// The same in words.
    pub text: String,
    /// When, in Unix time.
    pub at: u64,
    /// How many were refused alike in a row.
    pub times: u64,
}

impl LastRefused {
    /// Remembers one.
    pub fn note(&self, mut link: RefusedLink) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever connects and goes without a word, as a monitor does, hides nothing that says more.
        let is_silent =
            |link: &RefusedLink| link.claimed.is_none() && link.code == Code::PEER_CLOSED;
        if is_silent(&link) && last.as_ref().is_some_and(|before| !is_silent(before)) {
            return;
        }
        if let Some(before) = &*last
            && before.code == link.code
            && before.claimed == link.claimed
        {
            link.times = before.times.saturating_add(1);
        }
        *last = Some(link);
    }

    /// The last one.
    #[must_use]
    pub fn get(&self) -> Option<RefusedLink> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(code: Code, claimed: &str) -> RefusedLink {
        RefusedLink {
            address: "127.0.0.1:1".parse().unwrap(),
            claimed: Some(claimed.to_owned()),
            code,
            text: String::new(),
            at: 0,
            times: 1,
        }
    }

    #[test]
    fn who_comes_and_goes_without_a_word_hides_nobody() {
        let last = LastRefused::default();
        let silent = RefusedLink {
            claimed: None,
            ..link(Code::PEER_CLOSED, "")
        };
        for times in 1..3 {
            last.note(silent.clone());
            assert_eq!(last.get().map(|it| it.times), Some(times));
        }
        last.note(link(Code::LINK_SECRET, "a.example"));
        last.note(silent);
        assert_eq!(last.get().map(|it| it.code), Some(Code::LINK_SECRET));
    }

    #[test]
    fn those_that_are_refused_alike_are_counted() {
        let last = LastRefused::default();
        assert_eq!(last.get(), None);
        for (code, claimed, times) in [
            (Code::LINK_SECRET, "a.example", 1),
            (Code::LINK_SECRET, "a.example", 2),
            (Code::LINK_SECRET, "b.example", 1),
            (Code::GATEWAY_NAME, "b.example", 1),
        ] {
            last.note(link(code, claimed));
            assert_eq!(
                last.get().map(|it| it.times),
                Some(times),
                "{code} {claimed}"
            );
        }
    }
}
