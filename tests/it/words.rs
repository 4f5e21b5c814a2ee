//! One meaning a word: those that were given up do not come back.

use crate::tree;

/// What is not said any more in `src`, and what is said in its place.
const GIVEN_UP: &[(&str, &str)] = &[
    ("turnstile", "handshake limiter"),
    ("parcel", "queued stanza"),
    ("outbox", "send buffer"),
    ("dialect", "stream kind"),
    ("mod quiet", "log limiter"),
    ("mod questions", "verifications"),
    ("mod gate;", "stanza policy"),
];

/// Names that had several owners, each with the number of types that may bear it now.
const TYPES: &[(&str, usize)] = &[
    ("Claim", 1),
    ("Refused", 1),
    ("Remembered", 1),
    ("Event", 2),
    ("Place", 2),
    ("Standing", 1),
    ("Ledger", 1),
    ("Link", 1),
    ("Admission", 1),
];

#[test]
fn words_that_were_given_up_do_not_come_back() {
    let mut found = Vec::new();
    for file in tree::files("src", "rs") {
        for (number, line) in file.text.lines().enumerate() {
            let line = line.to_lowercase();
            let words = GIVEN_UP.iter().filter(|(word, _)| line.contains(word));
            found.extend(words.map(|(word, better)| {
                format!("{}:{}: {word}; say: {better}", file.path, number + 1)
            }));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_name_has_one_owner() {
    let mut owners = std::collections::BTreeMap::<&str, Vec<String>>::new();
    for file in tree::files("src", "rs") {
        for line in file.text.lines() {
            let words: Vec<_> = line
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .filter(|word| !word.is_empty())
                .collect();
            let declared = words
                .iter()
                .position(|word| ["struct", "enum", "trait"].contains(word))
                .and_then(|at| words.get(at + 1));
            let is_comment = line.trim_start().starts_with("//");
            if let Some((name, _)) = TYPES.iter().find(|(name, _)| declared == Some(name))
                && !is_comment
            {
                owners.entry(name).or_default().push(file.path.clone());
            }
        }
    }
    for (name, most) in TYPES {
        let owners = owners.remove(name).unwrap_or_default();
        assert!(owners.len() <= *most, "{name}: {owners:?}");
        assert!(
            owners.len() >= *most,
            "{name} is gone: take it off the list"
        );
    }
}
