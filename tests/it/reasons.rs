//! `docs/reference/reasons.md` is written from the table of codes, and each code is of use.

use std::fmt::Write as _;

use xmpp_edge::proto::codes::Code;

use crate::tree;

const REFERENCE: &str = "docs/reference/reasons.md";
/// Set it to have the reference written anew.
const WRITE: &str = "XMPP_EDGE_WRITE";
const WIDTH: usize = 110;

const INTRODUCTION: &str = "\
# Reasons

The field `reason` of a line of the log, and each counter beside the ledger's, has one of these codes. The list is \
written from the program's own table by `XMPP_EDGE_WRITE=1 cargo test --test it reasons`, and a test holds the two \
together. What the lines themselves mean is in [Operations](../operations.md#logs).

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

#[test]
fn the_reference_is_written_from_the_table() {
    let text = reference();
    if std::env::var_os(WRITE).is_some() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(REFERENCE);
        std::fs::write(path, &text).unwrap();
    }
    let written = tree::read(REFERENCE);
    let at = text
        .lines()
        .zip(written.lines())
        .position(|(a, b)| a != b)
        .map_or_else(
            || "at its end".to_owned(),
            |line| format!("in line {}", line + 1),
        );
    assert!(
        written == text,
        "{REFERENCE} differs from the table {at}: {WRITE}=1 cargo test --test it reasons"
    );
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
}

/// A row that nothing makes tells of what cannot happen.
#[test]
fn each_row_is_used_by_the_program() {
    let mut rows = String::new();
    let mut program = String::new();
    for file in tree::files("src", "rs") {
        match file.path.starts_with("src/proto/codes") {
            true => rows += &file.text,
            false => program += file.text.split("#[cfg(test)]\nmod tests").next().unwrap(),
        }
    }
    let names: Vec<_> = rows
        .lines()
        .filter_map(|line| line.trim_start().split_once(" = \""))
        .map(|(name, _)| name)
        .filter(|name| {
            name.chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        })
        .collect();
    assert_eq!(names.len(), Code::all().count());
    let uses = |name: &str| {
        program
            .match_indices(&format!("Code::{name}"))
            .any(|(at, found)| {
                let rest = &program[at + found.len()..];
                !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_')
            })
    };
    let unused: Vec<_> = names.into_iter().filter(|name| !uses(name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

/// Counters and lines take nothing but a [`Code`], and nothing but the table makes one: save the
/// problems of the configuration, which have a way of their own into the log.
#[test]
fn no_label_goes_around_the_table() {
    let counters = tree::read("src/ops/counters.rs");
    for taken in ["count", "bounced", "dropped"] {
        let starts = [
            format!("fn {taken}(&self, reason"),
            format!("fn {taken}(mut self, reason"),
        ];
        let parameters: Vec<_> = counters
            .lines()
            .filter(|line| starts.iter().any(|start| line.contains(start.as_str())))
            .map(|line| {
                line.split("reason: ")
                    .nth(1)
                    .unwrap()
                    .split(')')
                    .next()
                    .unwrap()
            })
            .collect();
        assert!(!parameters.is_empty(), "{taken}");
        assert!(
            parameters.iter().all(|kind| *kind == "Code"),
            "{taken}: {parameters:?}"
        );
    }
    let around: Vec<_> = tree::files("src", "rs")
        .into_iter()
        .filter(|file| file.text.contains(".problem("))
        .map(|file| file.path)
        .collect();
    assert_eq!(around, ["src/cli/run/told.rs"]);
}

fn reference() -> String {
    let mut out = String::new();
    for paragraph in INTRODUCTION.trim_end().split('\n') {
        wrap(
            &mut out,
            paragraph,
            if paragraph.starts_with("- ") {
                "  "
            } else {
                ""
            },
        );
    }
    for (title, rows) in Code::GROUPS {
        write!(out, "\n## {title}\n").unwrap();
        for code in rows {
            row(&mut out, *code);
        }
    }
    out
}

fn row(out: &mut String, code: Code) {
    write!(out, "\n### `{code}`\n\n").unwrap();
    let text = format!("{} To do: {}", code.meaning(), code.remedy());
    wrap(out, &text, "");
    out.push('\n');
    let mut facts = format!(
        "Side: {}. Phase: {}.",
        code.side().as_str(),
        code.phase().as_str()
    );
    if let Some(condition) = code.stream_condition() {
        write!(facts, " Stream error: `{condition}`.").unwrap();
    }
    if let Some((error_type, condition)) = code.stanza_condition() {
        write!(facts, " Stanza error: `{condition}` ({error_type}).").unwrap();
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
