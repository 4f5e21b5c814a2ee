//! The signatures that are believed in a chain.

use rustls::pki_types::SignatureVerificationAlgorithm;
use webpki::aws_lc_rs as algorithms;

/// All that public authorities use: RSA from 2048 bits, P-256, P-384, Ed25519.
///
/// P-521 is left out: no public authority may use it (Mozilla Root Store Policy, §5.1), and a
/// path of such signatures would cost the edge twice as much as any other.
pub(super) const BELIEVED: [&dyn SignatureVerificationAlgorithm; 13] = [
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P256_SHA512,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::ECDSA_P384_SHA512,
    algorithms::ED25519,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];
