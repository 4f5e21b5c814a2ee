//! A line of a trace for people: when, on which stream, which way, and what.

mod words;

use std::collections::HashMap;

use crate::cli::paper::wrapped;
use crate::config::report::WIDTH;
use crate::ops::peer_text::write_clean;
use crate::proto::trace::{EntryFact, Fed, Line, Made, What};

/// How much of one text is shown, in bytes.
const MOST: usize = 4000;
/// What stands before a text.
const MARGIN: usize = 20;
/// How many streams are known by their beginning.
const MOST_STREAMS: usize = 100_000;

/// What is shown of a trace, line by line.
#[derive(Debug, Default)]
pub(in crate::cli) struct Screen {
    /// When each stream began, in microseconds after the trace.
    since: HashMap<u64, u64>,
}

impl Screen {
    /// The line for a screen; empty for what other lines say.
    pub(in crate::cli) fn line(&mut self, line: &Line) -> String {
        if let What::Open(open) = &line.what
            && self.since.len() < MOST_STREAMS
        {
            self.since.insert(line.stream, open.since);
        }
        let Some((sign, text)) = said(&line.what) else {
            return String::new();
        };
        let since = self.since.get(&line.stream).copied().unwrap_or_default();
        let millis = since.saturating_add(line.at) / 1000;
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let begin = format!("{:>6} {seconds:>6}.{millis:03} {sign} ", line.stream);
        laid_out(&begin, &text)
    }
}

/// A text behind its beginning, on as many lines as it takes.
pub(in crate::cli) fn laid_out(begin: &str, text: &str) -> String {
    let mut shown = String::new();
    // Writing to a String does not fail.
    write_clean(&mut shown, text, MOST).unwrap_or_default();
    let mut out = String::new();
    for (index, line) in wrapped(&shown, WIDTH - MARGIN).iter().enumerate() {
        let before = if index == 0 { begin } else { "" };
        out.push_str(format!("{before:<MARGIN$}{line}").trim_end());
        out.push('\n');
    }
    if text.len() > MOST {
        let rest = text.len() - MOST;
        out.push_str(&format!("{:MARGIN$}and {rest} bytes more\n", ""));
    }
    out
}

/// Which way something went, and what; `None` for what other lines say.
fn said(what: &What) -> Option<(char, String)> {
    Some(match what {
        What::Open(open) => {
            let way = match open.direction.as_str() {
                "inbound" => "a stream from",
                "link" => "a gateway's link from",
                _ => "a stream of ours to",
            };
            let joined = match open.context {
                Some(_) => "",
                None => ", which was there before",
            };
            ('*', format!("{way} {}{joined}", open.address))
        }
        What::Entry(entry) => ('*', covered(entry)),
        What::In(fed) | What::InBefore(fed) => self::fed(fed),
        What::Out(Made::Delivered {}) | What::Named(_) => return None,
        What::Out(made) => self::made(made),
        What::Missed(count) => ('!', format!("{count} records are missing here")),
    })
}

fn covered(entry: &EntryFact) -> String {
    let EntryFact {
        partner,
        tls,
        sasl,
        dialback,
        line,
        ..
    } = entry;
    let name = match entry.is_default {
        true => "[default-partner]",
        false => partner,
    };
    format!(
        "the entry of {name}, line {line}: tls = \"{tls}\", sasl = \"{sasl}\", dialback = {dialback}"
    )
}

fn fed(fed: &Fed) -> (char, String) {
    match fed {
        Fed::Bytes { text, .. } => ('<', text.clone()),
        Fed::Raw(text) => ('<', format!("bytes that are no text, in base64: {text}")),
        Fed::Unshown(count) => {
            let text = format!("{count} bytes, of which it is not known what may be shown");
            ('<', text)
        }
        // What is written because of it is the same.
        Fed::Deliver(text) => ('>', text.clone()),
        fact => ('*', words::fact(fact)),
    }
}

/// An output: which way, and in words.
pub(in crate::cli) fn made(made: &Made) -> (char, String) {
    match made {
        Made::Send(text) => ('>', text.clone()),
        Made::Delivered {} => ('>', "the stanza that was to be delivered".to_owned()),
        Made::Did(decided) => ('!', words::decision(decided)),
    }
}
