//! What DNS says, and does not say.

use std::net::SocketAddr;
use std::sync::mpsc;

use hickory_resolver::proto::rr::RecordType;

pub(super) use self::fake::{Answer, Zone};
use super::peer::Peer;
use super::{EDGE, ENTRY, NETWORK, THEIRS, Wrong, explain, finds, lab};
use crate::lab::Lab;
use crate::pki::Leaf;
use crate::tree;

#[path = "../../../src/net/io/resolve/fake.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod fake;

/// Serves a zone as long as the tests run.
fn serve(zone: Zone) -> SocketAddr {
    let (ready, address) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(async {
            ready.send(zone.serve().await.address).unwrap();
            std::future::pending::<()>().await;
        });
    });
    address.recv().unwrap()
}

/// The partner is where this zone says.
pub(super) fn asks(lab: &Lab, zone: Zone, private: bool) {
    let none = "nameservers = [\"127.0.0.1:3\"]";
    assert!(EDGE.contains(none));
    let served = format!(
        "nameservers = [\"{}\"]\nallow-private-addresses = {private}",
        serve(zone)
    );
    let edge = EDGE.replace(none, &served);
    lab.write("edge.toml", &edge, 0o644);
    lab.write("partners.toml", ENTRY, 0o644);
}

#[test]
fn a_domain_that_dns_does_not_lead_to() {
    let (lab, _) = lab();
    let service = "_xmpp-server._tcp.fabrikam.example";
    let silent = Zone::default().answer(service, RecordType::SRV, Answer::Silence);
    for (zone, exit, side, [reason, cause], step, says) in [
        (
            Zone::default(),
            THEIRS,
            "peer",
            ["no-service"; 2],
            "dns",
            ["there is no SRV record", "must publish SRV records"],
        ),
        (
            Zone::default().srv("fabrikam.example", 0, 0, "."),
            THEIRS,
            "peer",
            ["no-service"; 2],
            "dns",
            ["offers no XMPP service", "must publish SRV records"],
        ),
        (
            Zone::default().srv("fabrikam.example", 1, 5269, "gone.fabrikam.example"),
            THEIRS,
            "peer",
            ["no-service"; 2],
            "dns",
            [
                "gone.fabrikam.example:5269: the host has no address",
                "whose targets have addresses",
            ],
        ),
        (
            Zone::default()
                .srv("fabrikam.example", 1, 5269, "xmpp.fabrikam.example")
                .host("xmpp.fabrikam.example", &["127.0.0.1", "10.0.0.1"]),
            THEIRS,
            "peer",
            ["connect-failed", "not-a-public-address"],
            "dns",
            [
                "was not tried: it is loopback",
                "set `allow-private-addresses`",
            ],
        ),
        (
            silent,
            NETWORK,
            "network",
            ["establishment-timeout", "dns-timed-out"],
            "dns",
            ["the answer of DNS had not come", "Check `nameservers`"],
        ),
    ] {
        asks(&lab, zone, false);
        let wrong = Wrong {
            exit,
            reason,
            cause,
            step,
            side,
            says,
        };
        finds(&lab, "fabrikam.example", &wrong);
    }
}

/// IPv6 leads nowhere and IPv4 is fine: the partner is reached, and both are shown.
#[test]
fn srv_records_are_shown_in_their_order_with_priority_weight_and_time() {
    let (lab, authority) = lab();
    let identity = authority.issue(Leaf::new(&["fabrikam.example"]));
    let port = Peer::with(&identity).start().port();
    let zone = Zone::default()
        .srv("fabrikam.example", 20, 9, "spare.fabrikam.example")
        .srv("fabrikam.example", 10, port, "xmpp.fabrikam.example")
        .host("xmpp.fabrikam.example", &["::1", "127.0.0.1"]);
    asks(&lab, zone, true);
    let (text, json) = explain(&lab, "fabrikam.example", 0);
    let srv = |target: String| format!("  DNS          SRV {target}, ");
    for line in [
        srv(format!("xmpp.fabrikam.example:{port}")) + "priority 10, weight 10,",
        srv("spare.fabrikam.example:9".to_owned()) + "priority 20, weight 10,",
    ] {
        assert!(text.contains(&line), "{line}\n{text}");
    }
    for line in [
        "  Address      IPv6: ::1".to_owned(),
        "  Address      IPv4: 127.0.0.1".to_owned(),
        format!("  TCP          connected to 127.0.0.1:{port} in "),
    ] {
        assert!(text.contains(&line), "{line}\n{text}");
    }
    // It works, and what does not is told all the same.
    let refused = format!("[::1]:{port}");
    let warning = &json["warnings"][0];
    assert_eq!(warning["cause"], "connection-refused", "{json:#}");
    assert_eq!(warning["step"], "connect", "{json:#}");
    assert_eq!(warning["side"], "peer", "{json:#}");
    assert!(text.contains(&format!("But {refused} refused")), "{text}");
    let places = &json["steps"][2];
    assert_eq!(places["step"], "places", "{json:#}");
    assert_eq!(places["ttl"], 60, "{json:#}");
    assert_eq!(places["targets"][0]["priority"], 10, "{json:#}");
}

/// What the guide shows is what is printed, but for numbers: ports, times, and days gone by.
#[test]
fn the_example_in_the_guide_is_what_is_printed() {
    let (lab, authority) = lab();
    let leaf = Leaf::new(&["fabrikam.example"]).valid((2020, 1, 1), (2021, 1, 1));
    let port = Peer::with(&authority.issue(leaf)).start().port();
    let zone = Zone::default()
        .srv("fabrikam.example", 10, port, "xmpp.fabrikam.example")
        .host("xmpp.fabrikam.example", &["127.0.0.1"]);
    asks(&lab, zone, true);
    let (text, _) = explain(&lab, "fabrikam.example", THEIRS);
    let guide = tree::read("docs/operations.md");
    let shown = guide.split("has expired:\n\n```text\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    assert_eq!(shape(shown), shape(&text), "it should be:\n{text}");
}

/// The words, and where there are numbers between them. Lines may break elsewhere.
fn shape(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shape = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_digit() { '0' } else { c };
        if c != '0' || !shape.ends_with('0') {
            shape.push(c);
        }
    }
    shape
}
