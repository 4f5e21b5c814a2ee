//! The report for people.

use super::Looked;
use crate::cli::certificate::shown::Shown;
use crate::cli::report::{days_in_words, hanging, paragraph};
use crate::config::report::{self, WIDTH};

/// Everything that was looked at.
pub(super) fn text(looked: &[Looked], now: u64) -> String {
    let mut text = String::new();
    for one in looked {
        file(&mut text, one, now);
        text.push('\n');
    }
    for problem in looked.iter().flat_map(|it| &it.found.problems) {
        text.push_str(&report::render(problem, false));
        text.push_str("\n\n");
    }
    let count = looked.iter().map(|it| it.found.problems.len()).sum();
    text.push_str(&match count {
        0 => "Nothing is wrong.\n".to_owned(),
        1 => "1 problem.\n".to_owned(),
        count => format!("{count} problems.\n"),
    });
    text
}

fn file(text: &mut String, one: &Looked, now: u64) {
    let place = one.section.map(|section| format!(" ({section})"));
    let head = format!("{}{}", one.file.display(), place.unwrap_or_default());
    text.push_str(&paragraph(&head, "", WIDTH));
    for (depth, certificate) in one.found.chain.iter().enumerate() {
        match Shown::of(certificate, now) {
            Some(shown) => certificate_lines(text, depth, &shown),
            None => row(text, &format!("{depth}:"), "it cannot be read"),
        }
    }
    match one.found.reaches_an_anchor {
        Some(true) => row(text, "chain", "leads to a trusted authority"),
        Some(false) => row(text, "chain", "does not lead to a trusted authority"),
        None => {}
    }
    match one.found.key_matches {
        Some(true) => row(text, "key", "belongs to the certificate"),
        Some(false) => row(text, "key", "cannot be used with the certificate"),
        None => {}
    }
    for (domain, covered) in one.coverage() {
        let says = if covered { "is named" } else { "is NOT named" };
        row(text, "domain", &format!("{domain} {says}"));
    }
    let own = one.found.chain.first();
    if let Some(own) = own.and_then(|own| Shown::of(own, now)) {
        let note = "To hold somebody to this key, in the entry of partners.toml:";
        text.push_str(&paragraph(note, "  ", WIDTH));
        text.push_str(&format!("  certificate-pins = [\"{}\"]\n", own.pin));
    }
}

fn certificate_lines(text: &mut String, depth: usize, shown: &Shown) {
    row(text, &format!("{depth}:"), &shown.subject);
    let names = match shown.names.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    if !shown.authority || !shown.names.is_empty() {
        row(text, "names", &names);
    }
    row(text, "issuer", &shown.issuer);
    let (from, until) = (&shown.not_before, &shown.not_after);
    let left = days_in_words(shown.days_left);
    row(text, "valid", &format!("from {from} until {until}, {left}"));
    row(text, "purposes", shown.purposes());
    row(text, "pin", &shown.pin);
    row(text, "SHA-256", &shown.fingerprint());
}

fn row(text: &mut String, label: &str, value: &str) {
    let first = format!("  {label:10}");
    text.push_str(&hanging(&first, "            ", value, WIDTH));
}
