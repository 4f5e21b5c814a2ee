//! What libraries and the operating system say, in words that fit into a message.

use std::fmt::Display;

/// An error without the system's number for it, the path of a temporary file, and links into a manual:
/// `Address already in use (os error 98)` becomes `Address already in use`.
#[must_use]
pub fn of_error(error: &impl Display) -> String {
    let mut text = error.to_string();
    while let Some(start) = text.find(NUMBER) {
        let rest = text.get(start + NUMBER.len()..).unwrap_or_default();
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
        let Some(after) = digits.strip_prefix(')') else {
            break;
        };
        text = format!("{}{after}", text.get(..start).unwrap_or_default());
    }
    for end in [": https://", TEMPORARY] {
        if let Some(start) = text.find(end) {
            text.truncate(start);
        }
    }
    text
}

/// The name of a variant as words: `UnsupportedCertVersion` becomes `unsupported cert version`.
#[must_use]
pub fn of_name(name: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    for c in name.chars() {
        let begins = c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_numeric());
        if begins || (c == '(' && before != ' ') {
            out.push(' ');
        }
        out.push(c.to_ascii_lowercase());
        before = c;
    }
    out
}

const NUMBER: &str = " (os error ";
/// Behind it stands the path of a temporary file, which nobody has named.
const TEMPORARY: &str = " at path \"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_numbers_and_links_into_manuals_are_left_out() {
        for (text, want) in [
            (
                "Address already in use (os error 98)",
                "Address already in use",
            ),
            ("a (os error 2): b (os error -3)", "a: b"),
            ("cut (os error ", "cut (os error "),
            (
                "Permission denied (os error 13) at path \"/state/.check-GIYCGu\"",
                "Permission denied",
            ),
            (
                "peer closed connection: https://docs.example/manual#eof",
                "peer closed connection",
            ),
            ("nothing to leave out", "nothing to leave out"),
        ] {
            assert_eq!(of_error(&text), want);
        }
    }

    #[test]
    fn names_of_variants_become_words() {
        for (name, want) in [
            ("NoCipherSuitesInCommon", "no cipher suites in common"),
            ("TrailingData(Certificate)", "trailing data (certificate)"),
            ("Tls12NotOffered", "tls12 not offered"),
            ("UnknownCA", "unknown ca"),
        ] {
            assert_eq!(of_name(name), want);
        }
    }
}
