//! Signatures of certificates that were found good: to compute the same one at each connection of a partner would be a
//! sixth of what a connection costs.
//!
//! Only good ones are remembered, each by a digest of all that it depends on. A path is checked from its anchor
//! downwards, so nothing gets in here that no trusted authority has signed. Whoever shows thousands of such certificates
//! pushes others' out: then these are computed again, once a connection, as if nothing were remembered. A reload forgets
//! them all.

use std::collections::HashSet;
use std::mem;
use std::sync::{Mutex, PoisonError};

use rustls::pki_types::InvalidSignature;

use crate::proto::auth::chain::{CheckSignature, Signature};

/// So many are remembered at least, and twice as many at most.
const KEPT: usize = 2048;
/// What one takes in a set that is half full, in bytes.
const EACH: usize = 80;

/// Remembers which signatures were good.
#[derive(Debug, Default)]
pub struct KnownSignatures(Mutex<Known>);

/// What was asked about lately, and before that. When the first is full, it takes the place of the second.
#[derive(Debug, Default)]
struct Known {
    lately: HashSet<[u8; 32]>,
    before: HashSet<[u8; 32]>,
}

impl CheckSignature for KnownSignatures {
    fn check(&self, signature: &Signature<'_>) -> Result<(), InvalidSignature> {
        let digest = signature.digest();
        if self.with(|known| known.has(&digest)) {
            return Ok(());
        }
        // Nobody waits for this: two who ask at once both compute it.
        signature.verify()?;
        self.with(|known| known.note(digest));
        Ok(())
    }
}

impl KnownSignatures {
    /// What all of them take at most, in bytes.
    pub const BYTES: usize = 2 * KEPT * EACH;

    fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        // A digest is noted whole or not at all.
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    fn has(&mut self, digest: &[u8; 32]) -> bool {
        if self.lately.contains(digest) {
            return true;
        }
        let was_known = self.before.contains(digest);
        if was_known {
            self.note(*digest);
        }
        was_known
    }

    fn note(&mut self, digest: [u8; 32]) {
        if self.lately.len() >= KEPT {
            self.before = mem::take(&mut self.lately);
        }
        self.lately.insert(digest);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::time::Duration;

    use rustls::pki_types::{CertificateDer, UnixTime};

    use super::*;
    use crate::proto::auth::chain::{Anchors, CertReport, Chain, Checker, Trust};
    use crate::proto::auth::pin::Pins;
    use crate::proto::auth::pki::{Authority, Leaf, NOW};
    use crate::proto::jid::Domain;

    /// Counts what is computed.
    #[derive(Clone, Debug, Default)]
    struct Counted(Arc<(KnownSignatures, AtomicUsize)>);

    impl CheckSignature for Counted {
        fn check(&self, signature: &Signature<'_>) -> Result<(), InvalidSignature> {
            let digest = signature.digest();
            let was_known = self.0.0.with(|known| known.has(&digest));
            self.0.1.fetch_add(usize::from(!was_known), Relaxed);
            self.0.0.check(signature)
        }
    }

    struct House {
        anchors: Anchors,
        counted: Counted,
        checker: Checker,
    }

    impl House {
        fn trusting(root: &Authority) -> Self {
            let counted = Counted::default();
            Self {
                anchors: Anchors::from_der([root.certificate.clone()]).0,
                checker: Checker::new(counted.clone()),
                counted,
            }
        }

        fn judge(&self, chain: &[CertificateDer<'static>], domain: &str, now: u64) -> CertReport {
            let judge = |checker: &Checker| {
                let trust = Trust {
                    anchors: &self.anchors,
                    pins: &Pins::default(),
                    checker,
                };
                let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
                let domain = Domain::parse(domain).unwrap();
                Chain::from(chain.to_vec()).judge(&domain, &trust, now)
            };
            let report = judge(&self.checker);
            // Whoever remembers nothing says the same.
            assert_eq!(report, judge(&Checker::default()));
            report
        }

        fn computed(&self) -> usize {
            self.counted.0.1.swap(0, Relaxed)
        }
    }

    #[test]
    fn a_signature_is_computed_once_and_everything_else_is_judged_each_time() {
        let root = Authority::root("root");
        let house = House::trusting(&root);
        let chain = root.issue(Leaf::new(&["fabrikam.example"])).chain;
        let judged = |domain, now| house.judge(&chain, domain, now).verdict.is_ok();
        assert!(judged("fabrikam.example", NOW));
        assert_eq!(house.computed(), 1);
        assert!(judged("fabrikam.example", NOW));
        assert!(!judged("litware.example", NOW));
        assert!(!judged("fabrikam.example", NOW + 100 * 365 * 24 * 60 * 60));
        assert_eq!(house.computed(), 0);
        // The same authority signs another one.
        let other = root.issue(Leaf::new(&["fabrikam.example"])).chain;
        assert!(house.judge(&other, "fabrikam.example", NOW).verdict.is_ok());
        assert_eq!(house.computed(), 1);
    }

    #[test]
    fn a_certificate_that_differs_in_one_byte_is_computed_anew_and_is_as_bad_as_ever() {
        let root = Authority::root("root");
        let house = House::trusting(&root);
        let chain = root.issue(Leaf::new(&["fabrikam.example"])).chain;
        assert!(house.judge(&chain, "fabrikam.example", NOW).verdict.is_ok());
        let good = chain[0].as_ref();
        for at in 0..good.len() {
            let mut bad = good.to_vec();
            bad[at] ^= 1;
            let chain = [CertificateDer::from(bad)];
            let report = house.judge(&chain, "fabrikam.example", NOW);
            assert!(report.verdict.is_err(), "byte {at}");
        }
        // None of that was remembered.
        assert_eq!(house.counted.0.0.with(|known| known.lately.len()), 1);
    }

    #[test]
    fn what_another_authority_of_the_same_name_signs_is_not_remembered() {
        let root = Authority::root("root");
        let house = House::trusting(&root);
        let stranger = Authority::root("root");
        let chain = stranger.issue(Leaf::new(&["fabrikam.example"])).chain;
        for _ in 0..2 {
            let report = house.judge(&chain, "fabrikam.example", NOW);
            assert!(report.verdict.is_err());
            assert_eq!(house.computed(), 1);
        }
        assert!(house.counted.0.0.with(|known| known.lately.is_empty()));
    }

    #[test]
    fn the_memory_has_a_bound_and_keeps_what_is_in_use() {
        let mut known = Known::default();
        let digest = |number: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_be_bytes());
            digest
        };
        known.note(digest(0));
        for number in 1..10 * KEPT {
            known.note(digest(number));
            assert!(known.has(&digest(0)), "{number}");
            assert!(known.lately.len() + known.before.len() <= 2 * KEPT);
        }
        assert!(!known.has(&digest(1)));
        assert!(known.has(&digest(10 * KEPT - KEPT / 2)));
    }
}
