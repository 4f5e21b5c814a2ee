//! Slow and half-open peers, at every stage at once: each is ended for its own reason and counted
//! out, while the honest notice nothing.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{sleep, spawn};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::act::{Act, PATIENCE, dawdle};
use super::honest::{Honest, prove, prove_on};
use super::{header, lab, partner};
use crate::daemon::converse;
use crate::daemon::process::Daemon;
use crate::hostile::authority::Authority;

/// How long a peer may take in these tests.
const ALLOWED: Duration = Duration::from_secs(1);
/// Strangers of one address in these tests.
const PLACES: usize = 20;

struct Case {
    name: &'static str,
    act: Act,
    /// Whom it claims to be, if it gets so far.
    claimed: Option<&'static str>,
    reason: &'static str,
}

fn strangers() -> Vec<Case> {
    let fabrikam = || header("fabrikam.example");
    let case = |name, act, claimed, reason| Case {
        name,
        act,
        claimed,
        reason,
    };
    let timeout = "establishment-timeout";
    let known = Some("fabrikam.example");
    vec![
        case("silence", Act::Say(String::new()), None, timeout),
        case(
            "half a header",
            Act::Say(fabrikam()[..50].into()),
            None,
            timeout,
        ),
        case(
            "a header, byte by byte",
            Act::Drip(fabrikam()),
            None,
            timeout,
        ),
        case(
            "nothing after the header",
            Act::Say(fabrikam()),
            known,
            timeout,
        ),
        case(
            "half an element",
            Act::Say(fabrikam() + "<db:result from="),
            known,
            timeout,
        ),
        case("half a ClientHello", Act::HalfAHello, known, "timed-out"),
        case("silence under TLS", Act::UnderTls(""), known, timeout),
        case(
            "half an <auth/>",
            Act::UnderTls("<auth xmlns='urn:ietf"),
            known,
            timeout,
        ),
        case(
            "a proof that never comes",
            Act::Say(
                header("adatum.example")
                    + "<db:result from='adatum.example' to='contoso.example'>key</db:result>",
            ),
            Some("adatum.example"),
            timeout,
        ),
    ]
}

#[test]
fn who_dawdles_is_shown_out_and_nobody_else_notices() {
    let authority = Authority::start();
    // Connections to it succeed, and nothing is ever said on them.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let lab = lab(
        authority.address,
        "stream-establishment-timeout = \"1s\"\nstream-inactivity-timeout = \"10s\"",
        &format!("unauthenticated-per-address = {PLACES}"),
        "filter = \"info\"",
    );
    let both = partner("fabrikam.example", authority.address)
        + &partner("adatum.example", mute.local_addr().unwrap());
    lab.write("partners.toml", &both, 0o644);
    let daemon = Daemon::start(&lab);
    let mut honest = Honest::new(&daemon);

    let cases = strangers();
    let mut ends = Vec::new();
    let mut expected = Vec::new();
    for case in cases {
        let stream = TcpStream::connect(daemon.s2s).unwrap();
        let from = stream.local_addr().unwrap();
        let end = dawdle(stream, case.act, &lab);
        ends.push((case.name, end));
        expected.push((case.name, from, "stream-refused", case.claimed, case.reason));
    }
    for name in ["half a stanza", "a stanza byte by byte"] {
        let stream = prove(&daemon);
        let from = stream.local_addr().unwrap();
        let stanza = "<message from='a@fabrikam.example' to='b@contoso.example'>".to_owned();
        let act = match name {
            "half a stanza" => Act::Say(stanza),
            _ => Act::Drip(stanza + &"x".repeat(1000)),
        };
        ends.push((name, dawdle(stream, act, &lab)));
        expected.push((name, from, "stream-closed", None, "stanza-unfinished"));
    }
    // Nothing tells this one from one that is gone without a word.
    let silent = prove(&daemon);
    expected.push((
        "silence after the proof",
        silent.local_addr().unwrap(),
        "stream-closed",
        None,
        "idle",
    ));
    ends.push((
        "silence after the proof",
        dawdle(silent, Act::Say(String::new()), &lab),
    ));

    while ends.iter().any(|(_, end)| !end.is_finished()) {
        assert!(honest.exchange() < Duration::from_secs(3));
        sleep(Duration::from_millis(50));
    }
    for (name, end) in ends {
        let took = end.join().unwrap();
        assert!(
            took >= ALLOWED * 9 / 10 && took < PATIENCE,
            "{name}: {took:?}"
        );
    }
    let lines = daemon.log_lines(expected.len(), |line| {
        let ended = line.contains("\"stream-refused\"") || line.contains("\"stream-closed\"");
        ended && line.contains("\"inbound\"")
    });
    for (name, from, event, claimed, reason) in expected {
        let line = line_of(&lines, from);
        assert!(
            line.contains(&format!("\"event\":\"{event}\"")),
            "{name}: {line}"
        );
        assert!(
            line.contains(&format!("\"reason\":\"{reason}\"")),
            "{name}: {line}"
        );
        match claimed {
            // With TLS up the pair is the certificate's to prove.
            Some(domain) => assert!(
                line.contains(&format!("\"claimed\":\"{domain}\""))
                    || line.contains(&format!("\"remote\":\"{domain}\"")),
                "{name}: {line}"
            ),
            None => assert!(!line.contains("\"claimed\""), "{name}: {line}"),
        }
    }
    all_are_counted_out(&daemon);
    drop(honest);
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// As many as may come do come in again, and no more.
fn all_are_counted_out(daemon: &Daemon) {
    let crowd: Vec<_> = (0..PLACES)
        .map(|_| {
            let stream = TcpStream::connect(daemon.s2s).unwrap();
            let answer = converse(&stream, &header("fabrikam.example"), "</stream:features>");
            assert!(answer.contains("starttls"), "{answer}");
            stream
        })
        .collect();
    let last = TcpStream::connect(daemon.s2s).unwrap();
    assert_eq!(converse(&last, "", ">"), "");
    drop(crowd);
}

/// The gateway's port: the same patience, and lines of its own.
#[test]
fn who_dawdles_at_the_gateways_port_is_shown_out() {
    let authority = Authority::start();
    let lab = lab(
        authority.address,
        "stream-establishment-timeout = \"3s\"",
        "unauthenticated-limit = 10",
        "",
    );
    let daemon = Daemon::start(&lab);
    let mut honest = Honest::new(&daemon);
    let header = "<stream:stream xmlns='jabber:component:accept' \
                  xmlns:stream='http://etherx.jabber.org/streams' to='contoso.example'>";
    for _ in 0..2 {
        let mut ends = Vec::new();
        for act in [
            Act::Say(String::new()),
            Act::Say(header[..30].to_owned()),
            Act::Say(header.to_owned()),
            Act::Say(format!("{header}<handshake>")),
            Act::Drip(header.to_owned()),
        ]
        .into_iter()
        .chain((0..5).map(|_| Act::Say(String::new())))
        {
            let stream = TcpStream::connect(daemon.gateway).unwrap();
            ends.push(dawdle(stream, act, &lab));
        }
        // The eleventh is one too many, for as long as the ten are there.
        let late = TcpStream::connect(daemon.gateway).unwrap();
        assert_eq!(converse(&late, "", ">"), "");
        while ends.iter().any(|end| !end.is_finished()) {
            assert!(honest.exchange() < Duration::from_secs(3));
            sleep(Duration::from_millis(50));
        }
        for end in ends {
            assert!(end.join().unwrap() < PATIENCE);
        }
    }
    let line = daemon.log_line("link-refused");
    assert!(line.contains("\"establishment-timeout\""), "{line}");
    drop(honest);
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// A partner that is ahead of its rate is read more slowly: that its next stanza is not whole yet is
/// then nobody's fault.
#[test]
fn who_is_held_up_by_the_edge_is_not_slow() {
    let authority = Authority::start();
    let lab = lab(
        authority.address,
        "stream-establishment-timeout = \"2s\"",
        "",
        "",
    );
    let slowly = partner("fabrikam.example", authority.address) + "stanza-rate = 1\n";
    lab.write("partners.toml", &slowly, 0o644);
    let daemon = Daemon::start(&lab);
    let mut honest = Honest::new(&daemon);
    let mut stream = prove(&daemon);
    let stanza = |number: u32| {
        format!("<message from='a@fabrikam.example' to='b@contoso.example' id='rated-{number}'/>")
    };
    // Five are free; the next three take a second each.
    let many: String = (0..8).map(stanza).collect();
    let last = stanza(8);
    let (begun, rest) = last.split_at(20);
    stream.write_all((many + begun).as_bytes()).unwrap();
    honest.hear("rated-7");
    // Half a second after the edge reads on, and three seconds and a half after this stanza began.
    sleep(Duration::from_millis(1500));
    stream.write_all(rest.as_bytes()).unwrap();
    honest.hear("rated-8");
    drop((honest, stream));
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// A partner that asks and asks, and never reads the answers.
#[test]
fn who_never_reads_is_given_up() {
    let authority = Authority::start();
    let lab = lab(
        authority.address,
        "stream-establishment-timeout = \"1s\"",
        "",
        "",
    );
    let daemon = Daemon::start(&lab);
    let mut honest = Honest::new(&daemon);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&daemon.s2s.into()).unwrap();
    let deaf = TcpStream::from(socket);
    prove_on(&deaf);
    let from = deaf.local_addr().unwrap();
    let asking = spawn(move || {
        let question =
            "<db:verify from='fabrikam.example' to='contoso.example' id='1'>k</db:verify>";
        let many = question.repeat(1000);
        // In the end the daemon reads no more, and then hangs up.
        while (&deaf).write_all(many.as_bytes()).is_ok() {}
    });
    while !asking.is_finished() {
        assert!(honest.exchange() < Duration::from_secs(3));
        sleep(Duration::from_millis(50));
    }
    asking.join().unwrap();
    let lines = daemon.log_lines(1, |line| {
        line.contains(&from.to_string()) && line.contains("\"stream-closed\"")
    });
    assert!(lines[0].contains("does not read"), "{lines:?}");
    drop(honest);
    daemon.signal("TERM");
    daemon.ends_with(0);
}

fn line_of(lines: &[String], from: SocketAddr) -> &str {
    let mark = format!("\"peer_address\":\"{from}\"");
    let found = lines.iter().find(|line| line.contains(&mark));
    found.unwrap_or_else(|| panic!("no line of {from} in {lines:#?}"))
}
