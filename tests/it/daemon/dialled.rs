//! A partner that is not reached: what the log has of it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener};

use serde_json::Value;

use super::process::Daemon;
use super::{converse, link};
use crate::lab::{FREE_PORTS as EDGE, Lab};
use crate::pki::{self, Authority, Leaf};

const MESSAGE: &str = "<message from='a@contoso.example' to='b@fabrikam.example' id='m'/>";

/// The partner is at this place.
fn at(place: SocketAddr) -> String {
    format!(
        "[[partner]]\nprimary-domain = \"fabrikam.example\"\ntype = \"federated\"\n\
         route = [\"{place}\"]\n"
    )
}

/// DNS or `route` may lead a partner's stanzas back to where they come from.
#[test]
fn a_way_that_leads_back_is_known_for_what_it_is() {
    let lab = Lab::new();
    lab.write("edge.toml", &EDGE, 0o644);
    let daemon = Daemon::start(&lab);
    let mut inside = link(&daemon);
    for place in [daemon.s2s, daemon.gateway] {
        lab.write("partners.toml", &at(place), 0o644);
        daemon.signal("HUP");
        daemon.log_line("reload-done");
        inside.write_all(MESSAGE.as_bytes()).unwrap();
        let bounce = converse(&inside, "", "</message>");
        for part in ["remote-server-not-found", "leads back to this edge"] {
            assert!(bounce.contains(part), "{bounce}");
        }
        let line = daemon.log_line("dial-failed");
        assert!(line.contains("\"leads-back\""), "{line}");
    }
}

/// Writes to the partner at a place, hears that it is not reached, and ends the edge: what the log
/// has of the partner.
fn log_of_a_failure(place: SocketAddr) -> Vec<Value> {
    let lab = Lab::with(&EDGE, &at(place));
    let daemon = Daemon::start(&lab);
    let log = daemon.whole_log();
    let mut inside = link(&daemon);
    inside.write_all(MESSAGE.as_bytes()).unwrap();
    converse(&inside, "", "</message>");
    inside.shutdown(Shutdown::Both).unwrap();
    daemon.signal("TERM");
    daemon.ends_with(0);
    let log = log.lock().unwrap();
    let lines = log.iter().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &Value| line["remote"] == "fabrikam.example")
        .collect()
}

/// One line has the words, and is the only warning; all others have the reason, and its number.
fn told_once(lines: &[Value], reason: &str) -> String {
    let of = |event: &'static str| lines.iter().filter(move |line| line["event"] == event);
    let [told] = of("dial-failed").collect::<Vec<_>>()[..] else {
        panic!("{lines:#?}");
    };
    let words = told["detail"].as_str().unwrap().to_owned();
    assert_eq!(told["reason"], reason, "{told}");
    assert!(told["stream"].is_u64(), "{told}");
    let loud = lines.iter().filter(|line| line["level"] != "INFO").count();
    assert_eq!(loud, 1, "{lines:#?}");
    let with_words = |line: &&Value| line.to_string().contains(&words);
    assert_eq!(lines.iter().filter(with_words).count(), 1, "{lines:#?}");
    assert_eq!(of("stanza-bounced").count(), 1, "{lines:#?}");
    for line in lines {
        assert_eq!(line["stream"], told["stream"], "{line}");
        assert_eq!(line["reason"], reason, "{line}");
    }
    words
}

#[test]
fn a_refused_connection_is_told_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = listener.local_addr().unwrap();
    drop(listener);
    let lines = log_of_a_failure(nowhere);
    let words = told_once(&lines, "connect-failed");
    assert_eq!(
        words,
        format!(
            "no connection: {nowhere} refused the connection: nothing listens there, or a firewall \
             rejects it"
        )
    );
    assert_eq!(lines.len(), 2, "{lines:#?}");
}

#[test]
fn a_server_that_does_not_serve_the_partner_is_told_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let answer = "<stream:stream xmlns='jabber:server' from='other.example' \
                          xmlns:stream='http://etherx.jabber.org/streams'><stream:error>\
                          <host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
                          </stream:error></stream:stream>";
            stream.write_all(answer.as_bytes()).unwrap_or_default();
            let mut buffer = [0; 4096];
            while let Ok(1..) = stream.read(&mut buffer) {}
        }
    });
    let lines = log_of_a_failure(place);
    let words = told_once(&lines, "not-served");
    assert_eq!(
        words,
        format!(
            "the server at {place} does not serve fabrikam.example: DNS or `route` leads to the \
             wrong host"
        )
    );
    assert_eq!(lines.len(), 3, "{lines:#?}");
}

#[test]
fn a_bad_certificate_is_told_once() {
    // Another edge, with a certificate of an authority that this one does not know.
    let partners = "[[partner]]\nprimary-domain = \"contoso.example\"\ntype = \"federated\"\n";
    let lab = Lab::with(&EDGE.replace("contoso", "fabrikam"), partners);
    let authority = Authority::root("Unknown");
    let identity = authority.issue(Leaf::new(&["fabrikam.example"]));
    lab.write("ca.pem", &pki::pem(&authority.certificate), 0o600);
    lab.write("edge.pem", &identity.chain_pem(), 0o600);
    lab.write("edge.key", identity.key_pem(), 0o600);
    let partner = Daemon::start(&lab);
    let lines = log_of_a_failure(partner.s2s);
    told_once(&lines, "issuer-not-sent");
    assert_eq!(lines.len(), 3, "{lines:#?}");
    partner.signal("TERM");
    partner.ends_with(0);
}

/// A library that knows nothing later than TLS 1.0 ends the handshake with an alert, and the
/// connection goes down with it.
#[test]
fn a_handshake_that_fails_is_told_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let answers: [&[u8]; 3] = [
                b"<stream:stream xmlns='jabber:server' from='fabrikam.example' id='1' \
                  xmlns:stream='http://etherx.jabber.org/streams' version='1.0'><stream:features>\
                  <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
                b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
                b"\x15\x03\x01\x00\x02\x02\x46",
            ];
            let mut buffer = [0; 4096];
            for answer in answers {
                let count = stream.read(&mut buffer).unwrap_or_default();
                assert!(count > 0, "the edge has hung up");
                stream.write_all(answer).unwrap_or_default();
            }
        }
    });
    let lines = log_of_a_failure(place);
    let words = told_once(&lines, "no-shared-version");
    assert!(
        words.contains("no TLS version that both sides allow"),
        "{words}"
    );
}
