//! What the daemon knows of one domain, for people: for `status DOMAIN` and for `explain`.

use super::parts::{LABEL, days, knocked, table, words};
use crate::cli::paper::{Ink, Paper, age, count};
use crate::net::admin::report::{Attempt, Live, Partner, Rule, Stream};

/// How many steps are shown of an attempt that failed.
const STEPS: usize = 6;

/// Writes all of it.
pub(super) fn write(paper: &mut Paper, live: &Live) {
    paper.head(Ink::Bold, &format!("{} at {}", live.domain, live.time));
    paper.item(LABEL, (Ink::Plain, "Entry"), &rule(&live.rule));
    self::live(paper, live);
}

/// What the daemon knows besides its rules.
pub(in crate::cli) fn live(paper: &mut Paper, live: &Live) {
    let streams: Vec<_> = live
        .streams
        .iter()
        .filter(|it| !it.pairs.is_empty())
        .collect();
    let text = match streams.as_slice() {
        [] => "none is live".to_owned(),
        all => count(all.len(), "is live", "are live"),
    };
    paper.item(LABEL, (Ink::Plain, "Streams"), &text);
    for stream in &live.streams {
        paper.item(LABEL, (Ink::Plain, ""), &described(stream));
    }
    if let Some(partner) = &live.partner {
        stanzas(paper, partner);
    }
    if let Some(pause) = live.pause_s {
        let text = format!(
            "it is left alone for another {}, because it has just failed",
            age(pause)
        );
        paper.item(LABEL, (Ink::Plain, "Pause"), &text);
    }
    if let Some(knock) = &live.knock {
        paper.item(LABEL, (Ink::Red, "Knocked"), &knocked(knock));
    }
    for knock in &live.similar_knocks {
        let text = format!("{}: {}", knock.domain, knocked(knock));
        paper.item(LABEL, (Ink::Plain, "Knocked"), &text);
    }
    paper.gap();
    paper.head(Ink::Bold, "What the last attempts met");
    if live.attempts.is_empty() {
        let text = match live.knock {
            None => "  nothing: there was none since the daemon was started",
            Some(_) => "  nothing: it has knocked, as above, and no entry let it go on",
        };
        paper.head(Ink::Plain, text);
    }
    for attempt in &live.attempts {
        attempted(paper, attempt);
    }
    let many: Vec<_> = streams.iter().filter(|it| it.pairs.len() > 1).collect();
    if !many.is_empty() {
        paper.gap();
        table(paper, &streams);
    }
}

fn rule(rule: &Rule) -> String {
    let entry = || {
        let line = rule
            .line
            .map_or_else(String::new, |line| format!(":{line}"));
        format!(
            "{}{line} ({}), methods {}",
            rule.file,
            rule.partner_type.as_deref().unwrap_or("?"),
            rule.methods.join(", ")
        )
    };
    match rule.covered.as_str() {
        "listed" => {
            let partner = rule.partner.as_deref().unwrap_or("?");
            format!("of {partner}, at {}", entry())
        }
        "default" => format!("none of its own: [default-partner], at {}", entry()),
        "local" => "none: it is a domain of this edge itself".to_owned(),
        _ => {
            let mut text = format!(
                "none: {} did not list it when it was read, at {}",
                rule.file, rule.loaded
            );
            if let Some(near) = &rule.nearest {
                text.push_str(&format!("; did you mean {near}?"));
            }
            text
        }
    }
}

fn described(stream: &Stream) -> String {
    let way = match stream.direction.as_str() {
        "inbound" => "in, from",
        _ => "out, to",
    };
    let tls = match &stream.tls {
        Some(tls) => format!("TLS {} {}", tls.version, tls.cipher),
        None => "plain TCP".to_owned(),
    };
    let proof = match stream.pairs.as_slice() {
        [] => "nothing proven yet".to_owned(),
        [pair] => format!("{} with {}", pair.method, pair.local),
        [pair, more @ ..] => format!(
            "{} with {} and {} more",
            pair.method,
            pair.local,
            more.len()
        ),
    };
    let mut text = format!(
        "{way} {} for {}, quiet for {}: {proof}, {tls}; stanzas {} in, {} out",
        stream.address,
        age(stream.age_s),
        age(stream.quiet_s),
        stream.stanzas_in,
        stream.stanzas_out
    );
    if let Some(shown) = stream.tls.as_ref().and_then(|tls| tls.certificate.as_ref()) {
        let fault = match &shown.fault {
            Some(fault) => format!("{fault}, "),
            None => String::new(),
        };
        text.push_str(&format!(
            "; certificate {fault}{} until {}, {}",
            days(shown.days_left),
            shown.not_after,
            shown.pin
        ));
    }
    text
}

fn stanzas(paper: &mut Paper, partner: &Partner) {
    for (label, it) in [("Received", &partner.received), ("Sent", &partner.sent)] {
        let text = format!(
            "{} = {} delivered + {} bounced + {} dropped + {} queued",
            it.accepted, it.delivered, it.bounced, it.dropped, it.queued
        );
        paper.item(LABEL, (Ink::Plain, label), &text);
    }
}

fn attempted(paper: &mut Paper, attempt: &Attempt) {
    let (label, place) = match (attempt.direction.as_str(), &attempt.method) {
        ("inbound", Some(_)) => ("It came", "from"),
        // Who has proven nothing may have been anybody.
        ("inbound", None) => ("In its name", "from"),
        _ => ("We went", "to"),
    };
    let place = match &attempt.address {
        Some(address) => format!(" {place} {address}"),
        None => String::new(),
    };
    let often = match attempt.times {
        1 => String::new(),
        times => format!(", {times} times since {}", attempt.first),
    };
    let when = format!("{} ago{place}{often}", age(attempt.last_s));
    let Some(failure) = &attempt.failure else {
        let method = attempt.method.as_deref().unwrap_or("?");
        let text = format!("{when}: proven by {method}");
        return paper.item(LABEL, (Ink::Plain, label), &text);
    };
    let text = format!("{when}: {}", failure.reason);
    paper.item(LABEL, (Ink::Red, label), &text);
    // The words of the failure come after them.
    let steps: Vec<_> = attempt.untold().collect();
    for step in steps.iter().skip(steps.len().saturating_sub(STEPS)) {
        paper.item(LABEL, (Ink::Plain, ""), &format!("· {}", step.text));
    }
    words(
        paper,
        (&failure.text, Some(failure.whose())),
        &failure.remedy,
    );
}
