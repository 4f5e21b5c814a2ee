//! `[admin]`: where administrators ask a running daemon.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::model::Admin;
use super::problem::Problem;
use super::reader::Section;
use super::value;

/// Where the socket is that nothing names.
const DEFAULT: &str = "/run/xmpp-edge/admin.sock";
/// The longest path of a Unix socket, in bytes (unix(7), without the zero at its end).
const LONGEST: usize = 107;

/// Reads the section.
pub(super) fn read(root: &Section<'_>) -> Admin {
    let section = root.section("admin");
    let named = section.text("socket");
    let listen = listen(&section);
    section.finish();
    let Some(text) = named else {
        return Admin {
            socket: DEFAULT.into(),
            listen,
        };
    };
    let socket = section.resolve(&text.value);
    let length = socket.as_os_str().len();
    if length > LONGEST {
        root.findings.add(Problem::error(
            "socket-path-too-long",
            &text.place,
            format!("the path of the socket has {length} bytes, and {LONGEST} is the limit"),
            format!("name a file in a directory with a shorter path; the default is {DEFAULT}"),
        ));
    }
    Admin { socket, listen }
}

/// The address of the HTTP listener. Whoever reaches it is answered, so it should be one that others do
/// not reach.
fn listen(section: &Section<'_>) -> Option<SocketAddr> {
    let text = section.text("listen")?;
    let Some(address) = value::address(&text.value) else {
        section.findings.add(Problem::error(
            "bad-address",
            &text.place,
            format!(
                "\"{}\" is not an address to listen on",
                text.value.escape_debug()
            ),
            "write an IP address and a port: \"127.0.0.1:9469\"",
        ));
        return None;
    };
    if !address.ip().is_loopback() {
        section.findings.add(Problem::warning(
            "admin-listen-not-loopback",
            &text.place,
            format!("whoever reaches {address} reads who your partners are and how they are"),
            "listen on 127.0.0.1 or [::1], or let a firewall admit only those who may read it; \
             nobody is asked for a password, and nothing is encrypted",
        ));
    }
    Some(address)
}

/// The socket that a configuration names, whatever else is wrong with it: who asks a daemon may not be
/// allowed to read all that the daemon reads.
pub(super) fn socket(path: &Path) -> PathBuf {
    let named = || {
        let text = std::fs::read_to_string(path).ok()?;
        let table = DeTable::parse(&text).ok()?;
        let admin = table.get_ref().get("admin")?.get_ref().as_table()?.clone();
        Some(admin.get("socket")?.get_ref().as_str()?.to_owned())
    };
    let directory = path.parent().unwrap_or_else(|| Path::new(""));
    named().map_or_else(|| DEFAULT.into(), |socket| directory.join(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_found_in_a_file_that_is_refused_otherwise() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("edge.toml");
        assert_eq!(socket(&file), Path::new(DEFAULT));
        for (text, want) in [
            (
                "domains = 7\n[admin]\nsocket = \"a.sock\"\n",
                directory.path().join("a.sock"),
            ),
            ("[admin]\nsocket = \"/run/a.sock\"\n", "/run/a.sock".into()),
            ("[admin]\nsocket = 7\n", DEFAULT.into()),
            ("[admin\n", DEFAULT.into()),
            ("", DEFAULT.into()),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(socket(&file), want, "{text}");
        }
    }
}
