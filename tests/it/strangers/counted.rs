//! What becomes of strangers in the counters, and that none of them is left in a table.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustls::pki_types::UnixTime;
use xmpp_edge::config::Config;
use xmpp_edge::net::daemon::Daemon;
use xmpp_edge::net::live::registry::Kind;
use xmpp_edge::ops::systemd::Listeners;

use super::honest::prove_on;
use super::{header, lab, proceed};
use crate::hostile::authority::Authority;

#[test]
fn each_end_is_counted_under_its_name_and_nobody_stays() {
    let authority = Authority::start();
    let lab = lab(
        authority.address,
        "stream-establishment-timeout = \"1s\"",
        "unauthenticated-per-address = 6",
        "",
    );
    let config = Config::load(&lab.path("edge.toml"), UnixTime::now()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let daemon = runtime
        .block_on(Daemon::start(config.config, Listeners::default()))
        .unwrap();
    let open = || TcpStream::connect(daemon.s2s[0]).unwrap();
    let say = |mut stream: &TcpStream, text: &str| stream.write_all(text.as_bytes()).unwrap();

    let unfinished = open();
    prove_on(&unfinished);
    say(&unfinished, "<message from='a@fabrikam.example'");
    let silent: Vec<_> = (0..3).map(|_| open()).collect();
    let in_a_handshake = open();
    proceed(&in_a_handshake);
    let stranger = open();
    say(&stranger, &header("stranger.example"));
    let talker = open();
    say(&talker, &header("fabrikam.example"));
    say(
        &talker,
        &"<db:verify from='fabrikam.example' to='contoso.example' id='1'/>".repeat(20),
    );
    // Six strangers are there.
    let turned_away = open();

    let wanted = [
        ("stanza-unfinished", 1),
        ("establishment-timeout", 3),
        ("timed-out", 1),
        ("unknown-partner", 1),
        ("too-many-attempts", 1),
        ("unauthenticated-per-address", 1),
    ];
    let edge = daemon.edge();
    let begun = Instant::now();
    while edge.registry.count(&[Kind::Inbound]) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(50));
    }
    let reasons = edge.ledger.reasons();
    for (reason, count) in wanted {
        assert_eq!(reasons.get(reason), Some(&count), "{reason} in {reasons:?}");
    }
    drop((
        unfinished,
        silent,
        in_a_handshake,
        stranger,
        talker,
        turned_away,
    ));
    // As many places as there were.
    let again: Vec<_> = (0..6).map(|_| open()).collect();
    for stream in &again {
        crate::daemon::converse(stream, &header("fabrikam.example"), "</stream:features>");
    }
    drop(again);
    runtime.block_on(daemon.drain());
}
