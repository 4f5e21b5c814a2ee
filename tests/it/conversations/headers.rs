//! One header check is not three: every fault, in every header of a partner's connection.

use super::{run, script::Script, stage::Cut};

const SERVER: &str = "xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'";
const CLIENT: &str = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'";
const OTHER: &str = "xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/stream'";
const GOOD: &str = "from='partner.example' to='contoso.example'";

/// Where a header may come, and the script that leads there.
const PLACES: [(&str, &str); 3] = [
    ("in the clear", ""),
    ("under TLS", "after: inbound/expects-header-under-tls\n"),
    (
        "after EXTERNAL",
        "after: inbound/expects-header-after-external\n",
    ),
];

/// Namespaces, attributes, and what the edge does about them in the first header and in later ones.
type Row = (&'static str, &'static str, [Outcome; 2]);
/// A stream error, and the reason on our side.
type Outcome = (&'static str, &'static str);

#[test]
fn every_fault_is_caught_in_every_header() {
    let table: [Row; 14] = {
        let same = |condition, reason| [(condition, reason); 2];
        let changed = |condition, reason| [(condition, reason), ("invalid-from", "header-changed")];
        [
            (
                OTHER,
                "from='partner.example' to='contoso.example' version='1.0'",
                same("invalid-namespace", "invalid-namespace"),
            ),
            (
                CLIENT,
                "from='partner.example' to='contoso.example' version='1.0'",
                same("invalid-namespace", "invalid-namespace"),
            ),
            (
                SERVER,
                GOOD,
                same("unsupported-version", "unsupported-version"),
            ),
            (
                SERVER,
                "from='partner.example' to='contoso.example' version='0.9'",
                same("unsupported-version", "unsupported-version"),
            ),
            (
                SERVER,
                "from='partner.example' to='contoso.example' version='1'",
                same("unsupported-version", "unsupported-version"),
            ),
            (
                SERVER,
                "from='partner.example' to='contoso.example' version='+1.0'",
                same("unsupported-version", "unsupported-version"),
            ),
            (
                SERVER,
                "from='partner.example' version='1.0'",
                same("improper-addressing", "header-address"),
            ),
            (
                SERVER,
                "from='partner.example' to='' version='1.0'",
                same("improper-addressing", "header-address"),
            ),
            (
                SERVER,
                "from='partner.example' to='b@contoso.example' version='1.0'",
                same("improper-addressing", "header-address"),
            ),
            (
                SERVER,
                "from='partner.example' to='elsewhere.example' version='1.0'",
                changed("host-unknown", "unknown-local-domain"),
            ),
            (
                SERVER,
                "from='a_b' to='contoso.example' version='1.0'",
                same("improper-addressing", "header-address"),
            ),
            (
                SERVER,
                "from='partner.example/x' to='contoso.example' version='1.0'",
                same("improper-addressing", "header-address"),
            ),
            (
                SERVER,
                "from='nobody.example' to='contoso.example' version='1.0'",
                changed("policy-violation", "unknown-partner"),
            ),
            (
                SERVER,
                "from='contoso.example' to='contoso.example' version='1.0'",
                changed("policy-violation", "unknown-partner"),
            ),
        ]
    };
    for (namespaces, attributes, outcomes) in table {
        for (number, (place, before)) in PLACES.iter().enumerate() {
            let (condition, reason) = outcomes[number.min(1)];
            refused(place, before, namespaces, attributes, condition, reason);
        }
    }
}

#[test]
fn only_the_first_header_may_name_nobody() {
    for (place, before) in PLACES.into_iter().skip(1) {
        let (condition, reason) = ("improper-addressing", "header-address");
        let attributes = "to='contoso.example' version='1.0'";
        refused(place, before, SERVER, attributes, condition, reason);
    }
}

#[test]
fn a_later_header_names_whom_the_first_one_named() {
    // All these would be welcome as a first header.
    for attributes in [
        "from='partner.example' to='eu.contoso.example' version='1.0'",
        "from='second.partner.example' to='contoso.example' version='1.0'",
        "from='stranger.example' to='contoso.example' version='1.0'",
    ] {
        for (place, before) in PLACES.into_iter().skip(1) {
            refused(
                place,
                before,
                SERVER,
                attributes,
                "invalid-from",
                "header-changed",
            );
        }
    }
}

fn refused(
    place: &str,
    before: &str,
    namespaces: &str,
    attributes: &str,
    condition: &str,
    reason: &str,
) {
    let text = format!(
        "machine: inbound\npartner: partner.example\n{before}\n\
         P: <stream:stream {namespaces} {attributes}>\n\
         E: <stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' from='{{any}}' id='{{new-id}}' version='1.0' to='{{if-any}}'>\n\
         \x20  {{error {condition}}}</stream:stream>\n\
         P: </stream:stream>\n! close {reason}\n"
    );
    let script = Script::parse(&format!("{place}: {attributes}"), &text);
    run(&script, Cut::Whole);
    run(&script, Cut::Bytes);
}
