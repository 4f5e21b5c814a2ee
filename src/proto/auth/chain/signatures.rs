//! Who checks the signatures of a chain.
//!
//! An authority has signed a certificate once, and its partner shows it at each connection for months. Whether that
//! signature is good depends on nothing but the algorithm, the key, what is signed and the signature. So who checks
//! them may remember which were good. All else of a chain (dates, names, purposes, what is trusted, by which way) is
//! judged each time.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};
use sha2::{Digest as _, Sha256};

use super::algorithms::BELIEVED;

/// Says whether signatures are good.
pub trait CheckSignature: fmt::Debug + Send + Sync {
    /// Checks one, or knows that this very signature was good before.
    ///
    /// # Errors
    /// It is not good.
    fn check(&self, signature: &Signature<'_>) -> Result<(), InvalidSignature>;
}

/// Who is asked about signatures; by default somebody who remembers none.
#[derive(Clone, Debug)]
pub struct Checker(Arc<dyn CheckSignature>);

impl Checker {
    /// Asks this one.
    #[must_use]
    pub fn new(check: impl CheckSignature + 'static) -> Self {
        Self(Arc::new(check))
    }

    /// The signatures that are believed in a chain, each to be asked about.
    pub(super) fn asked(&self) -> [Asked<'_>; BELIEVED.len()] {
        BELIEVED.map(|algorithm| Asked {
            algorithm,
            check: &*self.0,
        })
    }
}

impl Default for Checker {
    fn default() -> Self {
        Self::new(Computed)
    }
}

/// A signature, as a certificate has it.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'s> {
    algorithm: &'static dyn SignatureVerificationAlgorithm,
    key: &'s [u8],
    message: &'s [u8],
    bytes: &'s [u8],
}

impl Signature<'_> {
    /// Computes whether it is good.
    ///
    /// # Errors
    /// It is not.
    pub fn verify(&self) -> Result<(), InvalidSignature> {
        (self.algorithm).verify_signature(self.key, self.message, self.bytes)
    }

    /// Stands for all that the outcome depends on: algorithm, key, what is signed, and the signature.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let ids = (
            self.algorithm.public_key_alg_id(),
            self.algorithm.signature_alg_id(),
        );
        let mut digest = Sha256::new();
        // Each with its length: no two things are written alike.
        for part in [&ids.0, &ids.1, self.key, self.bytes, self.message] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

/// Who computes each of them.
#[derive(Debug)]
struct Computed;

impl CheckSignature for Computed {
    fn check(&self, signature: &Signature<'_>) -> Result<(), InvalidSignature> {
        signature.verify()
    }
}

/// An algorithm whose signatures are asked about.
#[derive(Debug)]
pub(super) struct Asked<'c> {
    algorithm: &'static dyn SignatureVerificationAlgorithm,
    check: &'c dyn CheckSignature,
}

impl SignatureVerificationAlgorithm for Asked<'_> {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        bytes: &[u8],
    ) -> Result<(), InvalidSignature> {
        self.check.check(&Signature {
            algorithm: self.algorithm,
            key,
            message,
            bytes,
        })
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }
}
