//! The edge under load: a process of its own, so that its memory and CPU are its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::partner::{FLOOD, QUIET};
use crate::pki::{self, Authority, Leaf};
use crate::tls::Tls;

/// What the gateway knows.
pub const SECRET: &str = "0123456789abcdef";

const EDGE: &str = r#"domains = ["contoso.example"]
state-directory = "state"

[s2s]
listen = ["127.0.0.1:0"]

[tls]
certificate-chain = "own.pem"
private-key = "own.key"
trust-anchors = "authority.pem"

[gateway]
listen = ["127.0.0.1:0"]
secret-file = "gateway.secret"
plaintext = true

[admin]
socket = "admin.sock"
listen = "127.0.0.1:0"

[log]
format = "json"
"#;

/// Files, keys and certificates for one edge.
pub struct House {
    directory: TempDir,
    pub tls: Tls,
}

impl House {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::root("Load Authority");
        let own = authority.issue(Leaf::new(&["contoso.example"]).server_only());
        let partners = authority.issue(Leaf::new(&[FLOOD, QUIET]).server_only());
        let tls = Tls::new(partners.chain, &partners.key, authority.certificate.clone());
        let house = Self { directory, tls };
        house.write("edge.toml", EDGE);
        house.write("authority.pem", &pki::pem(&authority.certificate));
        house.write("own.pem", &own.chain_pem());
        house.write("own.key", own.key_pem());
        house.write("gateway.secret", SECRET);
        house
    }

    /// The socket of the edge for administrators.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("admin.sock")
    }

    fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// A running edge.
pub struct Edge {
    child: Child,
    pub s2s: SocketAddr,
    pub gateway: SocketAddr,
    /// Where metrics and the page are.
    pub http: SocketAddr,
}

impl Edge {
    /// Starts a program as an edge whose partners' servers are all at `route`.
    pub fn start(program: &Path, house: &House, route: SocketAddr) -> Self {
        let entries: String = [FLOOD, QUIET]
            .iter()
            .map(|domain| {
                format!(
                    "[[partner]]\nprimary-domain = \"{domain}\"\ntype = \"federated\"\n\
                     route = [\"{route}\"]\nstanza-rate = 0\n"
                )
            })
            .collect();
        house.write("partners.toml", &entries);
        let mut child = Command::new(program)
            .args(["run", "--config"])
            .arg(house.directory.path().join("edge.toml"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (told, started) = channel();
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if line.contains("\"started\"") {
                    told.send(line).unwrap();
                }
            }
        });
        let line = started.recv_timeout(Duration::from_secs(20)).unwrap();
        let address = |mark: &str| {
            let (_, rest) = line.split_once(mark).unwrap();
            let end = rest.find([';', ',', ' ', '"', '\\']).unwrap();
            rest[..end].parse().unwrap()
        };
        Self {
            child,
            s2s: address("s2s "),
            gateway: address("gateway "),
            http: address("admin "),
        }
    }

    /// CPU that it has used, in seconds.
    pub fn cpu(&self) -> f64 {
        let stat = self.of_process("stat");
        // Behind the name, which may have anything in it.
        let (_, rest) = stat.rsplit_once(')').unwrap();
        let fields: Vec<_> = rest.split_whitespace().collect();
        let ticks: f64 = [11, 12]
            .map(|at| fields[at].parse::<f64>().unwrap())
            .iter()
            .sum();
        ticks / 100.0
    }

    /// The most memory that it has held, in MiB.
    pub fn memory(&self) -> f64 {
        let status = self.of_process("status");
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line
            .and_then(|line| line.split_whitespace().nth(1))
            .unwrap();
        kib.parse::<f64>().unwrap() / 1024.0
    }

    fn of_process(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap()
    }

    /// Ends it at once.
    pub fn stop(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
