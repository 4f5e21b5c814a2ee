//! What stands in a file of certificates or keys; and where it is not PEM text, what it is.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_pemfile::{Error, Item, read_one_from_slice};
use x509_cert::Certificate;
use x509_cert::der::asn1::{Any, ObjectIdentifier};
use x509_cert::der::{Decode as _, Tag, Tagged as _};

/// What a PEM file holds.
#[derive(Default)]
pub(super) struct Pem {
    /// In their order.
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// The first private key.
    pub(super) key: Option<PrivateKeyDer<'static>>,
    /// Whether there is a private key that needs a password.
    pub(super) has_encrypted_key: bool,
    /// The labels of all blocks, as `CERTIFICATE REQUEST`.
    labels: Vec<String>,
}

/// Why a file cannot be read as PEM text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PemFault {
    /// It is the same thing in binary form.
    Binary(Binary),
    /// It is broken: what, and in which line.
    Broken(String),
}

/// What a file in binary form holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    /// A certificate.
    Certificate,
    /// A private key, perhaps encrypted.
    Key,
    /// Certificates in PKCS#7 form.
    Pkcs7,
    /// Certificates with their key in PKCS#12 form: `.p12`, `.pfx`.
    Pkcs12,
}

impl Pem {
    /// Reads a file.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PemFault> {
        // Editors put this mark before text in UTF-8.
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
            let text = "it is in UTF-16, and must be plain ASCII text";
            return Err(PemFault::Broken(text.to_owned()));
        }
        if let Some(binary) = Binary::of(bytes) {
            return Err(PemFault::Binary(binary));
        }
        let text = String::from_utf8_lossy(bytes);
        let mut pem = Self {
            labels: labels(&text),
            ..Self::default()
        };
        // RFC 1421 §4.6.1.1 is how old tools write encrypted keys; PKCS#8 has a label for it.
        let has_old_form = text.contains("Proc-Type: 4,ENCRYPTED");
        pem.has_encrypted_key = has_old_form || pem.has("ENCRYPTED PRIVATE KEY");
        let mut rest = bytes;
        loop {
            match read_one_from_slice(rest) {
                Ok(Some((item, after))) => {
                    pem.take(item);
                    rest = after;
                }
                Ok(None) => return Ok(pem),
                // Such a block cannot be decoded. What stands before it is read.
                Err(_) if has_old_form => return Ok(pem),
                Err(error) => {
                    let start = bytes.len().saturating_sub(rest.len());
                    return Err(PemFault::Broken(broken(&error, &text, bytes, start)));
                }
            }
        }
    }

    /// Whether there is a block with this label.
    pub(super) fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|it| it == label)
    }

    fn take(&mut self, item: Item) {
        let key = match item {
            Item::X509Certificate(certificate) => return self.certificates.push(certificate),
            Item::Pkcs1Key(key) => key.into(),
            Item::Pkcs8Key(key) => key.into(),
            Item::Sec1Key(key) => key.into(),
            _ => return,
        };
        self.key.get_or_insert(key);
    }
}

impl Binary {
    fn of(bytes: &[u8]) -> Option<Self> {
        // A SEQUENCE: all of these begin with it, and no text does that has a PEM block.
        if bytes.first() != Some(&0x30) || contains(bytes, b"-----BEGIN ") {
            return None;
        }
        if Certificate::from_der(bytes).is_ok() {
            return Some(Self::Certificate);
        }
        // PKCS#12 files may have no definite length (BER).
        if bytes.get(1) == Some(&0x80) {
            return Some(Self::Pkcs12);
        }
        let parts = Vec::<Any>::from_der(bytes).ok()?;
        let (first, second) = (parts.first()?, parts.get(1)?);
        match (first.tag(), second.tag()) {
            // RFC 7292 §4: version 3.
            (Tag::Integer, Tag::Sequence) if first.value() == [3] => Some(Self::Pkcs12),
            // RFC 5958 §2, RFC 8017 §A.1.2, RFC 5915 §3; encrypted: RFC 5958 §3.
            (Tag::Integer, Tag::Sequence | Tag::Integer | Tag::OctetString)
            | (Tag::Sequence, Tag::OctetString) => Some(Self::Key),
            (Tag::ObjectIdentifier, _) => {
                let kind = first.decode_as::<ObjectIdentifier>().ok()?;
                (kind == SIGNED_DATA).then_some(Self::Pkcs7)
            }
            _ => None,
        }
    }

    /// The thing, with its article.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Certificate => "a certificate",
            Self::Key => "a private key",
            Self::Pkcs7 => "a PKCS#7 bundle of certificates",
            Self::Pkcs12 => "a PKCS#12 bundle of certificates and their key",
        }
    }

    /// The command that makes PEM text of the file at `path`.
    pub(super) fn conversion(self, path: &str, key_wanted: bool) -> String {
        match self {
            Self::Certificate => format!("openssl x509 -inform DER -in {path} -out {path}.pem"),
            Self::Key => format!("openssl pkey -inform DER -in {path} -out {path}.pem"),
            Self::Pkcs7 => {
                format!("openssl pkcs7 -inform DER -in {path} -print_certs -out {path}.pem")
            }
            Self::Pkcs12 if key_wanted => {
                format!("openssl pkcs12 -in {path} -nocerts -nodes -out {path}.key")
            }
            Self::Pkcs12 => format!("openssl pkcs12 -in {path} -nokeys -out {path}.pem"),
        }
    }
}

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const BEGIN: &str = "-----BEGIN ";

fn labels(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix(BEGIN)?.trim_end().strip_suffix("-----"))
        .map(str::to_owned)
        .collect()
}

/// What is broken, and where: in the first bad block from the offset `start` on.
fn broken(error: &Error, text: &str, bytes: &[u8], start: usize) -> String {
    let skipped = bytes.iter().take(start).filter(|byte| **byte == b'\n');
    let skipped = skipped.count();
    let lines = || text.lines().enumerate().skip(skipped);
    let begins = |line: &str| line.starts_with(BEGIN);
    let last = lines().filter(|(_, line)| begins(line)).last();
    let last = last.map_or(skipped, |(index, _)| index) + 1;
    match error {
        Error::MissingSectionEnd { .. } => {
            format!("the block that begins in line {last} has no end")
        }
        Error::IllegalSectionStart { .. } => {
            let is_whole = |line: &str| {
                let line = line.trim_end();
                line.len() == line.trim_end_matches('-').len() + 5
            };
            let bad = lines().find(|(_, line)| begins(line) && !is_whole(line));
            let line = bad.map_or(last, |(index, _)| index + 1);
            format!("line {line} begins a block and does not end with five hyphens")
        }
        Error::Base64Decode(_) => {
            let mut inside = false;
            for (index, line) in lines() {
                if line.starts_with("-----") {
                    inside = begins(line);
                } else if inside && !line.trim_end().bytes().all(is_base64) {
                    return format!("line {} is not base64 text", index + 1);
                }
            }
            let first = lines().find(|(_, line)| begins(line));
            let first = first.map_or(skipped, |(index, _)| index) + 1;
            format!("the block that begins in line {first} is not base64 text")
        }
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
