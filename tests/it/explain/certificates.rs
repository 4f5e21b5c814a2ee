//! Certificates of the partner's that prove nothing.

use super::peer::Peer;
use super::{OURS, THEIRS, Wrong, finds, lab, route, soon};
use crate::pki::{Authority, Leaf};

#[test]
fn a_bad_certificate_is_named_with_its_fault_and_its_remedy() {
    let (lab, authority) = lab();
    let leaf = || Leaf::new(&["fabrikam.example"]);
    let intermediate = authority.intermediate("Test Intermediate");
    let unknown = Authority::root("Unknown Authority");
    let unknown_whole = unknown.issue(leaf());
    let sent = [
        &unknown_whole.chain[..],
        std::slice::from_ref(&unknown.certificate),
    ]
    .concat();
    let unknown_whole = unknown_whole.with_chain(sent);
    for (identity, reason, says) in [
        (
            authority.issue(leaf().valid((2020, 1, 1), (2021, 1, 1))),
            "expired",
            [
                "expired on 2021-01-01",
                "must renew it, and reload the server",
            ],
        ),
        (
            authority.issue(leaf().valid((2090, 1, 1), (2099, 1, 1))),
            "not-yet-valid",
            ["not valid before 2090-01-01", "set the clock of this host"],
        ),
        (
            authority.issue(Leaf::new(&["adatum.example"])),
            "wrong-name",
            ["it names: adatum.example", "subject alternative name"],
        ),
        (
            intermediate.issue(leaf()).without_intermediates(),
            "issuer-not-sent",
            [
                "CN=Test Intermediate, was not sent",
                "must send its intermediate",
            ],
        ),
        (
            unknown_whole,
            "unknown-issuer",
            [
                "ends at CN=Unknown Authority",
                "add that one to `trust-anchors`",
            ],
        ),
        (
            leaf().self_signed(),
            "self-signed",
            ["is self-signed", "from a certification authority"],
        ),
        (
            authority.issue(leaf().client_only()),
            "client-auth-only",
            [
                "clientAuth without serverAuth",
                "must get a certificate with serverAuth",
            ],
        ),
    ] {
        route(&lab, Peer::with(&identity).start(), "");
        let wrong = Wrong {
            exit: THEIRS,
            reason,
            cause: reason,
            step: "certificate",
            side: "peer",
            says,
        };
        let text = finds(&lab, "fabrikam.example", &wrong);
        // The chain is shown, whatever is wrong with it.
        assert!(text.contains("Certificate  0: CN=leaf; names "), "{text}");
        assert!(text.contains(&format!("Judged       {reason}: ")), "{text}");
    }
}

/// No authority dates certificates ahead: one that becomes valid within a day speaks of a clock.
#[test]
fn a_clock_that_is_wrong_is_told_from_a_certificate_that_is_too_early() {
    let (lab, authority) = lab();
    let fresh = Leaf::new(&["fabrikam.example"]).begins_at(soon());
    route(&lab, Peer::with(&authority.issue(fresh)).start(), "");
    let wrong = Wrong {
        exit: OURS,
        reason: "clock-skew",
        cause: "clock-skew",
        step: "certificate",
        side: "us",
        says: [
            "one of the clocks is wrong",
            "Compare the clock of this host",
        ],
    };
    finds(&lab, "fabrikam.example", &wrong);
}
