//! References, line ends and white space: from what is written to what is meant.

use super::Fault;
use super::chars::is_char;

/// Appends literal text with its line ends normalised (XML 1.0 §2.11).
pub(super) fn push_text(text: &str, into: &mut String) {
    let mut pieces = text.split('\r');
    into.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        // XML 1.0 §2.11: CR LF is one line end, and so is a CR alone.
        if !piece.starts_with('\n') {
            into.push('\n');
        }
        into.push_str(piece);
    }
}

/// The value of an attribute as written between its quotes (XML 1.0 §3.3.3, type CDATA).
pub(super) fn attribute_value(written: &str) -> Result<String, Fault> {
    let mut value = String::with_capacity(written.len());
    let mut rest = written;
    // All four are ASCII, so looking at bytes finds the same places, and faster.
    let is_special = |byte: &u8| matches!(byte, b'&' | b'\t' | b'\n' | b'\r');
    while let Some(at) = rest.as_bytes().iter().position(is_special) {
        let (literal, special) = rest.split_at(at);
        value.push_str(literal);
        rest = if let Some(reference) = special.strip_prefix('&') {
            let (name, after) = reference.split_once(';').ok_or(Fault::LoneAmpersand)?;
            value.push(resolve(name)?);
            after
        } else {
            // XML 1.0 §3.3.3: each line end or tab becomes a space; CR LF is one line end.
            value.push(' ');
            special
                .strip_prefix("\r\n")
                .or_else(|| special.strip_prefix(['\t', '\n', '\r']))
                .unwrap_or_default()
        };
    }
    value.push_str(rest);
    Ok(value)
}

/// The character that a reference stands for; `name` is what is between `&` and `;`.
pub(super) fn resolve(name: &str) -> Result<char, Fault> {
    match name {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => match name.strip_prefix('#') {
            Some(number) => match character(number) {
                None => Err(Fault::CharacterReference(name.into())),
                Some(_) if number.trim_start_matches('x').len() > MAX_DIGITS => {
                    Err(Fault::UnportableReference(name.into()))
                }
                Some(c) => Ok(c),
            },
            // RFC 6120 §11.1: the five predefined entities and no others.
            None if super::strict::is_qname(name) => Err(Fault::Entity(name.into())),
            None => Err(Fault::LoneAmpersand),
        },
    }
}

/// Whether what has come of a reference so far can become one; `begun` follows `&`.
pub(super) fn unfinished(begun: &[u8]) -> Result<(), Fault> {
    let Some(number) = begun.strip_prefix(b"#") else {
        return Ok(());
    };
    let (digits, radix) = match number.strip_prefix(b"x") {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    let mut code: u32 = 0;
    let fault = || String::from_utf8_lossy(begun).as_ref().into();
    for digit in digits {
        let digit = char::from(*digit).to_digit(radix);
        // Nine digits at most are looked at, so nothing can overflow.
        code = code * radix + digit.ok_or_else(|| Fault::CharacterReference(fault()))?;
        if code > u32::from(char::MAX) {
            return Err(Fault::CharacterReference(fault()));
        }
    }
    if digits.len() > MAX_DIGITS {
        return Err(Fault::UnportableReference(fault()));
    }
    Ok(())
}

/// The largest number has seven digits. XML sets no bound to the zeros before it, and parsers do,
/// each its own.
const MAX_DIGITS: usize = 8;

/// XML 1.0 §4.1: a decimal or hexadecimal number that matches production `Char`.
fn character(number: &str) -> Option<char> {
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    if digits.is_empty() {
        return None;
    }
    let mut code: u32 = 0;
    for digit in digits.chars() {
        code = code
            .checked_mul(radix)?
            .checked_add(digit.to_digit(radix)?)?;
    }
    char::from_u32(code).filter(|c| is_char(*c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_line_feeds() {
        for (written, want) in [
            ("a\r\nb", "a\nb"),
            ("a\rb", "a\nb"),
            ("a\r\r\n\nb\r", "a\n\n\nb\n"),
            ("\r", "\n"),
            ("a\nb", "a\nb"),
        ] {
            let mut text = String::new();
            push_text(written, &mut text);
            assert_eq!(text, want, "{written:?}");
        }
    }

    #[test]
    fn attribute_values_are_normalised() {
        for (written, want) in [
            ("a\tb\nc\rd\r\ne", "a b c d e"),
            ("&#9;&#10;&#13;", "\t\n\r"),
            ("&#xD;&#xA;", "\r\n"),
            ("&lt;&gt;&amp;&apos;&quot;", "<>&'\""),
            ("&amp;lt;", "&lt;"),
        ] {
            assert_eq!(attribute_value(written).as_deref(), Ok(want), "{written:?}");
        }
    }

    #[test]
    fn character_references_are_checked() {
        for (name, want) in [
            ("#65", 'A'),
            ("#x41", 'A'),
            ("#x000041", 'A'),
            ("#x10FFFF", '\u{10ffff}'),
            ("#00000065", 'A'),
            ("#x00000041", 'A'),
        ] {
            assert_eq!(resolve(name), Ok(want), "{name}");
        }
        for bad in [
            "#0",
            "#x0",
            "#1",
            "#x1F",
            "#xD800",
            "#xFFFE",
            "#x110000",
            "#99999999999",
            "#",
            "#x",
            "#X41",
            "#+65",
            "# 65",
            "#65 ",
            "#x4g",
        ] {
            assert_eq!(
                resolve(bad),
                Err(Fault::CharacterReference(bad.into())),
                "{bad}"
            );
        }
    }

    #[test]
    fn zeros_are_taken_as_far_as_everybody_takes_them() {
        for long in ["#000000065", "#x000000041", "#0000000000000000000000000065"] {
            let fault = Fault::UnportableReference(long.into());
            assert_eq!(resolve(long), Err(fault), "{long}");
        }
    }

    #[test]
    fn only_the_predefined_entities_exist() {
        assert_eq!(resolve("nbsp"), Err(Fault::Entity("nbsp".into())));
        assert_eq!(resolve("LT"), Err(Fault::Entity("LT".into())));
        for not_a_name in ["", " lt", "l t", "%a"] {
            assert_eq!(
                resolve(not_a_name),
                Err(Fault::LoneAmpersand),
                "{not_a_name:?}"
            );
        }
    }
}
