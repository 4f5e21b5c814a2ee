//! What the HTTP listener of `[admin]` answers, to whom, and that whoever asks holds nothing up.

mod documented;
mod hostile;
mod measured;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::daemon::process::Daemon;
use crate::daemon::{converse, link};
use crate::lab::{Lab, PARTNERS, free_ports};
use crate::schemas::holds;

const PATIENCE: Duration = Duration::from_secs(20);

fn lab() -> Lab {
    lab_with(PARTNERS)
}

fn lab_with(partners: &str) -> Lab {
    let edge = free_ports(&[
        ("log", "format = \"json\""),
        ("admin", "listen = \"127.0.0.1:0\""),
    ]);
    Lab::with(&edge, partners)
}

/// Where the daemon listens for HTTP, as its log says.
fn address(daemon: &Daemon) -> SocketAddr {
    let log = daemon.whole_log();
    let log = log.lock().unwrap().join("\n");
    let (_, rest) = log
        .split_once(", admin ")
        .unwrap_or_else(|| panic!("{log}"));
    let (address, _) = rest.split_once(',').unwrap();
    address.parse().unwrap_or_else(|_| panic!("{rest}"))
}

/// What came back.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A request as it stands on the wire, and all that comes until the other side closes.
fn ask(to: SocketAddr, request: &str) -> Answer {
    let mut stream = connect(to);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{request}: {answer}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}

fn get(to: SocketAddr, path: &str) -> Answer {
    ask(to, &format!("GET {path} HTTP/1.1\r\nhost: {to}\r\n\r\n"))
}

fn found(to: SocketAddr, path: &str) -> String {
    let answer = get(to, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

/// The value of a sample, by everything that stands before it.
fn sample(metrics: &str, name: &str) -> Option<f64> {
    let mut lines = metrics.lines();
    let line = lines.find(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(' '))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn it_is_ready_when_a_gateway_is_there_and_until_it_stops() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let http = address(&daemon);
    assert_eq!(found(http, "/healthz"), "it lives\n");
    let early = get(http, "/readyz");
    assert_eq!(
        (early.status, early.body.as_str()),
        (503, "no gateway is connected\n")
    );
    let gateway = link(&daemon);
    daemon.log_line("link-up");
    until(|| get(http, "/readyz").status == 200);
    // A gateway that does not close its side keeps the edge for some seconds.
    daemon.signal("TERM");
    daemon.log_line("stopping");
    until(|| get(http, "/readyz").body == "the edge is stopping\n");
    assert_eq!(get(http, "/healthz").status, 200);
    drop(gateway);
    daemon.ends_with(0);
}

/// What was read lately is shown again for a moment.
fn until(is_so: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "it never was");
    }
}

#[test]
fn the_json_is_that_of_the_command() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let _gateway = link(&daemon);
    let answer = get(address(&daemon), "/status");
    assert!(
        answer.head.contains("content-type: application/json"),
        "{}",
        answer.head
    );
    let mut here: Value = serde_json::from_str(&answer.body).unwrap();
    holds("status", &here);
    let (_, text, _) = lab.run(&["status", "--format", "json", "--config", "edge.toml"]);
    let mut there: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(here["listeners"]["admin"][0], address(&daemon).to_string());
    // But for what passes between the two.
    for report in [&mut here, &mut there] {
        for key in ["time", "uptime-s", "gateways"] {
            report.as_object_mut().unwrap().remove(key);
        }
    }
    assert_eq!(here, there);
}

#[test]
fn only_reading_is_answered_and_only_what_there_is() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let http = address(&daemon);
    for method in [
        "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "BREW",
    ] {
        let target = match method {
            "CONNECT" => http.to_string(),
            _ => "/".to_owned(),
        };
        let answer = ask(
            http,
            &format!("{method} {target} HTTP/1.1\r\nhost: {http}\r\n\r\n"),
        );
        assert_eq!(answer.status, 405, "{method}");
        assert!(
            answer.head.contains("allow: get, head"),
            "{method}: {}",
            answer.head
        );
    }
    for path in [
        "/nothing",
        "/partner/",
        "/partner/a%20b",
        "/partner/%3Cscript%3E",
        "/partner/stranger.example",
        "/../etc/passwd",
        "//",
        "/metrics/",
    ] {
        let answer = get(http, path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains("<script>"), "{path}");
    }
    for path in ["/", "/metrics", "/status", "/partner/fabrikam.example"] {
        let whole = get(http, path);
        assert_eq!(whole.status, 200, "{path}");
        let head = ask(
            http,
            &format!("HEAD {path} HTTP/1.1\r\nhost: {http}\r\n\r\n"),
        );
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert!(head.head.contains("content-length: "), "{path}");
        for answer in [whole, head] {
            for part in [
                "content-security-policy: default-src 'none'; style-src 'self'; script-src 'self'",
                "x-content-type-options: nosniff",
                "cache-control: no-store",
                "connection: close",
            ] {
                assert!(
                    answer.head.contains(part),
                    "{path}: {part}: {}",
                    answer.head
                );
            }
        }
    }
    // HTTP before 1.1 has no host.
    assert_eq!(ask(http, "GET /healthz HTTP/1.0\r\n\r\n").status, 200);
}

/// A page in a browser on this host that lets its own name lead here reads nothing.
#[test]
fn who_comes_by_another_name_is_not_answered() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let http = address(&daemon);
    for (host, want) in [
        ("rebound.example", 421),
        ("rebound.example:9469", 421),
        ("127.0.0.1.rebound.example", 421),
        ("localhost", 200),
        ("[::1]:1", 200),
    ] {
        let answer = ask(
            http,
            &format!("GET /status HTTP/1.1\r\nhost: {host}\r\n\r\n"),
        );
        assert_eq!(answer.status, want, "{host}");
        assert_eq!(
            answer.body.contains("fabrikam.example"),
            want == 200,
            "{host}"
        );
    }
}

#[test]
fn an_edge_whose_address_is_taken_says_so_and_runs() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("listen = \"{}\"", taken.local_addr().unwrap());
    let edge = free_ports(&[("log", "format = \"json\""), ("admin", &listen)]);
    let lab = Lab::with(&edge, PARTNERS);
    let daemon = Daemon::start(&lab);
    let log = daemon.whole_log();
    let log = log.lock().unwrap().join("\n");
    assert!(log.contains("admin-unserved"), "{log}");
    assert!(log.contains(", admin none,"), "{log}");
    let _gateway = link(&daemon);
}

#[test]
fn an_address_that_others_reach_is_warned_of_and_one_that_is_none_refused() {
    for (value, want) in [
        ("127.0.0.1:9469", None),
        ("[::1]:9469", None),
        ("0.0.0.0:9469", Some("admin-listen-not-loopback")),
        ("192.0.2.7:9469", Some("admin-listen-not-loopback")),
        ("localhost:9469", Some("bad-address")),
        ("9469", Some("bad-address")),
    ] {
        let edge = format!("{}[admin]\nlisten = \"{value}\"\n", crate::lab::EDGE);
        let lab = Lab::with(&edge, PARTNERS);
        let examination = lab.examine();
        let codes: Vec<_> = examination.problems.iter().map(|it| it.code).collect();
        let is_error = want == Some("bad-address");
        assert_eq!(
            codes.iter().find(|code| Some(**code) == want).copied(),
            want,
            "{codes:?}"
        );
        assert_eq!(
            examination.config.is_some(),
            !is_error,
            "{value}: {codes:?}"
        );
        assert!(
            examination
                .problems
                .iter()
                .all(|it| lab.fits_the_screen(it))
        );
    }
}

/// Where nothing is said of it, there is none.
#[test]
fn who_does_not_ask_for_it_has_no_listener() {
    let lab = crate::daemon::lab();
    let daemon = Daemon::start(&lab);
    let log = daemon.whole_log();
    let log = log.lock().unwrap().join("\n");
    assert!(log.contains(", admin none,"), "{log}");
    drop(converse(
        &TcpStream::connect(daemon.s2s).unwrap(),
        "</a>",
        "</stream:stream>",
    ));
}
