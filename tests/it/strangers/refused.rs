//! Who is refused before it has proven anything hears why, and is gone within a second.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::act::PATIENCE;
use super::crowd::{NO_LIMITS, address, crowd, places};
use super::{connect_from, header, lab};
use crate::daemon::process::Daemon;

/// How long a refused stranger may hold its place, with room for a busy machine.
const GONE: Duration = Duration::from_millis(2500);
/// Strangers that may be there at once.
const PLACES: usize = 10;
/// As many more are kept for those who are known.
const KEPT: usize = 2;

/// What is heard on a connection until its end. Where no place is free, that is nothing at all.
fn heard(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match stream.read_to_end(&mut heard) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&heard)),
    }
    String::from_utf8(heard).unwrap()
}

fn said(to: std::net::SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

#[test]
fn who_is_refused_hears_why_and_holds_its_place_no_longer() {
    let authority = "127.0.0.1:1".parse().unwrap();
    let limit = format!("unauthenticated-limit = {}", PLACES + KEPT);
    let daemon = Daemon::start(&lab(authority, "", &limit, ""));
    let stranger = header("stranger.example");
    let link = "<stream:stream xmlns='jabber:component:accept' \
                xmlns:stream='http://etherx.jabber.org/streams' to='litware.example'>";
    let cases: [(&[u8], &str, &str); 4] = [
        (stranger.as_bytes(), "policy-violation", "unknown-partner"),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "not-well-formed",
            "http-request",
        ),
        (
            b"\x16\x03\x01\x02\x00\x01\x00",
            "not-well-formed",
            "tls-hello",
        ),
        (b"SSH-2.0-OpenSSH_10.0\r\n", "not-well-formed", "ssh-hello"),
    ];
    let mut refused = Vec::new();
    for (bytes, condition, reason) in cases {
        let start = Instant::now();
        let mut stream = said(daemon.s2s, bytes);
        let heard = heard(&mut stream);
        // Our side is shut at once, though the stranger has not shut its own.
        assert!(
            start.elapsed() < Duration::from_millis(900),
            "{reason}: {:?}",
            start.elapsed()
        );
        assert!(
            heard.contains(condition) && heard.ends_with("</stream:stream>"),
            "{heard}"
        );
        refused.push(stream);
        daemon.log_line(reason);
    }
    let mut stream = said(daemon.gateway, link.as_bytes());
    assert!(heard(&mut stream).contains("host-unknown"));
    refused.push(stream);
    // Many at once, who never shut their side: the places are free again soon.
    let start = Instant::now();
    for round in 0..3 {
        while refused.len() < (round + 1) * PLACES {
            let mut stream = said(daemon.s2s, stranger.as_bytes());
            let heard = heard(&mut stream);
            if heard.contains("policy-violation") {
                refused.push(stream);
            } else {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
    let waited = start.elapsed();
    assert!(waited < GONE * 3, "{waited:?}");
}

/// Strangers who are refused and never shut their side, all at once: their number is that of a crowd.
#[test]
fn a_crowd_that_is_refused_holds_its_places_no_longer_than_one() {
    let crowd = crowd();
    let limits = format!("{NO_LIMITS}\nunauthenticated-limit = {}", places(crowd));
    let daemon = Daemon::start(&lab("127.0.0.1:1".parse().unwrap(), "", &limits, ""));
    let descriptors = daemon.descriptors();
    let stranger = header("stranger.example");
    let mut refused: Vec<_> = (0..crowd)
        .map(|number| connect_from(address(number), daemon.s2s))
        .collect();
    for stream in &mut refused {
        stream.write_all(stranger.as_bytes()).unwrap();
    }
    let said = Instant::now();
    for stream in &mut refused {
        let heard = heard(stream);
        assert!(heard.contains("policy-violation"), "{heard}");
    }
    let heard = said.elapsed();
    while daemon.descriptors() > descriptors {
        assert!(said.elapsed() < heard + GONE, "{}", daemon.descriptors());
        std::thread::sleep(Duration::from_millis(10));
    }
    println!(
        "{crowd} heard why within {heard:?}, and were gone {:?} later",
        said.elapsed() - heard
    );
    drop(refused);
}

#[test]
fn what_a_refused_stranger_goes_on_to_say_does_not_reset_its_answer_away() {
    let authority = "127.0.0.1:1".parse().unwrap();
    let daemon = Daemon::start(&lab(authority, "", "", ""));
    let mut stream = said(daemon.s2s, b"POST / HTTP/1.1\r\n\r\n");
    for _ in 0..30 {
        stream.write_all(&[b'x'; 1000]).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(heard(&mut stream).contains("not-well-formed"));
    // And its own side is not read for ever.
    let start = Instant::now();
    let end = loop {
        match stream.write(&[b'x'; 1000]) {
            Ok(_) => std::thread::sleep(Duration::from_millis(10)),
            Err(error) => break error.kind(),
        }
        assert!(start.elapsed() < PATIENCE);
    };
    assert!(
        matches!(end, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
        "{end:?}"
    );
}
