//! The socket as a file: whose it is, and that no living daemon loses it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// A listening socket, whose file goes when it is dropped.
#[derive(Debug)]
pub struct Socket {
    pub(super) listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Opens it, for its owner only. A file that a daemon has left behind is replaced; one behind which
    /// somebody listens is not.
    ///
    /// # Errors
    /// When it cannot be made: the directory is not there, or another daemon has the socket.
    pub fn open(path: &Path) -> io::Result<Self> {
        match UnixStream::connect(path) {
            Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path)?;
            }
            // Binding says what is wrong.
            Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        let socket = Self {
            listener,
            path: path.to_owned(),
        };
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        Ok(socket)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Before it is closed, so that no socket is removed that the next daemon has put here.
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

/// Whether a process of this user may ask: root, and the user that the daemon runs as. The mode of the
/// file says the same; some systems do not look at it.
pub(super) fn may_ask(peer: u32, own: u32) -> bool {
    peer == 0 || peer == own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_daemons_own_user_may_ask_and_nobody_else() {
        for (peer, own, want) in [
            (0, 0, true),
            (0, 990, true),
            (990, 990, true),
            (1000, 990, false),
            (1000, 0, false),
            (u32::MAX, 990, false),
        ] {
            assert_eq!(may_ask(peer, own), want, "{peer} {own}");
        }
    }

    #[tokio::test]
    async fn a_living_daemon_keeps_its_socket_and_a_dead_one_loses_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let first = Socket::open(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = Socket::open(&path).map(drop).map_err(|it| it.kind());
        assert_eq!(second, Err(io::ErrorKind::AddrInUse));
        drop(first);
        assert!(!path.exists());
        // Killed: the file stays.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        Socket::open(&path).unwrap();
        let nowhere = directory.path().join("none/a.sock");
        let kind = Socket::open(&nowhere).map(drop).map_err(|it| it.kind());
        assert_eq!(kind, Err(io::ErrorKind::NotFound));
    }
}
