//! A line of a trace for people: when, on which stream, which way, and what.

use crate::cli::paper::wrapped;
use crate::config::report::WIDTH;
use crate::proto::auth::identity::printable;
use crate::proto::codes::Code;
use crate::proto::trace::{Decided, EntryFact, Fed, Line, Made, What, clause};

/// How much of one text is shown, in bytes.
const MOST: usize = 4000;
/// What stands before a text.
const MARGIN: usize = 20;

/// The line, and a line end.
pub(in crate::cli) fn line(line: &Line) -> String {
    let (sign, text) = match &line.what {
        What::Open(open) => {
            let way = match open.direction.as_str() {
                "inbound" => "a stream from",
                _ => "a stream of ours to",
            };
            let joined = match open.context {
                Some(_) => "",
                None => ", which was there before",
            };
            ('*', format!("{way} {}{joined}", open.address))
        }
        What::Entry(entry) => ('*', covered(entry)),
        // The header that has it follows.
        What::Named(_) => return String::new(),
        What::In(fed) | What::InBefore(fed) => match self::fed(fed) {
            Some(said) => said,
            None => return String::new(),
        },
        What::Out(made) => self::made(made),
        What::Missed(count) => ('!', format!("{count} records are missing here")),
    };
    let seconds = line.at / 1_000_000;
    let millis = line.at / 1000 % 1000;
    let begin = format!("{:>6} {seconds:>6}.{millis:03} {sign} ", line.stream);
    laid_out(&begin, &text)
}

/// A text behind its beginning, on as many lines as it takes.
pub(in crate::cli) fn laid_out(begin: &str, text: &str) -> String {
    let mut out = String::new();
    let (shown, rest) = cut(text);
    let mut lines = wrapped(&printable(shown), WIDTH - MARGIN);
    if rest > 0 {
        lines.push(format!("… and {rest} bytes more"));
    }
    for (index, line) in lines.iter().enumerate() {
        match index {
            0 => out.push_str(&format!("{begin:<MARGIN$}")),
            _ => out.push_str(&" ".repeat(MARGIN)),
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// What is shown of a text, and how many bytes are not.
fn cut(text: &str) -> (&str, usize) {
    let end = (0..=MOST.min(text.len())).rev();
    let end = end.into_iter().find(|at| text.is_char_boundary(*at));
    let shown = text.get(..end.unwrap_or_default()).unwrap_or_default();
    (shown, text.len() - shown.len())
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

fn fed(fed: &Fed) -> Option<(char, String)> {
    Some(match fed {
        Fed::Bytes { text, .. } => ('<', text.clone()),
        Fed::Raw(text) => ('<', format!("bytes that are no text, in base64: {text}")),
        Fed::Unshown(count) => (
            '<',
            format!("{count} bytes, of which it is not known what may be shown"),
        ),
        // What is written because of it stands there.
        Fed::Deliver(text) => ('>', text.clone()),
        Fed::Connected {} => ('*', "connected".to_owned()),
        Fed::Eof {} => ('*', "the other side has closed the connection".to_owned()),
        Fed::Tick {} => ('*', "a time is up".to_owned()),
        Fed::Tls(tls) => (
            '*',
            format!(
                "TLS {} is up; certificates that came: {}",
                tls.version,
                tls.chain.len()
            ),
        ),
        Fed::Answer { pair, verdict, .. } => (
            '*',
            format!("the authoritative server of {} says: {verdict}", pair.1),
        ),
        Fed::Held(time) => ('*', format!("reading has waited for {} ms", time / 1000)),
        Fed::Pong(_) => (
            '*',
            "the answer to a ping came on another stream".to_owned(),
        ),
        Fed::Probe {} => ('*', "the other side may be gone: it is asked".to_owned()),
        Fed::Settled(count) => ('*', format!("stanzas that are settled: {count}")),
        Fed::Found(true) => ('*', "the session is there".to_owned()),
        Fed::Found(false) => ('*', "there is no such session".to_owned()),
        Fed::Context(_) => ('*', "a reload: other rules are in force".to_owned()),
        Fed::End(end) => ('*', format!("it is to end: {}: {}", end.reason, end.text)),
    })
}

/// An output: which way, and in words.
pub(in crate::cli) fn made(made: &Made) -> (char, String) {
    match made {
        Made::Send(text) => ('>', text.clone()),
        Made::Delivered {} => ('*', "it is written".to_owned()),
        Made::Did(decided) => ('!', self::decided(decided)),
    }
}

/// A decision, with its clause and its reason.
fn decided(decided: &Decided) -> String {
    let mut text = decided.what.clone();
    if let Some((local, remote)) = &decided.pair {
        text.push_str(&format!(" {local} \u{2194} {remote}"));
    }
    if let Some(method) = &decided.method {
        text.push_str(&format!(" by {method}"));
    }
    let code = decided.reason.as_deref();
    if let Some(code) = code {
        text.push_str(&format!(": {code}"));
    }
    if let Some(said) = &decided.text {
        text.push_str(&format!(": {said}"));
    }
    if let Some(clause) = clause(decided) {
        text.push_str(&format!(" ({clause})"));
    }
    if let Some(answer) = &decided.answer {
        text.push_str(&format!("; answered with {answer}"));
    }
    let known = code.and_then(|code| Code::all().find(|it| *it == code));
    if let Some(known) = known.filter(|_| is_an_end(decided)) {
        text.push_str(&format!(". What to do: {}", known.remedy()));
    }
    text
}

/// Whether somebody will want to know what to do.
fn is_an_end(decided: &Decided) -> bool {
    let is_fault = decided.reason.as_deref().is_some_and(|reason| {
        !["finished", "shutdown", "peer-closed", "idle", "replaced"].contains(&reason)
    });
    is_fault && ["close", "method-failed"].contains(&decided.what.as_str())
}
