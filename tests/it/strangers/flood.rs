//! What others make the log say: so many lines of each kind, and the first of each kind at once.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpListener};

use serde_json::Value;

use super::honest::Honest;
use super::{connect_from, header, lab, partner};
use crate::daemon::process::Daemon;
use crate::daemon::{converse, link};
use crate::hostile::authority::Authority;

const MANY: usize = 30;

/// How many lines there were of each event, partner (or local domain) and direction.
fn counted(lines: &[String]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        let key = [text("event"), text("partner"), text("direction")].join(" ");
        *counts.entry(key).or_default() += 1;
    }
    counts
}

#[test]
fn who_comes_and_goes_has_ten_lines_a_minute_of_each_kind() {
    let authority = Authority::start();
    let lab = lab(authority.address, "", "", "");
    let daemon = Daemon::start(&lab);
    let prove = || {
        let stream = connect_from([127, 0, 0, 1], daemon.s2s);
        converse(&stream, &header("fabrikam.example"), "</stream:features>");
        let request = "<db:result from='fabrikam.example' to='contoso.example'>key</db:result>";
        let answer = converse(&stream, request, "type=");
        assert!(answer.contains("type='valid'"), "{answer}");
        stream
    };
    for _ in 0..MANY {
        converse(&prove(), "</stream:stream>", "</stream:stream>");
        link(&daemon).shutdown(Shutdown::Both).unwrap();
    }
    // Another end is another kind, and is not hidden.
    converse(&prove(), "<unheard xmlns='of'/>", "</stream:stream>");
    let mut lines = Vec::new();
    daemon.log_lines(1, |line| {
        lines.push(line.to_owned());
        line.contains("unexpected-element")
    });
    daemon.signal("TERM");
    lines.extend(daemon.ends_with_log(0));
    let counts = counted(&lines);
    let of = |key: &str| counts.get(key).copied().unwrap_or_default();
    for (key, want) in [
        ("stream-authenticated fabrikam.example inbound", 10),
        ("stream-closed fabrikam.example inbound", 11),
        ("link-up  ", 10),
    ] {
        assert_eq!(of(key), want, "{key}: {counts:#?}");
    }
    assert!((1..=10).contains(&of("link-down  ")), "{counts:#?}");
}

/// The streams that we open to ask are opened for whoever makes us ask: they are charged to the network
/// that it comes from, and hide neither what others make us ask nor why we do not reach a partner.
#[test]
fn who_makes_us_ask_has_ten_lines_a_minute_of_each_kind() {
    let authority = Authority::start();
    let lab = lab(authority.address, "", "", "");
    let rude = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = rude.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in rude.incoming().map_while(Result::ok) {
            converse(&stream, "<rude/>", "</stream:stream>");
        }
    });
    let both = partner("fabrikam.example", authority.address) + &partner("rude.example", address);
    lab.write("partners.toml", &both, 0o644);
    let daemon = Daemon::start(&lab);
    let mut honest = Honest::new(&daemon);
    let ask = |network: u8| {
        let stream = connect_from([127, 1, network, 1], daemon.s2s);
        converse(&stream, &header("rude.example"), "</stream:features>");
        let request = "<db:result from='rude.example' to='contoso.example'>key</db:result>";
        let answer = converse(&stream, request, "type='error'");
        assert!(answer.contains("<remote-"), "{answer}");
        converse(&stream, "</stream:stream>", "</stream:stream>");
    };
    (0..MANY).for_each(|_| ask(1));
    ask(2);
    let id = "id='to-rude'";
    honest.say(&format!(
        "<message from='a@contoso.example' to='b@rude.example' {id}/>"
    ));
    let bounce = honest.hear("to-rude");
    assert!(bounce.contains("<message "), "{bounce}");
    daemon.signal("TERM");
    let counts = counted(&daemon.ends_with_log(0));
    let of = |key: &str| counts.get(key).copied().unwrap_or_default();
    for key in [
        "dial-failed rude.example outbound",
        "stream-refused rude.example outbound",
    ] {
        // Ten of one network, one of the other, and one of our own.
        assert_eq!(of(key), 12, "{key}: {counts:#?}");
    }
}
