//! The part before the `@`: checked, and kept as it came.

use precis_profiles::UsernameCaseMapped;
use precis_profiles::precis_core::profile::PrecisFastInvocation as _;

use super::error::{JidError, MAX_PART};

/// Checks a local part (RFC 7622 §3.3).
pub(super) fn check(local: &str) -> Result<(), JidError> {
    if local.len() > MAX_PART {
        return Err(JidError::TooLong);
    }
    if local.is_empty() {
        return Err(JidError::BadLocal);
    }
    // RFC 7622 §3.3.1 excludes these nine; spaces and controls are outside PRECIS's IdentifierClass.
    let forbidden = |c: char| "\"&'/:<>@".contains(c) || c.is_whitespace() || c.is_control();
    if local.contains(forbidden) {
        return Err(JidError::BadLocal);
    }
    Ok(())
}

/// Whether a local part is of printable ASCII without capitals and without those that are excluded, as
/// most are: then there is nothing to be looked up, and it is its own normal form.
pub(super) fn is_plain_and_lower(local: &str) -> bool {
    local.len() <= MAX_PART && !local.is_empty() && local.bytes().all(is_plain)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(
            byte,
            b'A'..=b'Z' | b'"' | b'&' | b'\'' | b'/' | b':' | b'<' | b'>' | b'@'
        )
}

/// Whether a local part is one that an account here may have: RFC 8265 §3.3, the profile
/// UsernameCaseMapped. What RFC 7622 §3.3.1 excludes besides, [`check`] has refused.
pub(super) fn is_valid(local: &str) -> bool {
    // What is printable in ASCII and not excluded is valid.
    local.is_ascii() || UsernameCaseMapped::enforce(local).is_ok()
}

/// Whether a local part becomes another address where somebody maps compatible characters (NFKC):
/// `ceo＠boss.example／x` is no account of ours, and could be read as one elsewhere.
pub(super) fn makes_separator(local: &str) -> bool {
    !local.is_ascii() && local.contains(is_mapped_to_separator)
}

/// The characters beyond ASCII that NFKC maps to something with `@` or `/` in it. It maps some others
/// to eighteen characters each, so a text is not mapped to find out.
pub(super) fn is_mapped_to_separator(c: char) -> bool {
    matches!(
        c,
        // ℀, ℁, ℅, ℆
        '\u{2100}' | '\u{2101}' | '\u{2105}' | '\u{2106}'
            // ﹫, ／, ＠
            | '\u{fe6b}' | '\u{ff0f}' | '\u{ff20}'
    )
}
