//! The character classes of XML 1.0 (fifth edition) and of Namespaces in XML.

/// White space, production \[3\] `S`.
pub(super) fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Production \[2\] `Char`: what a document may contain at all.
pub(in crate::proto) fn is_char(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Production `NCName`: a name without a colon.
pub(super) fn is_ncname(name: &str) -> bool {
    // Nearly all names are ASCII; for the others the whole table is consulted.
    if name.is_ascii() {
        return is_ascii_ncname(name.as_bytes());
    }
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
}

fn is_ascii_ncname(name: &[u8]) -> bool {
    let is_start = |b: &u8| b.is_ascii_alphabetic() || *b == b'_';
    let is_more = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    name.first().is_some_and(is_start) && name.iter().all(is_more)
}

/// Whether every parser in use takes an `NCName` for a name.
///
/// The fifth edition widened what a name may contain, but the parser of most XMPP servers keeps to
/// the tables of the fourth. Were such a name relayed, that parser would end the whole stream: one
/// partner could cut the link that all of them use. These are the alphabets both editions admit;
/// all names that XMPP itself defines are ASCII.
pub(super) fn is_portable(name: &str) -> bool {
    name.is_ascii()
        || name.chars().all(|c| {
            c.is_ascii()
                || matches!(c,
                '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{131}' // Latin
                | '\u{134}'..='\u{13e}' | '\u{141}'..='\u{148}' | '\u{14a}'..='\u{17e}'
                | '\u{388}'..='\u{38a}' | '\u{38e}'..='\u{3a1}' | '\u{3a3}'..='\u{3ce}' // Greek
                | '\u{401}'..='\u{40c}' | '\u{40e}'..='\u{44f}' | '\u{451}'..='\u{45c}' // Cyrillic
                | '\u{5d0}'..='\u{5ea}' // Hebrew
                | '\u{621}'..='\u{63a}' | '\u{641}'..='\u{64a}' // Arabic
                | '\u{3041}'..='\u{3094}' | '\u{30a1}'..='\u{30fa}' // Kana
                | '\u{4e00}'..='\u{9fa5}' // Han
                | '\u{ac00}'..='\u{d7a3}') // Hangul
        })
}

/// Production \[4\] `NameStartChar`, less the colon.
fn is_name_start(c: char) -> bool {
    matches!(c,
        'A'..='Z' | 'a'..='z' | '_'
        | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}'
        | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}'
        | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
}

/// Production \[4a\] `NameChar`, less the colon.
fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c,
            '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chars_are_those_of_production_2() {
        for c in [
            '\t',
            '\n',
            '\r',
            ' ',
            '\u{7f}',
            '\u{d7ff}',
            '\u{e000}',
            '\u{fffd}',
            '\u{10ffff}',
        ] {
            assert!(is_char(c), "{c:?}");
        }
        for c in [
            '\0', '\u{1}', '\u{b}', '\u{c}', '\u{1f}', '\u{fffe}', '\u{ffff}',
        ] {
            assert!(!is_char(c), "{c:?}");
        }
    }

    #[test]
    fn names_of_the_fifth_edition_alone_are_not_portable() {
        for name in ["a-b.c_9", "größe", "имя", "名"] {
            assert!(is_ncname(name) && is_portable(name), "{name:?}");
        }
        for name in ["a\u{feff}", "\u{10000}", "\u{2070}", "\u{200c}", "\u{132}"] {
            assert!(is_ncname(name) && !is_portable(name), "{name:?}");
        }
    }

    #[test]
    fn names_are_those_of_production_ncname() {
        for name in ["a", "_", "a-b.c9", "é", "a·", "\u{10000}"] {
            assert!(is_ncname(name), "{name:?}");
        }
        for name in [
            "",
            "1a",
            "-a",
            ".a",
            "a!b",
            "a:b",
            ":",
            "·a",
            "a b",
            "×",
            "a\u{f0000}",
        ] {
            assert!(!is_ncname(name), "{name:?}");
        }
    }
}
