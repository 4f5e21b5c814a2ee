//! How it looks: 80 columns, a line as soon as a step is taken; colour says nothing that words do not.

use std::io::IsTerminal as _;

use super::letter;
use super::live::Otherwise;
use super::verdict::Verdict;
use super::walk::{Happened, Walk};
use super::words::{Kind, Line, lines, ms, title};
use crate::cli::paper::wrapped;
use crate::config::report::{WIDTH, wrap};
use crate::proto::codes::Side;

/// Writes to standard output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    colours: bool,
}

/// How far a step is indented, and how wide its label is with the space behind it.
const INDENT: usize = 2;
const LABEL: usize = 13;

const BOLD: &str = "1";
const GREEN: &str = "1;32";
const RED: &str = "1;31";
const FAINT: &str = "2";

impl Screen {
    pub(super) fn of_stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            colours: wanted && std::io::stdout().is_terminal(),
        }
    }

    /// Whose way it is.
    pub(super) fn begin(self, walk: &Walk) {
        let pair = &walk.pair;
        let title = format!("The way from {} to {}", pair.local, pair.remote);
        self.say(&self.ink(BOLD, &wrap(&title, WIDTH)));
        if walk.locals.len() > 1 {
            let count = walk.locals.len();
            let others = format!("({count} local domains: --from chooses another)");
            self.say(&others);
        }
        self.say("");
    }

    pub(super) fn happened(self, walk: &Walk, happened: Happened) {
        match happened {
            Happened::Step => {
                for line in lines(walk, &walk.steps) {
                    self.line(&line);
                }
            }
            Happened::Nothing(time) => {
                let text = format!("nothing for {} s", time.as_secs());
                self.labelled(FAINT, "…", &text);
            }
        }
    }

    /// One sentence, and what to send to the partner, if it is theirs.
    pub(super) fn conclude(
        self,
        walk: &Walk,
        verdict: Option<&Verdict>,
        otherwise: Option<&Otherwise>,
    ) {
        self.say("");
        let Some(verdict) = verdict else {
            self.paragraph(GREEN, "", &works(walk));
            if let Some(otherwise) = otherwise {
                self.say("");
                self.paragraph(RED, "", &otherwise.text);
            }
            for warning in Verdict::warnings(walk) {
                self.say("");
                self.paragraph("", "", &warning.warning());
            }
            return;
        };
        self.paragraph(RED, "", &verdict.sentence());
        if verdict.side() == Side::Peer {
            self.say("");
            let head = format!("To send to the administrator of {}:", walk.pair.remote);
            self.paragraph(BOLD, "", &head);
            self.say("");
            self.paragraph("", "  ", &letter::paragraph(walk, verdict));
        }
    }

    fn line(self, line: &Line) {
        match line.kind {
            Kind::Place => self.paragraph(BOLD, "", &line.text),
            Kind::Step => self.labelled(FAINT, line.label, &line.text),
            Kind::Bad => self.labelled(RED, line.label, &line.text),
        }
    }

    fn labelled(self, ink: &str, label: &str, text: &str) {
        let mut label = format!("{label:LABEL$}");
        for line in wrapped(text, WIDTH - INDENT - LABEL) {
            self.say(&format!("{:INDENT$}{}{line}", "", self.ink(ink, &label)));
            label = " ".repeat(LABEL);
        }
    }

    fn paragraph(self, ink: &str, margin: &str, text: &str) {
        for line in wrapped(text, WIDTH - margin.len()) {
            self.say(&format!("{margin}{}", self.ink(ink, &line)));
        }
    }

    fn ink(self, ink: &str, text: &str) -> String {
        if !self.colours || ink.is_empty() {
            return text.to_owned();
        }
        format!("\u{1b}[{ink}m{text}\u{1b}[0m")
    }

    fn say(self, text: &str) {
        super::super::print(&format!("{}\n", text.trim_end()));
    }
}

/// What is said where nothing is wrong.
pub(super) fn works(walk: &Walk) -> String {
    let pair = &walk.pair;
    let mut text = format!("It works: {} reaches {}", pair.local, pair.remote);
    if let Some(address) = walk.address() {
        text.push_str(&format!(" at {address}"));
    }
    if let Some(method) = walk.method() {
        text.push_str(&format!(", proven by {}", title(method)));
    }
    if let Some((version, _)) = walk.tls() {
        text.push_str(&format!(", TLS {version}"));
    }
    format!("{text} ({}).", ms(walk.took))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_screen_whatever_is_shown() {
        let text = format!("a {} b", "x".repeat(200));
        let lines = wrapped(&text, 80);
        assert_eq!(lines.concat().replace(' ', "").len(), 202);
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
    }
}
