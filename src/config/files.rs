//! Reads the files a configuration names. Every failure says which file, why, and what to do.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::encoding::Content;
use super::pem::{Pem, PemFault};
use super::problem::{Findings, Place, Problem, Source};
use super::rights::{Obstacle, own_name};
use super::secret::{Secret, SecretError, read_private};
use crate::proto::words;

/// Reads a configuration file; `None` and a finding where there is no text to look at. `place` is
/// where it is named; without one the command line named it. `absent` is the hint where there is no
/// such file.
pub(super) fn source(
    path: &Path,
    place: Option<&Place>,
    absent: &str,
    findings: &Findings,
) -> Option<Arc<Source>> {
    let named = |text| {
        Arc::new(Source {
            path: path.to_owned(),
            text,
        })
    };
    let nothing = named(String::new());
    let own = Place::start(&nothing);
    let named_at = place.unwrap_or(&own);
    let content = match read(path) {
        Ok(bytes) => Content::of(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("cannot read {}: {}", path.display(), reason(&error));
            findings.add(Problem::error("unreadable-file", named_at, message, absent));
            return None;
        }
        Err(error) => {
            unreadable(path, named_at, &error, findings);
            return None;
        }
    };
    findings.was_read(path, named_at);
    match content {
        Content::Utf8(text) => Some(named(text)),
        // It is read all the same, so that everything else is told in the same run.
        Content::Foreign(foreign) => {
            let source = named(foreign.text);
            findings.add(wrong_encoding(
                &source,
                foreign.name,
                foreign.charset,
                foreign.at,
            ));
            Some(source)
        }
        Content::Binary => {
            findings.add(Problem::error(
                "not-text",
                named_at,
                format!("{} is not a text file", path.display()),
                "name a text file in UTF-8",
            ));
            None
        }
    }
}

fn wrong_encoding(source: &Arc<Source>, name: &str, charset: &str, at: Range<usize>) -> Problem {
    let place = Place {
        source: Arc::clone(source),
        span: at,
    };
    let shown = source.path.display();
    Problem::error(
        "wrong-encoding",
        &place,
        format!("{shown} is in {name}, and must be in UTF-8"),
        format!(
            "save it as UTF-8 in the editor, or convert it: iconv -f {charset} -t UTF-8 {shown} > \
             {shown}.utf8, and put that file in its place"
        ),
    )
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
    findings.was_read(path, place);
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
    findings.was_read(path, place);
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
    let secret = Secret::read(path)
        .map_err(|error| unfit(path, place, &error, findings))
        .ok()?;
    findings.was_read(path, place);
    Some(secret)
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
    let shown = path.display();
    let obstacle = Obstacle::here(path).filter(|_| error.kind() == io::ErrorKind::PermissionDenied);
    let (message, hint) = match (error.kind(), obstacle) {
        (_, Some(obstacle)) => {
            let user = own_name();
            let hint = format!(
                "{}; if the daemon runs as another user than {user}, run this as that one",
                obstacle.remedy(&user)
            );
            let message = format!("{user} cannot read {shown}: {obstacle}");
            (message, hint)
        }
        (io::ErrorKind::NotFound, _) if place.file() == path => (
            format!("cannot read {shown}: {}", reason(error)),
            "check the path".to_owned(),
        ),
        (io::ErrorKind::NotFound, _) => (
            format!("cannot read {shown}: {}", reason(error)),
            "check the path: a relative one starts at the directory of this file".to_owned(),
        ),
        _ => (
            format!("cannot read {shown}: {}", reason(error)),
            "name a file that can be read".to_owned(),
        ),
    };
    findings.add(Problem::error("unreadable-file", place, message, hint));
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
            close(path, *mode),
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

/// How a file is kept from others. A group that may read it was mostly given the right on purpose:
/// so that a daemon may read it which does not own it.
fn close(path: &Path, mode: u32) -> String {
    let path = path.display();
    if mode & 0o070 == 0 {
        return format!("run: chmod 600 {path}");
    }
    format!(
        "give it to the daemon's user alone: chown xmpp-edge {path} && chmod 600 {path}; or leave \
         it as it is for others, and hand the daemon a copy: LoadCredential= in its unit"
    )
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
