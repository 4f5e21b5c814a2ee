//! Places where nothing listens or something else does, and servers that break off.

use std::io::Write as _;
use std::net::TcpStream;

use super::peer::{DIALBACK, HEADER, Peer, answering, hear, say, serve};
use super::{NETWORK, OURS, THEIRS, Wrong, closed_port, explain, finds, lab, route};
use crate::daemon::process::Daemon;
use crate::lab::FREE_PORTS;
use crate::pki::{Identity, Leaf};

/// Entries that let dialback prove the partner, too.
const BY_DIALBACK: &str = "sasl = \"optional\"\ndialback = true\n";

pub(super) fn wrong(
    (exit, side): (i32, &'static str),
    reason: &'static str,
    step: &'static str,
    says: [&'static str; 2],
) -> Wrong {
    by((exit, side), [reason, reason], step, says)
}

/// The same, where another row than the reason's says more.
pub(super) fn by(
    (exit, side): (i32, &'static str),
    [reason, cause]: [&'static str; 2],
    step: &'static str,
    says: [&'static str; 2],
) -> Wrong {
    Wrong {
        exit,
        reason,
        cause,
        step,
        side,
        says,
    }
}

pub(super) const WE: (i32, &str) = (OURS, "us");
pub(super) const THEY: (i32, &str) = (THEIRS, "peer");
pub(super) const BETWEEN: (i32, &str) = (NETWORK, "network");

#[test]
fn a_closed_port() {
    let (lab, _) = lab();
    route(&lab, closed_port(), "");
    let says = [
        "refused the connection",
        "must start its server, or open its port",
    ];
    finds(
        &lab,
        "fabrikam.example",
        &by(
            THEY,
            ["connect-failed", "connection-refused"],
            "connect",
            says,
        ),
    );
}

/// The system answers no more connections than wait already.
#[test]
fn a_black_hole() {
    let (lab, _) = lab();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    let kind = socket2::Type::STREAM;
    let full = socket2::Socket::new(socket2::Domain::IPV4, kind, None).unwrap();
    full.bind(&any.into()).unwrap();
    full.listen(0).unwrap();
    let place = full.local_addr().unwrap().as_socket().unwrap();
    let _waits = TcpStream::connect(place).unwrap();
    route(&lab, place, "");
    let says = ["did not answer in time", "Let your own firewall pass"];
    finds(
        &lab,
        "fabrikam.example",
        &by(
            BETWEEN,
            ["connect-failed", "connection-timed-out"],
            "connect",
            says,
        ),
    );
}

#[test]
fn a_server_that_says_nothing() {
    let (lab, _) = lab();
    let place = serve(|mut stream| hear(&mut stream, "nothing that is ever said").map(drop));
    route(&lab, place, "");
    let says = [
        "takes connections, and says nothing",
        "must see why its server is silent",
    ];
    finds(
        &lab,
        "fabrikam.example",
        &wrong(THEY, "header-timeout", "header", says),
    );
}

#[test]
fn a_server_without_tls() {
    let (lab, _) = lab();
    route(&lab, Peer::plain().start(), "");
    let says = ["does not offer STARTTLS", "must switch TLS on"];
    finds(
        &lab,
        "fabrikam.example",
        &wrong(THEY, "tls-missing", "tls", says),
    );
}

#[test]
fn a_server_that_cannot_start_tls() {
    let (lab, _) = lab();
    let offer = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\
                 </stream:features>";
    let proceed = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    let starting = |answers: [&'static [u8]; 2]| {
        serve(move |mut stream| {
            hear(&mut stream, "version='1.0'")?;
            say(&mut stream, &[HEADER, offer])?;
            for answer in answers {
                hear(&mut stream, "")?;
                stream.write_all(answer).ok()?;
            }
            hear(&mut stream, "nothing that is ever said").map(drop)
        })
    };
    let failure = b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>";
    route(&lab, starting([failure, b""]), "");
    let says = ["refused to start TLS", "its certificate or key, most often"];
    finds(
        &lab,
        "fabrikam.example",
        &wrong(THEY, "tls-refused", "tls", says),
    );

    // A library that knows nothing later than TLS 1.0: the alert `protocol_version`.
    let old = b"\x15\x03\x01\x00\x02\x02\x46";
    route(&lab, starting([proceed.as_bytes(), old]), "");
    let says = [
        "no TLS version that both sides allow",
        "must offer TLS 1.2 or 1.3",
    ];
    finds(
        &lab,
        "fabrikam.example",
        &wrong(THEY, "no-shared-version", "tls", says),
    );
}

fn fabrikam(authority: &crate::pki::Authority) -> Identity {
    authority.issue(Leaf::new(&["fabrikam.example"]))
}

#[test]
fn external_that_is_refused_or_not_offered_and_nothing_else() {
    let (lab, authority) = lab();
    let identity = fabrikam(&authority);
    let failure = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>";
    let peer = Peer::with(&identity).answers_external(failure);
    route(&lab, peer.start(), "");
    let says = [
        "(not-authorized)",
        "must accept certificates with serverAuth alone",
    ];
    finds(
        &lab,
        "fabrikam.example",
        &by(
            THEY,
            ["external-refused", "our-purpose-refused"],
            "proof",
            says,
        ),
    );

    let peer = Peer::with(&identity).offers(DIALBACK);
    route(&lab, peer.start(), "");
    let says = ["it may want clientAuth", "The entry is partners.toml:1"];
    let text = finds(
        &lab,
        "fabrikam.example",
        &by(
            THEY,
            ["external-missing", "our-purpose-refused"],
            "proof",
            says,
        ),
    );
    assert!(text.contains("Offered      dialback"), "{text}");
}

/// A dialback that was denied is told from one that could not be asked about.
#[test]
fn dialback_that_comes_to_nothing() {
    let (lab, authority) = lab();
    let identity = fabrikam(&authority);
    let peer = |answer| {
        Peer::with(&identity)
            .offers(DIALBACK)
            .answers_dialback(answer)
    };
    let invalid = "<db:result from='fabrikam.example' to='contoso.example' type='invalid'/>";
    route(&lab, peer(invalid).start(), BY_DIALBACK);
    let says = ["was told that it is invalid", "one `secret-file`"];
    let text = finds(
        &lab,
        "fabrikam.example",
        &wrong(WE, "dialback-denied", "proof", says),
    );
    let tried = "Proof        dialback over TLS is tried, since EXTERNAL is not offered";
    assert!(text.contains(tried), "{text}");

    let error = "<db:result from='fabrikam.example' to='contoso.example' type='error'>\
                 <error type='cancel'><remote-server-not-found \
                 xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>";
    route(&lab, peer(error).start(), BY_DIALBACK);
    let says = [
        "could not ask this edge",
        "SRV records stand at _xmpp-server._tcp.contoso.example",
    ];
    finds(
        &lab,
        "fabrikam.example",
        &wrong(WE, "dialback-unreachable", "proof", says),
    );
}

/// What is neither a denial nor a failed call is the partner's own affair.
#[test]
fn dialback_that_is_refused_for_another_reason() {
    let (lab, authority) = lab();
    let error = "<db:result from='fabrikam.example' to='contoso.example' type='error'>\
                 <error type='cancel'><policy-violation \
                 xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>";
    let peer = Peer::with(&fabrikam(&authority)).offers(DIALBACK);
    route(&lab, peer.answers_dialback(error).start(), BY_DIALBACK);
    let says = [
        "refuses dialback (policy-violation)",
        "must admit our domain",
    ];
    finds(
        &lab,
        "fabrikam.example",
        &wrong(THEY, "dialback-refused", "proof", says),
    );
}

/// Before a partner can refuse it, the configuration is refused for it, as by `check`.
#[test]
fn a_certificate_of_ours_that_lacks_the_domain() {
    let (lab, authority) = lab();
    let other = authority.issue(Leaf::new(&["contoso.example"]));
    lab.write("edge.pem", &other.chain_pem(), 0o600);
    lab.write("edge.key", other.key_pem(), 0o600);
    let command = ["explain", "fabrikam.example", "--config", "edge.toml"];
    let (status, output, errors) = lab.run(&command);
    assert_eq!((status, output.as_str()), (OURS, ""));
    for part in [
        "error[certificate-lacks-domain]: the certificate does not name",
        "eu.contoso.example",
        "hint: get a certificate whose subject alternative names include",
    ] {
        assert!(errors.contains(part), "{part}\n{errors}");
    }
}

#[test]
fn servers_that_are_not_the_partners() {
    let (lab, _) = lab();
    let unknown = "<stream:stream xmlns='jabber:server' from='other.example' \
                   xmlns:stream='http://etherx.jabber.org/streams'><stream:error>\
                   <host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
                   </stream:error></stream:stream>";
    route(&lab, answering(unknown), "");
    let says = [
        "does not serve fabrikam.example",
        "`route` is in partners.toml:1",
    ];
    finds(
        &lab,
        "fabrikam.example",
        &by(WE, ["not-served", "wrong-route"], "header", says),
    );

    let clients = "<stream:stream xmlns='jabber:client' from='fabrikam.example' id='1' \
                   xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
    route(&lab, answering(clients), "");
    let says = ["a port for clients", "`route` is in partners.toml:1"];
    finds(
        &lab,
        "fabrikam.example",
        &by(WE, ["client-port", "wrong-route"], "header", says),
    );

    for (answer, code) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "http-request"),
        ("SSH-2.0-OpenSSH_10.0\r\n", "ssh-hello"),
        // An alert, as a port for direct TLS answers to a stream header.
        ("\u{15}\u{3}\u{3}\0\u{2}\u{2}\u{46}", "tls-hello"),
    ] {
        route(&lab, answering(answer), "");
        let says = [
            "where a stream header must stand",
            "`route` is in partners.toml:1",
        ];
        finds(
            &lab,
            "fabrikam.example",
            &by(WE, [code, "wrong-route"], "header", says),
        );
    }
}

#[test]
fn a_way_that_leads_back_to_this_edge() {
    let (lab, _) = lab();
    lab.write("edge.toml", &FREE_PORTS, 0o644);
    let daemon = Daemon::start(&lab);
    let bound = FREE_PORTS.replacen("127.0.0.1:0", &daemon.s2s.to_string(), 1);
    lab.write("edge.toml", &bound, 0o644);
    route(&lab, daemon.s2s, "");
    let says = [
        "leads back to this edge itself",
        "`route` is in partners.toml:1",
    ];
    finds(
        &lab,
        "fabrikam.example",
        &by(WE, ["leads-back", "wrong-route"], "header", says),
    );
}

#[test]
fn a_server_that_breaks_off() {
    let (lab, _) = lab();
    let policy = "<stream:stream xmlns='jabber:server' from='fabrikam.example' id='1' \
                  xmlns:stream='http://etherx.jabber.org/streams' version='1.0'><stream:error>\
                  <policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
                  <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>who are you?</text>\
                  </stream:error></stream:stream>";
    route(&lab, answering(policy), "");
    let says = ["policy-violation (who are you?)", "must admit our domain"];
    finds(
        &lab,
        "fabrikam.example",
        &by(THEY, ["peer-error", "peer-refused"], "features", says),
    );

    let place = serve(|mut stream| hear(&mut stream, "version='1.0'").map(drop));
    route(&lab, place, "");
    let says = [
        "closed the connection without a word",
        "must see in its server's log",
    ];
    finds(
        &lab,
        "fabrikam.example",
        &by(THEY, ["peer-closed", "peer-hung-up"], "header", says),
    );
}

#[test]
fn a_domain_that_is_no_partner() {
    let (lab, _) = lab();
    for (domain, cause, says) in [
        (
            "fabricam.example",
            "unknown-partner",
            [
                "fabricam.example is not a partner",
                "Did you mean fabrikam.example",
            ],
        ),
        (
            "chat.fabrikam.example",
            "unknown-partner",
            ["is not a partner", "additional-domains of fabrikam.example"],
        ),
        (
            "adatum.org",
            "unknown-partner",
            [
                "adatum.org is not a partner",
                "Entries stand in partners.toml.",
            ],
        ),
        (
            "contoso.example",
            "both-local",
            [
                "a domain of this edge itself",
                "Name the domain of a partner",
            ],
        ),
    ] {
        finds(
            &lab,
            domain,
            &by(WE, ["unknown-partner", cause], "policy", says),
        );
    }
    // Nothing has left this host.
    let (_, json) = explain(&lab, "adatum.org", OURS);
    assert_eq!(json["steps"].as_array().unwrap().len(), 1, "{json:#}");
}
