//! Bytes as hexadecimal digits.

/// The bytes in lower-case digits, two for each.
#[must_use]
pub(crate) fn text(bytes: &[u8]) -> String {
    // As large as it will be at once: growing would leave copies of a secret behind.
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            let first = if digit < 10 { b'0' } else { b'a' - 10 };
            text.push(char::from(first + digit));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_byte_has_two_digits() {
        assert_eq!(super::text(&[0, 0x0a, 0x9f, 0xff]), "000a9fff");
    }
}
