//! Damage to conversations: the same for the same seed.

/// A source of choices, and what is done by them.
pub(super) struct Damage(u64);

/// What a damaged place is damaged with.
const PIECES: &[&[u8]] = &[
    b"<",
    b">",
    b"/>",
    b"</",
    b"&",
    b"'",
    b"\"",
    b" ",
    b"\0",
    b"\r\n",
    b"\xff",
    b"\xef\xbf\xbe",
    b"]]>",
    b"<![CDATA[",
    b"<!--",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"<?xml version='1.0'?>",
    b"&b;",
    b"&#0;",
    b" xmlns='",
    b" xmlns:p='urn:p'",
    b" from=''",
    b"<a>",
    b"<stream:stream>",
    b"contoso.example",
    b"\x16\x03\x01\x02\x00\x01",
];

impl Damage {
    pub(super) fn new(seed: usize) -> Self {
        // An odd multiple of any seed but zero is a good start for what follows; zero is none.
        Self((seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// A number below this one, which must not be zero.
    pub(super) fn below(&mut self, end: usize) -> usize {
        // Marsaglia's xorshift, of 64 bits.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    /// The lines, some left out or said again, with up to three places damaged.
    pub(super) fn conversation(&mut self, lines: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            // Without the header nothing else would be heard.
            let times = match self.below(8) {
                0 if index > 0 => 0,
                1 => 2,
                2 => 1 + self.below(40),
                _ => 1,
            };
            for _ in 0..times {
                bytes.extend_from_slice(line.as_bytes());
            }
        }
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(4)).min(bytes.len());
            let piece = PIECES[self.below(PIECES.len())];
            bytes.splice(at..end, piece.iter().copied());
        }
        bytes
    }

    /// Something that begins as a TLS handshake does.
    pub(super) fn handshake(&mut self) -> Vec<u8> {
        let length = self.below(512);
        let mut bytes = b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03".to_vec();
        bytes.extend((0..length).map(|_| self.below(256).to_le_bytes()[0]));
        bytes
    }
}
