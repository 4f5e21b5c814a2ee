//! The page for people who look: everything on one screen, and one page a partner.
//!
//! It is whole without a script, and loads nothing from elsewhere. Every text goes through the template,
//! which escapes it; what peers wrote is kept from turning the direction of what stands around it.

mod frame;
mod one;
mod parts;
mod table;

use maud::{Markup, html};

use self::frame::{Frame, document};
use self::parts::{bytes, number, plural, since};
use super::trends::Trends;
use crate::net::admin::report::{Gateway, Status};

pub use one::partner;

/// How it looks.
pub(super) const STYLE: &str = include_str!("page/page.css");
/// What shows it anew.
pub(super) const SCRIPT: &str = include_str!("page/page.js");
/// Its picture in the tab.
pub(super) const ICON: &str = include_str!("page/icon.svg");
/// Where the page of a partner is: its domain follows.
pub(super) const PARTNER: &str = "/partner/";

/// How many partners are listed.
const MOST_PARTNERS: usize = 500;

/// The page with everything on it.
#[must_use]
pub fn overview(status: &Status, trends: &Trends) -> String {
    let content = html! {
        (figures(status))
        (gateways(status))
        (table::partners(status, trends, MOST_PARTNERS))
        (certificates(status))
        (knocks(status))
        (configuration(status))
    };
    let frame = Frame {
        title: "How the edge is",
        heading: html! { "xmpp-edge" },
        state: state(status),
        time: &status.time,
        is_first: true,
    };
    document(&frame, &content).into_string()
}

/// In one sentence, how the edge is.
fn state(status: &Status) -> String {
    let of_state = |state: &str| {
        let all = status.partners.iter().filter(|it| it.state == state);
        all.count()
    };
    let absent = status.gateways.iter().filter(|it| it.links.is_empty());
    let absent = match absent.count() {
        0 => "all gateways connected".to_owned(),
        count => format!("{} NOT CONNECTED", plural(count, "gateway", "gateways")),
    };
    format!(
        "{} for {}: {absent}; {} connected, {} failing, {} without a stream",
        match status.state.as_str() {
            "running" => "Running",
            _ => "STOPPING, after running",
        },
        since(status.uptime_s),
        plural(of_state("connected"), "partner", "partners"),
        of_state("failing"),
        of_state("idle"),
    )
}

fn figures(status: &Status) -> Markup {
    let (inbound, outbound) = (&status.delivery.inbound, &status.delivery.outbound);
    let queues = &status.queues;
    let sum = |of: fn(&crate::net::admin::report::Counts) -> u64| of(inbound) + of(outbound);
    let counts = &status.connections;
    html! {
        dl.figures {
            div {
                dt { "Streams" }
                dd { (counts.inbound) " in, " (counts.outbound) " out" }
                dd.more { (plural(counts.unproven, "connection has", "connections have")) " proven nothing yet" }
            }
            div {
                dt { "Delivered" }
                dd { (number(sum(|it| it.delivered))) }
                dd.more { (number(inbound.delivered)) " in, " (number(outbound.delivered)) " out" }
            }
            div {
                dt { "Bounced or dropped" }
                dd { (number(sum(|it| it.bounced + it.dropped))) }
                dd.more { (number(sum(|it| it.bounced))) " bounced, " (number(sum(|it| it.dropped))) " dropped" }
            }
            div {
                dt { "Waiting" }
                dd { (number(sum(|it| it.queued))) }
                dd.more {
                    (bytes(queues.to_gateways.bytes + queues.to_partners.bytes)) " of "
                    (bytes(queues.to_gateways.limit + queues.to_partners.limit))
                }
            }
            div {
                dt { "Accepted" }
                dd { (number(sum(|it| it.accepted))) }
                @if status.delivery.balances {
                    dd.more { "each has one end, none is lost" }
                } @else {
                    dd.more.bad { "THE SUM IS WRONG: please report it" }
                }
            }
        }
    }
}

fn gateways(status: &Status) -> Markup {
    html! {
        section aria-labelledby="gateways" {
            h2 #gateways { "Gateways" }
            (table::open(&["Domain", "State", "Links", "Newest from", "Waiting"], html! {
                @for gateway in &status.gateways { (row(gateway)) }
            }, "gateways"))
            @if let Some(link) = status.refused_link.as_ref().filter(|_| {
                status.gateways.iter().any(|it| it.links.is_empty())
            }) {
                p.note {
                    "A gateway from " (link.address) " was refused " (since(link.last_s)) " ago"
                    @if link.times > 1 { ", " (plural(link.times, "time", "times")) }
                    ": " bdi { (link.text) } ". " bdi { (link.remedy) }
                }
            }
        }
    }
}

fn row(gateway: &Gateway) -> Markup {
    let (state, word) = match gateway.links.is_empty() {
        true => ("failing", "not connected"),
        false => ("connected", "connected"),
    };
    let newest = gateway.links.last();
    html! {
        tr role="row" {
            th scope="row" role="rowheader" { (gateway.domain) }
            (table::cell("State", &table::state(state, word)))
            (table::cell("Links", &html! { (gateway.links.len()) }))
            (table::cell("Newest from", &html! {
                @if let Some(link) = newest { (link.address) ", " (since(link.age_s)) " ago" } @else { (table::NOTHING) }
            }))
            (table::cell("Waiting", &html! {
                (plural(gateway.waiting, "stanza", "stanzas"))
                @if let Some(seconds) = gateway.waiting_s { " for " (since(seconds)) }
            }))
        }
    }
}

fn certificates(status: &Status) -> Markup {
    html! {
        section aria-labelledby="certificates" {
            h2 #certificates { "Our certificates" }
            (table::open(&["Domains", "Valid until", "Left", "Issuer"], html! {
                @for it in &status.certificates {
                    tr role="row" {
                        th scope="row" role="rowheader" { (it.domains.join(", ")) }
                        (table::cell("Valid until", &html! { (it.not_after) }))
                        (table::cell("Left", &table::days(Some(it.days_left))))
                        (table::cell("Issuer", &html! { bdi { (it.issuer) } }))
                    }
                }
            }, "certificates"))
        }
    }
}

fn knocks(status: &Status) -> Markup {
    html! {
        @if !status.knocks.is_empty() {
            section aria-labelledby="knocks" {
                h2 #knocks { "Unknown domains that knocked" }
                (table::open(&["Domain", "Times", "Last", "From", "Perhaps"], html! {
                    @for it in &status.knocks {
                        tr role="row" {
                            th scope="row" role="rowheader" { bdi { (it.domain) } }
                            (table::cell("Times", &html! { (number(it.count)) }))
                            (table::cell("Last", &html! { (since(it.last_s)) " ago" }))
                            (table::cell("From", &html! { (it.address) }))
                            (table::cell("Perhaps", &html! {
                                @if let Some(above) = &it.above { "below " (above) ", which does not list it" }
                                @else if let Some(nearest) = &it.nearest { "a slip for " (nearest) }
                                @else { (table::NOTHING) }
                            }))
                        }
                    }
                }, "knocks"))
                @if status.knocks_known > status.knocks.len() {
                    p.note { "These are the last ones of " (status.knocks_known) "." }
                }
            }
        }
    }
}

fn configuration(status: &Status) -> Markup {
    let it = &status.configuration;
    html! {
        section aria-labelledby="configuration" {
            h2 #configuration { "Configuration" }
            p {
                (it.hash) ", in force since " (it.loaded) ": "
                (plural(it.partners, "partner", "partners"))
                @if it.default_partner { " and [default-partner]" }
                " of " (it.partners_file) "."
            }
            @if let Some(refused) = &it.refused_reload {
                p .bad {
                    "The last reload, at " (refused.at) ", was refused, and nothing has changed: " (refused.why)
                }
            }
            @if !it.waits_for_restart.is_empty() {
                p { "Changed, and only with a restart: " (it.waits_for_restart.join(", ")) "." }
            }
            p {
                "Listens for partners on " (status.listeners.partners.join(", "))
                "; for gateways on " (status.listeners.gateways.join(", ")) "."
            }
        }
    }
}

#[cfg(test)]
mod tests;
