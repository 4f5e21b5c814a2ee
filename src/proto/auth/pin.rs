//! Pins: by which keys, whoever certifies them, a partner is to be recognised (RFC 7469 §2.4).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::cert_fault::CertFault;

/// The SHA-256 digest of a certificate's SubjectPublicKeyInfo: it names the key, and stays the same
/// when the certificate is renewed for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pin(pub [u8; 32]);

impl Pin {
    /// The pin of a SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn of(key_info: &[u8]) -> Self {
        Self(Sha256::digest(key_info).into())
    }

    /// Reads `sha256:` and the digest: in base64, as RFC 7469 §2.1.1 has it, or as 64 hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digest = text.strip_prefix("sha256:")?;
        let bytes = match digest.len() {
            64 => from_hex(digest)?,
            44 => STANDARD.decode(digest).ok()?,
            _ => STANDARD_NO_PAD.decode(digest).ok()?,
        };
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", STANDARD.encode(self.0))
    }
}

/// One certificate on the way, or the anchor at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathCert {
    /// The subject, fit for a log line.
    pub(super) subject: String,
    /// The digest of its key.
    pub(super) key: Pin,
}

/// What one partner is to be recognised by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    /// One of these must be in the verified chain: the partner's own certificate, an intermediate
    /// one, or the anchor. Where there are none, every good chain does.
    pub pins: Vec<Pin>,
    /// Whether a chain with none of them is a bad one; else that is only told.
    pub enforced: bool,
}

impl Default for Pins {
    /// What holds where nothing is written.
    fn default() -> Self {
        Self {
            pins: Vec::new(),
            enforced: true,
        }
    }
}

impl Pins {
    /// Looks for a pin on the whole way from the partner's certificate to the anchor.
    ///
    /// RFC 7469 §2.6: one key of the validated chain that is pinned is enough.
    pub(super) fn check(&self, path: &[PathCert]) -> Result<(), CertFault> {
        let is_pinned = |cert: &PathCert| self.pins.contains(&cert.key);
        if self.pins.is_empty() || path.iter().any(is_pinned) {
            return Ok(());
        }
        let shown: Vec<_> = path
            .iter()
            .map(|cert| format!("{} {}", cert.subject, cert.key))
            .collect();
        Err(CertFault::NotPinned {
            path: shown.join("; "),
        })
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    digits?
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_has_two_spellings_and_one_meaning() {
        // The digest of no bytes at all.
        let hex = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let base64 = "sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let pin = Pin::of(b"");
        for text in [
            hex,
            &hex.replace('e', "E"),
            base64,
            base64.trim_end_matches('='),
        ] {
            assert_eq!(Pin::parse(text), Some(pin), "{text}");
        }
        assert_eq!(pin.to_string(), base64);
        for text in [
            "",
            "sha256:",
            &hex[7..],
            &base64[7..],
            &hex[..70],
            &format!("{hex}0"),
            &hex.replace('e', "g"),
            &base64.replace('+', "-"),
            &base64.replace("sha256:", "sha1:"),
            &base64.replace("sha256:", "sha256: "),
            "sha256:AAAA",
        ] {
            assert_eq!(Pin::parse(text), None, "{text}");
        }
    }
}
