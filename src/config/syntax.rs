//! A file as TOML, before anything is read from it.

use std::ops::Range;
use std::sync::Arc;

use toml::de::DeTable;

use super::problem::{Findings, Place, Problem, Source};

/// Parses a file; `None` and a finding if it is not TOML. Only the first fault of syntax is told:
/// those after it are mostly its echo.
pub(super) fn parse<'s>(source: &'s Arc<Source>, findings: &Findings) -> Option<DeTable<'s>> {
    let error = match DeTable::parse(&source.text) {
        Ok(table) => return Some(table.into_inner()),
        Err(error) => error,
    };
    let place = Place {
        source: Arc::clone(source),
        span: visible(error.span().unwrap_or_default(), &source.text),
    };
    let message = error.message().replace('\n', ", ");
    let problem = if message.starts_with("duplicate key") {
        Problem::error(
            "duplicate-key",
            &place,
            "this key or section stands here for the second time",
            "remove one of the two; repeated sections are written [[partner]]",
        )
    } else if has_curly_quotes(&place) {
        Problem::error(
            "syntax",
            &place,
            "texts stand in straight quotes, and these are curly",
            "write \" in the place of each: word processors and web pages change them",
        )
    } else {
        Problem::error(
            "syntax",
            &place,
            format!("this is not TOML: {message}"),
            "look here and at the line before: texts stand in quotes, and each [ and \" is closed",
        )
    };
    findings.add(problem);
    None
}

/// Whether a value begins with a quote of a word processor's, in the line of the place.
fn has_curly_quotes(place: &Place) -> bool {
    let line = place.source.text.lines().nth(place.line() - 1);
    let mut before = ' ';
    line.unwrap_or_default()
        .chars()
        .filter(|c| !c.is_whitespace())
        .any(|c| {
            let is_curly = "\u{201c}\u{201d}\u{201e}\u{2018}\u{2019}\u{ab}\u{bb}".contains(c);
            let begins = "=[,".contains(before);
            before = c;
            is_curly && begins
        })
}

/// A span with something to point at: what is missing is shown at the character before.
fn visible(span: Range<usize>, text: &str) -> Range<usize> {
    if !span.is_empty() {
        return span;
    }
    let before = text.get(..span.start).unwrap_or_default();
    let start = before
        .char_indices()
        .next_back()
        .map_or(0, |(start, _)| start);
    start..span.end
}
