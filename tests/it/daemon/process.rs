//! A daemon that is started, spoken to through its log and signals, and ended by its pid.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::lab::Lab;

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Daemon {
    child: std::cell::RefCell<Child>,
    log: Receiver<String>,
    /// Every line of it.
    whole_log: Arc<Mutex<Vec<String>>>,
    /// Whoever holds it keeps the log from being read.
    reading: Arc<Mutex<()>>,
    pub(crate) s2s: SocketAddr,
    pub(crate) gateway: SocketAddr,
}

impl Daemon {
    pub(crate) fn start(lab: &Lab) -> Self {
        Self::start_with(lab, &[])
    }

    pub(crate) fn start_with(lab: &Lab, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xmpp-edge"));
        command.envs(environment.iter().copied());
        Self::spawn(lab, command)
    }

    /// By another program, which is to become the daemon.
    pub(crate) fn start_by(lab: &Lab, program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).arg(env!("CARGO_BIN_EXE_xmpp-edge"));
        Self::spawn(lab, command)
    }

    /// With at most this many file descriptors.
    pub(crate) fn start_limited(lab: &Lab, descriptors: u32) -> Self {
        Self::start_by(lab, "prlimit", &[&format!("--nofile={descriptors}")])
    }

    /// With listening sockets that outlive it, as a service manager passes them.
    pub(crate) fn start_with_sockets(lab: &Lab, sockets: [&TcpListener; 2]) -> Self {
        let [first, second] = sockets.map(|it| OwnedFd::from(it.try_clone().unwrap()));
        let mut command = Command::new("sh");
        let script = "LISTEN_PID=$$ LISTEN_FDS=2 exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null";
        command
            .args(["-c", script, "sh", env!("CARGO_BIN_EXE_xmpp-edge")])
            .stdin(Stdio::from(first))
            .stdout(Stdio::from(second));
        Self::run(lab, command)
    }

    fn spawn(lab: &Lab, mut command: Command) -> Self {
        command.stdin(Stdio::null());
        Self::run(lab, command)
    }

    fn run(lab: &Lab, mut command: Command) -> Self {
        let mut child = command
            .args(["run", "--config"])
            .arg(lab.path("edge.toml"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, log) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let whole_log = Arc::<Mutex<Vec<_>>>::default();
        let copy = Arc::clone(&whole_log);
        let reading = Arc::<Mutex<()>>::default();
        let may_read = Arc::clone(&reading);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                drop(may_read.lock());
                copy.lock().unwrap().push(line.clone());
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let nowhere = "127.0.0.1:1".parse().unwrap();
        let mut daemon = Self {
            child: child.into(),
            log,
            whole_log,
            reading,
            s2s: nowhere,
            gateway: nowhere,
        };
        let started = daemon.log_line("started");
        let address_after = |mark: &str| {
            let (_, rest) = started
                .split_once(mark)
                .unwrap_or_else(|| panic!("{started}"));
            let end = rest
                .find(|c: char| ";, \\".contains(c) || c == '"')
                .unwrap();
            rest[..end].parse().unwrap_or_else(|_| panic!("{started}"))
        };
        daemon.s2s = address_after("s2s ");
        daemon.gateway = address_after("gateway ");
        daemon
    }

    /// The next line of the log that tells of this event.
    pub(crate) fn log_line(&self, event: &str) -> String {
        let wanted = format!("\"{event}\"");
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.log.recv_timeout(left) {
                Ok(line) if line.contains(&wanted) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("no {event} in the log:\n{}", seen.join("\n")),
            }
        }
    }

    /// So many lines of the log that are wanted, in the order in which they come.
    pub(crate) fn log_lines(
        &self,
        count: usize,
        mut wanted: impl FnMut(&str) -> bool,
    ) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let (mut found, mut seen) = (Vec::new(), Vec::new());
        while found.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.log.recv_timeout(left) {
                Ok(line) if wanted(&line) => found.push(line),
                Ok(line) => seen.push(line),
                Err(_) => panic!("{found:#?} and no more, but\n{}", seen.join("\n")),
            }
        }
        found
    }

    /// Every line, those included that were asked for; complete when the daemon has ended.
    pub(crate) fn whole_log(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.whole_log)
    }

    /// Reads no more of the log, until what this returns is dropped.
    pub(crate) fn leave_log_unread(&self) -> MutexGuard<'_, ()> {
        self.reading.lock().unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.borrow().id()
    }

    /// The memory that it holds, in bytes.
    pub(crate) fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        kib.unwrap().parse::<usize>().unwrap() << 10
    }

    /// How many file descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        let directory = format!("/proc/{}/fd", self.pid());
        std::fs::read_dir(directory).unwrap().count()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Waits for the end.
    pub(crate) fn ends_with(self, status: i32) {
        self.ends_with_log(status);
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child.borrow_mut().try_wait().unwrap().is_none()
    }

    /// Waits for the end of one whose log nobody reads.
    pub(crate) fn status(&self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(ended) = self.child.borrow_mut().try_wait().unwrap() {
                return ended.code();
            }
            assert!(Instant::now() < deadline, "the daemon does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the end; returns what of the log nobody has asked for.
    pub(crate) fn ends_with_log(self, status: i32) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = Vec::new();
        loop {
            let ended = self.child.borrow_mut().try_wait().unwrap();
            if let Some(ended) = ended {
                assert_eq!(ended.code(), Some(status));
                lines.extend(self.log.iter());
                return lines;
            }
            // The log closes when the process ends; whichever comes first.
            lines.extend(self.log.recv_timeout(Duration::from_millis(20)));
            assert!(Instant::now() < deadline, "the daemon does not end");
        }
    }
}

/// Sends a signal to a process that is ours, and has not been waited for.
pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let mut child = self.child.borrow_mut();
        if matches!(child.try_wait(), Ok(None)) {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
