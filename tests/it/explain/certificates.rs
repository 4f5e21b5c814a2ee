//! Certificates of the partner's that prove nothing.

use super::peer::Peer;
use super::{THEIRS, Wrong, finds, lab, route};
use crate::pki::{Authority, Leaf};

#[test]
fn a_bad_certificate_is_named_with_its_fault_and_its_remedy() {
    let (lab, authority) = lab();
    let leaf = || Leaf::new(&["fabrikam.example"]);
    let intermediate = authority.intermediate("Test Intermediate");
    let unknown = Authority::root("Unknown Authority");
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
            "unknown-issuer",
            [
                "CN=Test Intermediate, was not sent",
                "must send the intermediate",
            ],
        ),
        (
            unknown.issue(leaf()),
            "unknown-issuer",
            [
                "CN=Unknown Authority",
                "add that authority to trust-anchors",
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
                "must get one with serverAuth",
            ],
        ),
    ] {
        route(&lab, Peer::with(&identity).start(), "");
        let wrong = Wrong {
            exit: THEIRS,
            reason,
            step: "certificate",
            side: "theirs",
            says,
        };
        let text = finds(&lab, "fabrikam.example", &wrong);
        // The chain is shown, whatever is wrong with it.
        assert!(text.contains("Certificate  0: CN=leaf; names "), "{text}");
        assert!(text.contains(&format!("Judged       {reason}: ")), "{text}");
    }
}
