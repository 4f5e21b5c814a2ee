//! Names the kind of a private key that cannot be used.

use rustls::pki_types::PrivateKeyDer;
use x509_cert::der::asn1::{Any, ObjectIdentifier};
use x509_cert::der::{Decode as _, Tag, Tagged as _};

/// What the key is, with its article, as `an RSA key of 1024 bits`; `None` when it cannot be read.
pub(super) fn describe(key: &PrivateKeyDer<'_>) -> Option<String> {
    match key {
        PrivateKeyDer::Pkcs1(key) => rsa(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Sec1(key) => {
            // RFC 5915 §3: the curve stands in [0].
            let parts = Vec::<Any>::from_der(key.secret_sec1_der()).ok()?;
            let curve = parts
                .iter()
                .find_map(|part| ObjectIdentifier::from_der(part.value()).ok());
            Some(elliptic(curve))
        }
        _ => None,
    }
}

/// RFC 5958 §2: version, algorithm, the key itself.
fn pkcs8(der: &[u8]) -> Option<String> {
    let parts = Vec::<Any>::from_der(der).ok()?;
    let algorithm = parts.get(1)?.decode_as::<Vec<Any>>().ok()?;
    let kind = algorithm.first()?.decode_as::<ObjectIdentifier>().ok()?;
    Some(match kind {
        RSA => rsa(parts.get(2)?.value())?,
        EC => {
            let curve = algorithm.get(1).and_then(|it| it.decode_as().ok());
            elliptic(curve)
        }
        RSA_PSS => "an RSA key for RSASSA-PSS only".to_owned(),
        DSA => "a DSA key".to_owned(),
        ED25519 => "an Ed25519 key".to_owned(),
        ED448 => "an Ed448 key".to_owned(),
        other => format!("a key of the algorithm {other}"),
    })
}

/// RFC 8017 §A.1.2: version, modulus and more.
fn rsa(der: &[u8]) -> Option<String> {
    let parts = Vec::<Any>::from_der(der).ok()?;
    let modulus = parts.get(1).filter(|part| part.tag() == Tag::Integer)?;
    let mut bytes = modulus.value().iter().skip_while(|byte| **byte == 0);
    let first = bytes.next()?;
    let bits = 8 * (bytes.count() + 1) - usize::try_from(first.leading_zeros()).ok()?;
    Some(format!("an RSA key of {bits} bits"))
}

fn elliptic(curve: Option<ObjectIdentifier>) -> String {
    match curve {
        Some(P256) => "an ECDSA key on the curve P-256".to_owned(),
        Some(P384) => "an ECDSA key on the curve P-384".to_owned(),
        Some(P521) => "an ECDSA key on the curve P-521".to_owned(),
        Some(SECP256K1) => "an ECDSA key on the curve secp256k1".to_owned(),
        Some(curve) => format!("an ECDSA key on the curve {curve}"),
        None => "an ECDSA key that names no curve".to_owned(),
    }
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");
