//! Two gateways for one domain, and a gateway that reads nothing: order is kept, and the ledger
//! balances.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use super::process::Daemon;
use super::{converse, link, link_on};
use crate::hostile::authority::Authority;
use crate::proven::answers::prove;
use crate::proven::lab;

const PATIENCE: Duration = Duration::from_secs(20);
/// What makes a few hundred messages more than the system takes over.
const BODY: usize = 2000;

/// A link whose gateway has room for little, and reads nothing.
fn deaf_link(daemon: &Daemon) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&daemon.gateway.into()).unwrap();
    link_on(socket.into())
}

fn send(mut partner: &TcpStream, numbers: std::ops::RangeInclusive<usize>) {
    let body = "x".repeat(BODY);
    for number in numbers {
        let message = format!(
            "<message from='a@fabrikam.example' to='b@contoso.example' id='n{number}-'>\
             <body>{body}</body></message>"
        );
        // The edge may have stopped meanwhile.
        if partner.write_all(message.as_bytes()).is_err() {
            return;
        }
    }
}

/// The numbers of the messages that come, up to one of them.
fn read_until(mut gateway: &TcpStream, last: usize) -> Vec<usize> {
    gateway
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let begun = Instant::now();
    let (mut heard, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    let end = format!("id='n{last}-'");
    loop {
        if let Ok(count) = gateway.read(&mut piece) {
            assert!(count > 0, "the link has ended");
            heard.extend_from_slice(&piece[..count]);
        }
        let text = String::from_utf8_lossy(&heard);
        if text.contains(&end) {
            return numbers(&text);
        }
        assert!(begun.elapsed() < PATIENCE, "{:?}", numbers(&text));
    }
}

fn numbers(text: &str) -> Vec<usize> {
    let ids = text.split("id='n").skip(1);
    let ids = ids.filter_map(|rest| rest.split('-').next());
    ids.map(|number| number.parse().unwrap()).collect()
}

#[test]
fn a_conversation_stays_with_its_link_and_moves_to_another_in_order_when_that_dies() {
    const WAITING: usize = 1500;
    let authority = Authority::start();
    let daemon = Daemon::start(&lab(authority.address, "", ""));
    let older = deaf_link(&daemon);
    daemon.log_line("link-up");
    let partner = prove(&daemon);
    send(&partner, 1..=WAITING);
    // The older link takes something, and then as much as it can: some of the conversation is always
    // being written.
    assert_eq!(older.peek(&mut [0]).unwrap(), 1);
    std::thread::sleep(Duration::from_millis(500));
    let newer = link(&daemon);
    let line = daemon.log_line("link-up");
    assert!(line.contains("links for this domain: 2"), "{line}");
    newer.set_nonblocking(true).unwrap();
    let nothing = newer.peek(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    newer.set_nonblocking(false).unwrap();
    // The older one is reset: what it had begun is lost, and comes after nothing.
    SockRef::from(&older)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(older);
    let line = daemon.log_line("link-down");
    assert!(
        line.contains("links that are left for this domain: 1"),
        "{line}"
    );
    let mut got = read_until(&newer, WAITING);
    send(&partner, WAITING + 1..=WAITING + 20);
    got.extend(read_until(&newer, WAITING + 20));
    let first = got[0];
    assert!(first > 1, "the older link has taken nothing");
    let expected: Vec<_> = (first..=WAITING + 20).collect();
    assert!(got == expected, "from {first}: {got:?}");
    println!("the newer link got {first} to {}", WAITING + 20);
    // Of the last one left, it is said that none is.
    drop(newer);
    let line = daemon.log_line("link-down");
    assert!(line.contains("no gateway is left"), "{line}");
    drop(partner);
    daemon.signal("TERM");
    daemon.log_line("drained");
    daemon.ends_with(0);
}

#[test]
fn a_gateway_that_closes_its_stream_loses_nothing() {
    const WAITING: usize = 1500;
    let authority = Authority::start();
    let daemon = Daemon::start(&lab(authority.address, "", ""));
    let mut older = deaf_link(&daemon);
    let partner = prove(&daemon);
    send(&partner, 1..=WAITING);
    assert_eq!(older.peek(&mut [0]).unwrap(), 1);
    let newer = link(&daemon);
    // What it has begun is finished, and the rest is for the other.
    older.write_all(b"</stream:stream>").unwrap();
    let mut heard = Vec::new();
    older.set_read_timeout(Some(PATIENCE)).unwrap();
    older.read_to_end(&mut heard).unwrap();
    let heard = String::from_utf8(heard).unwrap();
    assert!(heard.ends_with("</message></stream:stream>"), "{heard}");
    let mut got = numbers(&heard);
    let first = got.len();
    got.extend(read_until(&newer, WAITING));
    assert!(got == (1..=WAITING).collect::<Vec<_>>(), "{first}: {got:?}");
    assert!(0 < first && first < WAITING / 2, "{first}");
    let line = daemon.log_line("link-down");
    assert!(
        line.contains("stanzas that were being written: 0"),
        "{line}"
    );
}

#[test]
fn a_domain_has_so_many_links_and_no_more() {
    let lab = crate::daemon::lab();
    let text = std::fs::read_to_string(lab.path("edge.toml")).unwrap();
    let text = text.replace("[gateway]\n", "[gateway]\nlinks-per-domain = 2\n");
    lab.write("edge.toml", &text, 0o644);
    let daemon = Daemon::start(&lab);
    let links = [link(&daemon), link(&daemon)];
    let answer = converse(&link(&daemon), "", "</stream:stream>");
    assert!(answer.contains("<resource-constraint "), "{answer}");
    let line = daemon.log_line("link-refused");
    assert!(
        line.contains("\"too-many-links\"") && line.contains("contoso.example"),
        "{line}"
    );
    drop(links);
    daemon.log_line("link-down");
    daemon.log_line("link-down");
    let _another = link(&daemon);
    daemon.log_line("link-up");
}

/// What stands after a word of the equation.
fn figure(line: &str, word: &str) -> u64 {
    let rest = line
        .split(&format!("{word} "))
        .nth(1)
        .unwrap_or_else(|| panic!("{word}: {line}"));
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
    rest[..end].parse().unwrap()
}

#[test]
fn the_ledger_balances_when_a_gateway_reads_nothing_and_a_second_signal_comes() {
    let authority = Authority::start();
    let daemon = Daemon::start(&lab(authority.address, "", ""));
    let _deaf = deaf_link(&daemon);
    let partner = prove(&daemon);
    // More than the lane takes: the last stanza that was read waits for room in it.
    let sending = partner.try_clone().unwrap();
    let flood = std::thread::spawn(move || send(&sending, 1..=10_000));
    std::thread::sleep(Duration::from_secs(2));
    assert!(!flood.is_finished());
    daemon.signal("TERM");
    daemon.log_line("stopping");
    std::thread::sleep(Duration::from_millis(200));
    let told = Instant::now();
    daemon.signal("TERM");
    let line = daemon.log_line("drain-cut-short");
    daemon.ends_with(0);
    let took = told.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    let [accepted, delivered, bounced, dropped] =
        ["accepted", "= delivered", "+ bounced", "+ dropped"].map(|word| figure(&line, word));
    assert!(accepted > 500, "{line}");
    assert_eq!(accepted, delivered + bounced + dropped, "{line}");
    assert!(
        dropped > 0 && line.contains("0 were still queued"),
        "{line}"
    );
    assert!(
        line.contains("a second signal") && line.contains("(of partners 1)"),
        "{line}"
    );
    // What the socket had taken by then is delivered.
    assert!(
        figure(&line, "not waited for: stanzas") <= dropped + delivered,
        "{line}"
    );
    assert!(line.contains("gateways' links 1"), "{line}");
    drop(partner);
    flood.join().unwrap();
}

#[test]
fn that_stanzas_wait_for_a_gateway_is_told_once_and_how_many_when_it_is_back() {
    let authority = Authority::start();
    let lab = lab(authority.address, "", "");
    let text = std::fs::read_to_string(lab.path("edge.toml")).unwrap();
    let text = text.replace("[gateway]\n", "[gateway]\nreconnect-grace = \"2s\"\n");
    lab.write("edge.toml", &text, 0o644);
    let daemon = Daemon::start(&lab);
    let partner = prove(&daemon);
    send(&partner, 1..=3);
    let line = daemon.log_line("gateway-awaited");
    assert!(
        line.contains("\"WARN\"") && line.contains("contoso.example"),
        "{line}"
    );
    // They have waited for too long.
    for _ in 1..=3 {
        let line = daemon.log_line("stanza-bounced");
        assert!(line.contains("no-gateway"), "{line}");
    }
    send(&partner, 4..=5);
    std::thread::sleep(Duration::from_millis(300));
    let gateway = link(&daemon);
    let line = daemon.log_line("gateway-back");
    assert!(
        line.contains("\"INFO\"") && line.contains("2 stanzas waited"),
        "{line}"
    );
    assert!(line.contains("3 had waited for too long"), "{line}");
    assert_eq!(read_until(&gateway, 5), [4, 5]);
    let told = |event: &str| {
        let log = daemon.whole_log();
        let log = log.lock().unwrap();
        log.iter().filter(|line| line.contains(event)).count()
    };
    assert_eq!(told("\"gateway-awaited\""), 1);
    // Nothing is told of a gateway that was not missed; of the next absence it is.
    drop(gateway);
    daemon.log_line("link-down");
    drop(link(&daemon));
    daemon.log_line("link-down");
    assert_eq!(told("\"gateway-back\""), 1);
    send(&partner, 6..=6);
    daemon.log_line("gateway-awaited");
}
