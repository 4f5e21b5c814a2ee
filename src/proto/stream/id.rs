//! Stream ids: unguessable, from a seed that the shell drew.

use std::collections::VecDeque;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::proto::hex;

/// Makes stream ids of 128 bits out of a random seed.
///
/// RFC 6120 §4.7.3: an id is unique and unpredictable; dialback keys are bound to it.
#[derive(Clone)]
pub struct IdSource {
    mac: Hmac<Sha256>,
    count: u64,
    /// What was drawn once, and is to be drawn again.
    recorded: VecDeque<String>,
}

impl IdSource {
    /// Starts from 32 bytes of the operating system's randomness, fresh for each stream.
    #[must_use]
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            mac: <Hmac<Sha256>>::new_from_slice(&seed).expect("any length"),
            count: 0,
            recorded: VecDeque::new(),
        }
    }

    /// Draws once more what a trace has: in a replay, where nobody has to guess anything.
    #[must_use]
    pub fn recorded(ids: VecDeque<String>) -> Self {
        Self {
            recorded: ids,
            ..Self::new([0; 32])
        }
    }

    /// The next id: 32 hexadecimal digits.
    #[must_use]
    pub fn next_id(&mut self) -> String {
        if let Some(id) = self.recorded.pop_front() {
            return id;
        }
        self.count += 1;
        let mut mac = self.mac.clone();
        mac.update(&self.count.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let (half, _) = digest.split_at(16);
        hex::text(half)
    }
}

impl std::fmt::Debug for IdSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdSource").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_hundred_thousand_ids_are_unique_and_of_one_length() {
        let mut ids = IdSource::new([7; 32]);
        let seen: HashSet<_> = (0..100_000).map(|_| ids.next_id()).collect();
        assert_eq!(seen.len(), 100_000);
        assert!(seen.iter().all(|id| id.len() == 32));
    }
}
