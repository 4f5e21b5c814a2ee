//! `[admission]`: what those may hold, and cost, who have proven nothing.

use super::reader::Section;
use crate::proto::policy::{AdmissionLimits, Rates};
use crate::proto::stream::Unproven;
use crate::proto::xml::Limits;

/// `[admission]` without what is in `[admission.stream]`, but with the length of a handshake.
pub(super) fn admission(root: &Section<'_>) -> (AdmissionLimits, Unproven) {
    let section = root.section("admission");
    let default = AdmissionLimits::default();
    let limit = |key, default| section.number(key, default, 0..=10_000_000);
    let (unproven, handshake_bytes) = stream(&section, default.handshake_bytes);
    let limits = AdmissionLimits {
        unauthenticated: limit("unauthenticated-limit", default.unauthenticated),
        unauthenticated_per_address: limit(
            "unauthenticated-per-address",
            default.unauthenticated_per_address,
        ),
        unauthenticated_per_prefix: limit(
            "unauthenticated-per-prefix",
            default.unauthenticated_per_prefix,
        ),
        unauthenticated_per_domain: limit(
            "unauthenticated-per-domain",
            default.unauthenticated_per_domain,
        ),
        per_address: limit("connections-per-address", default.per_address),
        attempts: Rates {
            per_address: limit("attempts-per-address", default.attempts.per_address),
            per_prefix: limit("attempts-per-prefix", default.attempts.per_prefix),
            per_domain: limit("attempts-per-domain", default.attempts.per_domain),
        },
        questions: Rates {
            per_address: limit("questions-per-address", default.questions.per_address),
            per_prefix: limit("questions-per-prefix", default.questions.per_prefix),
            per_domain: limit("questions-per-domain", default.questions.per_domain),
        },
        questions_at_once: limit("questions-at-once", default.questions_at_once),
        questions_at_once_per_domain: limit(
            "questions-at-once-per-domain",
            default.questions_at_once_per_domain,
        ),
        handshake_bytes,
    };
    section.finish();
    (limits, unproven)
}

/// `[admission.stream]`. Without a limit there is none of these: the least are what an honest
/// server needs, and the most what the memory of a stranger is computed for.
fn stream(admission: &Section<'_>, handshake_bytes: usize) -> (Unproven, usize) {
    let section = admission.section("stream");
    let default = Unproven::default();
    let limits = default.limits;
    let unproven = Unproven {
        limits: Limits {
            header_bytes: section.number("header-bytes", limits.header_bytes, 1024..=65_536),
            element_bytes: section.number("element-bytes", limits.element_bytes, 1024..=65_536),
            depth: section.number("depth", limits.depth, 4..=64),
            elements: section.number("elements", limits.elements, 8..=1024),
            attributes: section.number("attributes", limits.attributes, 8..=64),
            name_bytes: section.number("name-bytes", limits.name_bytes, 32..=256),
            bindings: section.number("namespaces", limits.bindings, 8..=64),
            whitespace_bytes: section.number(
                "white-space-bytes",
                limits.whitespace_bytes,
                16..=65_536,
            ),
            namespace_bytes: limits.namespace_bytes,
            overrun: limits.overrun,
        },
        bytes: section.number("bytes", default.bytes, 8192..=1_048_576),
    };
    let handshake_bytes = section.number("handshake-bytes", handshake_bytes, 8192..=65_536);
    section.finish();
    (unproven, handshake_bytes)
}
