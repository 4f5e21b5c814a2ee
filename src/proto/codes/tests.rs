use std::collections::HashSet;

use super::*;
use crate::proto::xml::Condition;

#[test]
fn each_row_is_whole_and_in_plain_sentences() {
    for code in Code::all() {
        let label = code.as_str();
        let is_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(!label.is_empty() && label.chars().all(is_label), "{label}");
        for text in [code.meaning(), code.remedy()] {
            assert!(text.ends_with('.') && text.len() < 200, "{label}: {text}");
            assert!(
                text.starts_with(|c: char| c.is_ascii_uppercase() || c == '`'),
                "{label}: {text}"
            );
            assert!(!text.contains("  "), "{label}: {text}");
        }
    }
}

/// Who looks a label up finds one row.
#[test]
fn no_label_has_two_rows() {
    let mut seen = HashSet::new();
    for code in Code::all() {
        assert!(seen.insert(code.as_str()), "{code} twice");
    }
}

#[test]
fn what_is_written_is_in_the_words_of_the_rfcs() {
    // XEP-0220 §2.5.
    let dialback = [
        "remote-connection-failed",
        "remote-server-not-found",
        "remote-server-timeout",
        "resource-constraint",
    ];
    for code in Code::all() {
        if let Some(condition) = code.stream_condition() {
            assert!(Condition::from_name(condition).is_some(), "{code}");
            // A reason that ends streams may find stanzas that wait.
            assert!(code.stanza_condition().is_some(), "{code}");
        }
        assert!(dialback.contains(&code.dialback_condition()), "{code}");
    }
}

/// Who is told of a limit can only keep to it if it is told of it.
#[test]
fn a_limit_is_told() {
    for code in Code::all().filter(|code| code.has(Mark::Limit)) {
        assert!(code.stream_condition().is_some(), "{code}");
    }
}
