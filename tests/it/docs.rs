//! The documents are true: what they name exists.

mod commands;

use std::process::Command;

use xmpp_edge::ops::events::Event;
use xmpp_edge::proto::codes::Code;

use crate::tree;

/// Commands that documents may name before they exist.
const ANNOUNCED: &[&str] = &[];

#[test]
fn every_function_and_test_in_the_conformance_table_exists() {
    let table = tree::read("docs/conformance.md");
    let rows: Vec<_> = rows(&table).collect();
    assert!(!rows.is_empty(), "no table in docs/conformance.md");
    let nameless: Vec<_> = rows
        .iter()
        .filter(|row| code_spans(row).is_empty())
        .collect();
    assert!(nameless.is_empty(), "these name nothing: {nameless:#?}");
    let missing = missing(rows.into_iter().flat_map(code_spans));
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_function_and_test_in_the_security_record_exists() {
    let text = tree::read("docs/security.md");
    let record: Vec<_> = rows(&text)
        .filter(|row| row[2..].starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    for (number, row) in (1..=30).zip(&record) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [id, _, here, shown] = cells.as_slice() else {
            panic!("not four cells: {row}");
        };
        assert_eq!(*id, number.to_string());
        let is_shown = !code_spans(shown).is_empty() || !links(shown).is_empty();
        assert!(
            is_shown || shown.contains("**Open**"),
            "{number}: neither shown nor open"
        );
        assert!(!here.is_empty(), "{number}: nothing is said");
    }
    assert_eq!(record.len(), 30);
    for number in 1..=30 {
        let taken_out = format!("\n{number}. ");
        assert!(text.contains(&taken_out), "{number}: what was taken out?");
    }
    // Other spans are words of a configuration or of the wire.
    let paths = rows(&text)
        .flat_map(code_spans)
        .filter(|span| span.contains("::"));
    let missing = missing(paths);
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// The pages about the source name modules, items and files, in tables and in text.
#[test]
fn every_name_on_the_pages_about_the_source_exists() {
    let mut missing = Vec::new();
    for page in [
        "docs/architecture.md",
        "docs/contributing.md",
        "tests/README.md",
    ] {
        let text = tree::read(page);
        let spans: Vec<_> = text.lines().flat_map(code_spans).collect();
        assert!(spans.iter().any(|span| span.contains("::")) || page == "tests/README.md");
        let names = spans.into_iter().filter(|span| !is_there(span));
        missing.extend(names.map(|span| format!("{page}: `{span}` does not exist")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Whether there is what a span names; one that names no file, module or item is no matter.
fn is_there(span: &str) -> bool {
    let exists = |path: &str| tree::top().join(path).exists();
    let places = ["src/", "tests/", "docs/", "config/", ".ci/"];
    if places.iter().any(|place| span.starts_with(place)) {
        return exists(span.split(' ').next().unwrap_or_default());
    }
    if !span.contains("::") {
        return true;
    }
    let path = span.replace("::", "/");
    let module = match path.strip_prefix("it/") {
        Some(_) => format!("tests/{path}"),
        None => format!("src/{path}"),
    };
    exists(&format!("{module}.rs"))
        || exists(&format!("{module}/mod.rs"))
        || missing(std::iter::once(span.to_owned())).is_empty()
}

/// Whoever adds a folder of tests says on the map what it is for.
#[test]
fn the_map_of_the_tests_has_every_folder_and_group() {
    let map = tree::read("tests/README.md");
    let listed: Vec<_> = rows(&map).flat_map(code_spans).collect();
    let folders = std::fs::read_dir(tree::top().join("tests")).unwrap();
    let folders = folders
        .map(|entry| entry.unwrap())
        .filter(|it| it.path().is_dir());
    let mut wanted: Vec<_> = folders
        .map(|it| format!("tests/{}", it.file_name().to_str().unwrap()))
        .collect();
    assert!(wanted.len() > 5);
    let groups = tree::read("tests/it/main.rs");
    let groups = groups.lines().filter_map(|line| {
        let name = line.strip_prefix("mod ")?.strip_suffix(';')?;
        // What groups use: no tests.
        (!["cost", "lab", "pki", "tree"].contains(&name)).then(|| name.to_owned())
    });
    wanted.extend(groups);
    wanted.retain(|name| !listed.contains(name));
    assert!(wanted.is_empty(), "not on the map: {wanted:?}");
}

/// The rows of the tables in a document, without their heads.
fn rows(text: &str) -> impl Iterator<Item = &str> {
    let mut before = "";
    text.lines().filter(move |line| {
        let is_head = !std::mem::replace(&mut before, line).starts_with('|');
        line.starts_with("| ") && !is_head
    })
}

/// Which of the paths do not lead to anything.
fn missing(paths: impl Iterator<Item = String>) -> Vec<String> {
    let mut sources = tree::files("src", "rs");
    sources.extend(tree::files("tests/it", "rs"));
    paths
        .filter(|path| !sources.iter().any(|source| defines(source, path)))
        .map(|path| format!("`{path}` does not exist"))
        .collect()
}

#[test]
fn every_command_in_the_documents_exists() {
    let mut texts = tree::files("docs", "md");
    texts.extend(tree::files("config", "service"));
    texts.push(tree::Source {
        path: "README.md".into(),
        text: tree::read("README.md"),
    });
    for text in texts {
        for command in subcommands(&text.text) {
            let output = Command::new(env!("CARGO_BIN_EXE_xmpp-edge"))
                .args([&command, "--help"])
                .output()
                .unwrap();
            let announced = ANNOUNCED.contains(&command.as_str());
            assert_eq!(
                output.status.success(),
                !announced,
                "{}: xmpp-edge {command} (if it exists by now, it is no longer only announced)",
                text.path
            );
        }
    }
}

#[test]
fn the_tests_are_run_as_the_readme_says() {
    let readme = tree::read("README.md");
    assert!(
        readme.lines().any(|line| line == "    cargo test"),
        "{readme}"
    );
    let run = tree::read(".ci/run");
    assert!(
        run.lines()
            .any(|line| line == "section \"tests\" cargo test"),
        "{run}"
    );
}

/// Each other command of that page is typed by `tests/interop/cases/newcomer.py`.
#[test]
fn the_program_is_built_as_the_page_for_newcomers_says() {
    let page = tree::read("docs/getting-started.md");
    let built = page
        .lines()
        .find_map(|line| line.strip_prefix("    cargo build"))
        .unwrap();
    let run = tree::read(".ci/run");
    let line = format!("section \"release build\" cargo build{built}");
    assert!(run.lines().any(|it| it == line), "{line}\n{run}");
    let case = tree::read("tests/interop/cases/newcomer.py");
    let line = format!("BUILD = \"cargo build{built}\\n\"");
    assert!(case.lines().any(|it| it == line), "{line}\n{case}");
}

#[test]
fn what_newcomers_may_find_in_the_log_can_stand_there() {
    let page = tree::read("docs/getting-started.md");
    let mut found = 0;
    for span in rows(&page).flat_map(code_spans) {
        let known = match span.split_once('=') {
            Some(("event", id)) => Event::ALL.iter().any(|event| event.id() == id),
            Some(("reason", code)) => Code::all().any(|known| known == code),
            _ => continue,
        };
        assert!(known, "{span}");
        found += 1;
    }
    assert!(found >= 4, "{page}");
}

/// A link to one of two headings of the same words leads to the first.
#[test]
fn no_page_has_two_headings_of_the_same_words() {
    // A list of changes has the same ones for each day.
    let pages = tree::files("docs", "md").into_iter();
    for page in pages.filter(|page| page.path != "docs/changelog.md") {
        let mut is_code = false;
        let mut seen = std::collections::HashSet::new();
        for line in page.text.lines() {
            is_code ^= line.starts_with("```");
            let is_heading = !is_code && line.starts_with('#');
            let is_new = !is_heading || seen.insert(line.trim_start_matches('#'));
            assert!(is_new, "{}: {line}", page.path);
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut texts = tree::files("docs", "md");
    texts.extend(tree::files("tests", "md"));
    texts.push(tree::Source {
        path: "README.md".into(),
        text: tree::read("README.md"),
    });
    for source in texts {
        let directory = source
            .path
            .rsplit_once('/')
            .map_or(".", |(directory, _)| directory);
        for target in links(&source.text) {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(directory)
                .join(&target);
            assert!(path.exists(), "{}: {target}", source.path);
        }
    }
}

#[test]
fn the_scanners_see_what_they_should() {
    assert_eq!(code_spans("| a | `b::c` | `d`, `e` |"), ["b::c", "d", "e"]);
    assert_eq!(
        subcommands(
            "run `xmpp-edge check --format json` or\n    cargo run --release -- demo\nxmpp-edge is a daemon"
        ),
        ["check", "demo"]
    );
    assert_eq!(
        links("[a](b.md#c) [d](https://e.example) [f](#g)"),
        ["b.md"]
    );
    for (span, want) in [
        ("net::relay::hub", true),
        ("net::relay", true),
        ("net::relay::hub::settle", true),
        ("it::docs::is_there", true),
        ("tests/bench/run --write", true),
        ("Addressed", true),
        ("net::hub", false),
        ("net::relay::hub::unsettle", false),
        ("tests/bench/walk", false),
    ] {
        assert_eq!(is_there(span), want, "{span}");
    }
    let source = tree::Source {
        path: "src/proto/jid.rs".into(),
        text: "pub fn parse(text: &str) {}\nfn check_local_part() {}".into(),
    };
    for (path, want) in [
        ("proto::jid::parse", true),
        ("proto::jid::Domain::parse", true),
        ("proto::jid::check_local", false),
        ("proto::xml::parse", false),
        ("parse", false),
    ] {
        assert_eq!(defines(&source, path), want, "{path}");
    }
}

/// Whether a file is the one a path names, and has an item of the path's last name.
fn defines(source: &tree::Source, path: &str) -> bool {
    let Some((modules, name)) = path.rsplit_once("::") else {
        return false;
    };
    let module = source
        .path
        .trim_start_matches("src/")
        .trim_start_matches("tests/")
        .trim_end_matches(".rs")
        .trim_end_matches("/mod")
        .replace('/', "::");
    let inside = modules == module || modules.starts_with(&format!("{module}::"));
    let words = ["fn", "struct", "enum", "const", "trait"];
    inside
        && words.iter().any(|word| {
            let start = format!("{word} {name}");
            source.text.match_indices(&start).any(|(index, _)| {
                let rest = &source.text[index + start.len()..];
                !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_')
            })
        })
}

/// What stands between backticks.
fn code_spans(line: &str) -> Vec<String> {
    line.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The subcommands that a text tells its reader to run.
fn subcommands(text: &str) -> Vec<String> {
    let starts = [
        "`xmpp-edge ",
        "    xmpp-edge ",
        "=/usr/bin/xmpp-edge ",
        "cargo run --release -- ",
    ];
    let mut found = Vec::new();
    for line in text.lines() {
        for start in starts {
            for (index, _) in line.match_indices(start) {
                let rest = &line[index + start.len()..];
                let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '-'));
                found.push(rest[..end.unwrap_or(rest.len())].to_owned());
            }
        }
    }
    found.retain(|word| !word.is_empty() && !word.starts_with('-'));
    found
}

/// The files that a text links to, by their paths from it.
fn links(text: &str) -> Vec<String> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    targets
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .map(str::to_owned)
        .collect()
}
