//! The daemon as a process: what it tells its service manager, how it reloads, what it survives.

mod acknowledged;
mod cut;
mod dialled;
mod edges;
mod faults;
mod gateways;
mod guide;
mod links;
mod names;
mod peers;
mod pool;
pub(crate) mod process;
mod proxy;
mod restart;
mod resumed;
mod shared;
mod sites;
mod start;
mod told;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use process::Daemon;

use crate::lab::{self, FREE_PORTS as EDGE, Lab};
use crate::status::status;

const PATIENCE: Duration = Duration::from_secs(30);

const PARTNERS: &str = r#"[[partner]]
primary-domain = "fabrikam.example"
type = "federated"
"#;

pub(crate) fn lab() -> Lab {
    Lab::with(&EDGE, PARTNERS)
}

/// A header of a partner, as it stands on the wire.
fn header(from: &str) -> String {
    format!(
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
         from='{from}' to='contoso.example' version='1.0'>"
    )
}

/// Sends text and reads until the other side closes, or `until` has come.
pub(crate) fn converse(mut stream: &TcpStream, text: &str, until: &str) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    let mut buffer = [0; 4096];
    while !answer.contains(until) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answer.push_str(std::str::from_utf8(&buffer[..count]).unwrap()),
            Err(error) => panic!("{error}, after {answer}"),
        }
    }
    answer
}

/// Opens a link and proves it.
pub(crate) fn link(daemon: &Daemon) -> TcpStream {
    link_on(TcpStream::connect(daemon.gateway).unwrap())
}

/// Proves a link on a connection.
pub(crate) fn link_on(stream: TcpStream) -> TcpStream {
    link_for(stream, "contoso.example")
}

/// The same for a domain.
fn link_for(stream: TcpStream, domain: &str) -> TcpStream {
    link_by(stream, domain, "0123456789abcdef")
}

/// The same with a secret.
pub(crate) fn link_by(stream: TcpStream, domain: &str, secret: &str) -> TcpStream {
    let header = format!(
        "<stream:stream xmlns='jabber:component:accept' \
         xmlns:stream='http://etherx.jabber.org/streams' to='{domain}'>"
    );
    let answer = converse(&stream, &header, ">");
    let answer = if answer.contains("id='") {
        answer
    } else {
        answer + &converse(&stream, "", "'>")
    };
    let id = answer
        .split("id='")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    let digest = xmpp_edge::proto::auth::handshake::digest(id, secret);
    let digest = format!("<handshake>{digest}</handshake>");
    (&stream).write_all(digest.as_bytes()).unwrap();
    // No byte more: what waited for the link comes right behind it.
    let mut answer = [0; "<handshake/>".len()];
    (&stream).read_exact(&mut answer).unwrap();
    assert_eq!(str::from_utf8(&answer), Ok("<handshake/>"));
    stream
}

#[test]
fn the_service_manager_is_told_of_start_reload_and_stop() {
    let lab = lab();
    let path = lab.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let hear = || {
        let mut buffer = [0; 512];
        let count = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    };
    let daemon = Daemon::start_with(&lab, &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    assert_eq!(hear(), "READY=1");
    daemon.signal("HUP");
    let reloading = hear();
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert_eq!(hear(), "READY=1");
    daemon.signal("TERM");
    assert_eq!(hear(), "STOPPING=1");
    daemon.ends_with(0);
}

#[test]
fn a_reload_is_all_or_nothing() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let offer = |from: &str| {
        let stream = TcpStream::connect(daemon.s2s).unwrap();
        converse(&stream, &header(from), "</stream:")
    };
    let refused = "policy-violation";
    assert!(offer("adatum.example").contains(refused));

    // One good entry and one bad: neither counts.
    let second = "[[partner]]\nprimary-domain = \"adatum.example\"\ntype = \"federated\"\n";
    let broken = format!("{PARTNERS}{second}tsl = \"required\"\n");
    lab.write("partners.toml", &broken, 0o644);
    daemon.signal("HUP");
    let line = daemon.log_line("configuration-error");
    assert!(
        line.contains("unknown-key") && line.contains("partners.toml:7:1"),
        "{line}"
    );
    let line = daemon.log_line("reload-failed");
    assert!(line.contains("Nothing has changed"), "{line}");
    assert!(offer("adatum.example").contains(refused));
    // Whoever looks finds it, too, and not the log alone.
    let (text, json) = status(&lab, &[]);
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("was REFUSED, and nothing has changed: The configuration is refused: 2 partners, 1 error"), "{text}");
    assert!(json["configuration"]["refused-reload"]["why"].is_string());
    let (text, json) = status(&lab, &["adatum.example"]);
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let unread = "partners.toml did not list it when it was read, at ";
    assert!(flat.contains(unread), "{text}");
    assert_eq!(json["rule"]["loaded"].as_str().map(str::len), Some(20));

    lab.write("partners.toml", &format!("{PARTNERS}{second}"), 0o644);
    daemon.signal("HUP");
    let line = daemon.log_line("reload-done");
    assert!(line.contains("adatum.example"), "{line}");
    assert!(!line.contains("restart"), "{line}");
    let (text, json) = status(&lab, &[]);
    assert!(!text.contains("REFUSED"), "{text}");
    assert!(json["configuration"]["refused-reload"].is_null());
    let offered = {
        let stream = TcpStream::connect(daemon.s2s).unwrap();
        converse(&stream, &header("adatum.example"), "features>")
    };
    assert!(offered.contains("starttls"), "{offered}");
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// What a reload cannot do is said, or the administrator would wait for it.
#[test]
fn a_reload_names_what_waits_for_a_restart() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let moved = EDGE.replacen("127.0.0.1:0", "127.0.0.1:5269", 1);
    let slower = moved.replace("[tls]", "keep-alive-interval = \"1m\"\n\n[tls]");
    lab.write("edge.toml", &slower, 0o644);
    daemon.signal("HUP");
    let line = daemon.log_line("reload-done");
    assert!(
        line.contains("timeouts; only with a restart: [s2s] listen"),
        "{line}"
    );
    let (text, json) = status(&lab, &[]);
    let waits = "Changed, and only with a restart: [s2s] listen\n";
    assert!(text.contains(waits), "{text}");
    assert_eq!(
        json["configuration"]["waits-for-restart"][0],
        "[s2s] listen"
    );
    daemon.signal("TERM");
    daemon.ends_with(0);
}

#[test]
fn stopping_closes_links_with_a_reason_and_shows_the_ledger() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let link = link(&daemon);
    daemon.log_line("link-up");
    daemon.signal("TERM");
    let goodbye = converse(&link, "", "</stream:stream>");
    assert!(goodbye.contains("system-shutdown"), "{goodbye}");
    (&link).write_all(b"</stream:stream>").unwrap();
    let line = daemon.log_line("drained");
    assert!(line.contains("accepted 0 = delivered 0"), "{line}");
    daemon.ends_with(0);
}

#[test]
fn a_second_signal_does_not_wait() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    // This gateway never answers the goodbye.
    let _link = link(&daemon);
    daemon.log_line("link-up");
    daemon.signal("TERM");
    daemon.log_line("stopping");
    daemon.signal("TERM");
    // Nothing was lost: only the goodbye was not waited for.
    let line = daemon.log_line("drained");
    assert!(line.contains("\"INFO\""), "{line}");
    assert!(
        line.contains("a second signal") && line.contains("gateways' links 1"),
        "{line}"
    );
    daemon.ends_with(0);
}

/// A listener that an accept error ends is a dead edge that looks alive.
#[test]
fn listeners_survive_being_out_of_descriptors() {
    let lab = lab();
    let daemon = Daemon::start_limited(&lab, 40);
    let crowd: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(daemon.s2s).unwrap())
        .collect();
    daemon.log_line("accept-error");
    drop(crowd);
    let stream = TcpStream::connect(daemon.s2s).unwrap();
    let answer = converse(&stream, &header("fabrikam.example"), "features>");
    assert!(answer.contains("starttls"), "{answer}");
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// The strangers of one address fill their own share and nobody else's; the next is turned away.
#[test]
fn strangers_are_counted_at_the_door() {
    let lab = lab();
    let limits = lab::with(&EDGE, &[("admission", "unauthenticated-per-address = 3")]);
    lab.write("edge.toml", &limits, 0o644);
    let daemon = Daemon::start(&lab);
    let inside: Vec<_> = (0..3)
        .map(|_| {
            let stream = TcpStream::connect(daemon.s2s).unwrap();
            converse(&stream, &header("fabrikam.example"), "features>");
            stream
        })
        .collect();
    let fourth = TcpStream::connect(daemon.s2s).unwrap();
    assert_eq!(converse(&fourth, "", ">"), "");
    let line = daemon.log_line("admission-refused");
    assert!(line.contains("unauthenticated-per-address"), "{line}");
    drop(inside);
    daemon.log_line("stream-closed");
    daemon.signal("TERM");
    daemon.ends_with(0);
}
