//! What the process is told from outside: reload, drain, stop.

use std::io;

use tokio::signal::unix::{self, SignalKind};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: read the configuration again.
    Reload,
    /// The first SIGTERM or SIGINT: finish what is queued, then stop.
    Drain,
    /// Any further SIGTERM or SIGINT: stop at once.
    Stop,
}

/// The signals of this process, one after the other.
#[derive(Debug)]
pub struct Signals {
    hangup: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
    draining: bool,
}

impl Signals {
    /// Takes over the three signals; from here on they no longer end the process by themselves.
    ///
    /// # Errors
    /// When the system refuses a handler, or outside a tokio runtime with signals enabled.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: unix::signal(SignalKind::hangup())?,
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            draining: false,
        })
    }

    /// Waits for the next signal. May be dropped and called again without losing one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hangup.recv() => return Signal::Reload,
        }
        if std::mem::replace(&mut self.draining, true) {
            Signal::Stop
        } else {
            Signal::Drain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn send(name: &str) {
        let kill = format!("kill -s {name} {}", std::process::id());
        let status = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(status.success());
    }

    #[tokio::test]
    async fn the_first_drains_the_second_stops() {
        let mut signals = Signals::new().unwrap();
        send("HUP");
        assert_eq!(signals.next().await, Signal::Reload);
        send("TERM");
        assert_eq!(signals.next().await, Signal::Drain);
        send("HUP");
        assert_eq!(signals.next().await, Signal::Reload);
        send("INT");
        assert_eq!(signals.next().await, Signal::Stop);
    }
}
