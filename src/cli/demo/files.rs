//! The files of each edge: what an administrator would write, in a directory of its own.

use std::fmt::Write as _;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::authority::{Authority, Certified, Validity};
use super::cast::{OURS, PARTNERS, Role};
use super::trouble::{During, Trouble};

/// The configuration of one edge, on disk.
#[derive(Debug)]
pub(super) struct EdgeFiles {
    pub(super) directory: PathBuf,
    /// The link's secret.
    pub(super) secret: String,
}

impl EdgeFiles {
    pub(super) fn config(&self) -> PathBuf {
        self.directory.join("edge.toml")
    }
}

/// Writes our own edge's files into `within`.
pub(super) fn ours(
    within: &Path,
    authority: &Authority,
    names: SocketAddr,
) -> Result<EdgeFiles, Trouble> {
    let known = PARTNERS.iter().filter_map(|role| Some((role, role.ours?)));
    let partners: Vec<_> = known
        .map(|(role, settings)| entry(role.domain, settings))
        .collect();
    let certified = authority.issue(OURS, Validity::Current)?;
    write_all(within, OURS, &certified, names, &partners.join("\n"))
}

/// Writes the files of a partner's edge into `within`.
pub(super) fn theirs(
    within: &Path,
    authority: &Authority,
    names: SocketAddr,
    role: &Role,
) -> Result<EdgeFiles, Trouble> {
    let certified = authority.issue(role.domain, role.validity)?;
    let partners = entry(OURS, role.theirs);
    write_all(within, role.domain, &certified, names, &partners)
}

/// Writes a file that anybody may read.
pub(super) fn public(path: &Path, text: &str) -> Result<(), Trouble> {
    write(path, text, 0o644)
}

/// Writes a file with a secret in it.
pub(super) fn private(path: &Path, text: &str) -> Result<(), Trouble> {
    write(path, text, 0o600)
}

fn entry(domain: &str, settings: &[&str]) -> String {
    let mut text = format!("[[partner]]\nprimary-domain = \"{domain}\"\ntype = \"federated\"\n");
    for setting in settings {
        // Writing to a String does not fail.
        writeln!(text, "{setting}").unwrap_or_default();
    }
    text
}

fn write_all(
    within: &Path,
    domain: &str,
    certified: &Certified,
    names: SocketAddr,
    partners: &str,
) -> Result<EdgeFiles, Trouble> {
    let directory = within.join(domain);
    for path in [&directory, &directory.join("state")] {
        let made = DirBuilder::new().mode(0o700).create(path);
        made.during(path.display())?;
    }
    let secret = secret()?;
    let edge = format!(
        r#"# The edge of {domain}. Ports are chosen by the system.
domains = ["{domain}"]
state-directory = "state"

[s2s]
listen = ["127.0.0.1:0"]

[tls]
certificate-chain = "fullchain.pem"
private-key = "privkey.pem"
trust-anchors = "../authority.pem"

[dns]
nameservers = ["{names}"]
# Everybody is on loopback here; on the Internet, leave this out.
allow-private-addresses = true

[gateway]
listen = ["127.0.0.1:0"]
secret-file = "gateway.secret"
plaintext = true

[admin]
socket = "admin.sock"
listen = "127.0.0.1:0"
"#
    );
    public(&directory.join("edge.toml"), &edge)?;
    public(&directory.join("partners.toml"), partners)?;
    public(&directory.join("fullchain.pem"), &certified.chain)?;
    private(&directory.join("privkey.pem"), &certified.key)?;
    private(&directory.join("gateway.secret"), &secret)?;
    Ok(EdgeFiles { directory, secret })
}

fn secret() -> Result<String, Trouble> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).during("making a secret")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), Trouble> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .during(path.display())
}
