//! The other end of the admin socket: how the command line asks a running daemon.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::protocol::{Greeting, MAX_REPLY, Refusal, Reply, Request, TRACE_LINE, VERSION};

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A conversation with the daemon.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

/// Why the daemon does not answer, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// There is no socket.
    #[error("there is no socket at {}", .0.display())]
    NoSocket(PathBuf),
    /// There is one of a process that has ended.
    #[error("nobody listens at {}: the daemon has ended", .0.display())]
    NobodyListens(PathBuf),
    /// This user may not use it.
    #[error("{} may not be used by this user", .0.display())]
    NotAllowed(PathBuf),
    /// It is not to be connected to.
    #[error("{} cannot be connected to: {error}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The daemon says nothing.
    #[error("the daemon does not answer: {0}")]
    Silent(io::Error),
    /// The daemon ends the conversation.
    #[error("the daemon has ended the conversation")]
    Ended,
    /// The daemon is of another version.
    #[error(
        "the daemon is version {program} and speaks protocol {protocol}, this program {VERSION}"
    )]
    OtherProtocol {
        /// Its version.
        program: String,
        /// That of its protocol.
        protocol: u32,
    },
    /// What comes is no answer.
    #[error("the daemon answers what was not asked")]
    Odd,
    /// The daemon refuses.
    #[error("the daemon refuses: {}", .0.text)]
    Refused(Refusal),
}

impl NoAnswer {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoSocket(_) => {
                "is the daemon running (systemctl status xmpp-edge)? `socket` under [admin] in \
                 edge.toml says where it is: --config names that file"
            }
            Self::NobodyListens(_) => "start the daemon: systemctl start xmpp-edge",
            Self::NotAllowed(_) => "run this as root, or as the user that the daemon runs as",
            Self::Unreachable { .. } => "see `socket` under [admin] in edge.toml",
            Self::Silent(_) => "is it the daemon that listens there? See its log",
            Self::Ended => {
                "it answers root and its own user only; or it is stopping, or more than eight ask at once"
            }
            Self::OtherProtocol { .. } => "use the program that the daemon was started from",
            Self::Odd => "use the program that the daemon was started from",
            Self::Refused(_) => "see docs/reference/admin.md",
        }
    }

    /// Whether no daemon is there at all.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NoSocket(_) | Self::NobodyListens(_))
    }
}

impl Client {
    /// Connects, and hears the greeting.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn connect(path: &Path) -> Result<Self, NoAnswer> {
        let stream = UnixStream::connect(path).map_err(|error| {
            let path = path.to_owned();
            match error.kind() {
                io::ErrorKind::NotFound => NoAnswer::NoSocket(path),
                io::ErrorKind::ConnectionRefused => NoAnswer::NobodyListens(path),
                io::ErrorKind::PermissionDenied => NoAnswer::NotAllowed(path),
                _ => NoAnswer::Unreachable { path, error },
            }
        })?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .map_err(NoAnswer::Silent)?;
        let mut client = Self {
            stream: BufReader::new(stream),
        };
        let line = client.line()?;
        let Ok(greeting) = serde_json::from_slice::<Greeting>(&line) else {
            return Err(match serde_json::from_slice(&line) {
                Ok(Reply::Error(refusal)) => NoAnswer::Refused(refusal),
                _ => NoAnswer::Odd,
            });
        };
        let Greeting { program, protocol } = greeting;
        if protocol != VERSION {
            return Err(NoAnswer::OtherProtocol { program, protocol });
        }
        Ok(client)
    }

    /// Asks, and returns the first line of the answer.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn ask(&mut self, request: &Request) -> Result<Reply, NoAnswer> {
        self.write(request)?;
        self.reply()
    }

    /// Asks what is answered by many lines, each of which may be waited for so long.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn request(&mut self, request: &Request, patience: Duration) -> Result<(), NoAnswer> {
        let stream = self.stream.get_ref();
        stream
            .set_read_timeout(Some(patience))
            .map_err(NoAnswer::Silent)?;
        self.write(request)
    }

    /// The next line of a trace, as it stands in a file.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn trace_line(&mut self) -> Result<String, NoAnswer> {
        let line = self.line()?;
        let (before, after) = TRACE_LINE;
        let inner = line.strip_prefix(before.as_bytes());
        let inner = inner.and_then(|line| line.strip_suffix(after.as_bytes()));
        match inner {
            Some(line) => String::from_utf8(line.to_vec()).map_err(|_| NoAnswer::Odd),
            None => match serde_json::from_slice(&line) {
                Ok(Reply::Error(refusal)) => Err(NoAnswer::Refused(refusal)),
                _ => Err(NoAnswer::Odd),
            },
        }
    }

    fn write(&mut self, request: &Request) -> Result<(), NoAnswer> {
        let mut line = serde_json::to_vec(request).map_err(|_| NoAnswer::Odd)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).map_err(failed)
    }

    /// The next line of an answer.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn reply(&mut self) -> Result<Reply, NoAnswer> {
        match serde_json::from_slice(&self.line()?) {
            Ok(Reply::Error(refusal)) => Err(NoAnswer::Refused(refusal)),
            Ok(reply) => Ok(reply),
            Err(_) => Err(NoAnswer::Odd),
        }
    }

    fn line(&mut self) -> Result<Vec<u8>, NoAnswer> {
        let mut line = Vec::new();
        (&mut self.stream)
            .take(MAX_REPLY as u64)
            .read_until(b'\n', &mut line)
            .map_err(failed)?;
        if line.is_empty() {
            return Err(NoAnswer::Ended);
        }
        Ok(line)
    }
}

fn failed(error: io::Error) -> NoAnswer {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => NoAnswer::Ended,
        _ => NoAnswer::Silent(error),
    }
}
