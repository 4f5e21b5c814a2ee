//! Tags, the names in them, and references, byte by byte.

use super::super::chars::is_whitespace;
use super::super::references::{resolve, unfinished};
use super::super::{Fault, strict};
use super::{CONTENT, Framer, Named, Phase, State, Token};

/// A reference is at most this long before it must have ended.
const REFERENCE_BYTES: usize = 64;

impl Framer {
    /// At the first byte of a name.
    pub(super) fn open_name(&mut self, of: Named, byte: u8) -> Result<State, Fault> {
        self.names.begin();
        if !is_name_start(byte) {
            return Err(self.bad_name(byte));
        }
        self.names.extend(&[byte]);
        Ok(State::Name {
            of,
            prefixed: false,
        })
    }

    pub(super) fn after_colon(&mut self, of: Named, byte: u8) -> Result<State, Fault> {
        if !is_name_start(byte) {
            return Err(self.bad_name(byte));
        }
        if self.names.last().len() >= self.limits.name_bytes {
            return Err(Fault::NameTooLong(self.limits.name_bytes));
        }
        self.names.extend(&[byte]);
        Ok(State::Name { of, prefixed: true })
    }

    /// At the first byte that does not just go on with a name.
    pub(super) fn in_name(
        &mut self,
        of: Named,
        prefixed: bool,
        byte: u8,
    ) -> Result<Option<Token>, Fault> {
        if is_name_byte(byte) || (byte == b':' && !prefixed) {
            if self.names.last().len() >= self.limits.name_bytes {
                return Err(Fault::NameTooLong(self.limits.name_bytes));
            }
            self.names.extend(&[byte]);
            self.state = match byte {
                b':' => State::Colon(of),
                _ => State::Name { of, prefixed },
            };
            return Ok(None);
        }
        if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>' | b'=') {
            return Err(self.bad_name(byte));
        }
        let name = self.names.last();
        if !name.is_ascii() {
            strict::qname(strict::utf8(name)?, self.limits.name_bytes)?;
        }
        match of {
            Named::Element => self.in_tag_after_name(byte),
            Named::Attribute => {
                self.names.end();
                self.state = match byte {
                    b'=' => State::Equals,
                    b'/' | b'>' => return Err(unexpected(byte)),
                    _ => State::AfterName,
                };
                Ok(None)
            }
        }
    }

    pub(super) fn in_tag_after_name(&mut self, byte: u8) -> Result<Option<Token>, Fault> {
        if byte == b'=' {
            return Err(self.bad_name(byte));
        }
        self.in_tag(byte)
    }

    /// In a start tag, between its name and its attributes.
    pub(super) fn in_tag(&mut self, byte: u8) -> Result<Option<Token>, Fault> {
        self.state = match (self.state, byte) {
            (State::Slash, b'>') => return Ok(self.start_tag(true)),
            (State::Slash, _) => return Err(unexpected(byte)),
            (_, b'>') => return Ok(self.start_tag(false)),
            (_, b'/') => State::Slash,
            (_, b' ' | b'\t' | b'\r' | b'\n') => State::InTag,
            // XML 1.0 §3.1, production [40]: white space before each attribute.
            (State::AfterValue, _) => {
                return Err(forbidden(byte).unwrap_or(Fault::AttributesNotSeparated));
            }
            (_, b'=') => return Err(unexpected(byte)),
            _ => self.open_name(Named::Attribute, byte)?,
        };
        Ok(None)
    }

    pub(super) fn open_reference(&mut self, quote: Option<u8>) -> State {
        self.names.begin();
        State::Reference(quote)
    }

    /// After `&`.
    pub(super) fn reference(&mut self, quote: Option<u8>, byte: u8) -> Result<State, Fault> {
        if byte == b';' {
            resolve(strict::utf8(self.names.last())?)?;
            self.names.end();
            return Ok(quote.map_or(CONTENT, State::Quoted));
        }
        let begun = self.names.last();
        let fits = match begun.first() {
            None => byte == b'#' || is_name_start(byte) || byte == b':',
            Some(b'#') => byte.is_ascii_graphic() && byte != b'<',
            Some(_) => is_name_byte(byte) || byte == b':',
        };
        if !fits || begun.len() >= REFERENCE_BYTES {
            return Err(forbidden(byte).unwrap_or(Fault::LoneAmpersand));
        }
        self.names.extend(&[byte]);
        unfinished(self.names.last())?;
        Ok(State::Reference(quote))
    }

    /// A name that this byte cannot go on with.
    pub(super) fn bad_name(&self, byte: u8) -> Fault {
        let name = String::from_utf8_lossy(self.names.last());
        let next = char::from(byte);
        forbidden(byte).unwrap_or_else(|| Fault::BadName(format!("{name}{next}").as_str().into()))
    }

    /// At the end of a start tag.
    pub(super) fn start_tag(&mut self, empty: bool) -> Option<Token> {
        if self.phase != Phase::Stream {
            self.phase = if empty { Phase::Closed } else { Phase::Stream };
            return Some(Token::Header { empty });
        }
        self.state = CONTENT;
        if !empty {
            self.depth += 1;
            return None;
        }
        self.names.end();
        (self.depth == 0).then_some(Token::Element)
    }

    pub(super) fn open_end_tag(&self) -> Result<State, Fault> {
        match self.phase {
            Phase::Stream => Ok(State::EndTag(0)),
            _ => Err(Fault::CloseBeforeHeader),
        }
    }

    /// XML 1.0 §3, production \[39\]: the name in the end tag is that of the start tag.
    pub(super) fn in_end_tag(&mut self, matched: usize, byte: u8) -> Result<Option<Token>, Fault> {
        self.state = match self.names.last().get(matched) {
            Some(want) if *want == byte => State::EndTag(matched + 1),
            None if byte == b'>' => return Ok(self.end_tag()),
            None if is_whitespace(byte) => State::EndSpace,
            _ => return Err(self.bad_end_tag(byte)),
        };
        Ok(None)
    }

    pub(super) fn bad_end_tag(&self, byte: u8) -> Fault {
        let mismatch = || {
            if self.depth > 0 {
                return Fault::EndTagMismatch;
            }
            let name = match self.state {
                State::EndTag(matched) => self.names.last().get(..matched).unwrap_or_default(),
                _ => self.names.last(),
            };
            let (name, next) = (String::from_utf8_lossy(name), char::from(byte));
            Fault::CloseMismatch(format!("</{name}{next}").as_str().into())
        };
        forbidden(byte).unwrap_or_else(mismatch)
    }

    /// At the end of an end tag.
    pub(super) fn end_tag(&mut self) -> Option<Token> {
        self.state = CONTENT;
        if self.depth == 0 {
            self.phase = Phase::Closed;
            return Some(Token::Close);
        }
        self.names.end();
        self.depth -= 1;
        (self.depth == 0).then_some(Token::Element)
    }
}

/// Whether a byte may begin a name, as far as one byte tells (a colon is looked at by itself).
pub(super) fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

/// Whether a byte may go on with a name, as far as one byte tells.
pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || byte >= 0x80
}

/// What is wrong with a byte that XML admits nowhere.
pub(super) fn forbidden(byte: u8) -> Option<Fault> {
    (byte < 0x20 && !is_whitespace(byte)).then(|| Fault::ForbiddenCharacter(byte.into()))
}

/// What is wrong with a byte that cannot stand where it stands in a start tag.
pub(super) fn unexpected(byte: u8) -> Fault {
    let shown = char::from(byte);
    forbidden(byte)
        .unwrap_or_else(|| Fault::Syntax(format!("{shown} in a start tag").as_str().into()))
}
