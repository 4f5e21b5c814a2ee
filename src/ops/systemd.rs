//! The service manager: told what we do, and asked for the sockets it holds for us.
//!
//! Nothing here does anything where no service manager listens, so the daemon need not ask.

use std::ffi::OsStr;
use std::io;
use std::net::{SocketAddr as InternetAddress, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior};

/// Tells the service manager what the daemon is doing (sd_notify(3)).
#[derive(Clone, Debug, Default)]
pub struct Notifier {
    socket: Option<Arc<UnixDatagram>>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// The service manager that `NOTIFY_SOCKET` and `WATCHDOG_USEC` name, if any.
    ///
    /// # Errors
    /// When `NOTIFY_SOCKET` names a socket that cannot be reached.
    pub fn from_env() -> io::Result<Self> {
        let socket = std::env::var_os("NOTIFY_SOCKET");
        Self::new(socket.as_deref(), sd_notify::watchdog_enabled())
    }

    /// A given socket, and the time within which the watchdog wants to hear of us.
    ///
    /// # Errors
    /// When the socket cannot be reached.
    pub fn new(socket: Option<&OsStr>, watchdog: Option<Duration>) -> io::Result<Self> {
        let socket = socket.map(connect).transpose()?.map(Arc::new);
        Ok(Self {
            watchdog: watchdog.filter(|limit| socket.is_some() && !limit.is_zero()),
            socket,
        })
    }

    /// Start-up, or a reload, is finished.
    pub fn ready(&self) {
        self.send(&[NotifyState::Ready]);
    }

    /// A reload has begun; [`Notifier::ready`] must follow, whether the reload succeeds or not.
    pub fn reloading(&self) {
        // Type=notify-reload wants the time in the same datagram (systemd.service(5)).
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "the monotonic clock cannot be read"),
        }
    }

    /// The daemon has begun to stop.
    pub fn stopping(&self) {
        self.send(&[NotifyState::Stopping]);
    }

    /// One line for `systemctl status`.
    pub fn status(&self, text: &str) {
        let line = text.replace(char::is_control, " ");
        self.send(&[NotifyState::Status(&line)]);
    }

    /// The heartbeat that the main loop must keep going.
    #[must_use]
    pub fn watchdog(&self) -> Watchdog {
        let interval = self.watchdog.map(|limit| {
            // sd_watchdog_enabled(3): half the time, so that one late beat is not the end.
            let mut interval = tokio::time::interval(limit / 2);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        Watchdog {
            notifier: self.clone(),
            interval,
            due: false,
        }
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else {
            return;
        };
        let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
        if let Err(error) = socket.send(lines.join("\n").as_bytes()) {
            tracing::warn!(%error, "the service manager cannot be told");
        }
    }
}

/// The heartbeat of the daemon.
///
/// There is no task behind it: the main loop awaits [`Watchdog::beat`] among its other branches,
/// and each beat goes through the runtime's workers. So a main loop that hangs, and workers that
/// are all blocked, both end in silence, and the service manager restarts the daemon.
#[derive(Debug)]
pub struct Watchdog {
    notifier: Notifier,
    interval: Option<Interval>,
    due: bool,
}

impl Watchdog {
    /// Waits until a beat is due and sends it; never returns where no watchdog listens.
    ///
    /// May be dropped and called again without losing a beat.
    pub async fn beat(&mut self) {
        let Some(interval) = &mut self.interval else {
            return std::future::pending().await;
        };
        if !self.due {
            interval.tick().await;
            self.due = true;
        }
        // A worker that takes a new task is the proof that they are not all blocked.
        if tokio::spawn(std::future::ready(())).await.is_ok() {
            self.notifier.send(&[NotifyState::Watchdog]);
        }
        self.due = false;
    }
}

/// Listening sockets that the service manager opened for us (socket activation).
///
/// They are matched with the configuration by their exact address, not by their order: a unit
/// file and a configuration that disagree must not open the gateway's port where partners are
/// expected, or to the Internet.
#[derive(Debug, Default)]
pub struct Listeners(Vec<TcpListener>);

impl Listeners {
    /// Takes the sockets that `LISTEN_FDS` announces.
    ///
    /// Call it once and before there is any other thread: it removes the variables from the
    /// environment, so that they are not inherited.
    ///
    /// # Errors
    /// When one of them is not a TCP socket.
    pub fn from_env() -> io::Result<Self> {
        let mut passed = ListenFd::from_env();
        let mut listeners = Vec::new();
        for index in 0..passed.len() {
            listeners.extend(passed.take_tcp_listener(index)?);
        }
        Ok(Self(listeners))
    }

    /// The socket that listens on exactly this address, ready for tokio.
    ///
    /// # Errors
    /// When a socket cannot be asked for its address or made non-blocking.
    pub fn claim(&mut self, address: InternetAddress) -> io::Result<Option<TcpListener>> {
        for index in 0..self.0.len() {
            let found = self.0.get(index).map(TcpListener::local_addr).transpose()?;
            if found == Some(address) {
                let listener = self.0.swap_remove(index);
                listener.set_nonblocking(true)?;
                return Ok(Some(listener));
            }
        }
        Ok(None)
    }

    /// The addresses of the sockets that nobody claimed: the unit file and the configuration
    /// disagree, and the daemon should not start.
    #[must_use]
    pub fn unclaimed(&self) -> Vec<InternetAddress> {
        self.0
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }
}

fn connect(path: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match path.as_bytes() {
        // sd_notify(3): a leading `@` is a name in the abstract namespace.
        [b'@', name @ ..] => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        _ => socket.connect(path)?,
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager() -> (tempfile::TempDir, UnixDatagram, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        (directory, socket, path)
    }

    fn next(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn each_state_is_one_datagram() {
        let (_directory, socket, path) = manager();
        let notifier = Notifier::new(Some(path.as_os_str()), None).unwrap();
        notifier.ready();
        assert_eq!(next(&socket), "READY=1");
        notifier.status("3 streams\nREADY=1");
        assert_eq!(next(&socket), "STATUS=3 streams READY=1");
        notifier.stopping();
        assert_eq!(next(&socket), "STOPPING=1");
        notifier.reloading();
        let text = next(&socket);
        let stamp = text.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(stamp.parse::<u64>().unwrap() > 0);
    }

    #[test]
    fn an_abstract_socket_works_too() {
        let name = format!("xmpp-edge-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let notifier = Notifier::new(Some(OsStr::new(&format!("@{name}"))), None).unwrap();
        notifier.ready();
        assert_eq!(next(&socket), "READY=1");
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        let notifier = Notifier::new(None, Some(Duration::from_secs(1))).unwrap();
        notifier.ready();
        notifier.reloading();
        assert!(notifier.watchdog.is_none());
        assert!(Notifier::new(Some(OsStr::new("/nowhere/at/all")), None).is_err());
    }

    #[tokio::test]
    async fn the_watchdog_hears_of_a_loop_that_runs_and_not_of_one_that_hangs() {
        let (_directory, socket, path) = manager();
        let limit = Duration::from_millis(60);
        let notifier = Notifier::new(Some(path.as_os_str()), Some(limit)).unwrap();
        let start = tokio::time::Instant::now();
        let mut watchdog = notifier.watchdog();
        for _ in 0..3 {
            watchdog.beat().await;
            assert_eq!(next(&socket), "WATCHDOG=1");
        }
        assert!(start.elapsed() >= limit);
        // The runtime runs, and nobody awaits the heartbeat.
        tokio::time::sleep(limit).await;
        socket.set_nonblocking(true).unwrap();
        assert!(socket.recv(&mut [0; 64]).is_err());
    }

    #[test]
    fn sockets_are_claimed_by_exact_address() {
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (first, second) = (bind(), bind());
        let addresses = [first.local_addr().unwrap(), second.local_addr().unwrap()];
        let mut listeners = Listeners(vec![first, second]);
        let elsewhere = InternetAddress::from(([0, 0, 0, 0], addresses[1].port()));
        assert!(listeners.claim(elsewhere).unwrap().is_none());
        let claimed = listeners.claim(addresses[1]).unwrap().unwrap();
        assert_eq!(claimed.local_addr().unwrap(), addresses[1]);
        assert!(listeners.claim(addresses[1]).unwrap().is_none());
        assert_eq!(listeners.unclaimed(), [addresses[0]]);
    }
}
