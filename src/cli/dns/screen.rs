//! The report for people; without --verify it is a piece of a zone file.

use std::fmt::Write as _;

use super::compare::Difference;
use super::plan::{Plan, Record};
use super::published::Published;
use crate::cli::report::{hanging, paragraph};
use crate::config::report::WIDTH;

/// The records, as lines of a zone file. What is not known stands behind a `;`.
pub(super) fn zone(plan: &Plan) -> String {
    let mut text = String::new();
    for domain in &plan.domains {
        let head = format!("In the zone of {domain}:");
        text.push_str(&paragraph(&head, "; ", WIDTH));
        for record in plan.srv(domain) {
            text.push_str(&line(&record, plan.ttl));
        }
        text.push('\n');
    }
    if plan.domains.is_empty() {
        text.push_str("; IP addresses have no SRV records: there is nothing to publish.\n");
        return text;
    }
    text.push_str("; The hosts, each in its own zone; none may be an alias (CNAME):\n");
    for record in plan.addresses() {
        text.push_str(&line(&record, plan.ttl));
    }
    for host in plan.without_address() {
        let name = host.name.as_str();
        // Writing to a string does not fail.
        writeln!(text, "; {name}. {} IN A <its address>", plan.ttl).unwrap_or_default();
    }
    if plan.without_address().next().is_some() {
        let hint = "Fill in what partners connect to from outside; or say it: --host NAME=ADDRESS";
        text.push_str(&paragraph(hint, "; ", WIDTH));
    }
    text
}

fn line(record: &Record, ttl: u32) -> String {
    let Record { name, data } = record;
    format!("{name}. {ttl} IN {} {}\n", data.kind(), data.text())
}

/// What was compared, and each difference.
pub(super) fn verified(plan: &Plan, published: &Published, differences: &[Difference]) -> String {
    let mut text = paragraph(&format!("Asked: {}", published.servers), "", WIDTH);
    if !plan.are_named {
        let note = "No host is named with --host, so each one that is published is taken as meant.";
        text.push_str(&paragraph(note, "", WIDTH));
    }
    text.push('\n');
    let found = plan.domains.iter();
    for (domain, found) in found.filter_map(|it| Some((it, published.domains.get(it)?))) {
        text.push_str(&paragraph(&domain.to_string(), "", WIDTH));
        let records = found.srv.as_deref().unwrap_or_default();
        match found.srv {
            Ok(_) if records.is_empty() => text.push_str("  no SRV record\n"),
            Ok(_) => {}
            Err(_) => text.push_str("  not known: there was no answer\n"),
        }
        for it in records {
            let host = published.hosts.get(&it.target);
            let addresses = host.and_then(|host| host.addresses.as_ref().ok());
            let addresses: Vec<_> = addresses
                .into_iter()
                .flatten()
                .map(ToString::to_string)
                .collect();
            let record = format!(
                "SRV {} {} {} {}. ({})",
                it.priority,
                it.weight,
                it.port,
                it.target,
                match addresses.as_slice() {
                    [] => "no address".to_owned(),
                    some => some.join(", "),
                }
            );
            text.push_str(&hanging("  ", "      ", &record, WIDTH));
        }
    }
    text.push('\n');
    for one in differences {
        text.push_str(&difference(one));
        text.push('\n');
    }
    let verdict = match differences.len() {
        0 => "What is published is right.",
        1 => "1 thing is not as it should be.",
        count => return text + &format!("{count} things are not as they should be.\n"),
    };
    text + verdict + "\n"
}

fn difference(one: &Difference) -> String {
    let head = format!("{}: {} {}", one.code, one.name, one.kind);
    let mut text = paragraph(&head, "", WIDTH);
    for (label, value) in [("published", &one.published), ("wanted", &one.wanted)] {
        if let Some(value) = value {
            let first = format!("  {label:9}  ");
            text.push_str(&hanging(&first, "             ", value, WIDTH));
        }
    }
    text.push_str(&hanging(
        "  what       ",
        "             ",
        &one.message,
        WIDTH,
    ));
    text.push_str(&hanging(
        "  to do      ",
        "             ",
        &one.remedy,
        WIDTH,
    ));
    text
}
