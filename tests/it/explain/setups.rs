//! The twenty-four broken set-ups, and the tests that have them: outward, as `explain` meets them, and
//! inward, as the daemon's log has them, where a partner can come in so.

use std::collections::HashSet;

use crate::tree;

/// The name, the test of `explain`, and the test of the log.
const SETUPS: [(&str, &str, Option<&str>); 24] = [
    ("no SRV record", NO_WAY, None),
    ("an SRV record to `.`", NO_WAY, None),
    ("an SRV record to a name without address", NO_WAY, None),
    ("a closed port", "a_closed_port", None),
    ("a black hole", "a_black_hole", None),
    (
        "a server without TLS",
        "a_server_without_tls",
        Some("a_partner_without_tls_that_comes_in"),
    ),
    ("an expired certificate", BAD, Some(BAD_INWARD)),
    ("a certificate that is not yet valid", BAD, Some(BAD_INWARD)),
    ("a wrong name", BAD, Some(BAD_INWARD)),
    ("a missing intermediate", BAD, Some(BAD_INWARD)),
    ("clientAuth only", BAD, Some(BAD_INWARD)),
    ("an unknown authority", BAD, Some(BAD_INWARD)),
    (
        "our certificate lacks a domain",
        "a_certificate_of_ours_that_lacks_the_domain",
        None,
    ),
    (
        "the partner refuses our extended key usage",
        "external_that_is_refused_or_not_offered_and_nothing_else",
        None,
    ),
    (
        "SASL EXTERNAL fails, and dialback is not allowed",
        "external_that_is_refused_or_not_offered_and_nothing_else",
        Some("sasl_external_of_a_partner_that_comes_in_and_fails"),
    ),
    (
        "the dialback key is refused",
        "dialback_that_comes_to_nothing",
        Some("a_dialback_key_of_a_partner_that_comes_in"),
    ),
    (
        "the partner cannot resolve us",
        "dialback_that_comes_to_nothing",
        Some("a_dialback_key_of_a_partner_that_comes_in"),
    ),
    (
        "the partner's policy refuses us",
        "a_server_that_breaks_off",
        Some("a_claim_that_no_entry_covers"),
    ),
    (
        "TLS 1.0 only",
        "a_server_that_cannot_start_tls",
        Some("a_partner_of_tls_1_0_that_comes_in"),
    ),
    (
        "a limit that is too small",
        "a_limit_that_is_too_small_for_what_gateways_may_send",
        None,
    ),
    (
        "a stale route",
        "a_route_to_a_host_that_no_longer_serves_the_domain",
        None,
    ),
    (
        "a clock that is wrong",
        "a_clock_that_is_wrong_is_told_from_a_certificate_that_is_too_early",
        Some(BAD_INWARD),
    ),
    (
        "an address that the guard keeps from being tried",
        NO_WAY,
        None,
    ),
    (
        "IPv6 broken, and IPv4 fine",
        "srv_records_are_shown_in_their_order_with_priority_weight_and_time",
        None,
    ),
];

const NO_WAY: &str = "a_domain_that_dns_does_not_lead_to";
const BAD: &str = "a_bad_certificate_is_named_with_its_fault_and_its_remedy";
const BAD_INWARD: &str = "a_bad_certificate_of_a_partner_that_comes_in";

#[test]
fn each_broken_set_up_has_its_tests() {
    let files = tree::files("tests/it/explain", "rs");
    let is_test = |name: &str, inward: bool| {
        let head = format!("#[test]\nfn {name}() {{");
        let mut files = files.iter();
        files.any(|file| file.path.ends_with("inward.rs") == inward && file.text.contains(&head))
    };
    let names: HashSet<_> = SETUPS.iter().map(|(name, _, _)| name).collect();
    assert_eq!(names.len(), SETUPS.len());
    for (name, outward, inward) in SETUPS {
        assert!(is_test(outward, false), "{name}: {outward}");
        assert!(
            inward.is_none_or(|it| is_test(it, true)),
            "{name}: {inward:?}"
        );
    }
}
