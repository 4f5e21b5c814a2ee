//! Limits that the partner tells of, and the last step: a ping over the stream.

use super::peer::Peer;
use super::{explain, lab, route};
use crate::pki::Leaf;

const EXTERNAL_AND_LIMITS: &str = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
    <mechanism>EXTERNAL</mechanism></mechanisms><limits xmlns='urn:xmpp:stream-limits:0'>\
    <max-bytes>10000</max-bytes><idle-seconds>600</idle-seconds></limits>";

#[test]
fn a_limit_that_is_too_small_for_what_gateways_may_send() {
    let (lab, authority) = lab();
    let identity = authority.issue(Leaf::new(&["fabrikam.example"]));
    let peer = Peer::with(&identity).offers(EXTERNAL_AND_LIMITS);
    let place = peer.start();
    route(&lab, place, "");
    let (text, json) = explain(&lab, "fabrikam.example", 0);
    let words = super::timeless(&text);
    for part in [
        "Limits the partner takes stanzas of 10000 bytes, 600 s of silence; this edge takes, and \
         sends, stanzas of 262144 bytes",
        "It works: contoso.example reaches fabrikam.example",
        "But the partner takes stanzas of 10000 bytes at most, and gateways may send 262144. The \
         partner must raise its limit; or lower `max-stanza-bytes` in its entry",
        "The entry is partners.toml:1.",
    ] {
        assert!(words.contains(part), "{part}\n{text}");
    }
    let warning = &json["warnings"][0];
    for (key, want) in [
        ("reason", "partner-limit"),
        ("step", "features"),
        ("side", "peer"),
    ] {
        assert_eq!(warning[key], want, "{json:#}");
    }
    let offered = json["steps"].as_array().unwrap().iter();
    let mut offered = offered.filter(|step| step["idle-seconds"] == 600);
    assert_eq!(offered.next().unwrap()["max-bytes"], 10000, "{json:#}");

    // Where senders hear it from this edge, nothing is doubtful.
    route(&lab, place, "max-stanza-bytes = 10000\n");
    let (text, json) = explain(&lab, "fabrikam.example", 0);
    assert!(json["warnings"].as_array().unwrap().is_empty(), "{json:#}");
    assert!(!text.contains("But "), "{text}");
}

/// It belongs on the partner's own stream, and some send it, or an error, on ours.
#[test]
fn a_ping_that_is_answered_on_our_stream_is_shown_with_its_time() {
    let (lab, authority) = lab();
    let identity = authority.issue(Leaf::new(&["fabrikam.example"]));
    for (kind, by_error, says) in [
        ("result", false, "on this very stream"),
        ("error", true, "by an error, which proves the way as well"),
    ] {
        let peer = Peer::with(&identity).answers_pings(kind);
        route(&lab, peer.start(), "");
        let (text, json) = explain(&lab, "fabrikam.example", 0);
        let words = super::timeless(&text);
        assert!(words.contains("Ping answered in "), "{text}");
        assert!(words.contains(says), "{text}");
        let last = json["steps"].as_array().unwrap().last().unwrap();
        assert_eq!(last["step"], "pong", "{json:#}");
        assert_eq!(last["by-an-error"], by_error, "{json:#}");
        assert!(last["round-trip-ms"].as_f64().unwrap() > 0.0, "{json:#}");
    }
}

#[test]
fn no_ping_is_sent_to_a_partner_that_is_not_kept_alive() {
    let (lab, authority) = lab();
    let identity = authority.issue(Leaf::new(&["fabrikam.example"]));
    route(&lab, Peer::with(&identity).start(), "keep-alive = false\n");
    let (text, _) = explain(&lab, "fabrikam.example", 0);
    let line = "  Ping         not sent: keep-alive is false in partners.toml:1\n";
    assert!(text.contains(line), "{text}");
}
