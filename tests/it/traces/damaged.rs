//! No file ends the program, whatever stands in it.

use std::sync::OnceLock;
use std::time::Instant;

use proptest::prelude::*;
use xmpp_edge::proto::trace::{Trace, replay};

use crate::tree;

fn kept() -> &'static [String] {
    static KEPT: OnceLock<Vec<String>> = OnceLock::new();
    KEPT.get_or_init(|| {
        let files = tree::files("tests/traces", "trace");
        files.into_iter().map(|file| file.text).collect()
    })
}

/// A change to a file.
#[derive(Clone, Debug)]
enum Damage {
    Byte(usize, u8),
    Cut(usize),
    /// A line is missing, comes twice, or comes elsewhere.
    Without(usize),
    Twice(usize),
    Swap(usize, usize),
    /// A number becomes another.
    Number(usize, u64),
    /// A word becomes another.
    Word(usize, usize),
}

const WORDS: [&str; 12] = [
    "\"connected\"",
    "\"eof\"",
    "\"tick\"",
    "\"in\"",
    "\"in-before\"",
    "\"out\"",
    "\"tls\"",
    "\"valid\"",
    "\"inbound\"",
    "\"outbound\"",
    "true",
    "false",
];

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<usize>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        at().prop_map(Damage::Cut),
        at().prop_map(Damage::Without),
        at().prop_map(Damage::Twice),
        (at(), at()).prop_map(|(one, other)| Damage::Swap(one, other)),
        (
            at(),
            prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), 0_u64..100]
        )
            .prop_map(|(at, number)| Damage::Number(at, number)),
        (at(), at()).prop_map(|(at, word)| Damage::Word(at, word)),
    ]
}

fn damaged(text: &str, damage: &Damage) -> Vec<u8> {
    let mut lines: Vec<&str> = text.lines().collect();
    let count = lines.len();
    let text = match damage {
        Damage::Byte(at, byte) => {
            let mut bytes = text.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = *byte;
            return bytes;
        }
        Damage::Cut(at) => return text.as_bytes()[..at % text.len()].to_vec(),
        Damage::Without(at) => {
            lines.remove(1 + at % (count - 1));
            lines.join("\n")
        }
        Damage::Twice(at) => {
            let at = 1 + at % (count - 1);
            lines.insert(at, lines[at]);
            lines.join("\n")
        }
        Damage::Swap(one, other) => {
            lines.swap(1 + one % (count - 1), 1 + other % (count - 1));
            lines.join("\n")
        }
        Damage::Number(at, number) => {
            let is_digit = |at: &usize| text.as_bytes()[*at].is_ascii_digit();
            let digits: Vec<_> = (0..text.len()).filter(is_digit).collect();
            let at = digits[at % digits.len()];
            let end = (at..text.len()).find(|at| !is_digit(at)).unwrap();
            format!("{}{number}{}", &text[..at], &text[end..])
        }
        Damage::Word(at, word) => {
            let found: Vec<_> = WORDS
                .iter()
                .flat_map(|word| text.match_indices(word))
                .collect();
            let (at, old) = found[at % found.len()];
            let new = WORDS[word % WORDS.len()];
            format!("{}{new}{}", &text[..at], &text[at + old.len()..])
        }
    };
    format!("{text}\n").into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_file_is_refused_or_replayed(which in any::<usize>(), all in prop::collection::vec(damage(), 1..4)) {
        let mut text = kept()[which % kept().len()].clone();
        for damage in &all {
            match String::from_utf8(damaged(&text, damage)) {
                Ok(changed) if changed.lines().count() > 2 => text = changed,
                _ => break,
            }
        }
        if let Ok(trace) = Trace::read(text.as_bytes()) {
            let outcome = replay(&trace, Instant::now());
            prop_assert!(outcome.streams.len() <= trace.lines.len());
        }
    }
}
