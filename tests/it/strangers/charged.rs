//! What strangers who claim to be a partner are charged for, and that the partner is not.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use rustls::StreamOwned;

use super::act::client;
use super::honest::Honest;
use super::{connect_from, header, lab};
use crate::daemon::converse;
use crate::daemon::process::Daemon;
use crate::hostile::authority::{Authority, NEVER};

/// Where the partner proves itself before the crowd comes.
const PARTNERS_OWN: [u8; 4] = [127, 0, 9, 1];

const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

/// A stranger's address, each in a prefix of its own.
fn elsewhere(number: u8) -> [u8; 4] {
    [127, 1, number, 1]
}

fn claim(stream: &TcpStream) -> String {
    converse(stream, &header("fabrikam.example"), "</stream:features>")
}

/// Asks for a dialback with this key.
fn request(key: &str) -> String {
    format!("<db:result from='fabrikam.example' to='contoso.example'>{key}</db:result>")
}

/// Has the edge ask a question that is never answered, or says why it does not. That a second one
/// for the same pair is refused shows that the first is being asked.
fn ask_for_ever(stream: &TcpStream) -> String {
    converse(stream, &request(NEVER).repeat(2), "-constraint")
}

fn prove_from(address: [u8; 4], daemon: &Daemon) -> TcpStream {
    let stream = connect_from(address, daemon.s2s);
    claim(&stream);
    let answer = converse(&stream, &request("key"), "type=");
    assert!(answer.contains("type='valid'"), "{answer}");
    stream
}

/// The log says which limit ended a stream from there.
fn is_told(daemon: &Daemon, address: [u8; 4], limit: &str) {
    let line = daemon.log_line("stream-refused");
    let [a, b, c, d] = address;
    assert!(line.contains(&format!("\"{a}.{b}.{c}.{d}:")), "{line}");
    assert!(line.contains(&format!("\"{limit}\"")), "{line}");
}

#[test]
fn who_fails_too_often_is_told_to_wait_and_who_succeeds_is_not() {
    let authority = Authority::start();
    let lab = lab(authority.address, "", "attempts-per-address = 3", "");
    let daemon = Daemon::start(&lab);
    for _ in 0..10 {
        prove_from(PARTNERS_OWN, &daemon);
    }
    let failing = elsewhere(1);
    let mut streams = Vec::new();
    for _ in 0..3 {
        let stream = connect_from(failing, daemon.s2s);
        assert!(claim(&stream).contains("<stream:features>"));
        streams.push(stream);
    }
    drop(streams);
    let stream = connect_from(failing, daemon.s2s);
    let answer = converse(&stream, &header("fabrikam.example"), "</stream:error>");
    assert!(answer.contains("<resource-constraint "), "{answer}");
    is_told(&daemon, failing, "attempts-per-address");
    // Others are served.
    prove_from(elsewhere(2), &daemon);
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// A monitor of certificates names nobody: it gets TLS, and is charged as any stranger is.
#[test]
fn who_only_looks_at_the_certificate_is_charged_too() {
    let authority = Authority::start();
    let lab = lab(authority.address, "", "attempts-per-address = 3", "");
    let daemon = Daemon::start(&lab);
    let tls = client(&lab);
    let monitor = elsewhere(1);
    let anonymous = header("nobody").replace("from='nobody' ", "");
    assert!(!anonymous.contains("from="));
    for _ in 0..3 {
        let stream = connect_from(monitor, daemon.s2s);
        let features = converse(&stream, &anonymous, "</stream:features>");
        assert!(features.contains("<starttls "), "{features}");
        converse(&stream, STARTTLS, "<proceed");
        let mut stream = StreamOwned::new(tls.connection(), stream);
        stream.write_all(anonymous.as_bytes()).unwrap();
        assert!(stream.conn.peer_certificates().is_some());
        let mut refused = String::new();
        stream.read_to_string(&mut refused).unwrap();
        assert!(refused.contains("<improper-addressing "), "{refused}");
    }
    let stream = connect_from(monitor, daemon.s2s);
    let answer = converse(&stream, &anonymous, "</stream:error>");
    assert!(answer.contains("<resource-constraint "), "{answer}");
    prove_from(elsewhere(2), &daemon);
    daemon.signal("TERM");
    daemon.ends_with(0);
}

#[test]
fn a_crowd_that_poses_as_a_partner_keeps_it_neither_out_nor_waiting() {
    let authority = Authority::start();
    let limits = "unauthenticated-per-domain = 4\nquestions-at-once-per-domain = 2";
    let lab = lab(authority.address, "", limits, "");
    let daemon = Daemon::start(&lab);
    let mut honest = Honest::new(&daemon);
    drop(prove_from(PARTNERS_OWN, &daemon));

    // All places are taken, and all that are asked about one partner at once: for ever.
    let crowd: Vec<_> = (0..4)
        .map(|number| {
            let stream = connect_from(elsewhere(number), daemon.s2s);
            claim(&stream);
            let answer = ask_for_ever(&stream);
            assert!(answer.contains("type='error'"), "{answer}");
            stream
        })
        .collect();
    let late = connect_from(elsewhere(4), daemon.s2s);
    let answer = converse(&late, &header("fabrikam.example"), "</stream:error>");
    assert!(answer.contains("<resource-constraint "), "{answer}");
    is_told(&daemon, elsewhere(4), "unauthenticated-per-domain");

    prove_from(PARTNERS_OWN, &daemon);
    honest.exchange();
    drop((crowd, honest));
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// A crowd that says nothing takes nine tenths of the places, and the partner finds one where it is known.
#[test]
fn a_crowd_that_says_nothing_leaves_places_to_who_is_known() {
    let authority = Authority::start();
    let limits = "unauthenticated-limit = 20\nunauthenticated-per-prefix = 0";
    let lab = lab(authority.address, "", limits, "");
    let daemon = Daemon::start(&lab);
    drop(prove_from(PARTNERS_OWN, &daemon));
    daemon.log_line("stream-closed");
    let crowd: Vec<_> = (0..18)
        .map(|number| {
            let stream = connect_from(elsewhere(number), daemon.s2s);
            assert!(claim(&stream).contains("<stream:features>"));
            stream
        })
        .collect();
    let _late = connect_from(elsewhere(18), daemon.s2s);
    let refused = daemon.log_line("admission-refused");
    assert!(refused.contains("\"unauthenticated-limit\""), "{refused}");
    for _ in 0..3 {
        prove_from(PARTNERS_OWN, &daemon);
    }
    drop(crowd);
    daemon.signal("TERM");
    daemon.ends_with(0);
}

#[test]
fn whose_keys_are_wrong_too_often_has_no_more_asked_about() {
    let authority = Authority::start();
    let lab = lab(authority.address, "", "questions-per-address = 2", "");
    let daemon = Daemon::start(&lab);
    let stranger = elsewhere(1);
    let mut streams = Vec::new();
    for number in 0..3 {
        let stream = connect_from(stranger, daemon.s2s);
        claim(&stream);
        let answer = ask_for_ever(&stream);
        assert_eq!(answer.contains("<stream:error>"), number == 2, "{answer}");
        streams.push(stream);
    }
    is_told(&daemon, stranger, "questions-per-address");
    prove_from(PARTNERS_OWN, &daemon);
    drop(streams);
    daemon.signal("TERM");
    daemon.ends_with(0);
}
