//! Reads the files a configuration names. Every failure says which file, why, and what to do.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::pem::{Pem, PemFault};
use super::problem::{Findings, Place, Problem, Source};
use super::secret::{Secret, SecretError, read_private};
use crate::proto::words;

/// Reads a configuration file. `place` is where it is named; without one the command line named it.
pub(super) fn source(
    path: &Path,
    place: Option<&Place>,
    hint: &str,
    findings: &Findings,
) -> Arc<Source> {
    let (text, failure) = match read(path).map(String::from_utf8) {
        Ok(Ok(text)) => (text, None),
        Ok(Err(_)) => (String::new(), Some("it is not UTF-8 text".to_owned())),
        Err(error) => (String::new(), Some(reason(&error))),
    };
    let source = Arc::new(Source {
        path: path.to_owned(),
        text,
    });
    if let Some(failure) = failure {
        let own = Place::start(&source);
        findings.add(Problem::error(
            "unreadable-file",
            place.unwrap_or(&own),
            format!("cannot read {}: {failure}", path.display()),
            hint,
        ));
    }
    source
}

/// No file that a configuration names is nearly as long: the system's authorities have 220 KiB.
const MOST: u64 = 16 << 20;

/// The whole file, unless it has no end worth waiting for.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        let text = format!("it is longer than {} MiB", MOST >> 20);
        return Err(io::Error::other(text));
    }
    Ok(bytes)
}

/// Reads the certificates of a PEM file; at least one.
pub(super) fn certificates(
    path: &Path,
    place: &Place,
    findings: &Findings,
) -> Option<Vec<CertificateDer<'static>>> {
    let bytes = read(path)
        .map_err(|error| unreadable(path, place, &error, findings))
        .ok()?;
    let pem = Pem::read(&bytes)
        .map_err(|fault| bad_pem(path, place, &fault, false, findings))
        .ok()?;
    if !pem.certificates.is_empty() {
        return Some(pem.certificates);
    }
    let path = path.display();
    let (held, hint) = if pem.key.is_some() || pem.has_encrypted_key {
        (
            ", but a private key",
            "name the file with the certificates here, and this one in `private-key`: the two may \
             be swapped"
                .to_owned(),
        )
    } else if pem.has("CERTIFICATE REQUEST") || pem.has("NEW CERTIFICATE REQUEST") {
        (
            ", but a request for one",
            "name the certificate that the authority issued upon this request".to_owned(),
        )
    } else if pem.has("PKCS7") {
        (
            ", but a PKCS#7 bundle",
            format!("convert it: openssl pkcs7 -in {path} -print_certs -out {path}.pem"),
        )
    } else if pem.has("TRUSTED CERTIFICATE") {
        (
            " in the common form",
            format!("convert it: openssl x509 -in {path} -out {path}.pem"),
        )
    } else {
        (
            "",
            "name a PEM file with one or more BEGIN CERTIFICATE blocks".to_owned(),
        )
    };
    let message = format!("{path} holds no certificate{held}");
    findings.add(Problem::error("no-certificates", place, message, hint));
    None
}

/// Reads the private key of a PEM file that only its owner can read.
pub(super) fn private_key(
    path: &Path,
    place: &Place,
    findings: &Findings,
) -> Option<PrivateKeyDer<'static>> {
    let bytes = read_private(path)
        .map_err(|error| unfit(path, place, &error, findings))
        .ok()?;
    let pem = Pem::read(&bytes)
        .map_err(|fault| bad_pem(path, place, &fault, true, findings))
        .ok()?;
    if pem.key.is_some() {
        return pem.key;
    }
    let path = path.display();
    if pem.has_encrypted_key {
        findings.add(Problem::error(
            "encrypted-key",
            place,
            format!("the private key in {path} is encrypted"),
            format!(
                "decrypt it: openssl pkey -in {path} -out {path}.plain, and name that file here"
            ),
        ));
        return None;
    }
    let (held, hint) = if !pem.certificates.is_empty() {
        (
            ", but certificates",
            "name the file with the key here, and this one in `certificate-chain`: the two may be \
             swapped",
        )
    } else if pem.has("PUBLIC KEY") {
        (
            ", but a public one",
            "name the file with the private key that it belongs to",
        )
    } else if pem.has("OPENSSH PRIVATE KEY") {
        (
            " for TLS, but one for SSH",
            "name the key that the certificate was requested with",
        )
    } else {
        (
            "",
            "name a PEM file with an unencrypted PKCS#8, PKCS#1 or SEC1 key",
        )
    };
    let message = format!("{path} holds no private key{held}");
    findings.add(Problem::error("no-private-key", place, message, hint));
    None
}

/// Reads a shared secret from a file that only its owner can read.
pub(super) fn secret(path: &Path, place: &Place, findings: &Findings) -> Option<Secret> {
    Secret::read(path)
        .map_err(|error| unfit(path, place, &error, findings))
        .ok()
}

fn bad_pem(path: &Path, place: &Place, fault: &PemFault, key_wanted: bool, findings: &Findings) {
    let shown = path.display();
    findings.add(match fault {
        PemFault::Broken(what) => Problem::error(
            "bad-pem",
            place,
            format!("{shown} is not a sound PEM file: {what}"),
            "make the file anew; it may have been cut off or edited",
        ),
        PemFault::Binary(binary) => Problem::error(
            "not-pem",
            place,
            format!(
                "{shown} holds {} in binary form, and PEM text is needed",
                binary.name()
            ),
            format!(
                "convert it: {}, and name the new file",
                binary.conversion(&shown.to_string(), key_wanted)
            ),
        ),
    });
}

fn unreadable(path: &Path, place: &Place, error: &io::Error, findings: &Findings) {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => "run this as the user that the daemon runs as",
        io::ErrorKind::NotFound => {
            "check the path: a relative one starts at the directory of this file"
        }
        _ => "name a file that can be read",
    };
    findings.add(Problem::error(
        "unreadable-file",
        place,
        format!("cannot read {}: {}", path.display(), reason(error)),
        hint,
    ));
}

fn unfit(path: &Path, place: &Place, error: &SecretError, findings: &Findings) {
    let problem = match error {
        SecretError::Io(error) => return unreadable(path, place, error, findings),
        SecretError::Exposed(mode) => Problem::error(
            "exposed-file",
            place,
            format!(
                "other users can read or write {} (mode {mode:04o})",
                path.display()
            ),
            format!("run: chmod 600 {}", path.display()),
        ),
        SecretError::TooShort(length) => Problem::error(
            "secret-too-short",
            place,
            format!(
                "the secret in {} has {length} bytes; at least 16 are needed",
                path.display()
            ),
            format!("make one: openssl rand -hex 32 > {}", path.display()),
        ),
    };
    findings.add(problem);
}

/// The system's reason without its number.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => words::of_error(error),
    }
}
