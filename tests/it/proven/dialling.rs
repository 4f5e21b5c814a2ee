//! A local user who writes to many domains, or to one whose servers stay silent.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use super::flood_time;
use crate::daemon::link;
use crate::daemon::process::Daemon;
use crate::hostile::authority::Authority;
use crate::lab::{FREE_PORTS, Lab};

/// What an answer of the edge may take besides what is waited for.
const NOTICE: Duration = Duration::from_millis(100);
/// What a busy machine may add.
const NOISE: Duration = Duration::from_millis(400);

/// A server that does one thing with each connection.
fn server(act: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let act = act.clone();
            std::thread::spawn(move || act(stream));
        }
    });
    address
}

/// Says something, and then nothing until the other side has gone.
fn says(text: &'static [u8]) -> SocketAddr {
    server(move |mut stream| {
        stream.write_all(text).unwrap_or_default();
        let mut buffer = [0; 4096];
        while let Ok(1..) = stream.read(&mut buffer) {}
    })
}

/// An edge whose partner is at these places.
fn lab(places: &[SocketAddr], s2s: &str) -> Lab {
    let route: Vec<_> = places.iter().map(|it| format!("\"{it}\"")).collect();
    let partners = format!(
        "[[partner]]\nprimary-domain = \"fabrikam.example\"\ntype = \"federated\"\n\
         tls = \"optional\"\nsasl = \"optional\"\ndialback = true\nroute = [{}]\n",
        route.join(", ")
    );
    let edge = FREE_PORTS.replace("[s2s]\n", &format!("[s2s]\n{s2s}\n"));
    Lab::with(&edge, &partners)
}

const MESSAGE: &str = "<message from='a@contoso.example' to='b@fabrikam.example' id='m'/>";

/// Sends a message from inside: what comes back, and when.
fn bounced(daemon: &Daemon) -> (String, Duration) {
    let mut link = link(daemon);
    let begun = Instant::now();
    link.write_all(MESSAGE.as_bytes()).unwrap();
    let text = hear(&mut link, "</message>");
    (text, begun.elapsed())
}

fn hear(link: &mut TcpStream, end: &str) -> String {
    link.set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains(end) {
        let count = link.read(&mut buffer).unwrap();
        assert!(count > 0, "the link has ended: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    text
}

#[test]
fn a_target_that_is_no_server_is_left_at_once() {
    for odd in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"</stream:stream>",
    ] {
        // The next target, where there is one.
        let authority = Authority::start_without_closing();
        let lab = lab(&[says(odd), authority.address], "");
        let daemon = Daemon::start(&lab);
        let mut link = link(&daemon);
        let begun = Instant::now();
        link.write_all(MESSAGE.as_bytes()).unwrap();
        while !authority.heard.lock().unwrap().contains("<message ") {
            assert!(begun.elapsed() < Duration::from_secs(20), "{odd:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
        let took = begun.elapsed();
        assert!(took < NOTICE + NOISE, "{odd:?}: {took:?}");
        // Else the sender hears of it.
        let lab = self::lab(&[says(odd)], "");
        let (text, took) = bounced(&Daemon::start(&lab));
        assert!(text.contains("remote-server-timeout"), "{text}");
        assert!(took < NOTICE + NOISE, "{odd:?}: {took:?}");
    }
}

#[test]
fn eight_silent_targets_take_less_than_three_establishments() {
    let silent: Vec<_> = (0..8).map(|_| says(b"")).collect();
    let lab = lab(&silent, "stream-establishment-timeout = \"2s\"");
    let (text, took) = bounced(&Daemon::start(&lab));
    assert!(text.contains("remote-server-timeout"), "{text}");
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert!(took > Duration::from_secs(5), "{took:?}");
}

/// A server that takes each stream, and ends it with `reset` as soon as a message has come.
fn resets(heard: &Arc<AtomicUsize>) -> SocketAddr {
    let heard = Arc::clone(heard);
    server(move |mut stream| {
        let mut text = String::new();
        let mut buffer = [0; 4096];
        let mut done = 0;
        let answers = [
            (
                "version=",
                "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
                 xmlns:db='jabber:server:dialback' from='fabrikam.example' to='contoso.example' \
                 id='theirs' version='1.0'><stream:features/>",
            ),
            (
                "</db:result>",
                "<db:result from='fabrikam.example' to='contoso.example' type='valid'/>",
            ),
            (
                "<message ",
                "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>\
                 </stream:stream>",
            ),
        ];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
            while let Some((sign, answer)) =
                answers.get(done).filter(|(sign, _)| text.contains(sign))
            {
                if *sign == "<message " {
                    heard.fetch_add(1, SeqCst);
                }
                stream.write_all(answer.as_bytes()).unwrap_or_default();
                done += 1;
            }
        }
    })
}

#[test]
fn a_stream_that_has_ended_is_opened_again_at_once() {
    let heard = Arc::<AtomicUsize>::default();
    let lab = lab(&[resets(&heard)], "");
    let daemon = Daemon::start(&lab);
    let mut link = link(&daemon);
    for count in 1..=2 {
        link.write_all(MESSAGE.as_bytes()).unwrap();
        let begun = Instant::now();
        while heard.load(SeqCst) < count {
            assert!(begun.elapsed() < NOTICE + NOISE, "message {count}");
            std::thread::sleep(Duration::from_millis(1));
        }
        daemon.log_line("stream-closed");
    }
}

/// What waits in all queues together, in the floods below: little, so that it is full soon.
const QUEUE_BYTES: usize = 8 << 20;

/// Twenty thousand domains, and no name server answers. Another user's message to a partner that
/// lives passes meanwhile, and descriptors are left.
#[test]
fn whoever_writes_to_many_silent_domains_holds_up_nobody_else() {
    let (open, figures) = flood("[default-partner]\ntype = \"public-verified\"\n");
    println!("{figures}");
    assert!(open < 64 * 8, "{open} descriptors");
}

/// The same where no partner has these domains: none of them is remembered, or written down.
#[test]
fn whoever_writes_to_many_domains_of_nobody_leaves_nothing_behind() {
    let (open, figures) = flood("");
    println!("{figures}");
    assert!(open < 8, "{open} descriptors");
}

/// A local user writes to as many domains as may be; how many descriptors were open at most, and the
/// figures in words.
fn flood(of_others: &str) -> (usize, String) {
    const BURST: usize = 20_000;
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let authority = Authority::start_without_closing();
    let edge = FREE_PORTS.replace(
        "[s2s]\n",
        &format!(
            "[dns]\nnameservers = [\"{}\"]\n\n[s2s]\nstream-establishment-timeout = \"5s\"\n\
             queue-bytes = {QUEUE_BYTES}\n",
            silent.local_addr().unwrap()
        ),
    );
    let partners = format!(
        "[[partner]]\nprimary-domain = \"fabrikam.example\"\ntype = \"federated\"\n\
         tls = \"optional\"\nsasl = \"optional\"\ndialback = true\nroute = [\"{}\"]\n\n{of_others}",
        authority.address
    );
    let daemon = Daemon::start(&Lab::with(&edge, &partners));
    let mut link = link(&daemon);
    let (memory, descriptors) = (daemon.resident(), daemon.descriptors());
    let mut reading = link.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(1..) = reading.read(&mut buffer) {}
    });
    let begun = Instant::now();
    let (mut grown, mut open, mut sent, mut asked) = (0, 0, 0, None);
    while begun.elapsed() < flood_time() || sent < BURST {
        let burst: String = (sent..sent + 500)
            .map(|number| {
                format!("<message from='eve@contoso.example' to='b@d{number}.example' id='m'/>")
            })
            .collect();
        link.write_all(burst.as_bytes()).unwrap();
        sent += 500;
        if asked.is_none() {
            asked = Some(Instant::now());
            link.write_all(MESSAGE.as_bytes()).unwrap();
        }
        grown = grown.max(daemon.resident().saturating_sub(memory));
        open = open.max(daemon.descriptors().saturating_sub(descriptors));
    }
    while !authority.heard.lock().unwrap().contains("<message ") {
        let waited = asked.unwrap().elapsed();
        assert!(
            waited < Duration::from_secs(10),
            "another user's message waits"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    let lines = daemon.whole_log().lock().unwrap().len();
    let figures = format!(
        "{sent} domains: {} KiB, {open} descriptors, {lines} lines",
        grown >> 10
    );
    // What waits; pauses, windows of the log and questions that may be answered, each to its bound.
    assert!(grown < QUEUE_BYTES + (32 << 20), "{grown} bytes");
    assert!(lines < 200, "{lines} lines");
    // The listener takes whoever comes.
    TcpStream::connect(daemon.s2s).unwrap();
    (open, figures)
}
