//! The handshake of XEP-0114: a gateway proves that it knows the link's secret.

use std::fmt;

use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::Authenticated;
use crate::proto::hex;
use crate::proto::jid::Domain;

/// The secret of the link. It has no text form, and is erased when it is dropped.
#[derive(PartialEq, Eq)]
pub struct LinkSecret(Zeroizing<String>);

impl LinkSecret {
    /// Takes the secret as it stands in its file.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(in crate::proto) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret(..)")
    }
}

/// The digest that a gateway must send: SHA-1 of stream id and secret, in lower-case hex.
///
/// The secret is taken as text, so XML escaping plays no part (XEP-0114 §3, step 3).
#[must_use]
pub fn digest(stream_id: &str, secret: &str) -> String {
    let hash = Sha1::new()
        .chain_update(stream_id)
        .chain_update(secret)
        .finalize();
    hex::text(&hash)
}

/// Compares a gateway's digest in constant time; the only way to a proven link.
#[must_use]
pub fn prove(
    domain: Domain,
    stream_id: &str,
    secret: &str,
    presented: &str,
) -> Option<Authenticated<Domain>> {
    is_good(stream_id, secret, presented).then(|| Authenticated::assertion(domain, None))
}

/// Whether a digest is the right one, in constant time.
pub(in crate::proto) fn is_good(stream_id: &str, secret: &str, presented: &str) -> bool {
    let expected = digest(stream_id, secret);
    bool::from(expected.as_bytes().ct_eq(presented.trim().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_has_no_text_form() {
        let secret = LinkSecret::new("0123456789abcdef".to_owned());
        assert_eq!(format!("{secret:?}"), "LinkSecret(..)");
    }

    #[test]
    fn only_the_right_digest_proves_a_link() {
        let domain = Domain::parse("contoso.example").unwrap();
        let good = digest("3BF96D32", "secret");
        // The same digest from another implementation: printf 3BF96D32secret | sha1sum.
        assert_eq!(good, "b09ea9b3b7f586be8a08d0a3dd7466f110aeb136");
        assert!(prove(domain.clone(), "3BF96D32", "secret", &good).is_some());
        for bad in [
            "",
            "aee13ac8",
            &good.to_uppercase(),
            &digest("3BF96D33", "secret"),
        ] {
            assert!(
                prove(domain.clone(), "3BF96D32", "secret", bad).is_none(),
                "{bad}"
            );
        }
    }
}
