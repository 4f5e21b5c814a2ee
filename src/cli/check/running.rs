//! `xmpp-edge check --running`: what a reload of the running daemon would do.

use std::path::Path;

use super::Format;
use crate::cli::Exit;
use crate::cli::paper::{Ink, Paper, count};
use crate::config::report::{WIDTH, wrap};
use crate::net::admin::client::{Client, NoAnswer};
use crate::net::admin::protocol::{Reply, Request};
use crate::net::admin::report::{Affected, Preview, Problem, Shown};

/// Asks the daemon, and prints what it answers.
pub(super) fn run(socket: &Path, format: Format) -> Exit {
    let preview = match ask(socket) {
        Ok(preview) => preview,
        Err(error) => {
            let hint = wrap(&format!("hint: {}", error.hint()), WIDTH);
            let error = wrap(&format!("error: {error}"), WIDTH);
            crate::cli::complain(&format!("{error}\n{hint}\n"));
            return Exit::Unavailable;
        }
    };
    let text = match format {
        Format::Json => {
            let text = serde_json::to_string_pretty(&preview);
            format!("{}\n", text.unwrap_or_default())
        }
        Format::Text => {
            let mut paper = Paper::for_stdout();
            write(&mut paper, &preview);
            paper.into_text()
        }
    };
    crate::cli::print(&text);
    match preview.refused {
        false => Exit::Success,
        true => Exit::Configuration,
    }
}

fn ask(socket: &Path) -> Result<Box<Preview>, NoAnswer> {
    match Client::connect(socket)?.ask(&Request::ReloadPreview {})? {
        Reply::ReloadPreview(preview) => Ok(preview),
        _ => Err(NoAnswer::Odd),
    }
}

/// How wide the first column is.
const NAME: usize = 26;

fn write(paper: &mut Paper, preview: &Preview) {
    paper.head(
        Ink::Plain,
        &format!("The daemon has read {} anew.", preview.file),
    );
    if preview.refused {
        refused(paper, preview);
        return;
    }
    let ends = preview.ends.len() + preview.ends_left_out;
    let unknown = preview.unknown.len() + preview.unknown_left_out;
    let live = ends + unknown + preview.stays;
    let verdict = format!(
        "A reload would be done, and end {} of {}. Nothing has changed.",
        match ends {
            0 => "none".to_owned(),
            ends => ends.to_string(),
        },
        count(live, "stream or link", "streams and links")
    );
    paper.head(Ink::Bold, &verdict);
    changes(paper, preview);
    certificates(paper, preview);
    if ends > 0 {
        paper.gap();
        paper.head(Ink::Red, "Would end:");
        for ending in &preview.ends {
            paper.row(Ink::Plain, &format!("  {}", name(&ending.which)));
            let text = format!("{}: {}", ending.reason, ending.text);
            paper.item(2, (Ink::Plain, ""), &text);
        }
        more(paper, preview.ends_left_out);
    }
    if unknown > 0 {
        paper.gap();
        paper.head(
            Ink::Plain,
            "Did not say within a second whether they would end: they are busy, or in a TLS handshake.",
        );
        for one in &preview.unknown {
            paper.row(Ink::Plain, &format!("  {}", name(one)));
        }
        more(paper, preview.unknown_left_out);
    }
    problems(paper, &preview.warnings, preview.warnings_left_out);
}

fn refused(paper: &mut Paper, preview: &Preview) {
    let errors = preview.errors.len() + preview.errors_left_out;
    let verdict = match errors {
        0 => "A reload would be REFUSED. Nothing would change.".to_owned(),
        errors => format!(
            "A reload would be REFUSED: {}. Nothing would change.",
            count(errors, "error", "errors")
        ),
    };
    paper.head(Ink::Red, &verdict);
    if let Some(fault) = &preview.fault {
        paper.head(Ink::Plain, &format!("error: {fault}"));
    }
    problems(paper, &preview.errors, preview.errors_left_out);
    problems(paper, &preview.warnings, preview.warnings_left_out);
}

/// Each as `check` shows it.
fn problems(paper: &mut Paper, problems: &[Problem], left_out: usize) {
    for problem in problems {
        paper.gap();
        for line in problem.shown.lines() {
            paper.row(Ink::Plain, line);
        }
    }
    more(paper, left_out);
}

fn changes(paper: &mut Paper, preview: &Preview) {
    paper.gap();
    if preview.partners.is_empty() && preview.settings.is_empty() {
        paper.head(Ink::Plain, "Entries and settings are as they were.");
    }
    if !preview.partners.is_empty() {
        paper.head(Ink::Bold, "Entries of the partner file that change:");
    }
    for change in &preview.partners {
        let text = match change.keys.as_slice() {
            [] => change.change.clone(),
            keys => format!("{}: {}", change.change, keys.join(", ")),
        };
        paper.item(NAME, (Ink::Plain, &change.partner), &text);
    }
    more(paper, preview.partners_left_out);
    for (label, names) in [
        ("Also changes:", &preview.settings),
        ("Only with a restart:", &preview.restart),
    ] {
        if !names.is_empty() {
            paper.head(Ink::Plain, &format!("{label} {}", names.join(", ")));
        }
    }
}

fn certificates(paper: &mut Paper, preview: &Preview) {
    if preview.certificates.is_empty() {
        return;
    }
    paper.gap();
    paper.head(Ink::Bold, "Certificates that change:");
    for change in &preview.certificates {
        let name = change.domain.as_deref().unwrap_or("(where none is named)");
        let text = match (&change.before, &change.after) {
            (Some(before), Some(after)) => format!("{}; until now {}", shown(after), shown(before)),
            (None, Some(after)) => shown(after),
            (Some(before), None) => format!("none; until now {}", shown(before)),
            (None, None) => "none that can be read".to_owned(),
        };
        paper.item(NAME, (Ink::Plain, name), &text);
    }
}

fn shown(certificate: &Shown) -> String {
    format!(
        "{} by {}, valid until {}",
        certificate.subject, certificate.issuer, certificate.not_after
    )
}

fn name(which: &Affected) -> String {
    let Affected {
        stream,
        direction,
        address,
        ..
    } = which;
    let of = [&which.remote, &which.local].into_iter().flatten().next();
    let of = of.map_or(String::new(), |domain| {
        format!(", {}", crate::cli::paper::fit(domain, 30))
    });
    format!("{direction} {stream}{of}, {address}")
}

fn more(paper: &mut Paper, left_out: usize) {
    if left_out > 0 {
        paper.row(Ink::Plain, &format!("  and {left_out} more"));
    }
}
