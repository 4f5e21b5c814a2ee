//! The pages about the configuration, made of the samples in `config/`, which explain each setting.

use super::File;
use super::page::Page;

/// Under these names the pages are found.
pub(super) const NAMES: [&str; 2] = ["xmpp-edge.toml", "xmpp-edge-partners.toml"];

const ABOUT: [&str; 2] = [
    "what the edge is, where it listens, whom it asks",
    "who may talk to the edge, and how each must prove itself",
];
const SAMPLES: [&str; 2] = [
    include_str!("../../../config/edge.toml"),
    include_str!("../../../config/partners.toml"),
];
const FILES: [&str; 2] = ["/etc/xmpp-edge/edge.toml", "/etc/xmpp-edge/partners.toml"];

/// Both pages.
pub(super) fn pages(date: &str) -> Vec<File> {
    let mut pages = Vec::new();
    for (((name, about), sample), file) in { NAMES.iter() }.zip(ABOUT).zip(SAMPLES).zip(FILES) {
        let mut page = Page::new(name, 5, date, about);
        page.heading("Synopsis");
        page.text(file);
        page.heading("Description");
        explain(&mut page, sample);
        page.heading("See also");
        let other = NAMES.iter().find(|it| *it != name).unwrap_or(name);
        page.text(&format!("xmpp-edge(1), xmpp-edge-check(1), {other}(5)"));
        pages.push(File {
            name: format!("{name}.5"),
            text: page.into_source(),
        });
    }
    pages
}

/// What a line of a sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    /// `# ---- Title ----`
    Title(&'a str),
    /// `[section]`, also one that is left out of the sample by a `#`.
    Section(&'a str),
    /// `key = value`, likewise.
    Key(&'a str),
    /// A comment.
    Text(&'a str),
    Blank,
}

impl<'a> Line<'a> {
    fn of(line: &'a str) -> Self {
        let Some(comment) = line.strip_prefix('#') else {
            return Self::code(line).unwrap_or(Self::Blank);
        };
        let comment = comment.strip_prefix(' ').unwrap_or(comment);
        if let Some(title) = comment.strip_prefix("---- ") {
            return Self::Title(title.trim_end_matches('-').trim_end());
        }
        Self::code(comment).unwrap_or(Self::Text(comment))
    }

    fn code(line: &'a str) -> Option<Self> {
        let is_name = |text: &str| {
            let mut letters = text.bytes();
            !text.is_empty()
                && letters
                    .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-.".contains(&it))
        };
        if line.starts_with('[') && is_name(line.trim_matches(['[', ']'])) {
            return Some(Self::Section(line));
        }
        let (key, _) = line.split_once(" = ")?;
        is_name(key).then_some(Self::Key(line))
    }
}

/// A comment belongs to the keys or to the section that follow it; to none after a blank line.
fn explain(page: &mut Page, sample: &str) {
    let mut writer = Writer {
        page,
        text: Vec::new(),
        is_begun: false,
    };
    let mut lines = sample.lines().map(Line::of).peekable();
    while let Some(line) = lines.next() {
        match line {
            Line::Title(title) => {
                writer.flush();
                writer.page.heading(title);
                writer.is_begun = false;
            }
            Line::Section(section) => {
                writer.page.subheading(section);
                writer.is_begun = false;
                writer.flush();
            }
            Line::Key(key) => {
                let mut keys = vec![key];
                while let Some(Line::Key(next)) = lines.peek().copied() {
                    keys.push(next);
                    lines.next();
                }
                writer.keys(&keys);
            }
            Line::Text(text) => writer.text.push(text),
            Line::Blank => writer.flush(),
        }
    }
    writer.flush();
}

struct Writer<'p, 'a> {
    page: &'p mut Page,
    /// The comment that is being read.
    text: Vec<&'a str>,
    /// Whether the section has a paragraph.
    is_begun: bool,
}

impl Writer<'_, '_> {
    /// Keys with the comment above them; those without one stand as they are.
    fn keys(&mut self, keys: &[&str]) {
        let text = std::mem::take(&mut self.text);
        match text.is_empty() {
            true => self.page.verbatim(keys),
            false => self.page.item(keys, &text.join(" ")),
        }
        self.is_begun = true;
    }

    /// The comment as paragraphs, and what is indented in it as it is.
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        for block in text.split(|line| line.is_empty()) {
            let Some(first) = block.first() else {
                continue;
            };
            if first.starts_with("  ") {
                self.page.verbatim(block);
            } else if self.is_begun {
                self.page.paragraph(&block.join(" "));
            } else {
                self.page.text(&block.join(" "));
            }
            self.is_begun = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_sample_are_told_apart() {
        for (line, want) in [
            ("# ---- The log -----", Line::Title("The log")),
            ("[s2s]", Line::Section("[s2s]")),
            ("# [[identity]]", Line::Section("[[identity]]")),
            ("listen = []", Line::Key("listen = []")),
            ("# a-b = 1", Line::Key("a-b = 1")),
            ("# true is the default.", Line::Text("true is the default.")),
            ("#     code", Line::Text("    code")),
            ("#", Line::Text("")),
            ("", Line::Blank),
        ] {
            assert_eq!(Line::of(line), want, "{line}");
        }
    }

    #[test]
    fn every_key_of_the_samples_is_in_the_manual() {
        let pages = pages("2027-01-15");
        for (sample, page) in SAMPLES.iter().zip(&pages) {
            let keys: Vec<_> = { sample.lines() }
                .filter_map(|line| line.split_once(" = ").map(|(key, _)| key))
                .filter(|key| !key.contains(' '))
                .collect();
            assert!(keys.len() > 10, "{keys:?}");
            for key in keys {
                let shown = key.replace('-', "\\-");
                let is_item = |line: &str| {
                    let line = line.strip_prefix("\\fB").unwrap_or(line);
                    line.strip_prefix(&shown)
                        .is_some_and(|it| it.starts_with(" = "))
                };
                assert!(page.text.lines().any(is_item), "{}: {key}", page.name);
            }
            for section in sample.lines().filter(|line| line.starts_with('[')) {
                let heading = format!(".SS \"{section}\"").replace('-', "\\-");
                let is_there = page.text.lines().any(|line| line == heading);
                assert!(is_there, "{}: {section}", page.name);
            }
        }
    }
}
