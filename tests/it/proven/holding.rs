//! Partners that fill what may wait, while nobody takes it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{flood_time, lab};
use crate::daemon::process::Daemon;
use crate::daemon::{converse, link};
use crate::hostile::authority::Authority;

/// Partners that flood at the same time.
const CROWD: usize = 40;
/// What may wait in all, in bytes.
const QUEUES: usize = 16 << 20;
/// What each stream holds besides: what is read, the stanza that waits for room, and its tree while
/// it is judged.
const OF_STREAM: usize = 1 << 20;
/// What the allocator keeps, and what is not of the partners.
const SLACK: usize = 24 << 20;

pub(super) fn header(from: &str) -> String {
    format!(
        "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
         xmlns:stream='http://etherx.jabber.org/streams' from='{from}' to='contoso.example' \
         version='1.0'>"
    )
}

/// Proves a partner by dialback, in the clear.
pub(super) fn prove(daemon: &Daemon, domain: &str) -> TcpStream {
    let stream = TcpStream::connect(daemon.s2s).unwrap();
    converse(&stream, &header(domain), "</stream:features>");
    let key = format!("<db:result from='{domain}' to='contoso.example'>key</db:result>");
    converse(&stream, &key, "type='valid'/>");
    stream
}

/// A server for any domain that calls each key good.
fn authority() -> std::net::SocketAddr {
    super::asking::authority_for_all()
}

/// 520 elements of 60 empty attributes each: little to send, and much as a tree.
fn heavy(domain: &str) -> String {
    let attributes: String = (0..60).map(|number| format!(" a{number}=''")).collect();
    let elements = format!("<x{attributes}/>").repeat(500);
    format!(
        "<message from='a@{domain}' to='b@contoso.example'><q xmlns='u'>{elements}</q></message>"
    )
}

#[test]
fn what_waits_for_an_absent_gateway_takes_no_more_than_was_said() {
    let authority = authority();
    let partners: String = (0..CROWD)
        .map(|number| {
            format!(
                "[[partner]]\nprimary-domain = \"p{number}.example\"\ntype = \"federated\"\n\
                 tls = \"optional\"\nsasl = \"optional\"\ndialback = true\n\
                 route = [\"{authority}\"]\nstanza-rate = 0\n"
            )
        })
        .collect();
    let lab = lab(authority, "", &partners);
    let text = std::fs::read_to_string(lab.path("edge.toml")).unwrap();
    let text = text.replace("[s2s]\n", &format!("[s2s]\nqueue-bytes = {QUEUES}\n"));
    lab.write("edge.toml", &text, 0o644);
    let daemon = Daemon::start(&lab);
    let mut streams: Vec<_> = (0..CROWD)
        .map(|number| {
            let domain = format!("p{number}.example");
            let stream = prove(&daemon, &domain);
            stream.set_nonblocking(true).unwrap();
            (stream, heavy(&domain), 0)
        })
        .collect();
    let before = daemon.resident();
    let (mut grown, mut sent) = (0, 0);
    let begun = Instant::now();
    while begun.elapsed() < flood_time() {
        let mut is_stuck = true;
        for (stream, text, at) in &mut streams {
            match stream.write(&text.as_bytes()[*at..]) {
                Ok(count) => {
                    *at = (*at + count) % text.len();
                    sent += count;
                    is_stuck = false;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        grown = grown.max(daemon.resident().saturating_sub(before));
        if is_stuck {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    println!("{} KiB sent, {} KiB held", sent >> 10, grown >> 10);
    let bound = QUEUES + CROWD * OF_STREAM + SLACK;
    // What the allocator has not given back yet comes on top: on a busy machine it is late.
    let most = bound + bound / 10;
    assert!(grown <= most, "{grown} bytes; computed were {bound}");
    assert!(sent > QUEUES, "{sent} bytes do not fill what may wait");
    // When the gateway comes, everybody's stanzas pass.
    let mut link = link(&daemon);
    link.set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let (mut heard, mut buffer) = (String::new(), [0; 65536]);
    let wanted: Vec<_> = (0..CROWD)
        .map(|number| format!("from='a@p{number}.example'"))
        .collect();
    let mut seen = [false; CROWD];
    while seen.contains(&false) {
        let count = link.read(&mut buffer).unwrap();
        heard.push_str(&String::from_utf8_lossy(&buffer[..count]));
        for (seen, wanted) in seen.iter_mut().zip(&wanted) {
            *seen |= heard.contains(wanted);
        }
        let keep = heard.len().saturating_sub(200);
        let keep = (keep..heard.len())
            .find(|at| heard.is_char_boundary(*at))
            .unwrap_or(0);
        heard.drain(..keep);
    }
}

/// Conversations between made-up users with the longest addresses there are, where `direction` keeps
/// them: what is remembered of each is small, and bounded.
#[test]
fn conversations_of_long_addresses_are_remembered_in_little_memory() {
    let authority = Authority::start();
    let one_sided = format!(
        "[[partner]]\nprimary-domain = \"litware.example\"\ntype = \"federated\"\n\
         tls = \"optional\"\nsasl = \"optional\"\ndialback = true\ndirection = \"inbound\"\n\
         stanza-rate = 0\nroute = [\"{}\"]\n",
        self::authority()
    );
    let daemon = Daemon::start(&lab(authority.address, "", &one_sided));
    let mut link = link(&daemon);
    std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(1..) = link.read(&mut buffer) {}
    });
    let mut stream = prove(&daemon, "litware.example");
    let before = daemon.resident();
    let begun = Instant::now();
    let (mut sent, mut grown) = (0_usize, 0);
    let long = "x".repeat(1000);
    while begun.elapsed() < flood_time() {
        let burst: String = (sent..sent + 100)
            .map(|number| {
                format!("<message from='{long}{number:08}@litware.example' to='{long}{number:08}@contoso.example'/>")
            })
            .collect();
        stream.write_all(burst.as_bytes()).unwrap();
        sent += 100;
        grown = grown.max(daemon.resident().saturating_sub(before));
    }
    println!("{sent} conversations: {} KiB", grown >> 10);
    assert!(grown < 24 << 20, "{grown} bytes for {sent} conversations");
}
