//! Text from outside, made fit for one line of a log (RUSTSEC-2025-0055 is what happens else).

use std::fmt::{self, Write};

/// Text that somebody else chose, shown on one line, in printable characters and in bounded length.
///
/// Control characters, line and paragraph separators, bidirectional controls and invisible
/// characters appear as `\u{…}`; a backslash is doubled, so that what is shown can be read back.
/// At most [`Peer::LIMIT`] bytes of the text are shown; `…` stands for the rest.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a>(pub &'a str);

impl Peer<'_> {
    /// How many bytes of the text are shown.
    pub const LIMIT: usize = 200;
}

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_clean(f, self.0, Self::LIMIT)
    }
}

/// Writes at most so many bytes of a text, with everything escaped that is not clean.
pub(crate) fn write_clean(to: &mut dyn Write, text: &str, limit: usize) -> fmt::Result {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (mut shown, rest) = text.split_at(end);
    while !shown.is_empty() {
        // Nearly all is plain ASCII, and is written at once.
        let plain = shown.bytes().take_while(|byte| is_plain(*byte)).count();
        let (plain, odd) = shown.split_at(plain);
        to.write_str(plain)?;
        let mut odd = odd.chars();
        match odd.next() {
            None => {}
            Some('\\') => to.write_str("\\\\")?,
            Some(unclean) if is_unclean(unclean) => write!(to, "{}", unclean.escape_unicode())?,
            Some(clean) => to.write_char(clean)?,
        }
        shown = odd.as_str();
    }
    if rest.is_empty() {
        Ok(())
    } else {
        to.write_char('…')
    }
}

/// Whether a byte is printable ASCII that is written as itself.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'\\'
}

/// Whether a character may not stand in a log as itself.
///
/// `Debug` of a character escapes what is not printable (controls, format characters, separators,
/// private use, unassigned), and combining marks, which would draw over their neighbours.
pub(super) fn is_unclean(character: char) -> bool {
    !matches!(character, ' ' | '\'' | '"' | '\\') && character.escape_debug().len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_becomes_one_clean_line() {
        for (text, want) in [
            ("fabrikam.com", "fabrikam.com"),
            ("bücher.example", "bücher.example"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\r\nINFO forged", "a\\u{d}\\u{a}INFO forged"),
            ("\u{202e}moc.evil", "\\u{202e}moc.evil"),
            ("\u{2066}x\u{2069}\u{200f}", "\\u{2066}x\\u{2069}\\u{200f}"),
            (
                "a\u{2028}b\u{2029}c\u{85}d",
                "a\\u{2028}b\\u{2029}c\\u{85}d",
            ),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
            ("e\u{301}", "e\\u{301}"),
            ("\u{9b}2J\u{7f}\0", "\\u{9b}2J\\u{7f}\\u{0}"),
            ("\u{e0041}tag\u{e000}", "\\u{e0041}tag\\u{e000}"),
            ("\\u{1b}", "\\\\u{1b}"),
            ("it's \"so\"", "it's \"so\""),
            ("", ""),
        ] {
            assert_eq!(Peer(text).to_string(), want, "{text:?}");
        }
    }

    #[test]
    fn length_is_bounded_at_a_character() {
        assert_eq!(
            Peer(&"x".repeat(Peer::LIMIT)).to_string().len(),
            Peer::LIMIT
        );
        assert_eq!(
            Peer(&"x".repeat(1 << 20)).to_string(),
            format!("{}…", "x".repeat(Peer::LIMIT))
        );
        // 200 is not a multiple of three: the character that would be cut is left out whole.
        assert_eq!(
            Peer(&"€".repeat(1 << 18)).to_string(),
            format!("{}…", "€".repeat(66))
        );
        let worst = Peer(&"\u{202e}".repeat(1 << 18)).to_string();
        assert!(worst.len() < 66 * "\\u{202e}".len() + 4, "{}", worst.len());
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_the_line_is_clean(text in "\\PC{0,40}|(.|\\s|\\p{Cf}|\\p{Cc}){0,300}") {
            let line = Peer(&text).to_string();
            proptest::prop_assert!(!line.contains(is_unclean), "{line:?}");
            proptest::prop_assert!(!line.contains(char::is_control), "{line:?}");
        }
    }
}
