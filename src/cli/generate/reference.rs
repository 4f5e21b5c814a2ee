//! The reference of reasons, events and metrics, written from the program's own tables.

use super::File;
use crate::net::admin::http::metrics::FAMILIES;
use crate::ops::events::Event;
use crate::proto::codes::Code;

/// How wide its lines are.
const WIDTH: usize = 110;

const REASONS: &str = "\
# Reasons

The field `reason` of a line of the log, and each counter beside the ledger's, has one of these codes. The list is \
written from the program's own table by `XMPP_EDGE_WRITE=1 cargo test --test it reasons`, and a test holds the two \
together. What the lines themselves mean is in [Events](events.md).

Each code has

- its side: whose fault it is. `us` is the edge, its host, its gateways and its users; `peer` is the partner, or a \
stranger; `network` is what is between the two; `neither` is nobody: a rule was kept, or something came to its end.
- its phase: when it is met. `accept`, `dns`, `connect`, `header`, `tls`, `authentication`, `policy`, `stream`, \
`stanza`, `relay`, `shutdown` or `log`.
- the stream error that the other side gets, where one is sent (RFC 6120 §4.9.3).
- the stanza error that a sender gets, where a stanza is refused or was waiting (RFC 6120 §8.3.3). To partners' users \
the refusals of policy may say less: see [What a refused sender hears](../partners.md#what-a-refused-sender-hears).
- what it means, and what to do.

Where a reload ends a stream that the new settings would not admit, it is counted under the code of what they refuse; \
the stream error is then `policy-violation`. Whatever breaks a stream, stanzas that waited for it and cannot go out \
on another are answered with `remote-server-timeout`, unless the code below says otherwise. Errors and warnings of \
the configuration have codes of their own, and each says in its own line where it is and what to do.
";

const EVENTS: &str = "\
# Events

Each line of the decision log (the target `xmpp_edge::decision`) has one of these words in the field `event`. The list \
is written from the program's own table by `XMPP_EDGE_WRITE=1 cargo test --test it reasons`, and a test holds the two \
together. The ids are a contract: searches and alerts may be written against them. The other fields are in \
[Operations](../operations.md#logs), the codes in the field `reason` in [Reasons](reasons.md).

Each event has a level, by which `filter` under `[log]` chooses, and a text, with which all its lines begin. In the \
journal they are found by `XMPP_EDGE_EVENT`.
";

/// The page about metrics, with a place for the list of them.
const METRICS: &str = include_str!("metrics.md");
const METRICS_PLACE: &str = "{metrics}\n";

/// Every page of it.
#[must_use]
pub fn reference() -> Vec<File> {
    let file = |name: &str, text| File {
        name: name.to_owned(),
        text,
    };
    vec![
        file("events.md", events()),
        file("metrics.md", metrics()),
        file("reasons.md", reasons()),
    ]
}

fn metrics() -> String {
    let mut list = String::from("| metric | kind | labels | says |\n|---|---|---|---|\n");
    for family in FAMILIES {
        let labels = family.labels.iter().map(|label| format!("`{label}`"));
        let labels = labels.collect::<Vec<_>>().join(", ");
        let (name, kind, help) = (family.name(), family.kind.as_str(), family.help);
        list.push_str(&format!("| `{name}` | {kind} | {labels} | {help} |\n"));
    }
    METRICS.replace(METRICS_PLACE, &list)
}

fn events() -> String {
    let mut out = String::new();
    introduce(&mut out, EVENTS);
    for event in Event::ALL {
        out.push_str(&format!("\n## `{}`\n\n", event.id()));
        wrap(&mut out, event.explanation(), "");
        out.push('\n');
        let facts = format!("Level: {}. Text: {}.", event.level(), event.description());
        wrap(&mut out, &facts, "");
    }
    out
}

fn reasons() -> String {
    let mut out = String::new();
    introduce(&mut out, REASONS);
    for (title, rows) in Code::GROUPS {
        out.push_str(&format!("\n## {title}\n"));
        for code in rows {
            row(&mut out, *code);
        }
    }
    out
}

fn introduce(out: &mut String, text: &str) {
    for paragraph in text.trim_end().split('\n') {
        let indent = match paragraph.starts_with("- ") {
            true => "  ",
            false => "",
        };
        wrap(out, paragraph, indent);
    }
}

fn row(out: &mut String, code: Code) {
    out.push_str(&format!("\n### `{code}`\n\n"));
    let text = format!("{} To do: {}", code.meaning(), code.remedy());
    wrap(out, &text, "");
    out.push('\n');
    let mut facts = format!(
        "Side: {}. Phase: {}.",
        code.side().as_str(),
        code.phase().as_str()
    );
    if let Some(condition) = code.stream_condition() {
        facts.push_str(&format!(" Stream error: `{condition}`."));
    }
    if let Some((error_type, condition)) = code.stanza_condition() {
        facts.push_str(&format!(" Stanza error: `{condition}` ({error_type})."));
    }
    wrap(out, &facts, "");
}

/// Adds one paragraph, in lines that are not too long.
fn wrap(out: &mut String, paragraph: &str, indent: &str) {
    let mut line = String::new();
    for word in paragraph.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = indent.to_owned();
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}
