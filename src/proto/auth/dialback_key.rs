//! The key of server dialback, derived and not stored (XEP-0185).
//!
//! Every edge of a pool that has the same secret makes the same keys, so one edge can verify what
//! another sent, and nothing has to be remembered between the two.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::proto::hex;
use crate::proto::jid::Domain;

/// What the keys of this edge, or of the pool it belongs to, are made from.
#[derive(Clone)]
pub struct DialbackSecret(Zeroizing<String>);

impl DialbackSecret {
    /// The fewest bytes a secret may have: 128 bits, as many as a key cannot be guessed from.
    pub const MIN_BYTES: usize = 16;

    /// Takes a secret as configured or drawn; the caller removes a final line break.
    ///
    /// # Errors
    /// [`WeakSecret`] when there are fewer than [`Self::MIN_BYTES`] bytes.
    pub fn new(secret: &[u8]) -> Result<Self, WeakSecret> {
        if secret.len() < Self::MIN_BYTES {
            return Err(WeakSecret);
        }
        // XEP-0185 §2: the secret is hashed before use, and used in its hexadecimal form.
        Ok(Self(Zeroizing::new(hex::text(&Sha256::digest(secret)))))
    }

    /// The key with which `originating` proves itself on a stream that `receiving` named
    /// `stream_id`.
    #[must_use]
    pub fn generate(&self, receiving: &Domain, originating: &Domain, stream_id: &str) -> String {
        hex::text(&self.mac(receiving, originating, stream_id))
    }

    /// Whether `key` is the key for these three. Takes the same time for every wrong key.
    #[must_use]
    pub fn verify(
        &self,
        receiving: &Domain,
        originating: &Domain,
        stream_id: &str,
        key: &str,
    ) -> bool {
        let want = Zeroizing::new(self.generate(receiving, originating, stream_id));
        want.as_bytes().ct_eq(key.as_bytes()).into()
    }

    fn mac(&self, receiving: &Domain, originating: &Domain, stream_id: &str) -> [u8; 32] {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("any length");
        // XEP-0185 §2: one space between the three. A `Domain` has none, so no two inputs are one.
        mac.update(receiving.as_str().as_bytes());
        mac.update(b" ");
        mac.update(originating.as_str().as_bytes());
        mac.update(b" ");
        mac.update(stream_id.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for DialbackSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DialbackSecret")
    }
}

/// The secret is short enough to be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a dialback secret needs at least {} bytes", DialbackSecret::MIN_BYTES)]
pub struct WeakSecret;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn domain(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    fn secret() -> DialbackSecret {
        DialbackSecret::new(b"s3cr3tf0rd14lb4ck").unwrap()
    }

    // XEP-0185 §3
    const KEY: &str = "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643";

    #[test]
    fn the_worked_example_of_the_specification() {
        let (receiving, originating) = (domain("xmpp.example.com"), domain("example.org"));
        let secret = secret();
        assert_eq!(
            *secret.0,
            "a7136eb1f46c9ef18c5e78c36ca257067c69b3d518285f0b18a96c33beae9acc"
        );
        assert_eq!(secret.generate(&receiving, &originating, "D60000229F"), KEY);
        assert!(secret.verify(&receiving, &originating, "D60000229F", KEY));
    }

    #[test]
    fn every_difference_spoils_the_key() {
        let (receiving, originating) = (domain("xmpp.example.com"), domain("example.org"));
        let secret = secret();
        let upper = KEY.to_uppercase();
        for (receiving, originating, id, key) in [
            (&originating, &receiving, "D60000229F", KEY),
            (&receiving, &originating, "d60000229f", KEY),
            (&receiving, &originating, "D60000229F", upper.as_str()),
            (&receiving, &originating, "D60000229F", &KEY[1..]),
            (&receiving, &originating, "D60000229F", ""),
        ] {
            assert!(
                !secret.verify(receiving, originating, id, key),
                "{id} {key}"
            );
        }
        let other = DialbackSecret::new(b"another secret, as long").unwrap();
        assert!(!other.verify(&receiving, &originating, "D60000229F", KEY));
    }

    #[test]
    fn spellings_of_one_domain_give_one_key() {
        let key = secret().generate(&domain("EXÄMPLE.org."), &domain("A.example"), "1");
        let again = secret().generate(&domain("xn--exmple-cua.org"), &domain("a.example"), "1");
        assert_eq!(key, again);
    }

    #[test]
    fn a_short_secret_is_refused_and_none_is_printed() {
        assert_eq!(DialbackSecret::new(b"12345678").unwrap_err(), WeakSecret);
        assert_eq!(format!("{:?}", secret()), "DialbackSecret");
    }

    proptest! {
        /// CVE-2016-0756: moving the border between the parts must never keep the key.
        #[test]
        fn the_parts_cannot_be_shifted(text in "[a-z]{2,8}(\\.[a-z]{2,8}){2,4}", id in "[a-z. ]{0,8}", one in 1_usize..30, two in 1_usize..30) {
            let split = |at: usize| {
                let (left, right) = text.split_at(at.min(text.len()));
                Some((Domain::parse(left).ok()?, Domain::parse(right).ok()?))
            };
            if let (Some(first), Some(second)) = (split(one), split(two)) {
                let keys = [first.clone(), second.clone()].map(|(a, b)| secret().generate(&a, &b, &id));
                prop_assert_eq!(first == second, keys[0] == keys[1]);
            }
        }

        #[test]
        fn what_is_generated_verifies(id in "\\PC{0,20}", byte in 0_usize..64) {
            let (a, b) = (domain("a.example"), domain("b.example"));
            let mut key = secret().generate(&a, &b, &id);
            prop_assert!(secret().verify(&a, &b, &id, &key));
            let changed = if key.as_bytes()[byte] == b'0' { "1" } else { "0" };
            key.replace_range(byte..=byte, changed);
            prop_assert!(!secret().verify(&a, &b, &id, &key));
        }
    }
}
