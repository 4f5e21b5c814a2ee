//! Secrets: read from files that nobody else can read, erased from memory when they go.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::proto::auth::dialback_key::DialbackSecret;

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
    /// The secret; makes it, of 32 random bytes in hexadecimal and with mode 0600, where there is none.
    ///
    /// # Errors
    /// [`SecretError`] when the file cannot be made, or what another process made meanwhile is not fit.
    pub fn open(&self) -> Result<DialbackSecret, SecretError> {
        let path = match self {
            Self::Known(secret) => return Ok(secret.clone()),
            Self::ToBeMade(path) => path,
        };
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut random = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *random).map_err(|error| SecretError::Io(error.into()))?;
        let hex: Zeroizing<String> =
            Zeroizing::new(random.iter().map(|byte| format!("{byte:02x}")).collect());
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        match file {
            Ok(mut file) => {
                file.write_all(hex.as_bytes())?;
                file.write_all(b"\n")?;
                file.sync_all()?;
            }
            // Another edge on this state directory was faster: its secret is the one to use.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
        let secret = Secret::read(path)?;
        DialbackSecret::new(secret.expose())
            .map_err(|_| SecretError::TooShort(secret.expose().len()))
    }
}

/// Why a file cannot serve as a secret or a private key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file cannot be read or made.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Others than the owner may read or write it; the value is its mode.
    #[error("other users can read or write it (mode {0:04o})")]
    Exposed(u32),
    /// Too short to be a secret; the value is its length in bytes.
    #[error("it holds {0} bytes, and a secret needs at least {MIN_SECRET}")]
    TooShort(usize),
}

/// Shorter secrets can be guessed.
const MIN_SECRET: usize = 16;

/// Reads a file that only its owner may read or write.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let mut file = fs::File::open(path)?;
    // The opened file is asked, not the path: the two could differ.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file").into());
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
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
    use std::os::unix::fs::PermissionsExt as _;

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
        assert_eq!(first.len(), 65);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        wanted.open().unwrap();
        assert_eq!(fs::read(&path).unwrap(), first);
    }

    #[test]
    fn debug_does_not_tell() {
        let secret = Secret::new(b"correct horse battery".to_vec());
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
