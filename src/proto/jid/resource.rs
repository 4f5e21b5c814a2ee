//! The part behind the `/`: checked, and kept as it came.

use super::error::{JidError, MAX_PART};

/// Checks a resource part (RFC 7622 §3.4).
pub(super) fn check(resource: &str) -> Result<(), JidError> {
    if resource.len() > MAX_PART {
        return Err(JidError::TooLong);
    }
    // RFC 7622 §3.4: OpaqueString admits spaces, but no control characters.
    let is_plain = |byte: u8| (b' '..0x7f).contains(&byte);
    let is_valid = resource.bytes().all(is_plain) || !resource.contains(char::is_control);
    if resource.is_empty() || !is_valid {
        return Err(JidError::BadResource);
    }
    Ok(())
}
