//! The reference is written from the tables of codes, events and metrics, and each code is of use.

use xmpp_edge::proto::codes::Code;

use crate::tree;

/// Set it to have the reference written anew.
const WRITE: &str = "XMPP_EDGE_WRITE";

#[test]
fn the_reference_is_written_from_the_tables() {
    for page in xmpp_edge::cli::reference() {
        let path = format!("docs/reference/{}", page.name);
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(tree::top().join(&path), &page.text).unwrap();
        }
        let written = tree::read(&path);
        let mut pairs = page.text.lines().zip(written.lines());
        let at = pairs.position(|(a, b)| a != b);
        let at = at.map_or_else(
            || "at its end".to_owned(),
            |line| format!("in line {}", line + 1),
        );
        assert!(
            written == page.text,
            "{path} differs from the table {at}: {WRITE}=1 cargo test --test it reasons"
        );
        // A row of a table is one line.
        let mut lines = page.text.lines().filter(|line| !line.starts_with('|'));
        assert!(lines.all(|line| line.chars().count() <= 110), "{path}");
    }
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
