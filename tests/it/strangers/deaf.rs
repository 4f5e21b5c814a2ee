//! A partner's server that takes the edge's stream, agrees to everything, and then reads nothing: what
//! is sent to it bounces in time, it costs no more than a queue, and nobody else waits.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use xmpp_edge::net::relay::queue::LANE_BYTES;

use super::honest::prove;
use super::{lab, partner};
use crate::daemon::link;
use crate::daemon::process::Daemon;
use crate::hostile::authority::Authority;

/// How many messages are sent, several queues full of them.
const MESSAGES: usize = 200;
/// How large each of them is.
const PIECE: usize = 100 << 10;
/// What the daemon may hold: the queue, what is being read and written, and what the allocator keeps.
const HELD: usize = 4 * LANE_BYTES;
/// How many messages the system takes over on three streams that nobody reads.
const LOST: usize = 6;
/// How long a partner may read nothing: longer than a stream that counts as failed at once.
const ALLOWED: Duration = Duration::from_secs(3);
/// What a busy machine may add.
const GRACE: Duration = Duration::from_secs(15);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn who_takes_streams_and_reads_none_is_given_up() {
    let authority = Authority::start();
    let lab = lab(
        authority.address,
        &format!("stream-establishment-timeout = \"{}s\"", ALLOWED.as_secs()),
        "",
        "",
    );
    let deaf = deaf();
    let both = partner("fabrikam.example", authority.address) + &partner("adatum.example", deaf);
    lab.write("partners.toml", &both, 0o644);
    let daemon = Daemon::start(&lab);
    let link = link(&daemon);
    let heard = messages(link.try_clone().unwrap());
    let before = daemon.resident();

    let body = "x".repeat(PIECE);
    let mut gateway = link.try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        for number in 0..MESSAGES {
            let message = message(
                "b@contoso.example",
                "a@adatum.example",
                &format!("deaf-{number}"),
                &body,
            );
            gateway.write_all(message.as_bytes()).unwrap();
        }
        let other = message("b@contoso.example", "a@fabrikam.example", "other", "");
        gateway.write_all(other.as_bytes()).unwrap();
    });
    let mut honest = prove(&daemon);
    let (mut slowest, mut held, mut asked) = (Duration::ZERO, 0, 0);
    let mut bounces = BTreeMap::new();
    let mut other_arrived = None;
    let begun = Instant::now();
    while MESSAGES - bounces.len() > LOST {
        assert!(begun.elapsed() < PATIENCE, "{bounces:?}");
        asked += 1;
        let id = format!("honest-{asked}");
        let sent = Instant::now();
        let question = message("a@fabrikam.example", "b@contoso.example", &id, "");
        honest.write_all(question.as_bytes()).unwrap();
        loop {
            let message = heard.recv_timeout(PATIENCE).unwrap();
            if message.contains(&format!("id='{id}'")) {
                break;
            }
            let (number, condition) = bounce(&message);
            assert_eq!(bounces.insert(number, condition), None, "{number} twice");
        }
        slowest = slowest.max(sent.elapsed());
        held = held.max(daemon.resident().saturating_sub(before));
        if authority.heard.lock().unwrap().contains("id='other'") {
            other_arrived.get_or_insert_with(|| begun.elapsed());
        }
    }
    writing.join().unwrap();
    let took = begun.elapsed();
    println!(
        "{} of {MESSAGES} came back within {took:?}; {} KiB were held; others waited for {slowest:?} at most",
        bounces.len(),
        held >> 10
    );
    // Three streams at most: what is waiting when the third breaks has waited long enough.
    assert!(took < 3 * ALLOWED + GRACE, "{took:?}");
    assert!(held <= HELD, "{held} bytes");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    let other_arrived = other_arrived.expect("nothing reaches the other partner");
    // Before the deaf one is given up for good.
    assert!(other_arrived < took, "{other_arrived:?} of {took:?}");
    let timed_out = bounces.values().filter(|it| *it == "remote-server-timeout");
    let waited = timed_out.count() * PIECE;
    assert!(
        waited > LANE_BYTES / 2 && waited < 3 * LANE_BYTES,
        "{waited}"
    );

    let closed = daemon.log_lines(2, |line| {
        line.contains("\"stream-closed\"") && line.contains("\"remote\":\"adatum.example\"")
    });
    for line in closed {
        assert!(line.contains("does not read"), "{line}");
    }
    drop(honest);
    link.shutdown(Shutdown::Both).unwrap();
    daemon.signal("TERM");
    let accepted = asked + MESSAGES + 1;
    // Those that did not come back are those that the system has taken over.
    let delivered = accepted - bounces.len();
    let line = daemon.log_line("drained");
    let ledger = format!(
        "accepted {accepted} = delivered {delivered} + bounced {} + dropped 0; 0 were still queued",
        bounces.len()
    );
    assert!(line.contains(&ledger), "{line}, not {ledger}");
    daemon.ends_with(0);
}

fn message(from: &str, to: &str, id: &str, body: &str) -> String {
    format!("<message from='{from}' to='{to}' id='{id}'><body>{body}</body></message>")
}

/// Which message came back, and with which condition.
fn bounce(message: &str) -> (usize, String) {
    let id = message
        .split("id='deaf-")
        .nth(1)
        .and_then(|rest| rest.split('\'').next());
    let id = id.unwrap_or_else(|| panic!("{message}"));
    let condition = ["remote-server-timeout", "resource-constraint"]
        .into_iter()
        .find(|condition| message.contains(&format!("<{condition} ")))
        .unwrap_or_else(|| panic!("{message}"));
    (id.parse().unwrap(), condition.to_owned())
}

/// Every message that the gateway gets, as it comes.
fn messages(mut link: TcpStream) -> Receiver<String> {
    let (sender, receiver) = channel();
    link.set_read_timeout(None).unwrap();
    std::thread::spawn(move || {
        let mut text = String::new();
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = link.read(&mut buffer) {
            text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
            while let Some((message, rest)) = text.split_once("</message>") {
                if sender.send(message.to_owned()).is_err() {
                    return;
                }
                text = rest.to_owned();
            }
        }
    });
    receiver
}

/// It has little room for what it does not read, and never closes.
fn deaf() -> SocketAddr {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    socket.listen(10).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut streams = Vec::new();
        for stream in listener.incoming().map_while(Result::ok) {
            negotiate(&stream);
            streams.push(stream);
        }
    });
    address
}

fn negotiate(mut stream: &TcpStream) {
    let header = "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
                  xmlns:stream='http://etherx.jabber.org/streams' from='adatum.example' \
                  to='contoso.example' id='theirs' version='1.0'><stream:features/>";
    stream.write_all(header.as_bytes()).unwrap();
    let mut heard = String::new();
    let mut buffer = [0; 4096];
    while !heard.contains("</db:result>") {
        let count = stream.read(&mut buffer).unwrap();
        heard.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    let valid = "<db:result from='adatum.example' to='contoso.example' type='valid'/>";
    stream.write_all(valid.as_bytes()).unwrap();
}
