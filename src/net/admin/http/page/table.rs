//! The tables. On a narrow screen each row becomes a card, so the roles are written out: what is no table
//! to the eye is one still to whoever hears it.

use maud::{Markup, html};

use super::PARTNER;
use super::parts::{number, plural, since, trend, what_lines_are};
use crate::net::admin::http::trends::{KEPT, Trend, Trends};
use crate::net::admin::report::{Failure, Partner, Status};
use crate::proto::jid::Domain;

/// Fewer days than this are worth a look.
const SOON: i64 = 14;

/// A table with these heads, labelled by the heading with this id.
pub(super) fn open(heads: &[&str], rows: Markup, labelled_by: &str) -> Markup {
    html! {
        table role="table" aria-labelledby=(labelled_by) {
            thead role="rowgroup" {
                tr role="row" {
                    @for head in heads { th scope="col" role="columnheader" { (head) } }
                }
            }
            tbody role="rowgroup" { (rows) }
        }
    }
}

/// What stands where there is nothing.
pub(super) const NOTHING: &str = "–";

/// A cell, with the head of its column for where that is not above it. On a narrow screen one with
/// [`NOTHING`] is left out.
pub(super) fn cell(head: &str, content: &Markup) -> Markup {
    let is_empty = content.0 == NOTHING;
    html! { td role="cell" data-head=(head) data-empty[is_empty] { div { (content) } } }
}

/// A state, told by word, and by the colour and the sign that its style has for it.
pub(super) fn state(state: &str, word: &str) -> Markup {
    html! { span.state data-state=(state) { (word) } }
}

/// How long a certificate is valid.
pub(super) fn days(left: Option<i64>) -> Markup {
    html! {
        @match left {
            None => { (NOTHING) }
            Some(..0) => { span.bad { "expired" } }
            Some(left @ ..SOON) => { span.bad { (plural(left, "day", "days")) } }
            Some(left) => { (plural(left, "day", "days")) }
        }
    }
}

/// The partners: those that fail come first.
pub(super) fn partners(status: &Status, trends: &Trends, most: usize) -> Markup {
    const HEADS: [&str; 9] = [
        "Partner",
        "State",
        "Streams",
        "Method",
        "TLS",
        "Certificate",
        "Stanzas in",
        "Stanzas out",
        "Last reason",
    ];
    html! {
        section aria-labelledby="partners" {
            h2 #partners { "Partners" }
            @if status.partners.is_empty() {
                p { "There are none: " (status.configuration.partners_file) " lists nobody." }
            } @else {
                (open(&HEADS, html! {
                    @for partner in status.partners.iter().take(most) { (row(partner, trends)) }
                }, "partners"))
                @if status.partners.iter().any(|it| are_drawn(&trends.of(&it.partner))) { (what_lines_are()) }
            }
            @if status.partners.len() > most {
                p.note {
                    "And " (status.partners.len() - most) " more: each has a page at "
                    (PARTNER) "DOMAIN."
                }
            }
        }
    }
}

/// Whether there is enough to draw lines of.
pub(super) fn are_drawn([inward, _]: &Trend) -> bool {
    inward.len() > 1
}

fn row(partner: &Partner, trends: &Trends) -> Markup {
    let [inward, outward] = trends.of(&partner.partner);
    let mut methods: Vec<_> = partner.proven.iter().map(|it| it.method.as_str()).collect();
    methods.sort_unstable();
    methods.dedup();
    let tls = partner.proven.iter().map(|it| it.tls.as_deref());
    let mut tls: Vec<_> = tls.map(|version| version.unwrap_or("none")).collect();
    tls.sort_unstable();
    tls.dedup();
    let left = partner.certificate.as_ref().map(|it| it.days_left);
    html! {
        tr role="row" {
            th scope="row" role="rowheader" { (link(&partner.partner)) }
            (cell("State", &state(&partner.state, &partner.state)))
            (cell("Streams", &html! { (partner.inbound) " in, " (partner.outbound) " out" }))
            (cell("Method", &listed(&methods)))
            (cell("TLS", &listed(&tls)))
            (cell("Certificate", &days(left)))
            (cell("Stanzas in", &html! {
                span.count { (number(partner.received.accepted)) }
                (trend(&format!("Stanzas from {}", partner.partner), &inward, KEPT))
            }))
            (cell("Stanzas out", &html! {
                span.count { (number(partner.sent.accepted)) }
                (trend(&format!("Stanzas to {}", partner.partner), &outward, KEPT))
            }))
            (cell("Last reason", &html! {
                @if partner.failures.is_empty() && partner.claims.is_empty() { (NOTHING) }
                @for failure in &partner.failures { (reason(failure)) }
                @for claim in &partner.claims { (claimed(claim)) }
            }))
        }
    }
}

fn listed(words: &[&str]) -> Markup {
    html! { @if words.is_empty() { (NOTHING) } @else { (words.join(", ")) } }
}

/// Why there is no stream in one direction, in words.
pub(super) fn reason(failure: &Failure) -> Markup {
    let way = match failure.direction.as_str() {
        "outbound" => "Not reached",
        _ => "Cannot get in",
    };
    html! {
        p.reason {
            b { (way) } ", " (since(failure.last_s)) " ago"
            @if failure.times > 1 { ", " (plural(failure.times, "time", "times")) }
            ": " bdi { (failure.text) } " (" code { (failure.reason) } ", " (failure.whose()) ")"
        }
    }
}

/// What somebody met who came in the partner's name, and may be anybody.
pub(super) fn claimed(claim: &Failure) -> Markup {
    html! {
        p.reason.note {
            "Somebody came in its name"
            @if let Some(address) = &claim.address { " from " (address) }
            ", " (since(claim.last_s)) " ago"
            @if claim.times > 1 { ", " (plural(claim.times, "time", "times")) }
            ": " bdi { (claim.text) } " (" code { (claim.reason) } ")"
        }
    }
}

/// A partner's name, and the way to its page where it has one.
fn link(name: &str) -> Markup {
    html! {
        @match Domain::parse(name) {
            Ok(domain) => { a href={ (PARTNER) (domain.as_str()) } { bdi { (name) } } }
            Err(_) => { (name) }
        }
    }
}
