//! A directory with a sound configuration, to be spoilt in one place at a time.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{LazyLock, OnceLock};

use rustls::pki_types::UnixTime;
use tempfile::TempDir;
use xmpp_edge::config::{Config, Examination, Problem, report};

use crate::pki::{self, Authority, Identity, Leaf};

pub(crate) const EDGE: &str = r#"domains = ["contoso.example"]
state-directory = "state"

[tls]
certificate-chain = "edge.pem"
private-key = "edge.key"
trust-anchors = "ca.pem"

[gateway]
listen = ["127.0.0.1:23456"]
secret-file = "gateway.secret"
plaintext = true
"#;

/// For a daemon that is to run: everything on free ports, the log as JSON.
pub(crate) static FREE_PORTS: LazyLock<String> =
    LazyLock::new(|| free_ports(&[("log", "format = \"json\"")]));

/// [`EDGE`] on free ports, with more lines in these sections.
pub(crate) fn free_ports(more: &[(&str, &str)]) -> String {
    let edge = EDGE.replace("127.0.0.1:23456", "127.0.0.1:0");
    let own = [
        ("s2s", "listen = [\"127.0.0.1:0\"]"),
        // Not that of a daemon on this host.
        ("admin", "socket = \"admin.sock\""),
    ];
    with(&with(&edge, &own), more)
}

/// `edge.toml` with more lines at the end of its sections; `[s2s]` comes before `[tls]`, and any
/// other section that is not there yet comes last.
pub(crate) fn with(edge: &str, more: &[(&str, &str)]) -> String {
    let mut text = edge.to_owned();
    for (section, lines) in more {
        let head = format!("[{section}]\n");
        match text.find(&head) {
            Some(at) => {
                let rest = &text[at + head.len()..];
                let end = rest.find("\n[").unwrap_or(rest.len());
                let end = rest[..end].trim_end().len();
                text.insert_str(at + head.len() + end, &format!("\n{lines}"));
            }
            None if *section == "s2s" => {
                text = text.replacen("[tls]\n", &format!("{head}{lines}\n\n[tls]\n"), 1);
            }
            None => text = format!("{text}\n{head}{lines}\n"),
        }
    }
    text
}

#[test]
fn lines_are_added_where_they_belong() {
    let text = with(
        EDGE,
        &[("log", "format = \"json\""), ("gateway", "annotate = true")],
    );
    let text = with(&text, &[("log", "level = \"debug\""), ("tls", "a = 1")]);
    let table: toml::Table = text.parse().unwrap();
    assert_eq!(table["log"]["format"].as_str(), Some("json"));
    assert_eq!(table["log"]["level"].as_str(), Some("debug"));
    assert_eq!(table["tls"]["a"].as_integer(), Some(1));
    assert_eq!(table["gateway"]["annotate"].as_bool(), Some(true));
    assert_eq!(text.matches('[').count(), text.matches(']').count());
}

pub(crate) const PARTNERS: &str = r#"[[partner]]
primary-domain = "fabrikam.example"
type = "federated"
"#;

pub(crate) struct Lab(TempDir);

impl Lab {
    /// A configuration without a fault.
    pub(crate) fn new() -> Self {
        Self::with(EDGE, PARTNERS)
    }

    pub(crate) fn with(edge: &str, partners: &str) -> Self {
        let lab = Self(tempfile::tempdir().unwrap());
        lab.write("edge.toml", edge, 0o644);
        lab.write("partners.toml", partners, 0o644);
        lab.write("gateway.secret", "0123456789abcdef\n", 0o600);
        lab.write("loose.secret", "0123456789abcdef\n", 0o640);
        lab.write("short.secret", "0123456789abcde\n", 0o600);
        for (name, text) in files() {
            lab.write(name, text, 0o600);
        }
        lab
    }

    pub(crate) fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn examine(&self) -> Examination {
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(pki::NOW));
        Config::examine(&self.path("edge.toml"), now)
    }

    /// Whether the report keeps to its width, but for the lines with this directory's own path.
    pub(crate) fn fits_the_screen(&self, problem: &Problem) -> bool {
        let path = self.0.path().to_str().unwrap();
        report::render(problem, false)
            .lines()
            .all(|line| line.chars().count() <= report::WIDTH || line.contains(path))
    }

    /// Runs the program in the directory: exit status, standard output, standard error.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_xmpp-edge"))
            .args(arguments)
            .current_dir(self.0.path())
            .env("SSL_CERT_FILE", self.path("ca.pem"))
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// The same without the right to read and write whatever it likes, which root has. All that it says is
    /// one text.
    pub(crate) fn run_with_mere_modes(&self, arguments: &[&str]) -> (i32, String) {
        let program = env!("CARGO_BIN_EXE_xmpp-edge");
        let is_root = rustix::process::geteuid().is_root();
        let mut command = if is_root {
            let mut command = Command::new("setpriv");
            command.args(["--bounding-set=-dac_override,-dac_read_search", program]);
            command
        } else {
            Command::new(program)
        };
        let output = command
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    }
}

/// The words of a report, however its lines are broken.
pub(crate) fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every certificate and key that a test names, made once.
fn files() -> &'static [(&'static str, String)] {
    static FILES: OnceLock<Vec<(&'static str, String)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let authority = Authority::root("Test Authority");
        let issue = |leaf| authority.issue(leaf);
        let contoso = || Leaf::new(&["contoso.example"]).server_only();
        let chain = |identity: &Identity| identity.chain_pem();
        let edge = issue(contoso());
        let internal = issue(Leaf::new(&["edge.internal"]).server_only());
        let eu = issue(Leaf::new(&["eu.contoso.example"]).server_only());
        let expired = issue(contoso().valid((2020, 1, 1), (2026, 12, 31)));
        let early = issue(contoso().valid((2027, 2, 1), (2028, 2, 1)));
        // `pki::NOW` is 15 January 2027.
        let ending = issue(contoso().valid((2026, 1, 1), (2027, 2, 1)));
        let client = issue(Leaf::new(&["contoso.example"]).client_only());
        let own = contoso().self_signed();
        let short = authority.intermediate("Test Intermediate").issue(contoso());
        let short = short.without_intermediates();
        vec![
            ("ca.pem", pki::pem(&authority.certificate)),
            ("edge.pem", chain(&edge)),
            ("edge.key", edge.key_pem().to_owned()),
            ("internal.pem", chain(&internal)),
            ("internal.key", internal.key_pem().to_owned()),
            ("eu.pem", chain(&eu)),
            ("eu.key", eu.key_pem().to_owned()),
            ("expired.pem", chain(&expired)),
            ("expired.key", expired.key_pem().to_owned()),
            ("early.pem", chain(&early)),
            ("early.key", early.key_pem().to_owned()),
            ("ending.pem", chain(&ending)),
            ("ending.key", ending.key_pem().to_owned()),
            ("self.pem", chain(&own)),
            ("self.key", own.key_pem().to_owned()),
            ("short.pem", chain(&short)),
            ("short.key", short.key_pem().to_owned()),
            ("cut.pem", edge.chain_pem()[..200].to_owned()),
            ("garbage.pem", block("CERTIFICATE")),
            ("garbage.key", block("PRIVATE KEY")),
            ("client.pem", chain(&client)),
            ("client.key", client.key_pem().to_owned()),
        ]
    })
}

/// Sound PEM around what is neither a certificate nor a key.
fn block(label: &str) -> String {
    format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n")
}
