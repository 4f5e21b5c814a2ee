//! Where the pass stands, and what it has written.
//!
//! Most of what comes is as our writer would write it. So it is copied in long pieces: from where the last
//! difference was to where the next one is.

use super::class::{name_length, plain_length};
use crate::proto::xml::references::resolve;
use crate::proto::xml::writer::in_attribute;

pub(super) struct Cursor<'b, 'o> {
    pub(super) bytes: &'b [u8],
    /// What is not read yet begins here.
    pub(super) at: usize,
    /// What is read and not written yet begins here. It is written as it is, unless that is said before.
    from: usize,
    out: &'o mut Vec<u8>,
}

impl<'b, 'o> Cursor<'b, 'o> {
    pub(super) fn new(bytes: &'b [u8], out: &'o mut Vec<u8>) -> Self {
        Self {
            bytes,
            at: 0,
            from: 0,
            out,
        }
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Takes this byte, if it is next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Takes these bytes, if they are next.
    #[inline]
    pub(super) fn take_all(&mut self, bytes: &[u8]) -> Option<()> {
        self.rest()
            .starts_with(bytes)
            .then(|| self.at += bytes.len())
    }

    #[inline]
    pub(super) fn rest(&self) -> &'b [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn read(&self, begin: usize, end: usize) -> Option<&'b [u8]> {
        self.bytes.get(begin..end)
    }

    /// How much is written when all that is read is.
    #[inline]
    pub(super) fn written(&self) -> usize {
        self.out.len() + self.at - self.from
    }

    /// Writes all that is read up to here.
    pub(super) fn flush(&mut self, to: usize) -> Option<()> {
        self.out.extend_from_slice(self.read(self.from, to)?);
        self.from = to;
        Some(())
    }

    /// What was read from `begin` to `end` is written so.
    pub(super) fn write_as(&mut self, (begin, end): (usize, usize), text: &[u8]) -> Option<()> {
        self.flush(begin)?;
        self.out.extend_from_slice(text);
        self.from = end;
        Some(())
    }

    /// Puts something in before what was written last, from a place in it on.
    pub(super) fn insert(&mut self, place: usize, pieces: [&[u8]; 3]) -> Option<usize> {
        self.flush(self.at)?;
        let before = self.out.len();
        for piece in pieces {
            self.out.extend_from_slice(piece);
        }
        let length = self.out.len() - before;
        self.out.get_mut(place..)?.rotate_right(length);
        Some(length)
    }

    /// Moves what was written in this place behind all that was.
    pub(super) fn move_back(&mut self, (begin, end): (usize, usize)) -> Option<()> {
        self.flush(self.at)?;
        self.out.get_mut(begin..)?.rotate_left(end - begin);
        Some(())
    }

    /// Takes white space: how much.
    #[inline]
    pub(super) fn space(&mut self) -> usize {
        let begin = self.at;
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.at - begin
    }

    /// A name without a colon.
    #[inline]
    pub(super) fn name(&mut self) -> Option<&'b [u8]> {
        let length = name_length(self.rest());
        let name = self.rest().get(..length).filter(|name| !name.is_empty())?;
        self.at += length;
        Some(name)
    }

    /// A value that is written as it is read, behind its first quote.
    pub(super) fn plain_value(&mut self, quote: u8) -> Option<(usize, usize)> {
        let begin = self.at;
        self.at += plain_length(self.rest());
        let end = self.at;
        self.take(quote)?;
        Some((begin, end))
    }

    /// Any value, behind its first quote (XML 1.0 §3.3.3): where it is written, and whether as it was read.
    #[inline]
    pub(super) fn value(&mut self, quote: u8) -> Option<((usize, usize), bool)> {
        let begin = self.written();
        let mut is_plain = true;
        loop {
            self.at += plain_length(self.rest());
            let end = self.written();
            let at = self.at;
            let byte = self.peek()?;
            self.at += 1;
            if byte == quote {
                return Some(((begin, end), is_plain));
            }
            is_plain = false;
            match byte {
                b'&' => self.reference(at, in_attribute)?,
                b'\t' | b'\n' => self.write_as((at, at + 1), b" ")?,
                b'\'' | b'"' | b'>' => {
                    let escaped = in_attribute(char::from(byte))?;
                    self.write_as((at, at + 1), escaped.as_bytes())?;
                }
                _ => return None,
            }
        }
    }

    /// Behind an `&` that stands at `begin`.
    pub(super) fn reference(
        &mut self,
        begin: usize,
        escape: impl Fn(char) -> Option<&'static str>,
    ) -> Option<()> {
        /// The longest is `#x0010FFFF`.
        const LONGEST: usize = 12;
        let rest = self.rest();
        let length = rest.iter().take(LONGEST).position(|byte| *byte == b';')?;
        let c = resolve(std::str::from_utf8(rest.get(..length)?).ok()?).ok()?;
        self.at += length + 1;
        let as_read = self.read(begin, self.at)?;
        let mut buffer = [0; 4];
        let written = match escape(c) {
            Some(escaped) => escaped.as_bytes(),
            None => c.encode_utf8(&mut buffer).as_bytes(),
        };
        if written != as_read {
            self.write_as((begin, self.at), written)?;
        }
        Some(())
    }
}
