//! UTF-8 and forbidden characters, looked for in each piece as it arrives.

use super::{Fault, strict};

/// Checks a text that comes in pieces, which may end in the middle of a character.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    /// The bytes of a character that is not yet whole.
    begun: [u8; 4],
    held: usize,
}

impl Pieces {
    /// Checks the next piece: the first fault in it, wherever the pieces were cut.
    pub(super) fn check(&mut self, piece: &[u8]) -> Result<(), Fault> {
        if self.held == 0 && strict::is_plain(piece) {
            return Ok(());
        }
        let mut rest = piece;
        while self.held > 0
            && let Some((byte, after)) = rest.split_first()
        {
            rest = after;
            self.complete(*byte)?;
        }
        match std::str::from_utf8(rest) {
            Ok(text) => strict::characters(text),
            Err(error) => {
                let (whole, tail) = rest
                    .split_at_checked(error.valid_up_to())
                    .unwrap_or_default();
                strict::characters(strict::utf8(whole)?)?;
                if error.error_len().is_some() {
                    return Err(Fault::InvalidUtf8);
                }
                for (to, from) in self.begun.iter_mut().zip(tail) {
                    *to = *from;
                }
                self.held = tail.len();
                Ok(())
            }
        }
    }

    /// Adds a byte to the character that was begun.
    fn complete(&mut self, byte: u8) -> Result<(), Fault> {
        if let Some(place) = self.begun.get_mut(self.held) {
            *place = byte;
        }
        self.held += 1;
        let begun = self.begun.get(..self.held).unwrap_or_default();
        match std::str::from_utf8(begun) {
            Ok(text) => {
                self.held = 0;
                strict::characters(text)
            }
            Err(error) if error.error_len().is_some() => Err(Fault::InvalidUtf8),
            Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fault, and how many bytes were taken before it, byte by byte.
    fn bytewise(bytes: &[u8]) -> (Option<Fault>, usize) {
        let mut pieces = Pieces::default();
        for (at, byte) in bytes.iter().enumerate() {
            if let Err(fault) = pieces.check(&[*byte]) {
                return (Some(fault), at);
            }
        }
        (None, bytes.len())
    }

    #[test]
    fn a_fault_is_found_at_its_byte_however_the_text_is_cut() {
        for (bytes, fault, at) in [
            ("a\u{e4}\u{4e00}\u{10000}".as_bytes(), None, 10),
            (b"a\xffb", Some(Fault::InvalidUtf8), 1),
            (b"\xc3a\x01", Some(Fault::InvalidUtf8), 1),
            (b"\xe0\x80", Some(Fault::InvalidUtf8), 1),
            (b"\xed\xa0\x80", Some(Fault::InvalidUtf8), 1),
            (b"\xf4\x90", Some(Fault::InvalidUtf8), 1),
            (b"ab\x01\xff", Some(Fault::ForbiddenCharacter(1)), 2),
            (b"\xef\xbf\xbe", Some(Fault::ForbiddenCharacter(0xfffe)), 2),
        ] {
            assert_eq!(bytewise(bytes), (fault.clone(), at), "{bytes:?}");
            for cut in 0..=bytes.len() {
                let (first, second) = bytes.split_at(cut);
                let mut pieces = Pieces::default();
                let found = pieces.check(first).and_then(|()| pieces.check(second));
                assert_eq!(found.err(), fault, "{bytes:?} cut at {cut}");
            }
        }
    }
}
