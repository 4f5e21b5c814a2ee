//! Why an edge does not start, and who can mend it.

use std::io;
use std::net::SocketAddr;

use super::sockets::BindFault;
use crate::config::{DialbackFileError, SecretError};
use crate::net::io::resolve::ResolverSetupError;
use crate::net::io::tls::TlsSetupError;
use crate::net::prepare::Unready;
use crate::proto::words;
use crate::store::StoreError;

/// Why an edge cannot start, or take over a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Listen addresses cannot be had: each one.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Bind(Vec<BindFault>),
    /// A socket misbehaves.
    #[error("{}", words::of_error(.0))]
    Io(io::Error),
    /// The service manager passed a socket that the configuration does not name.
    #[error(
        "the service manager passed a socket for {0}, which is no listen address in edge.toml: \
         make the .socket unit and edge.toml agree"
    )]
    Unclaimed(SocketAddr),
    /// The certificate settings cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// The contacts cannot be opened.
    #[error(transparent)]
    Contacts(#[from] StoreError),
    /// The resolver cannot be set up.
    #[error(transparent)]
    Resolver(#[from] ResolverSetupError),
    /// The dialback secret cannot be made or read.
    #[error(transparent)]
    Secret(#[from] DialbackFileError),
    /// The link's secret goes into a text.
    #[error("the link's secret is not UTF-8 text")]
    LinkSecret,
}

/// What must happen before another start can go better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A human must change something.
    Change,
    /// It may pass by itself: an address, a port, descriptors.
    System,
    /// It may pass by itself: the disk of the state directory.
    State,
}

impl From<Unready> for StartError {
    fn from(error: Unready) -> Self {
        match error {
            Unready::Tls(error) => Self::Tls(error),
            Unready::Resolver(error) => Self::Resolver(error),
            Unready::Secret(error) => Self::Secret(error),
            Unready::LinkSecret => Self::LinkSecret,
        }
    }
}

impl StartError {
    /// Each fault as a text of its own.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Bind(faults) => faults.iter().map(ToString::to_string).collect(),
            other => vec![other.to_string()],
        }
    }

    /// What must happen before another start can go better.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Bind(faults) if faults.iter().any(BindFault::is_lasting) => Remedy::Change,
            Self::Bind(_) | Self::Io(_) | Self::Resolver(_) => Remedy::System,
            Self::Unclaimed(_) | Self::Tls(_) | Self::LinkSecret => Remedy::Change,
            Self::Contacts(error) => match error {
                StoreError::Io { error, .. } => of_disk(error),
                StoreError::Damaged { .. } => Remedy::Change,
                _ => Remedy::State,
            },
            Self::Secret(fault) => match &fault.error {
                SecretError::Io(error) => of_disk(error),
                _ => Remedy::Change,
            },
        }
    }
}

/// A full, read-only or failing disk may be mended beside us; a wrong path or owner is the
/// configuration's.
fn of_disk(error: &io::Error) -> Remedy {
    use io::ErrorKind::{
        InvalidFilename, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied,
    };
    let errno = |errno: rustix::io::Errno| Some(errno.raw_os_error());
    let number = error.raw_os_error();
    if number == errno(rustix::io::Errno::MFILE) || number == errno(rustix::io::Errno::NFILE) {
        return Remedy::System;
    }
    match error.kind() {
        InvalidFilename | InvalidInput | IsADirectory | NotADirectory | NotFound
        | PermissionDenied => Remedy::Change,
        _ => Remedy::State,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use rustix::io::Errno;

    use super::*;

    fn store(errno: Errno) -> StartError {
        StartError::Contacts(StoreError::Io {
            path: PathBuf::from("/var/lib/xmpp-edge"),
            error: Arc::new(errno.into()),
        })
    }

    fn secret(error: SecretError) -> StartError {
        StartError::Secret(DialbackFileError {
            path: PathBuf::from("/var/lib/xmpp-edge/dialback.secret"),
            error,
        })
    }

    fn bind(errno: Errno, own: Option<&str>) -> StartError {
        StartError::Bind(vec![BindFault {
            address: "192.0.2.1:5269".parse().unwrap(),
            error: errno.into(),
            own: own.map(|own| own.parse().unwrap()),
        }])
    }

    #[test]
    fn what_may_pass_is_told_from_what_a_human_must_change() {
        for (fault, want) in [
            (bind(Errno::ADDRINUSE, None), Remedy::System),
            (bind(Errno::ADDRNOTAVAIL, None), Remedy::System),
            (bind(Errno::MFILE, None), Remedy::System),
            (bind(Errno::ACCESS, None), Remedy::Change),
            (bind(Errno::AFNOSUPPORT, None), Remedy::Change),
            (bind(Errno::ADDRINUSE, Some("[::]:5269")), Remedy::Change),
            (store(Errno::NOSPC), Remedy::State),
            (store(Errno::DQUOT), Remedy::State),
            (store(Errno::ROFS), Remedy::State),
            (store(Errno::IO), Remedy::State),
            (store(Errno::NFILE), Remedy::System),
            (store(Errno::ACCESS), Remedy::Change),
            (store(Errno::NOTDIR), Remedy::Change),
            (StoreError::Locked(PathBuf::new()).into(), Remedy::State),
            (secret(SecretError::Io(Errno::NOSPC.into())), Remedy::State),
            (secret(SecretError::Exposed(0o644)), Remedy::Change),
            (StartError::LinkSecret, Remedy::Change),
        ] {
            assert_eq!(fault.remedy(), want, "{fault:?}");
        }
    }

    #[test]
    fn a_held_port_says_how_to_find_its_holder() {
        let text = bind(Errno::ADDRINUSE, None).to_string();
        assert!(text.contains("ss -ltnp 'sport = :5269'"), "{text}");
        let text = bind(Errno::ADDRINUSE, Some("[::]:5269")).to_string();
        assert!(text.contains("remove one of the two"), "{text}");
        let text = bind(Errno::AFNOSUPPORT, None).to_string();
        assert!(!text.contains("os error"), "{text}");
    }
}
