//! The pages about the admin socket and its reports say what the daemon does.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use crate::daemon::lab;
use crate::daemon::process::Daemon;
use crate::tree;

/// The conversation on the page, held with a daemon: `…` stands for what may be anything.
#[test]
fn the_conversation_on_the_page_is_what_is_said() {
    let page = tree::read("docs/reference/admin.md");
    let (_, rest) = page.split_once("```text\n").unwrap();
    let (conversation, _) = rest.split_once("```").unwrap();
    let lab = lab();
    std::fs::create_dir_all(lab.path("state")).unwrap();
    let _daemon = Daemon::start(&lab);
    let stream = UnixStream::connect(lab.path("admin.sock")).unwrap();
    let mut lines = BufReader::new(&stream).lines();
    let mut heard = 0;
    for line in conversation.lines() {
        match line.strip_prefix("> ") {
            Some(request) => writeln!(&stream, "{request}").unwrap(),
            None => {
                let reply = lines.next().unwrap().unwrap();
                let (want, got) = (parse(line), parse(&reply));
                assert!(is_like(&want, &got), "{line}\n{reply}");
                heard += 1;
            }
        }
    }
    assert!(heard >= 8, "{conversation}");
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn is_like(want: &Value, got: &Value) -> bool {
    match (want, got) {
        (Value::String(text), _) if text == "…" => true,
        (Value::Object(want), Value::Object(got)) => {
            want.len() == got.len()
                && want
                    .iter()
                    .all(|(key, want)| got.get(key).is_some_and(|got| is_like(want, got)))
        }
        (want, got) => want == got,
    }
}

/// Each key of the schemas has a row on the page, under the heading of its object, and no other has.
#[test]
fn each_key_of_the_reports_is_on_the_page() {
    let mut wanted = BTreeSet::new();
    for (name, title) in [
        ("status", "how the edge is"),
        ("status-domain", "what the daemon knows of a domain"),
    ] {
        let schema = tree::read(&format!("docs/reference/schemas/{name}.json"));
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let mut add = |title: &str, object: &Value| {
            for key in object["properties"].as_object().unwrap().keys() {
                wanted.insert((title.replace(' ', ""), key.clone()));
            }
        };
        add(title, &schema);
        for (title, object) in schema["$defs"].as_object().unwrap() {
            add(title, object);
        }
    }
    let page = tree::read("docs/reference/reports.md");
    let (mut heading, mut found) = (String::new(), BTreeSet::new());
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title.to_lowercase().replace(' ', "");
        }
        if let Some(rest) = line.strip_prefix("| `") {
            let (key, _) = rest.split_once('`').unwrap();
            found.insert((heading.clone(), key.to_owned()));
        }
    }
    let missing: Vec<_> = wanted.difference(&found).collect();
    let more: Vec<_> = found.difference(&wanted).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "{missing:?} {more:?}"
    );
}
