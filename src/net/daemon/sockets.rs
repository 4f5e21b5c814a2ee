//! Opens every listening socket, or says of each one that cannot be had why.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::net::accept::Port;
use crate::ops::events::{Event, Line};
use crate::ops::systemd::Listeners;
use crate::proto::words;

/// Connections that wait to be taken, as many as tokio's own listeners let wait.
const BACKLOG: i32 = 1024;

/// A listen address that cannot be had.
#[derive(Debug)]
pub struct BindFault {
    /// The address.
    pub address: SocketAddr,
    /// What the system says.
    pub error: io::Error,
    /// Another address of the same configuration that has the port.
    pub own: Option<SocketAddr>,
}

impl BindFault {
    /// Whether only a change of the configuration can mend it: the port or the family of
    /// addresses is not for this process, or the configuration wants the port twice.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        self.own.is_some()
            || self.error.kind() == io::ErrorKind::PermissionDenied
            || self.error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
    }
}

impl fmt::Display for BindFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            error,
            own,
        } = self;
        let port = address.port();
        write!(f, "cannot listen on {address}: ")?;
        match (error.kind(), own) {
            (io::ErrorKind::AddrInUse, Some(own)) => write!(
                f,
                "{own}, in the same configuration, has this port already (\"[::]\" takes IPv4 \
                 connections, too); remove one of the two"
            ),
            (io::ErrorKind::AddrInUse, None) => write!(
                f,
                "address already in use; to see which process holds the port, run as root: \
                 ss -ltnp 'sport = :{port}'"
            ),
            (io::ErrorKind::PermissionDenied, _) if port < 1024 => write!(
                f,
                "ports below 1024 need the capability CAP_NET_BIND_SERVICE; use a higher port"
            ),
            _ => f.write_str(&words::of_error(error)),
        }
    }
}

/// Opens the sockets of a configuration, or takes those that the service manager passed.
///
/// # Errors
/// Every address that cannot be had, not only the first.
pub(super) async fn open(
    config: &Config,
    passed: &mut Listeners,
) -> Result<Vec<(Port, TcpListener)>, Vec<BindFault>> {
    let wanted = [
        (Port::Partners, &config.s2s.listen),
        (Port::Gateways, &config.gateway.listen),
    ];
    let wanted = wanted
        .into_iter()
        .flat_map(|(port, addresses)| addresses.iter().map(move |address| (port, *address)));
    let (mut bound, mut faults) = (Vec::new(), Vec::new());
    let mut had: Vec<SocketAddr> = Vec::new();
    for (port, address) in wanted {
        match one(passed, address).await {
            Ok(listener) => {
                had.push(address);
                bound.push((port, listener));
            }
            Err(error) => {
                let taken = error.kind() == io::ErrorKind::AddrInUse;
                let same = |other: &&SocketAddr| taken && other.port() == address.port();
                faults.push(BindFault {
                    address,
                    error,
                    own: had.iter().find(same).copied(),
                });
            }
        }
    }
    if faults.is_empty() {
        Ok(bound)
    } else {
        Err(faults)
    }
}

/// Opens the listener for those who look, where one is wanted. The relay does not wait for it: where it
/// cannot be had, that is told, and the edge runs without.
pub(super) async fn open_admin(
    wanted: Option<SocketAddr>,
    passed: &mut Listeners,
) -> Option<TcpListener> {
    let address = wanted?;
    match one(passed, address).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            let own = None;
            let fault = BindFault {
                address,
                error,
                own,
            };
            Line::new(Event::AdminUnserved).detail(fault).log();
            None
        }
    }
}

async fn one(passed: &mut Listeners, address: SocketAddr) -> io::Result<TcpListener> {
    if let Some(listener) = passed.claim(address)? {
        return TcpListener::from_std(listener);
    }
    match TcpListener::bind(address).await {
        // At boot, addresses often come after the services.
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            let listener = ahead(address)?;
            Line::new(Event::AddressAwaited)
                .detail(format_args!(
                    "{address} is no address of this host yet; connections are taken as soon as \
                     it is. If it is misspelt, correct `listen`"
                ))
                .log();
            Ok(listener)
        }
        bound => bound,
    }
}

/// Listens on an address before the host has it (ip(7), `IP_FREEBIND`).
///
/// Used only where the ordinary way fails, so that a misspelt address is told of. Waiting for the
/// address instead would keep the other listeners closed.
fn ahead(address: SocketAddr) -> io::Result<TcpListener> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => socket.set_freebind_v6(true)?,
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
