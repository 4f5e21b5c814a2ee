//! How the edge is, for people: the first screen says whether it is up, whether the gateway is there,
//! and who is not connected and why.

use super::parts::{self, NAME, ROWS, SOON, days, knocked, table};
use crate::cli::paper::{Ink, Paper, age, count};
use crate::net::admin::report::{Counts, Partner, Queue, Status, Stream};

/// How many failing partners are told of in all words.
const IN_WORDS: usize = 3;
const KNOCKS: usize = 5;

/// Writes all of it.
pub(super) fn write(paper: &mut Paper, status: &Status) {
    head(paper, status);
    paper.gap();
    gateways(paper, status);
    paper.gap();
    partners(paper, status);
    knocks(paper, status);
    paper.gap();
    streams(paper, status);
    paper.gap();
    stanzas(paper, status);
    paper.gap();
    certificates(paper, status);
}

fn head(paper: &mut Paper, status: &Status) {
    let (ink, state) = match status.state.as_str() {
        "running" => (Ink::Bold, "is up"),
        _ => (Ink::Red, "is STOPPING"),
    };
    let text = format!(
        "xmpp-edge {} {state}: {}, since {}, process {}",
        status.version,
        age(status.uptime_s),
        status.started,
        status.process
    );
    paper.head(ink, &text);
    let it = &status.configuration;
    let default = match it.default_partner {
        true => " and [default-partner]",
        false => "",
    };
    paper.head(
        Ink::Plain,
        &format!(
            "Configuration {} of {}: {}{default}",
            it.hash,
            it.loaded,
            count(it.partners, "partner", "partners")
        ),
    );
    if let Some(refused) = &it.refused_reload {
        let text = format!(
            "The last reload, {} ago, was REFUSED, and nothing has changed: {} To see what is wrong: xmpp-edge check",
            age(refused.ago_s),
            refused.why
        );
        paper.head(Ink::Red, &text);
    }
    if !it.waits_for_restart.is_empty() {
        let text = format!(
            "Changed, and only with a restart: {}",
            it.waits_for_restart.join(", ")
        );
        paper.head(Ink::Bold, &text);
    }
    let at = &status.listeners;
    paper.head(
        Ink::Plain,
        &format!(
            "Listens for partners on {}; for gateways on {}",
            at.partners.join(", "),
            at.gateways.join(", ")
        ),
    );
}

fn gateways(paper: &mut Paper, status: &Status) {
    paper.head(Ink::Bold, "Gateways");
    for gateway in &status.gateways {
        let waits = match (gateway.waiting, gateway.waiting_s) {
            (0, _) => String::new(),
            (number, None) => format!("; {} on the way", count(number, "stanza", "stanzas")),
            (number, Some(since)) => format!(
                "; {} for {}",
                count(number, "stanza waits", "stanzas wait"),
                age(since)
            ),
        };
        let (ink, text) = match gateway.links.as_slice() {
            [] => (Ink::Red, format!("NOT CONNECTED{waits}")),
            [link] => (
                Ink::Plain,
                format!(
                    "connected for {} from {}{waits}",
                    age(link.age_s),
                    link.address
                ),
            ),
            [.., newest] => (
                Ink::Plain,
                format!(
                    "{} links, the newest for {} from {}{waits}",
                    gateway.links.len(),
                    age(newest.age_s),
                    newest.address
                ),
            ),
        };
        paper.item(NAME + 1, (ink, &gateway.domain), &text);
    }
    refused(paper, status);
}

/// What the last gateway met that was refused, while one is missing.
fn refused(paper: &mut Paper, status: &Status) {
    if status.gateways.iter().all(|it| !it.links.is_empty()) {
        return;
    }
    let Some(link) = &status.refused_link else {
        let ports = status.listeners.gateways.join(", ");
        parts::to_do(
            paper,
            &format!("Start the gateway: the edge waits for it to connect to {ports}."),
        );
        return;
    };
    let often = match link.times {
        1 => String::new(),
        times => format!(", {times} times"),
    };
    let text = format!(
        "one from {} was refused: {}, {} ago{often}",
        link.address,
        link.reason,
        age(link.last_s)
    );
    paper.item(2, (Ink::Red, "!"), &text);
    parts::words(paper, (&link.text, None), &link.remedy);
}

fn partners(paper: &mut Paper, status: &Status) {
    let of_state = |state: &str| {
        let all = status.partners.iter().filter(|it| it.state == state);
        all.count()
    };
    let failing: Vec<_> = (status.partners.iter())
        .filter(|it| !it.failures.is_empty())
        .collect();
    let connected = of_state("connected");
    let mut text = format!("Partners: {connected} connected");
    let idle = of_state("idle");
    if idle > 0 {
        text.push_str(&format!(", {idle} without a stream"));
    }
    if failing.is_empty() {
        paper.head(Ink::Bold, &format!("{text}, none failing"));
        claims(paper, status);
        return;
    }
    paper.head(Ink::Red, &format!("{text}, {} FAILING", failing.len()));
    for partner in failing.iter().take(IN_WORDS) {
        parts::failures(paper, partner);
    }
    let rest = failing.iter().skip(IN_WORDS);
    for partner in rest.clone().take(ROWS) {
        paper.item(NAME + 1, (Ink::Red, &partner.partner), &briefly(partner));
    }
    let more = rest.len().saturating_sub(ROWS);
    if more > 0 {
        let more = count(more, "more partner fails", "more partners fail");
        paper.head(Ink::Plain, &format!("  … and {more}"));
    }
    if failing.len() > IN_WORDS {
        paper.head(
            Ink::Faint,
            "  `xmpp-edge status DOMAIN` has the words, and what to do, for each.",
        );
    }
    claims(paper, status);
}

/// Who has come in a partner's name, and has shown nothing else. It may be the partner.
fn claims(paper: &mut Paper, status: &Status) {
    let all = status.partners.iter();
    let all = all.flat_map(|it| it.claims.iter().map(|claim| (&it.partner, claim)));
    for (partner, claim) in all.take(IN_WORDS) {
        parts::claim(paper, partner, claim);
    }
}

fn briefly(partner: &Partner) -> String {
    let failures = partner.failures.iter().map(|it| {
        let way = match it.direction.as_str() {
            "inbound" => "cannot get in",
            _ => "not reached",
        };
        format!("{way}: {}, {}", it.reason, it.whose())
    });
    failures.collect::<Vec<_>>().join("; ")
}

fn knocks(paper: &mut Paper, status: &Status) {
    if status.knocks_known == 0 {
        return;
    }
    let known = count(
        status.knocks_known,
        "unknown domain has knocked",
        "unknown domains have knocked",
    );
    let others = match status.knocks_uncounted {
        0 => String::new(),
        number => format!(", and {number} knocks with other names"),
    };
    paper.gap();
    paper.head(Ink::Bold, &format!("{known}{others}"));
    for knock in status.knocks.iter().take(KNOCKS) {
        paper.item(NAME + 1, (Ink::Plain, &knock.domain), &knocked(knock));
    }
}

fn streams(paper: &mut Paper, status: &Status) {
    let it = &status.connections;
    let unproven = match it.unproven {
        0 => String::new(),
        number => format!(", {number} not proven yet"),
    };
    paper.head(
        Ink::Bold,
        &format!(
            "Streams: {} inbound, {} outbound, {}{unproven}",
            it.inbound,
            it.outbound,
            count(it.links, "link", "links")
        ),
    );
    let proven: Vec<_> = (status.streams.iter())
        .filter(|stream| !stream.pairs.is_empty())
        .collect();
    if proven.is_empty() {
        return;
    }
    table(paper, &proven);
    let more = proven.len().saturating_sub(ROWS) + status.streams_left_out;
    if more > 0 {
        let more = count(more, "more stream", "more streams");
        paper.head(Ink::Faint, &format!("  … and {more}: see --format json"));
    }
}

/// How many reasons are shown of stanzas that were not delivered.
const REASONS: usize = 4;

fn stanzas(paper: &mut Paper, status: &Status) {
    paper.head(Ink::Bold, "Stanzas");
    let it = &status.delivery;
    counts(paper, "from partners", &it.inbound);
    counts(paper, "to partners", &it.outbound);
    if !it.balances {
        paper.item(
            15,
            (Ink::Red, "NOT BALANCED"),
            "a stanza is lost or counted twice: please report it",
        );
    }
    for (label, reasons) in [("bounced", &it.bounced_by), ("dropped", &it.dropped_by)] {
        let mut most: Vec<_> = reasons.iter().collect();
        most.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let mut texts: Vec<_> = (most.iter().take(REASONS))
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        let rest: u64 = most.iter().skip(REASONS).map(|(_, count)| **count).sum();
        if rest > 0 {
            texts.push(format!("{rest} for other reasons"));
        }
        if !texts.is_empty() {
            paper.item(15, (Ink::Plain, label), &texts.join(", "));
        }
    }
    let queue = |it: &Queue| format!("{} of {}", mib(it.bytes), mib(it.limit));
    let (inward, outward) = (&status.queues.to_gateways, &status.queues.to_partners);
    let text = format!(
        "{} for gateways, {} for partners",
        queue(inward),
        queue(outward)
    );
    paper.item(15, (Ink::Plain, "room taken"), &text);
}

fn counts(paper: &mut Paper, label: &str, it: &Counts) {
    let text = format!(
        "{} = {} delivered + {} bounced + {} dropped + {} queued",
        it.accepted, it.delivered, it.bounced, it.dropped, it.queued
    );
    paper.item(15, (Ink::Plain, label), &text);
}

/// An amount of memory.
fn mib(bytes: usize) -> String {
    match bytes {
        0 => "0".to_owned(),
        1..1_048_576 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        _ => format!("{} MiB", bytes.div_ceil(1 << 20)),
    }
}

fn certificates(paper: &mut Paper, status: &Status) {
    paper.head(Ink::Bold, "Certificates");
    for own in &status.certificates {
        let text = format!("{}, until {}", days(own.days_left), own.not_after);
        let [first, more @ ..] = own.domains.as_slice() else {
            continue;
        };
        let label = match more.len() {
            0 => first.clone(),
            number => format!("{first} + {number}"),
        };
        let ink = ink(own.days_left);
        paper.item(NAME + 1, (ink, &label), &format!("ours: {text}"));
    }
    // Of partners, those that end soon: all stand in the report on one of them.
    for stream in status.streams.iter().chain(links(status)) {
        let shown = stream.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
        let Some(shown) = shown.filter(|it| it.days_left < SOON) else {
            continue;
        };
        let whose = match stream.direction.as_str() {
            "link" => "a gateway's",
            _ => "the partner's",
        };
        let partner = stream.partner.as_deref().unwrap_or(&stream.address);
        let text = format!(
            "{whose}: {}, until {}",
            days(shown.days_left),
            shown.not_after
        );
        paper.item(NAME + 1, (ink(shown.days_left), partner), &text);
    }
}

fn links(status: &Status) -> impl Iterator<Item = &Stream> {
    status.gateways.iter().flat_map(|it| &it.links)
}

fn ink(days: i64) -> Ink {
    if days < SOON { Ink::Red } else { Ink::Plain }
}

#[cfg(test)]
mod tests;
