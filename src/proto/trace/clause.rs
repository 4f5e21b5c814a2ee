//! Which clause a decision follows: by what it tells the other side, and by what was proven.

use super::line::Decided;
use crate::proto::codes::Code;

/// The clause that a decision follows, where there is one.
#[must_use]
pub fn clause(decided: &Decided) -> Option<&'static str> {
    let code = decided.reason.as_deref();
    let code = code.and_then(|label| Code::all().find(|code| *code == label));
    match (decided.what.as_str(), decided.method.as_deref(), code) {
        ("proven" | "authenticated", Some("sasl-external"), _) => Some("RFC 6120 §6, XEP-0178 §3"),
        ("proven" | "authenticated", Some("tls-dialback"), _) => Some("XEP-0220 §2.1, over TLS"),
        ("proven" | "authenticated", Some("tcp-dialback"), _) => Some("XEP-0220 §2.1"),
        ("link-up", ..) => Some("XEP-0114 §3"),
        ("start-tls", ..) => Some("RFC 6120 §5.4"),
        ("ask", ..) => Some("XEP-0220 §2.1.2"),
        ("dialback-answered", ..) => Some("XEP-0220 §2.1.2, XEP-0185 §2"),
        ("answered", ..) => Some("XEP-0220 §2.2.2"),
        ("pinged", ..) => Some("XEP-0199 §4.4"),
        ("acks", ..) => Some("XEP-0198"),
        ("secured" | "not-pinned", ..) => Some("RFC 6120 §13.7.2, RFC 5280 §6"),
        ("refused", _, Some(code)) => stanza_error(code.stanza_condition()?.1),
        ("close" | "gave-up", _, Some(code)) => stream_error(code.stream_condition()?),
        ("method-failed", _, _) => Some("RFC 6120 §6.5, XEP-0220 §2.5"),
        _ => None,
    }
}

/// Where RFC 6120 has a condition of stream errors.
fn stream_error(condition: &str) -> Option<&'static str> {
    Some(match condition {
        "bad-format" => "RFC 6120 §4.9.3.1",
        "bad-namespace-prefix" => "RFC 6120 §4.9.3.2",
        "conflict" => "RFC 6120 §4.9.3.3",
        "connection-timeout" => "RFC 6120 §4.9.3.4",
        "host-gone" => "RFC 6120 §4.9.3.5",
        "host-unknown" => "RFC 6120 §4.9.3.6",
        "improper-addressing" => "RFC 6120 §4.9.3.7",
        "internal-server-error" => "RFC 6120 §4.9.3.8",
        "invalid-from" => "RFC 6120 §4.9.3.9",
        "invalid-namespace" => "RFC 6120 §4.9.3.10",
        "invalid-xml" => "RFC 6120 §4.9.3.11",
        "not-authorized" => "RFC 6120 §4.9.3.12",
        "not-well-formed" => "RFC 6120 §4.9.3.13",
        "policy-violation" => "RFC 6120 §4.9.3.14",
        "remote-connection-failed" => "RFC 6120 §4.9.3.15",
        "reset" => "RFC 6120 §4.9.3.16",
        "resource-constraint" => "RFC 6120 §4.9.3.17",
        "restricted-xml" => "RFC 6120 §4.9.3.18",
        "see-other-host" => "RFC 6120 §4.9.3.19",
        "system-shutdown" => "RFC 6120 §4.9.3.20",
        "undefined-condition" => "RFC 6120 §4.9.3.21",
        "unsupported-encoding" => "RFC 6120 §4.9.3.22",
        "unsupported-feature" => "RFC 6120 §4.9.3.23",
        "unsupported-stanza-type" => "RFC 6120 §4.9.3.24",
        "unsupported-version" => "RFC 6120 §4.9.3.25",
        _ => return None,
    })
}

/// Where RFC 6120 has a condition of stanza errors.
fn stanza_error(condition: &str) -> Option<&'static str> {
    Some(match condition {
        "bad-request" => "RFC 6120 §8.3.3.1",
        "conflict" => "RFC 6120 §8.3.3.2",
        "feature-not-implemented" => "RFC 6120 §8.3.3.3",
        "forbidden" => "RFC 6120 §8.3.3.4",
        "gone" => "RFC 6120 §8.3.3.5",
        "internal-server-error" => "RFC 6120 §8.3.3.6",
        "item-not-found" => "RFC 6120 §8.3.3.7",
        "jid-malformed" => "RFC 6120 §8.3.3.8",
        "not-acceptable" => "RFC 6120 §8.3.3.9",
        "not-allowed" => "RFC 6120 §8.3.3.10",
        "not-authorized" => "RFC 6120 §8.3.3.11",
        "policy-violation" => "RFC 6120 §8.3.3.12",
        "recipient-unavailable" => "RFC 6120 §8.3.3.13",
        "redirect" => "RFC 6120 §8.3.3.14",
        "registration-required" => "RFC 6120 §8.3.3.15",
        "remote-server-not-found" => "RFC 6120 §8.3.3.16",
        "remote-server-timeout" => "RFC 6120 §8.3.3.17",
        "resource-constraint" => "RFC 6120 §8.3.3.18",
        "service-unavailable" => "RFC 6120 §8.3.3.19",
        "subscription-required" => "RFC 6120 §8.3.3.20",
        "undefined-condition" => "RFC 6120 §8.3.3.21",
        "unexpected-request" => "RFC 6120 §8.3.3.22",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_that_is_told_has_its_clause() {
        for code in Code::all() {
            if let Some(condition) = code.stream_condition() {
                assert!(stream_error(condition).is_some(), "{condition}");
            }
            if let Some((_, condition)) = code.stanza_condition() {
                assert!(stanza_error(condition).is_some(), "{condition}");
            }
        }
    }
}
