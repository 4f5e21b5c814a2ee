//! The bound on memory that the edge prints, while everything that has a limit is at it: floods on all
//! streams, half stanzas, half handshakes, a gateway that reads nothing, partners that read nothing.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::asking::authority_for_all;
use super::holding::{header, prove};
use super::{flood_time, lab};
use crate::daemon::process::Daemon;
use crate::daemon::{converse, link, link_on};

/// Partners that flood, and partners that have begun a stanza and leave it at that; each on so many
/// streams.
const FLOODS: usize = 5;
const HALVES: usize = 3;
const STREAMS: usize = 4;
/// Partners that take every stream of ours, and read nothing of it.
const DEAF: usize = 4;
const STRANGERS: usize = 40;
const LONGEST: usize = 64 << 10;

/// Of the 8 MiB that may wait in both directions full lanes leave a third free.
const FULL: usize = 5 << 20;
const PATIENCE: Duration = Duration::from_secs(30);

const LIMITS: &str =
    "[s2s]\nqueue-bytes = 8388608\nmax-stanza-bytes = 65536\nconnection-limit = 40\n";
const DOOR: &str = "[admission]\nunauthenticated-limit = 60\nunauthenticated-per-address = 0\n\
    unauthenticated-per-prefix = 0\nunauthenticated-per-domain = 0\nconnections-per-address = 0\n\
    questions-at-once = 20\n";

fn entry(domain: &str, route: SocketAddr) -> String {
    format!(
        "[[partner]]\nprimary-domain = \"{domain}\"\ntype = \"federated\"\ntls = \"optional\"\n\
         sasl = \"optional\"\ndialback = true\nroute = [\"{route}\"]\nstanza-rate = 0\n"
    )
}

/// A server that calls our key good, whoever it is asked for, and reads nothing more.
fn deaf_server(domain: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let opened = header(domain).replace("version", "id='theirs' version") + "<stream:features/>";
    let valid = format!("<db:result from='{domain}' to='contoso.example' type='valid'/>");
    spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming().map_while(Result::ok) {
            converse(&stream, "", "version=");
            converse(&stream, &opened, "</db:result>");
            (&stream).write_all(valid.as_bytes()).unwrap();
            kept.push(stream);
        }
    });
    address
}

/// Writes a text again and again for as long as it can.
fn flood(mut stream: TcpStream, text: String) {
    spawn(move || while stream.write_all(text.as_bytes()).is_ok() {});
}

fn message(from: &str, to: &str) -> String {
    // As many elements as a stanza may have, nearly: they take much as a tree.
    let elements = "<x a='attributes with a value'/>".repeat(2000);
    assert!(elements.len() < LONGEST);
    format!("<message from='{from}' to='{to}'><q xmlns='u'>{elements}</q></message>")
}

/// The bound, and the parts of it that the test fills, in bytes; as `check` prints them.
fn bounds(lab: &crate::lab::Lab) -> (usize, usize) {
    let (_, report, _) = lab.run(&["check", "--config", "edge.toml", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let memory = &report["memory"];
    let filled = [
        "connections that have proven nothing",
        "streams",
        "stanzas that wait",
        "links of gateways",
        "the tree of a stanza, for each processor",
    ];
    let rows = memory["rows"].as_array().unwrap().iter();
    let rows = rows.filter(|row| filled.contains(&row["what"].as_str().unwrap()));
    let bytes: Vec<_> = rows.map(|row| row["bytes"].as_u64().unwrap()).collect();
    assert_eq!(bytes.len(), filled.len());
    let total = memory["total-bytes"].as_u64().unwrap();
    let size = |bytes: u64| usize::try_from(bytes).unwrap();
    (size(total), size(bytes.iter().sum()))
}

#[test]
fn the_bound_that_is_printed_holds_when_everything_is_at_its_limit() {
    let authority = authority_for_all();
    let proving =
        (0..FLOODS + HALVES).map(|number| entry(&format!("p{number}.example"), authority));
    let deaf: Vec<_> = (0..DEAF)
        .map(|number| format!("deaf{number}.example"))
        .collect();
    let deaf_entries = deaf.iter().map(|domain| entry(domain, deaf_server(domain)));
    let entries: String = proving.chain(deaf_entries).collect();
    let lab = lab(authority, DOOR, &entries);
    let text = std::fs::read_to_string(lab.path("edge.toml")).unwrap();
    lab.write("edge.toml", &text.replace("[s2s]\n", LIMITS), 0o644);
    let (total, filled) = bounds(&lab);
    let daemon = Daemon::start(&lab);
    assert!(
        daemon.whole_log().lock().unwrap().iter().any(|line| {
            line.contains(&format!("memory at most {} MiB", total.div_ceil(1 << 20)))
        })
    );

    // One gateway reads nothing; the other reads what comes, and writes to partners that read nothing.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&daemon.gateway.into()).unwrap();
    let _deaf_gateway = link_on(socket.into());
    let gateway = link(&daemon);
    gateway.set_read_timeout(None).unwrap();
    let mut reading = gateway.try_clone().unwrap();
    spawn(move || {
        let mut piece = vec![0; 64 << 10];
        while let Ok(1..) = reading.read(&mut piece) {}
    });
    let before = daemon.resident();
    let outward: String = deaf
        .iter()
        // A user each, because no user may have all the room.
        .map(|domain| message(&format!("{domain}@contoso.example"), &format!("a@{domain}")))
        .collect();
    let (mut held, mut floods) = (Vec::new(), vec![(gateway, outward)]);
    for partner in 0..FLOODS + HALVES {
        let domain = format!("p{partner}.example");
        for stream in 0..STREAMS {
            let mut proven = prove(&daemon, &domain);
            let user = format!("u{stream}@{domain}");
            let text = message(&user, &format!("b{stream}@contoso.example"));
            if partner < FLOODS {
                floods.push((proven, text));
            } else {
                proven
                    .write_all(&text.as_bytes()[..text.len() / 2])
                    .unwrap();
                held.push(proven);
            }
        }
    }
    for number in 0..STRANGERS {
        let mut stranger = TcpStream::connect(daemon.s2s).unwrap();
        let header = header("p0.example");
        let part = if number % 2 == 0 {
            header.len() / 2
        } else {
            header.len()
        };
        stranger.write_all(&header.as_bytes()[..part]).unwrap();
        stranger
            .write_all("<a b='".repeat(number % 2).as_bytes())
            .unwrap();
        held.push(stranger);
    }
    for (stream, text) in floods {
        flood(stream, text);
    }
    let (begun, mut most) = (Instant::now(), 0);
    // On a slow machine it takes longer until what may wait is there.
    while begun.elapsed() < flood_time() || (most < FULL && begun.elapsed() < PATIENCE) {
        sleep(Duration::from_millis(20));
        most = most.max(daemon.resident().saturating_sub(before));
    }
    println!(
        "{} KiB held; the bound is {} KiB, {} KiB of it for what is at its limit here",
        most >> 10,
        total >> 10,
        filled >> 10
    );
    assert!(most >= FULL, "{most} bytes: nothing was full");
    assert!(
        most <= filled + filled / 10,
        "{most} bytes held, {filled} computed"
    );
    assert!(daemon.is_running());
}
