//! A report on 80 columns, written line by line; colour says nothing that words do not.

use std::io::IsTerminal as _;

use crate::config::report::{WIDTH, wrap};

/// What is written.
#[derive(Debug)]
pub(super) struct Paper {
    text: String,
    colours: bool,
}

/// How something stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// It does not.
    Plain,
    /// A heading.
    Bold,
    /// Something is wrong.
    Red,
    /// It can be overlooked.
    Faint,
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Red => "1;31",
            Self::Faint => "2",
        }
    }
}

impl Paper {
    /// In colours, where standard output is a terminal and nobody forbids them.
    pub(super) fn for_stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            text: String::new(),
            colours: wanted && std::io::stdout().is_terminal(),
        }
    }

    /// Without colours.
    #[cfg(test)]
    pub(super) fn plain() -> Self {
        Self {
            text: String::new(),
            colours: false,
        }
    }

    /// What was written.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// A line with nothing on it.
    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// A heading, or another line that begins at the margin.
    pub(super) fn head(&mut self, ink: Ink, text: &str) {
        for line in wrapped(text, WIDTH) {
            self.line(&[(ink, &line)]);
        }
    }

    /// A label, and a text that is broken behind it.
    pub(super) fn item(&mut self, width: usize, (ink, label): (Ink, &str), text: &str) {
        let indent = 2;
        let mut lines = wrapped(text, WIDTH - indent - width).into_iter();
        let first = lines.next().unwrap_or_default();
        let label = fit(label, width - 1);
        let pad = " ".repeat(width - label.chars().count());
        self.line(&[
            (Ink::Plain, "  "),
            (ink, &label),
            (Ink::Plain, &pad),
            (Ink::Plain, &first),
        ]);
        for line in lines {
            let margin = " ".repeat(indent + width);
            self.line(&[(Ink::Plain, &margin), (Ink::Plain, &line)]);
        }
    }

    /// A row of a table that fits.
    pub(super) fn row(&mut self, ink: Ink, text: &str) {
        self.line(&[(ink, text)]);
    }

    fn line(&mut self, parts: &[(Ink, &str)]) {
        let mut line = String::new();
        for (ink, text) in parts {
            match self.colours && *ink != Ink::Plain {
                true => line.push_str(&format!("\u{1b}[{}m{text}\u{1b}[0m", ink.code())),
                false => line.push_str(text),
            }
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// A name in so many characters: of a longer one the end, which tells domains apart, is kept.
pub(super) fn fit(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length + 1 - width).collect();
    format!("…{end}")
}

/// Lines of so many characters at most: a word that is longer is cut, for partners choose words.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in wrap(text, width).lines() {
        let mut rest: Vec<char> = line.chars().collect();
        while rest.len() > width {
            let tail = rest.split_off(width);
            lines.push(rest.into_iter().collect());
            rest = tail;
        }
        lines.push(rest.into_iter().collect());
    }
    lines
}

/// A time in one or two units.
pub(super) fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{minutes} min"),
        7200..172_800 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} days"),
    }
}

/// The same in one unit and seven characters.
pub(super) fn short_age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A number in five characters.
pub(super) fn short(number: u64) -> String {
    match number {
        0..100_000 => number.to_string(),
        100_000..10_000_000 => format!("{}k", number / 1000),
        10_000_000..10_000_000_000 => format!("{}M", number / 1_000_000),
        _ => format!("{}G", number / 1_000_000_000),
    }
}

/// A number with its word.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_where_it_tells_least() {
        assert_eq!(fit("a.example", 9), "a.example");
        assert_eq!(fit("rooms.a.example", 10), "…a.example");
        let mut paper = Paper::plain();
        paper.item(12, (Ink::Red, "a-long-label.example"), &"x".repeat(200));
        let text = paper.into_text();
        assert_eq!(text.matches('x').count(), 200 + 1);
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
    }

    #[test]
    fn numbers_keep_to_their_columns() {
        for seconds in [0, 59, 119, 120, 7199, 7200, 172_799, 172_800, 9_999_999_999] {
            assert!(short_age(seconds).len() <= 9, "{}", short_age(seconds));
        }
        for number in [0, 99_999, 100_000, 9_999_999, 10_000_000, 9_999_999_999] {
            assert!(short(number).len() <= 5, "{}", short(number));
        }
        assert_eq!(age(90), "90 s");
        assert_eq!(age(11_520), "3 h 12 min");
    }
}
