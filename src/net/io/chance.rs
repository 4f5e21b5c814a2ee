//! Randomness of the operating system; in the fault laboratory, a schedule's own.

/// Fills `bytes` so that nobody can guess them.
///
/// # Errors
/// When the operating system has nothing to give.
pub fn fill(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    #[cfg(test)]
    if tests::fill(bytes) {
        return Ok(());
    }
    getrandom::fill(bytes)
}

#[cfg(test)]
pub(in crate::net) use tests::seed;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use sha2::{Digest as _, Sha256};

    thread_local! {
        static NEXT: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
    }

    /// While it lives, this thread's chance follows from a seed.
    pub(in crate::net) struct Seeded;

    pub(in crate::net) fn seed(seed: u64) -> Seeded {
        NEXT.set(Some((seed, 0)));
        Seeded
    }

    impl Drop for Seeded {
        fn drop(&mut self) {
            NEXT.set(None);
        }
    }

    pub(super) fn fill(bytes: &mut [u8]) -> bool {
        let Some((seed, mut count)) = NEXT.get() else {
            return false;
        };
        for chunk in bytes.chunks_mut(32) {
            count += 1;
            let hash = Sha256::new()
                .chain_update(seed.to_le_bytes())
                .chain_update(count.to_le_bytes())
                .finalize();
            chunk.copy_from_slice(&hash[..chunk.len()]);
        }
        NEXT.set(Some((seed, count)));
        true
    }

    #[test]
    fn the_same_seed_gives_the_same_and_none_gives_another_each_time() {
        let draw = || {
            let mut bytes = [0; 40];
            super::fill(&mut bytes).unwrap();
            bytes
        };
        let seeded = seed(1);
        let first = draw();
        drop(seeded);
        assert_ne!(draw(), draw());
        let _seeded = seed(1);
        assert_eq!(draw(), first);
    }
}
