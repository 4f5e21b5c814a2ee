//! The words for facts and decisions.

use crate::proto::codes::{Code, Mark};
use crate::proto::trace::{Decided, Fed, clause};

/// What the shell has found out.
pub(super) fn fact(fed: &Fed) -> String {
    match fed {
        Fed::Connected {} => "connected".to_owned(),
        Fed::Eof {} => "the other side has closed the connection".to_owned(),
        Fed::Tick {} => "a time is up".to_owned(),
        Fed::Tls(tls) => format!(
            "TLS {} is up; certificates that came: {}",
            tls.version,
            tls.chain.len()
        ),
        Fed::Answer { pair, verdict, .. } => {
            format!("the authoritative server of {} says: {verdict}", pair.1)
        }
        Fed::Held(time) => format!("reading has waited for {} ms", time / 1000),
        Fed::Pong(_) => "the answer to a ping came on another stream".to_owned(),
        Fed::Probe {} => "the other side may be gone: it is asked".to_owned(),
        Fed::Share(pair) => format!("{} wants to share the stream to {}", pair.0, pair.1),
        Fed::Settled(count) => format!("stanzas that are settled: {count}"),
        Fed::Found(true) => "the session is there".to_owned(),
        Fed::Found(false) => "there is no such session".to_owned(),
        Fed::Context(_) => "a reload: other settings are in force".to_owned(),
        Fed::End(end) => format!("it is to end: {}: {}", end.reason, end.text),
        Fed::Bytes { .. } | Fed::Raw(_) | Fed::Unshown(_) | Fed::Deliver(_) => String::new(),
    }
}

/// A decision, with its reason and its clause.
pub(super) fn decision(decided: &Decided) -> String {
    let code = decided.reason.as_deref();
    let mut text = said(decided);
    if let Some(code) = code {
        text.push_str(&format!(": {code}"));
        if let Some(words) = &decided.text {
            text.push_str(&format!(": {words}"));
        }
    }
    if let Some(clause) = clause(decided) {
        text.push_str(&format!(" ({clause})"));
    }
    if let Some(answer) = &decided.answer {
        text.push_str(&format!("; answered by {answer}"));
    }
    let known = code.and_then(|code| Code::all().find(|it| *it == code));
    let is_asked_about = ["close", "method-failed"].contains(&decided.what.as_str());
    if let Some(known) = known.filter(|known| is_asked_about && !known.has(Mark::NoRefusal)) {
        text.push_str(&format!(". What to do: {}", known.remedy()));
    }
    text
}

/// What was decided, without why.
fn said(decided: &Decided) -> String {
    let text = decided.text.as_deref().unwrap_or_default();
    let method = decided.method.as_deref().unwrap_or_default();
    let (local, remote) = decided.pair.clone().unwrap_or_default();
    match decided.what.as_str() {
        "claims" => format!("claims to be {text}"),
        "claimed" => format!("may go on as {remote}, for {local}"),
        "link-up" => format!("the gateway knows the secret: it serves {text}"),
        "claimed-nobody" => "may go on, and must name itself".to_owned(),
        "start-tls" => "TLS begins".to_owned(),
        "secured" if decided.reason.is_none() => {
            format!("{text}: the certificate proves {remote}")
        }
        "secured" => format!("the certificate does not prove {remote}"),
        "not-pinned" => "the certificate has none of the pins".to_owned(),
        "ask" => format!("asks the authoritative server of {remote} about a key"),
        "answered" => format!("{remote} says of the key: {text}"),
        "dialback-answered" => format!("{remote} asks about a key of ours: {text}"),
        "proven" => format!("proven: {remote} to {local}, by {method}"),
        "authenticated" => format!("from here on stanzas pass between {local} and {remote}"),
        "method-failed" => format!("{method} failed for {remote}"),
        "stanza" => format!("takes on a {text}"),
        "refused" => "refuses a stanza".to_owned(),
        "reached" => match text {
            "header" => "the header is an answer to ours".to_owned(),
            "features" => "the features are there".to_owned(),
            "tries" => format!("tries {method}"),
            text => text.to_owned(),
        },
        "pinged" => "a ping was sent".to_owned(),
        "acks" => format!("acknowledgements: {text}"),
        "pace" => "counts as a stanza".to_owned(),
        "ignored" => "ignored".to_owned(),
        "gave-up" => "gives up".to_owned(),
        "not-shared" => format!("{local} and {remote} do not share the stream"),
        "shut-write" => "says no more".to_owned(),
        "close" => "the end".to_owned(),
        "tick" => text.to_owned(),
        // A later version may decide more.
        what => format!("{what} {text}"),
    }
}
