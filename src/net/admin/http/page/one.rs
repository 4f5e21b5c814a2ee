//! The page of one partner: how it stands, its streams, and its last attempts step by step.

use maud::{Markup, html};

use super::frame::{Frame, document};
use super::parts::{number, plural, since, trend, what_lines_are};
use super::table;
use crate::net::admin::http::trends::{KEPT, Trends};
use crate::net::admin::report::{Attempt, Failure, Live, Partner, Stream};

/// The page.
#[must_use]
pub fn partner(live: &Live, trends: &Trends) -> String {
    let content = html! {
        @if let Some(partner) = &live.partner { (failures(partner)) }
        (rule(live))
        @if let Some(partner) = &live.partner { (stanzas(partner, trends)) (claims(partner)) }
        (streams(live))
        (attempts(live))
        (knocks(live))
    };
    let frame = Frame {
        title: &live.domain,
        heading: html! { bdi { (live.domain) } },
        state: state(live),
        time: &live.time,
        is_first: false,
    };
    document(&frame, &content).into_string()
}

fn state(live: &Live) -> String {
    let Some(partner) = &live.partner else {
        return match live.rule.covered.as_str() {
            "default" => "Covered by [default-partner]".to_owned(),
            "local" => "A local domain, and no partner".to_owned(),
            _ => "No entry of the partner file covers this domain".to_owned(),
        };
    };
    let streams = format!("{} in, {} out", partner.inbound, partner.outbound);
    match (partner.state.as_str(), live.pause_s) {
        ("connected", _) => format!("Connected: {streams}"),
        ("failing", Some(pause)) => {
            format!(
                "FAILING; it is tried again in {} at the earliest",
                since(pause)
            )
        }
        ("failing", None) => "FAILING".to_owned(),
        _ => "No stream, and nothing that went wrong".to_owned(),
    }
}

fn rule(live: &Live) -> Markup {
    let rule = &live.rule;
    html! {
        section aria-labelledby="rule" {
            h2 #rule { "What the configuration says" }
            @match (&rule.partner, rule.line) {
                (Some(partner), Some(line)) => {
                    p {
                        "The entry of " bdi { (partner) } ", " (rule.file) ", line " (line)
                        @if let Some(listed_as) = &rule.listed_as { ", lists it as " bdi { (listed_as) } }
                        "."
                    }
                    dl.pairs {
                        @if let Some(kind) = &rule.partner_type { div { dt { "Type" } dd { (kind) } } }
                        div { dt { "Methods" } dd { (rule.methods.join(", ")) } }
                    }
                }
                _ => { p { (rule.file) " has no entry for it." } }
            }
        }
    }
}

fn failures(partner: &Partner) -> Markup {
    html! {
        @if !partner.failures.is_empty() {
            section.failures aria-labelledby="wrong" {
                h2 #wrong { "What is wrong" }
                @for failure in &partner.failures {
                    (table::reason(failure))
                    p.remedy { b { "To do: " } (failure.remedy) }
                }
            }
        }
    }
}

/// What those met who came in its name, and may be anybody.
fn claims(partner: &Partner) -> Markup {
    html! {
        @if !partner.claims.is_empty() {
            section aria-labelledby="claims" {
                h2 #claims { "Who came in its name" }
                @for claim in &partner.claims {
                    (table::claimed(claim))
                    p { "Nothing shows that it was the partner. If it was: " (claim.remedy) }
                }
            }
        }
    }
}

fn stanzas(partner: &Partner, trends: &Trends) -> Markup {
    let lately = trends.of(&partner.partner);
    let are_drawn = table::are_drawn(&lately);
    let [inward, outward] = lately;
    let rows = [
        ("From the partner", &partner.received, inward),
        ("To the partner", &partner.sent, outward),
    ];
    let heads = [
        "Stanzas",
        "Accepted",
        "Delivered",
        "Bounced",
        "Dropped",
        "Waiting",
        "Lately",
    ];
    html! {
        section aria-labelledby="stanzas" {
            h2 #stanzas { "Stanzas" }
            (table::open(&heads, html! {
                @for (way, counts, steps) in &rows {
                    tr role="row" {
                        th scope="row" role="rowheader" { (way) }
                        (table::cell("Accepted", &html! { (number(counts.accepted)) }))
                        (table::cell("Delivered", &html! { (number(counts.delivered)) }))
                        (table::cell("Bounced", &html! { (number(counts.bounced)) }))
                        (table::cell("Dropped", &html! { (number(counts.dropped)) }))
                        (table::cell("Waiting", &html! { (number(counts.queued)) }))
                        (table::cell("Lately", &html! {
                            @if steps.len() > 1 { (trend(way, steps, KEPT)) } @else { (table::NOTHING) }
                        }))
                    }
                }
            }, "stanzas"))
            @if are_drawn { (what_lines_are()) }
        }
    }
}

fn streams(live: &Live) -> Markup {
    let heads = [
        "Stream",
        "Direction",
        "Address",
        "Proven",
        "TLS, cipher",
        "Certificate",
        "Age",
        "In",
        "Out",
    ];
    html! {
        section aria-labelledby="streams" {
            h2 #streams { "Streams" }
            @if live.streams.is_empty() {
                p { "There are none." }
            } @else {
                (table::open(&heads, html! {
                    @for stream in &live.streams { (stream_row(stream)) }
                }, "streams"))
            }
        }
    }
}

fn stream_row(stream: &Stream) -> Markup {
    let tls = stream.tls.as_ref();
    let certificate = tls.and_then(|tls| tls.certificate.as_ref());
    html! {
        tr role="row" {
            th scope="row" role="rowheader" { (stream.stream) }
            (table::cell("Direction", &html! { (stream.direction) }))
            (table::cell("Address", &html! { (stream.address) }))
            (table::cell("Proven", &html! {
                @if stream.pairs.is_empty() { "nothing yet" }
                @for (index, pair) in stream.pairs.iter().enumerate() {
                    @if index > 0 { ", " }
                    bdi { (pair.remote) } " by " (pair.method)
                }
            }))
            (table::cell("TLS, cipher", &html! {
                @if let Some(tls) = tls { (tls.version) ", " (tls.cipher) } @else { "none" }
            }))
            (table::cell("Certificate", &html! {
                (table::days(certificate.map(|it| it.days_left)))
                @if let Some(fault) = certificate.and_then(|it| it.fault.as_ref()) {
                    ", " span.bad { (fault) }
                }
            }))
            (table::cell("Age", &html! { (since(stream.age_s)) }))
            (table::cell("In", &html! { (number(stream.stanzas_in)) }))
            (table::cell("Out", &html! { (number(stream.stanzas_out)) }))
        }
    }
}

fn attempts(live: &Live) -> Markup {
    html! {
        section aria-labelledby="attempts" {
            h2 #attempts { "Last attempts" }
            @if live.attempts.is_empty() {
                p { "There was none since the daemon was started." }
            }
            @for attempt in &live.attempts { (attempt_of(attempt)) }
        }
    }
}

fn attempt_of(attempt: &Attempt) -> Markup {
    let (state, came_to) = match &attempt.method {
        Some(method) => ("connected", format!("proven by {method}")),
        None => ("failing", "failed".to_owned()),
    };
    // Who has proven nothing may have been anybody.
    let way = match (attempt.direction.as_str(), &attempt.method) {
        ("outbound", _) => "We went",
        (_, Some(_)) => "It came",
        (_, None) => "In its name",
    };
    html! {
        article {
            h3 {
                (table::state(state, &format!("{way}, {came_to}")))
                span.when { " " (since(attempt.last_s)) " ago" }
            }
            p {
                bdi { (attempt.remote) }
                @if let Some(address) = &attempt.address { " at " (address) }
                @if let Some(local) = &attempt.local { ", for " (local) }
                "; took " (attempt.took_ms) " ms"
                @if attempt.times > 1 {
                    "; the same " (plural(attempt.times, "time", "times")) " since " (attempt.first)
                }
                @if let Some(stream) = attempt.stream { "; stream=" (stream) " in the log" }
                "."
            }
            @if let Some(failure) = &attempt.failure { (told(failure)) }
            @if attempt.untold().next().is_some() {
                ol.steps {
                    @for step in attempt.untold() {
                        li { div { span.at { (step.at_ms) " ms" } bdi { (step.text) } } }
                    }
                }
            }
        }
    }
}

fn told(failure: &Failure) -> Markup {
    html! {
        p.reason { bdi { (failure.text) } " (" code { (failure.reason) } ", " (failure.whose()) ")" }
        p.remedy { b { "To do: " } (failure.remedy) }
    }
}

fn knocks(live: &Live) -> Markup {
    html! {
        @if let Some(knock) = &live.knock {
            section aria-labelledby="knocked" {
                h2 #knocked { "It has knocked" }
                p {
                    (plural(knock.count, "time", "times")) ", last " (since(knock.last_s)) " ago from "
                    (knock.address) "."
                }
            }
        }
        @if !live.similar_knocks.is_empty() {
            section aria-labelledby="similar" {
                h2 #similar { "Unknown domains of a similar name that knocked" }
                ul {
                    @for knock in &live.similar_knocks {
                        li {
                            bdi { (knock.domain) } ": " (plural(knock.count, "time", "times")) ", last "
                            (since(knock.last_s)) " ago from " (knock.address)
                        }
                    }
                }
            }
        }
    }
}
