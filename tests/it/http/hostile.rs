//! Whoever may ask can hold up neither the relay nor others who ask.

use std::io::{Read as _, Write as _};

use xmpp_edge::net::admin::http::{ANSWER_BYTES, PLACES};

use super::{address, connect, found, get, lab};
use crate::daemon::process::Daemon;
use crate::daemon::{converse, link};

#[test]
fn a_hundred_that_say_nothing_keep_nobody_waiting() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let http = address(&daemon);
    let mut silent: Vec<_> = (0..100).map(|_| connect(http)).collect();
    found(http, "/metrics");
    // All but the last few were hung up on.
    for stream in silent.iter_mut().take(100 - PLACES) {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap_or_default();
    }
    assert!(daemon.descriptors() < 60, "{}", daemon.descriptors());
}

#[test]
fn who_asks_slowly_or_does_not_read_holds_up_nobody_else() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let http = address(&daemon);
    let before = daemon.resident();
    let mut slow = Vec::new();
    for index in 0..10 * PLACES {
        let mut stream = connect(http);
        // Some never end their request, some ask and never read.
        let request = match index % 2 {
            0 => "GET /metrics HTTP/1.1\r\nx: ".to_owned(),
            _ => format!("GET /metrics HTTP/1.1\r\nhost: {http}\r\n\r\n"),
        };
        // It may have been hung up on.
        stream.write_all(request.as_bytes()).unwrap_or_default();
        slow.push(stream);
        if index % 10 == 9 {
            found(http, "/healthz");
        }
    }
    let _gateway = link(&daemon);
    let answer = converse(
        &std::net::TcpStream::connect(daemon.s2s).unwrap(),
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
         from='stranger.example' to='contoso.example' version='1.0'>",
        "</stream:stream>",
    );
    assert!(answer.contains("<stream:error>"), "{answer}");
    let grown = daemon.resident().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown}");
}

#[test]
fn a_head_without_end_ends_the_connection_and_nothing_else() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let http = address(&daemon);
    let before = daemon.resident();
    for start in [
        "GET /",
        "GET / HTTP/1.1\r\nx: ",
        "\r\n",
        "\0",
        "GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n",
    ] {
        let mut stream = connect(http);
        stream.write_all(start.as_bytes()).unwrap();
        let junk = vec![b'a'; 16 << 20];
        // It hangs up in the middle of it.
        stream.write_all(&junk).unwrap_err();
    }
    let many: String = (0..1000)
        .map(|number| format!("x{number}: y\r\n"))
        .collect();
    let mut stream = connect(http);
    let request = format!("GET / HTTP/1.1\r\n{many}\r\n");
    stream.write_all(request.as_bytes()).unwrap_or_default();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap_or_default();
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    let grown = daemon.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown}");
    assert_eq!(get(http, "/healthz").status, 200);
}

/// As much as `check` and the log say that an answer takes.
#[test]
fn an_answer_is_no_longer_than_it_is_held_to_be() {
    let entries = 300;
    let entry = |number: usize| {
        let name = format!("{}{number}.{}.example", "a".repeat(40), "b".repeat(60));
        format!("[[partner]]\nprimary-domain = \"{name}\"\ntype = \"federated\"\n")
    };
    let partners: String = (0..entries).map(entry).collect();
    let lab = super::lab_with(&partners);
    let daemon = Daemon::start(&lab);
    let http = address(&daemon);
    let (each, rest) = ANSWER_BYTES;
    for path in ["/", "/metrics", "/status"] {
        let length = found(http, path).len();
        assert!(length <= rest + entries * each, "{path}: {length}");
        // The bound is none that is far away.
        assert!(length > entries * 512, "{path}: {length}");
    }
}

/// What peers say of themselves is shown as text, whatever it is.
#[test]
fn what_a_peer_says_of_itself_stays_text() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let http = address(&daemon);
    let names = [
        "&lt;script&gt;alert(1)&lt;/script&gt;.example",
        "&quot;onmouseover=&quot;alert(1).example",
        "xn--&lt;img.example",
        "a&amp;lt;b.example",
        "honest.example",
    ];
    for name in names {
        let stream = std::net::TcpStream::connect(daemon.s2s).unwrap();
        let header = format!(
            "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
             from='{name}' to='contoso.example' version='1.0'>"
        );
        converse(&stream, &header, "</stream:stream>");
        daemon.log_line("stream-refused");
    }
    super::until(|| found(http, "/").contains("honest.example"));
    let page = found(http, "/");
    assert!(page.contains("Unknown domains that knocked"), "{page}");
    for part in ["<script>", "<img", "onmouseover=\"", "&lt;script"] {
        // A name that is no domain knocks under no name at all.
        assert!(!page.contains(part), "{part}: {page}");
    }
    // Nor does it become a label.
    let metrics = found(http, "/metrics");
    assert!(!metrics.contains("honest"), "{metrics}");
    assert_eq!(
        super::sample(&metrics, "xmpp_edge_unknown_domains"),
        Some(1.0)
    );
}
