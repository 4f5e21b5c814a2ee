//! What the parser crate leaves to us, as it stands in XML 1.0: one function for each gap.
//!
//! The gaps of namespace handling are in `scope`, those of document structure in
//! `framer` and `declaration`.

use super::Fault;
use super::chars::{is_char, is_ncname, is_portable, is_whitespace};

/// The frame as text: the bytes must be UTF-8 (RFC 6120 §11.6).
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::InvalidUtf8)
}

/// Whether all is printable ASCII or a line feed, as most is: then there is nothing else to be looked for.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    // Without stopping at the first, so that many bytes are compared at once. As a signed number,
    // whatever is beyond ASCII is less than a space, too.
    let odd = bytes.iter().fold(0, |odd, byte| {
        odd | u8::from((byte.cast_signed() < 0x20) & (*byte != b'\n'))
    });
    odd == 0
}

/// No character that XML forbids may stand anywhere, in markup or out of it (XML 1.0 §2.2).
pub(super) fn characters(text: &str) -> Result<(), Fault> {
    // Only control bytes, and the lead byte of U+F000 to U+FFFF, can begin a forbidden character.
    let suspicious = |byte: u8| (byte < 0x20 && !is_whitespace(byte)) || byte == 0xef;
    // Without stopping at the first, so that many bytes are compared at once.
    let any = text.bytes().fold(false, |any, byte| any | suspicious(byte));
    if !any {
        return Ok(());
    }
    match text.chars().find(|c| !is_char(*c)) {
        Some(c) => Err(Fault::ForbiddenCharacter(c.into())),
        None => Ok(()),
    }
}

/// Text must not contain `]]>` (XML 1.0 §2.4).
pub(super) fn no_section_end(text: &str) -> Result<(), Fault> {
    // Looking for one byte first is several times as fast, and mostly enough.
    if text.contains('>') && text.contains("]]>") {
        return Err(Fault::SectionEndInText);
    }
    Ok(())
}

/// An attribute value must not contain `<` (XML 1.0 §3.1).
pub(super) fn no_less_than(value: &str) -> Result<(), Fault> {
    if value.contains('<') {
        return Err(Fault::LessThanInAttribute);
    }
    Ok(())
}

/// White space must stand before each attribute (XML 1.0 §3.1): `written` is everything in a
/// start tag after the name.
pub(super) fn attributes_are_separated(written: &str) -> Result<(), Fault> {
    let mut bytes = written.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'"' && byte != b'\'' {
            continue;
        }
        // A missing second quote is the parser's to refuse.
        let closed = bytes.any(|other| other == byte);
        let mut after = bytes.clone();
        if closed && after.next().is_some_and(|byte| !is_whitespace(byte)) {
            return Err(Fault::AttributesNotSeparated);
        }
    }
    Ok(())
}

/// A name must be a `QName` (Namespaces in XML §4): returns its prefix, if any, and local part.
/// It must also be short enough, and one that every parser takes.
pub(super) fn qname(name: &str, limit: usize) -> Result<(Option<&str>, &str), Fault> {
    if name.len() > limit {
        return Err(Fault::NameTooLong(limit));
    }
    let (prefix, local) = parts(name).ok_or_else(|| Fault::BadName(name.into()))?;
    if !is_portable(name) {
        return Err(Fault::UnportableName(name.into()));
    }
    Ok((prefix, local))
}

/// Whether a text is a `QName`: at most one colon, and a name on each side of it.
#[must_use]
pub(super) fn is_qname(name: &str) -> bool {
    parts(name).is_some()
}

/// The prefix, if any, and the local part of a `QName`.
fn parts(name: &str) -> Option<(Option<&str>, &str)> {
    // Names are short: to set up a search would take longer than to look at each byte.
    let colon = name.bytes().position(|byte| byte == b':');
    let (prefix, local) = match colon {
        Some(at) => (Some(name.get(..at)?), name.get(at + 1..)?),
        None => (None, name),
    };
    (prefix.is_none_or(is_ncname) && is_ncname(local)).then_some((prefix, local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_utf8_is_refused() {
        let table: [&[u8]; 5] = [
            b"<a>\xff</a>",
            b"<a>\xc0\xbc</a>",
            b"<a>\xeb<></a>",
            b"<a>\xed\xa0\x80\xed\xb0\x80</a>",
            b"<a>\xf4\x90\x80\x80</a>",
        ];
        for bytes in table {
            assert_eq!(utf8(bytes), Err(Fault::InvalidUtf8), "{bytes:?}");
        }
        assert_eq!(utf8("ä𐍈".as_bytes()), Ok("ä𐍈"));
    }

    #[test]
    fn forbidden_characters_are_refused() {
        for c in ['\0', '\u{1}', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
            let text = format!("<a>ok{c}</a>");
            assert_eq!(characters(&text), Err(Fault::ForbiddenCharacter(c.into())));
        }
        assert_eq!(characters("\t\r\n \u{7f}\u{85}\u{feff}\u{fffd}"), Ok(()));
    }

    #[test]
    fn the_end_of_a_section_is_refused_in_text() {
        assert_eq!(no_section_end("a]]>b"), Err(Fault::SectionEndInText));
        assert_eq!(no_section_end("]]]>"), Err(Fault::SectionEndInText));
        assert_eq!(no_section_end("]] >]>"), Ok(()));
    }

    #[test]
    fn less_than_is_refused_in_attributes() {
        assert_eq!(no_less_than("a<b"), Err(Fault::LessThanInAttribute));
        assert_eq!(no_less_than("a>b&lt;"), Ok(()));
    }

    #[test]
    fn attributes_need_space_between_them() {
        for good in ["", " ", " a='1'", " a='1' b=\"2\"\n", " a='\"x' b='y\"'"] {
            assert_eq!(attributes_are_separated(good), Ok(()), "{good:?}");
        }
        for bad in [" a='1'b='2'", " a=\"1\"b", " a='\"'b='\"'"] {
            assert_eq!(
                attributes_are_separated(bad),
                Err(Fault::AttributesNotSeparated),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn names_have_one_colon_at_most() {
        assert_eq!(qname("a", 9), Ok((None, "a")));
        assert_eq!(qname("a:b", 9), Ok((Some("a"), "b")));
        for bad in ["a:b:c", ":a", "a:", ":", "", "1a", "a:1", "a!b", "a/b"] {
            assert_eq!(qname(bad, 9), Err(Fault::BadName(bad.into())), "{bad:?}");
        }
        assert_eq!(qname("abcdefghij", 9), Err(Fault::NameTooLong(9)));
    }

    #[test]
    fn names_that_some_parsers_refuse_are_refused() {
        let name = "a\u{200c}";
        assert_eq!(qname(name, 9), Err(Fault::UnportableName(name.into())));
    }
}
