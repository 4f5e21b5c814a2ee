//! Which bytes may stand where, many at once.

/// May begin a name, as far as ASCII goes. Others are looked at by the table of all of them.
const NAME_START: u8 = 1;
/// May go on with one.
const NAME: u8 = 2;
/// Is written in an attribute's value as it is read in one.
const PLAIN: u8 = 4;

static CLASSES: [u8; 256] = classes();

/// How many bytes of a name come first; none, where what comes first begins no name.
#[inline]
pub(super) fn name_length(bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(first) if class_of(*first) & NAME_START != 0 => run(bytes, NAME),
        _ => 0,
    }
}

/// How many bytes come first that are written in a value as they are read.
#[inline]
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    let (eights, rest) = bytes.as_chunks::<8>();
    let mut length = 0;
    for eight in eights {
        let odd = not_plain(u64::from_le_bytes(*eight));
        if odd != 0 {
            return length + odd.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    length + run(rest, PLAIN)
}

/// The highest bit of each of eight bytes that is not plain, up to the first such.
fn not_plain(bytes: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let is_zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    let controls = bytes.wrapping_sub(ONES * 0x20) & !bytes;
    // `&` and `'` differ in the lowest bit, `<` and `>` in the one before.
    let references = is_zero((bytes & (ONES * 0xfe)) ^ (ONES * 0x26));
    let brackets = is_zero((bytes & (ONES * 0xfd)) ^ (ONES * 0x3c));
    let quotes = is_zero(bytes ^ (ONES * 0x22));
    (controls | references | brackets | quotes) & (ONES * 0x80)
}

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0u8;
    loop {
        let mut class = 0;
        if byte.is_ascii_alphabetic() || byte == b'_' {
            class |= NAME_START | NAME;
        }
        if byte.is_ascii_digit() || byte == b'-' || byte == b'.' {
            class |= NAME;
        }
        if !matches!(byte, 0..0x20 | b'&' | b'<' | b'>' | b'\'' | b'"') {
            class |= PLAIN;
        }
        #[expect(
            clippy::indexing_slicing,
            reason = "the table has a place for each byte"
        )]
        {
            classes[byte as usize] = class;
        }
        if byte == u8::MAX {
            return classes;
        }
        byte += 1;
    }
}

#[inline]
fn class_of(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or_default()
}

/// How many bytes of a class come first.
#[inline]
fn run(bytes: &[u8], class: u8) -> usize {
    let other = bytes.iter().position(|byte| class_of(*byte) & class == 0);
    other.unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_at_once_are_as_one_by_one() {
        for byte in 0..=u8::MAX {
            for at in 0..20 {
                for fill in [b'a', b'\x7f', 0x80, 0xff] {
                    let mut bytes = [fill; 20];
                    bytes[at] = byte;
                    assert_eq!(plain_length(&bytes), run(&bytes, PLAIN), "{bytes:?}");
                    // What follows the first does not hide it.
                    bytes[19] = b'<';
                    assert_eq!(plain_length(&bytes), run(&bytes, PLAIN), "{bytes:?}");
                }
            }
        }
    }
}
