//! The traces in `tests/traces`: what was decided when they were recorded is decided now.
//!
//! `XMPP_EDGE_RECORD=1 cargo test --test it -- traces` records four of them anew, which is wanted
//! only where the format has a new version.

use std::time::Instant;

use xmpp_edge::proto::trace::{Fate, Trace, replay};

use crate::lab::Lab;
use crate::tree;

#[test]
fn every_trace_that_is_kept_replays_to_the_same_decisions() {
    let files = tree::files("tests/traces", "trace");
    for name in ["refused", "dialback", "authenticated", "link"] {
        let path = format!("tests/traces/{name}.trace");
        assert!(files.iter().any(|file| file.path == path), "{path}");
    }
    for file in files {
        let trace = Trace::read(file.text.as_bytes());
        let trace = trace.unwrap_or_else(|error| panic!("{}: {error}", file.path));
        let outcome = replay(&trace, Instant::now());
        assert_eq!(outcome.differences, [], "{}", file.path);
        let whole = outcome
            .streams
            .values()
            .all(|fate| matches!(fate, Fate::Whole(_)));
        assert!(
            whole && !outcome.streams.is_empty(),
            "{}: {:?}",
            file.path,
            outcome.streams
        );
    }
}

#[test]
fn the_command_shows_each_decision_with_its_clause_and_says_that_it_is_the_same() {
    let lab = Lab::new();
    for (name, parts) in [
        (
            "refused",
            ["unknown-partner", "RFC 6120 §4.9.3.14", "What to do: "],
        ),
        (
            "dialback",
            ["example, by tls-dialback", "XEP-0220", "says: valid"],
        ),
        (
            "authenticated",
            ["example, by sasl-external", "XEP-0178 §3", "TLS 1.3 is up"],
        ),
        (
            "link",
            [
                "gateway's link from",
                "it serves contoso.example (XEP-0114 §3)",
                "link-secret: the handshake is wrong",
            ],
        ),
    ] {
        let path = tree::top().join(format!("tests/traces/{name}.trace"));
        let (exit, text, errors) = lab.run(&["replay", path.to_str().unwrap()]);
        assert_eq!((exit, errors.as_str()), (0, ""), "{text}");
        for part in parts {
            assert!(words(&text).contains(part), "{part}\n{text}");
        }
        assert!(text.ends_with("outputs: the same is decided.\n"), "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
            assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
        }
    }
}

#[test]
fn a_trace_in_which_nothing_came_is_told_in_whole_lines() {
    let lab = Lab::new();
    let trace = "{\"xmpp-edge-trace\":1,\"program\":\"0.1.0\",\"domain\":\"fabrikam.example\",\
                 \"began\":\"2026-11-30T17:44:22Z\",\"seconds\":2}\n\
                 {\"end\":{\"why\":\"time\",\"lines\":0,\"missed\":0}}\n";
    lab.write("quiet.trace", trace, 0o600);
    let want = "The time is over: 0 lines; nothing was left out. No stream was there: let the\n\
                partner try, or write to one of its users.\n\
                0 streams were replayed whole, 0 outputs: the same is decided.\n";
    let (exit, text, _) = lab.run(&["replay", "--quiet", "quiet.trace"]);
    assert_eq!((exit, text.as_str()), (0, want));
    let (exit, text, _) = lab.run(&["replay", "quiet.trace"]);
    assert_eq!(exit, 0, "{text}");
    assert!(text.ends_with(&format!("\n0.1.0\n\n{want}")), "{text}");
    assert!(!text.contains("\n\n\n"), "{text}");
}

/// What stands behind the margin, as one line.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_this_version_decides_otherwise_is_shown_and_has_a_status() {
    let lab = Lab::new();
    let kept = tree::read("tests/traces/dialback.trace");
    let other = kept.replace("type='valid'", "type='error'");
    assert_ne!(kept, other);
    lab.write("other.trace", &other, 0o600);
    let (exit, text, errors) = lab.run(&["replay", "--quiet", "other.trace"]);
    assert_eq!((exit, errors.as_str()), (70, ""), "{text}");
    assert!(text.contains("=== decided otherwise, at line "), "{text}");
    assert!(text.contains("it is decided otherwise.\n"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    for (name, content, says) in [
        ("none.trace", None, "cannot be read"),
        (
            "empty.trace",
            Some(""),
            "the first line is not that of a trace",
        ),
        (
            "newer.trace",
            Some(
                "{\"xmpp-edge-trace\":9,\"program\":\"7\",\"domain\":\"a\",\"began\":\"\",\"seconds\":1}\n",
            ),
            "of version 9",
        ),
    ] {
        if let Some(content) = content {
            lab.write(name, content, 0o600);
        }
        let (exit, text, errors) = lab.run(&["replay", name]);
        assert_eq!((exit, text.as_str()), (64, ""), "{errors}");
        assert!(words(&errors).contains(says), "{errors}");
    }
}
