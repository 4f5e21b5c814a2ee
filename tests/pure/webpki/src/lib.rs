//! webpki without cryptography: what the core calls by name is there, and verifies nothing. Only the
//! compiler sees it.

pub use real::*;

/// In the place of the algorithms that need a C compiler.
pub mod aws_lc_rs {
    use pki_types::{
        AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
    };

    #[derive(Debug)]
    struct Never;

    impl SignatureVerificationAlgorithm for Never {
        fn verify_signature(&self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), InvalidSignature> {
            Err(InvalidSignature)
        }

        fn public_key_alg_id(&self) -> AlgorithmIdentifier {
            alg_id::ED25519
        }

        fn signature_alg_id(&self) -> AlgorithmIdentifier {
            alg_id::ED25519
        }
    }

    macro_rules! never {
        ($($name:ident)*) => {$(
            #[allow(missing_docs, reason = "the names are webpki's")]
            pub static $name: &dyn SignatureVerificationAlgorithm = &Never;
        )*};
    }

    never! {
        ECDSA_P256_SHA256 ECDSA_P256_SHA384 ECDSA_P256_SHA512
        ECDSA_P384_SHA256 ECDSA_P384_SHA384 ECDSA_P384_SHA512
        ED25519
        RSA_PKCS1_2048_8192_SHA256 RSA_PKCS1_2048_8192_SHA384 RSA_PKCS1_2048_8192_SHA512
        RSA_PSS_2048_8192_SHA256_LEGACY_KEY RSA_PSS_2048_8192_SHA384_LEGACY_KEY
        RSA_PSS_2048_8192_SHA512_LEGACY_KEY
    }
}
