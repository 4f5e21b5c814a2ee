//! In which encoding a configuration file is. TOML is UTF-8; editors write others, too.

use std::ops::Range;

/// What the bytes of a file are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// UTF-8, as it must be.
    Utf8(String),
    /// Text in another encoding, read as such.
    Foreign(Foreign),
    /// No text in any encoding that is known here.
    Binary,
}

/// Text in another encoding than UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    /// The encoding, for people.
    pub(super) name: &'static str,
    /// The encoding, for iconv(1).
    pub(super) charset: &'static str,
    /// The text.
    pub(super) text: String,
    /// The first character that tells; empty where the whole file does.
    pub(super) at: Range<usize>,
}

impl Content {
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        // UTF-16 of plain ASCII is UTF-8, too: half of it are zeros, which no text has.
        if let Some(foreign) = Foreign::utf16(&bytes) {
            return Self::Foreign(foreign);
        }
        if bytes.contains(&0) {
            return Self::Binary;
        }
        match String::from_utf8(bytes) {
            Ok(text) => Self::Utf8(text),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                Foreign::one_byte(error.as_bytes(), valid).map_or(Self::Binary, Self::Foreign)
            }
        }
    }
}

impl Foreign {
    fn utf16(bytes: &[u8]) -> Option<Self> {
        let is_big = match bytes {
            [0xFE, 0xFF, ..] => true,
            [0xFF, 0xFE, ..] => false,
            _ => zeros_at(bytes)?,
        };
        let unit = |pair: &[u8]| match *pair {
            [high, low] if is_big => u16::from_be_bytes([high, low]),
            [low, high] => u16::from_le_bytes([low, high]),
            _ => u16::from(b'?'),
        };
        let units: Vec<u16> = bytes.chunks(2).map(unit).collect();
        let text = String::from_utf16_lossy(&units);
        Some(Self {
            name: "UTF-16",
            charset: if is_big { "UTF-16BE" } else { "UTF-16LE" },
            text: text.trim_start_matches('\u{FEFF}').to_owned(),
            at: 0..0,
        })
    }

    /// One byte a character: Latin-1, or Windows-1252, which has printable characters where Latin-1
    /// has controls. `valid` bytes are UTF-8.
    fn one_byte(bytes: &[u8], valid: usize) -> Option<Self> {
        let is_control = |byte: &u8| *byte < 0x20 && !b"\t\n\r\x0c".contains(byte);
        if bytes.iter().any(is_control) {
            return None;
        }
        let is_windows = bytes.iter().any(|byte| (0x80..0xA0).contains(byte));
        let (good, rest) = bytes.split_at_checked(valid)?;
        let mut text = std::str::from_utf8(good).ok()?.to_owned();
        let start = text.len();
        // What Windows-1252 has where Latin-1 has controls does not matter to who looks for the place.
        text.extend(rest.iter().map(|byte| match byte {
            0x80..0xA0 => char::REPLACEMENT_CHARACTER,
            byte => char::from(*byte),
        }));
        let first = text.get(start..)?.chars().next()?;
        let (name, charset) = if is_windows {
            ("Windows-1252 or another encoding of one byte", "CP1252")
        } else {
            ("Latin-1 (ISO 8859-1)", "LATIN1")
        };
        Some(Self {
            name,
            charset,
            at: start..start + first.len_utf8(),
            text,
        })
    }
}

/// Where most characters are ASCII, UTF-16 has a zero in every second byte: whether in the first of
/// two, as it is in big-endian order.
fn zeros_at(bytes: &[u8]) -> Option<bool> {
    if bytes.len() < 4 {
        return None;
    }
    let zeros = |offset| {
        let every_second = bytes.iter().skip(offset).step_by(2);
        every_second.filter(|byte| **byte == 0).count()
    };
    let (first, second) = (zeros(0), zeros(1));
    let most = bytes.len() / 4;
    match (first > most && second == 0, second > most && first == 0) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    fn foreign(bytes: Vec<u8>) -> (&'static str, String, Range<usize>) {
        match Content::of(bytes) {
            Content::Foreign(it) => (it.charset, it.text, it.at),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn utf16_is_told_with_its_mark_and_without() {
        let text = "domains = [\"bücher.example\"]\r\n";
        let text = || text.to_owned();
        let marked = format!("\u{FEFF}{}", text());
        for (bytes, charset) in [
            (utf16(&text(), u16::to_le_bytes), "UTF-16LE"),
            (utf16(&text(), u16::to_be_bytes), "UTF-16BE"),
            (utf16(&marked, u16::to_le_bytes), "UTF-16LE"),
            (utf16(&marked, u16::to_be_bytes), "UTF-16BE"),
        ] {
            assert_eq!(foreign(bytes), (charset, text(), 0..0));
        }
        // A file that was cut in the middle of a character.
        let mut cut = utf16(&text(), u16::to_le_bytes);
        cut.pop();
        assert_eq!(foreign(cut).0, "UTF-16LE");
    }

    #[test]
    fn one_byte_encodings_are_told_with_the_first_byte_that_tells() {
        let at = "# B".len();
        let text = "# B\u{fc}cher\n".to_owned();
        assert_eq!(
            foreign(b"# B\xFCcher\n".to_vec()),
            ("LATIN1", text, at..at + 2)
        );
        assert_eq!(foreign(b"# 5\x80\n".to_vec()).0, "CP1252");
        // What is UTF-8 before it stays what it is.
        let mixed = "ü \u{fc}".to_owned();
        assert_eq!(foreign(b"\xC3\xBC \xFC".to_vec()), ("LATIN1", mixed, 3..5));
    }

    #[test]
    fn utf8_is_text_and_a_binary_file_is_none() {
        assert_eq!(Content::of("ü\n".into()), Content::Utf8("ü\n".to_owned()));
        assert_eq!(Content::of(Vec::new()), Content::Utf8(String::new()));
        for binary in [&b"\x30\x82\x01\x0a\xff\x01"[..], b"a\0b", b"PK\x03\x04\xff"] {
            assert_eq!(Content::of(binary.to_vec()), Content::Binary);
        }
    }
}
