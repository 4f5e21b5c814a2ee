//! Secrets: read from files that nobody else can read, erased from memory when they go.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::rights::exposure;
use crate::proto::auth::dialback_key::DialbackSecret;
use crate::proto::words;

/// A shared secret. It has no text form, and is erased when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes of a secret as they are.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for a key derivation or a comparison in constant time.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Reads a secret from a file that only its owner may read; line breaks at its end are not part of it.
    ///
    /// # Errors
    /// [`SecretError`] says what is wrong with the file.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let mut bytes = read_private(path)?;
        while bytes
            .last()
            .is_some_and(|byte| matches!(byte, b'\n' | b'\r'))
        {
            bytes.pop();
        }
        if bytes.len() < MIN_SECRET {
            return Err(SecretError::TooShort(bytes.len()));
        }
        Ok(Self(bytes))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Where the dialback secret comes from. Checking a configuration never writes, so a secret that is
/// still to be made is made by [`DialbackSource::open`].
#[derive(Clone, Debug)]
pub enum DialbackSource {
    /// Read from its file.
    Known(DialbackSecret),
    /// Not there yet: to be made at this path, in the state directory.
    ToBeMade(PathBuf),
}

impl DialbackSource {
    /// The same for who must not write: where there is no secret yet, one that is forgotten again. No
    /// running edge knows it, nor could it know any other.
    ///
    /// # Errors
    /// [`SecretError::Io`] when the system has no randomness to give.
    pub fn without_a_file(self) -> Result<Self, SecretError> {
        match self {
            Self::Known(secret) => Ok(Self::Known(secret)),
            Self::ToBeMade(_) => {
                let text = random_hex::<32>()?;
                let secret = DialbackSecret::new(text.as_bytes())
                    .map_err(|_| SecretError::TooShort(text.len()))?;
                Ok(Self::Known(secret))
            }
        }
    }

    /// The secret; makes it, of 32 random bytes in hexadecimal and with mode 0600, where there is none.
    ///
    /// # Errors
    /// [`DialbackFileError`] when the file cannot be made, or another process made one that is not fit.
    pub fn open(&self) -> Result<DialbackSecret, DialbackFileError> {
        let path = match self {
            Self::Known(secret) => return Ok(secret.clone()),
            Self::ToBeMade(path) => path,
        };
        let read = || {
            make_secret(path)?;
            let secret = Secret::read(path)?;
            DialbackSecret::new(secret.expose())
                .map_err(|_| SecretError::TooShort(secret.expose().len()))
        };
        read().map_err(|error| DialbackFileError {
            path: path.clone(),
            error,
        })
    }
}

/// Why the dialback secret could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the dialback secret {}: {error}{}", path.display(), hint(path, error))]
pub struct DialbackFileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub error: SecretError,
}

/// What to do where the state directory is not the daemon's, or cannot be made by it.
fn hint(path: &Path, error: &SecretError) -> String {
    match (error, path.parent()) {
        (SecretError::Io(error), Some(directory))
            if error.kind() == io::ErrorKind::PermissionDenied =>
        {
            format!(
                "; make the directory {}, and give it to the user that the daemon runs as (chown), with \
                 mode 0700",
                directory.display()
            )
        }
        _ => String::new(),
    }
}

/// Why a file cannot serve as a secret or a private key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file cannot be read or made.
    #[error("{}", words::of_error(.0))]
    Io(#[from] io::Error),
    /// Others than the owner may read or write it; the value is its mode.
    #[error("other users can read or write it (mode {0:04o})")]
    Exposed(u32),
    /// Too short to be a secret; the value is its length in bytes.
    #[error("it holds {0} bytes, and a secret needs at least {MIN_SECRET}")]
    TooShort(usize),
}

/// Shorter secrets can be guessed.
const MIN_SECRET: usize = DialbackSecret::MIN_BYTES;

/// Makes the secret whole or not at all: a file that is there is never half written.
fn make_secret(path: &Path) -> Result<(), SecretError> {
    if let Some(directory) = path.parent() {
        // As the contacts' own code makes it: what is learned of users is nobody else's.
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(directory)?;
    }
    let text = Zeroizing::new(format!("{}\n", random_hex::<32>()?.as_str()));
    // Two that begin at the same time must not write one draft.
    let draft = path.with_extension(random_hex::<8>()?.as_str());
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            // Unlike a rename, a link does not replace what is there.
            fs::hard_link(&draft, path)
        });
    let removed = fs::remove_file(&draft);
    match written {
        // Another one was faster: its secret is the one to use.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.exists() => {}
        written => written.and(removed)?,
    }
    Ok(())
}

fn random_hex<const BYTES: usize>() -> Result<Zeroizing<String>, SecretError> {
    let mut random = Zeroizing::new([0_u8; BYTES]);
    getrandom::fill(&mut *random).map_err(|error| SecretError::Io(error.into()))?;
    let mut text = Zeroizing::new(String::with_capacity(2 * BYTES));
    for byte in random.iter() {
        // Writing to a string does not fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    Ok(text)
}

/// Reads a file that only its owner may read or write.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let mut file = fs::File::open(path)?;
    // The opened file is asked, not the path: the two could differ.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file").into());
    }
    if let Some(mode) = exposure(&file, &metadata) {
        return Err(SecretError::Exposed(mode));
    }
    // Room for all of it, so that growing leaves no copy behind that is not erased.
    let size = usize::try_from(metadata.len()).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(size.saturating_add(1)));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    fn file(directory: &Path, text: &str, mode: u32) -> PathBuf {
        let path = directory.join("secret");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn the_final_newline_is_no_part_of_a_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path(), "correct horse battery\n", 0o600);
        assert_eq!(
            Secret::read(&path).unwrap().expose(),
            b"correct horse battery"
        );
    }

    #[test]
    fn a_secret_that_others_can_reach_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610] {
            let path = file(directory.path(), "correct horse battery", mode);
            let error = Secret::read(&path).unwrap_err();
            assert!(matches!(error, SecretError::Exposed(it) if it == mode));
        }
    }

    #[test]
    fn a_short_secret_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path(), "fifteen bytes..\n", 0o600);
        assert!(matches!(
            Secret::read(&path),
            Err(SecretError::TooShort(15))
        ));
    }

    #[test]
    fn the_dialback_secret_is_made_once_and_only_for_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/dialback.secret");
        let wanted = DialbackSource::ToBeMade(path.clone());
        wanted.open().unwrap();
        let first = fs::read(&path).unwrap();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert_eq!(first.len(), 65);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        wanted.open().unwrap();
        assert_eq!(fs::read(&path).unwrap(), first);
    }

    #[test]
    fn no_two_secrets_are_alike() {
        let directory = tempfile::tempdir().unwrap();
        let secrets = ["one", "other"].map(|name| {
            let path = directory.path().join(name);
            DialbackSource::ToBeMade(path.clone()).open().unwrap();
            fs::read(&path).unwrap()
        });
        assert_ne!(secrets[0], secrets[1]);
    }

    #[test]
    fn debug_does_not_tell() {
        let secret = Secret::new(b"correct horse battery".to_vec());
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
