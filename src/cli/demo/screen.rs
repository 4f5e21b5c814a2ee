//! How the demo looks: 80 columns, words before colours, plain where nobody looks.

use std::io::IsTerminal as _;
use std::time::Duration;

use super::cast::{OURS, Role};
use super::step::{Seen, Step, Way};
use super::witness::Decision;
use crate::config::report::{WIDTH, wrap};
use crate::ops::counters::{Counts, Ledger};
use crate::ops::events::Event;

/// Writes to standard output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    colours: bool,
}

/// What a piece of text is. The words say it, too: colour is only for the quick eye.
#[derive(Clone, Copy)]
pub(super) enum Ink {
    Heading,
    Good,
    Bad,
    Label,
}

/// How far labelled lines are indented.
const INDENT: usize = 5;
/// How wide a label is, with the space behind it.
const LABEL: usize = 14;

impl Screen {
    pub(super) fn of_stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            colours: wanted && std::io::stdout().is_terminal(),
        }
    }

    /// Prints text as it is, and a line break.
    pub(super) fn say(self, text: &str) {
        super::super::print(&format!("{text}\n"));
    }

    /// Prints a heading, with an empty line before it.
    pub(super) fn heading(self, text: &str) {
        self.say(&format!("\n{}", self.ink(Ink::Heading, text)));
    }

    /// Prints a label and text beside it, in as many lines as it takes.
    pub(super) fn labelled(self, ink: Ink, label: &str, text: &str) {
        let mut label = format!("{label:LABEL$}");
        for line in wrap(text, WIDTH - INDENT - LABEL).lines() {
            self.say(&format!("{:INDENT$}{}{line}", "", self.ink(ink, &label)));
            label = " ".repeat(LABEL);
        }
    }

    /// Prints what was seen of a step.
    pub(super) fn step(self, number: usize, step: &Step) {
        let role = step.role;
        let title = format!("{number}. {}: {}", role.domain, role.headline);
        let (verdict, ink) = if step.is_right() {
            ("ok", Ink::Good)
        } else {
            ("WRONG", Ink::Bad)
        };
        let gap = WIDTH.saturating_sub(title.chars().count() + verdict.len());
        self.say(&format!(
            "\n{}{:gap$}{}",
            self.ink(Ink::Heading, &title),
            "",
            self.ink(ink, verdict)
        ));
        self.say(&format!("   {}", self.ink(Ink::Label, &settings(role))));
        for way in &step.ways {
            self.way(way);
        }
        if !step.is_right() {
            for decision in &step.log {
                self.labelled(Ink::Label, "the whole log", &decision.line);
            }
        }
    }

    /// Prints the ledger of our edge, by partner and direction.
    pub(super) fn ledger(self, ledger: &Ledger) {
        self.heading(&format!("The ledger of {OURS}: every stanza has one end"));
        self.row(
            "",
            ["accepted", "delivered", "bounced", "dropped", "queued"],
        );
        for partner in ledger.snapshot() {
            for (direction, flow) in [("in", &partner.inbound), ("out", &partner.outbound)] {
                if flow.counts.accepted > 0 {
                    let name = partner
                        .partner
                        .as_ref()
                        .map_or("no partner", |domain| domain.as_str());
                    let name = format!("{name:22}{direction}");
                    self.counts(&name, flow.counts);
                }
            }
        }
        self.counts("all", ledger.total());
    }

    /// Text in the ink of what it is, on a terminal that has any.
    pub(super) fn ink(self, ink: Ink, text: &str) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Heading => "1",
            Ink::Good => "1;32",
            Ink::Bad => "1;31",
            Ink::Label => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    fn way(self, way: &Way) {
        self.say(&format!("   {} -> {}", way.from, way.to));
        match &way.seen {
            Seen::Passed {
                method,
                tls,
                opened,
                answers,
            } => {
                self.labelled(Ink::Label, "the log says", &proven(method, tls));
                self.labelled(Ink::Label, "answered", &answered(answers, *opened));
            }
            Seen::Refused {
                condition,
                text,
                decision,
            } => {
                let user = way.from.split('@').next().unwrap_or_default();
                self.labelled(
                    Ink::Label,
                    &format!("{user} is told"),
                    &format!("{condition}: {text}"),
                );
                if let Some(decision) = decision {
                    self.labelled(Ink::Label, "the log says", &logged(decision));
                }
            }
        }
        for fault in &way.faults {
            self.labelled(Ink::Bad, "WRONG", fault);
        }
    }

    fn counts(self, name: &str, counts: Counts) {
        let Counts {
            accepted,
            delivered,
            bounced,
            dropped,
            queued,
        } = counts;
        let numbers = [accepted, delivered, bounced, dropped, queued];
        let texts = numbers.map(|number| number.to_string());
        self.row(name, texts.each_ref().map(String::as_str));
    }

    fn row(self, name: &str, cells: [&str; 5]) {
        let [accepted, delivered, bounced, dropped, queued] = cells;
        self.say(&format!(
            "   {name:26}{accepted:>8} = {delivered:>9} + {bounced:>7} + {dropped:>7} + {queued:>6}"
        ));
    }
}

fn settings(role: &Role) -> String {
    match role.ours {
        Some(settings) => settings.join(", "),
        None => "(no entry in partners.toml)".to_owned(),
    }
}

fn proven(method: &str, tls: &str) -> String {
    let words = Event::StreamAuthenticated.description();
    if tls.is_empty() {
        format!("{words}, method={method}, no TLS")
    } else {
        format!("{words}, method={method}, tls={tls}")
    }
}

fn answered(answers: &[(String, Duration)], opened: usize) -> String {
    let mut parts = Vec::new();
    for (kind, after) in answers {
        let mut part = format!("{kind} {:.1} ms", after.as_secs_f64() * 1000.0);
        if parts.is_empty() && opened > 0 {
            part.push_str(&format!(" ({opened} new streams)"));
        }
        parts.push(part);
    }
    parts.join(", ")
}

/// The line of the log without what the screen says already.
fn logged(decision: &Decision) -> String {
    let words = decision.line.split(" event=").next().unwrap_or_default();
    format!("{words}, reason={}", decision.reason)
}
