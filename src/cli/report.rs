//! What commands that report have in common: the form, and the configuration they report on.

use std::path::Path;

use clap::ValueEnum;
use rustls::pki_types::UnixTime;
use serde::Serialize;

use super::{Exit, check};
use crate::config::Config;
use crate::config::report::{WIDTH, wrap};

/// The option that chooses for whom a report is.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Form {
    /// text: for people, the default; json: for programs
    #[arg(
        long,
        value_enum,
        default_value_t = Format::Text,
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub(super) format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

/// The configuration; where it is refused, every problem is told, and the exit status is that of
/// `check`.
pub(super) fn configuration(path: &Path) -> Result<Config, Exit> {
    let mut examination = Config::examine(path, UnixTime::now());
    examination.config.take().ok_or_else(|| {
        super::complain(&check::problems(&examination, false));
        Exit::Configuration
    })
}

/// A report for programs: one object.
pub(super) fn json(report: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}

/// Refuses to go on. Each line of the text is a paragraph: the error, and perhaps a hint.
pub(super) fn refuse(exit: Exit, text: &str) -> Exit {
    let text = format!("error: {text}");
    let paragraphs = text.lines().map(|line| paragraph(line, "", WIDTH));
    super::complain(&paragraphs.collect::<String>());
    exit
}

/// A paragraph of so many columns, each line with this margin.
pub(super) fn paragraph(text: &str, margin: &str, width: usize) -> String {
    hanging(margin, margin, text, width)
}

/// The same with another beginning of the first line.
pub(super) fn hanging(first: &str, margin: &str, text: &str, width: usize) -> String {
    let room = width.saturating_sub(margin.chars().count());
    let mut out = String::new();
    for (index, line) in wrap(text, room).lines().enumerate() {
        let start = if index == 0 { first } else { margin };
        out.push_str(format!("{start}{line}").trim_end());
        out.push('\n');
    }
    out
}

/// Days between now and a moment, whole ones; those that have passed are negative.
pub(super) fn days_until(moment: u64, now: u64) -> i64 {
    const DAY: u64 = 86400;
    if moment >= now {
        i64::try_from((moment - now) / DAY).unwrap_or(i64::MAX)
    } else {
        i64::try_from((now - moment).div_ceil(DAY)).map_or(i64::MIN, |days| -days)
    }
}

/// The same in words.
pub(super) fn days_in_words(days: i64) -> String {
    match days {
        0 => "less than a day left".to_owned(),
        1 => "1 day left".to_owned(),
        days if days > 0 => format!("{days} days left"),
        -1 => "expired a day ago".to_owned(),
        days => format!("expired {} days ago", days.unsigned_abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_valid_to_its_last_second() {
        for (moment, days, words) in [
            (100_000, 0, "less than a day left"),
            (100_000 + 86_400, 1, "1 day left"),
            (100_000 + 10 * 86_400 - 1, 9, "9 days left"),
            (99_999, -1, "expired a day ago"),
            (100_000 - 86_401, -2, "expired 2 days ago"),
        ] {
            assert_eq!(days_until(moment, 100_000), days, "{moment}");
            assert_eq!(days_in_words(days), words);
        }
    }
}
