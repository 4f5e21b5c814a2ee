//! Where a frame ends: an incremental scanner that looks at every byte once.
//!
//! A frame is an XML declaration, the stream's start tag, one whole top-level element, or the
//! stream's end tag. The framer knows just enough XML to find those ends and to refuse at once
//! what XMPP never admits; whether a frame is well-formed is judged when it is whole.

use super::chars::is_whitespace;
use super::{Fault, Limits};

/// What a frame turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// An XML declaration.
    Declaration,
    /// The start tag of the stream; `empty`: it is its end tag, too.
    Header { empty: bool },
    /// A top-level element.
    Element,
    /// The end tag of the stream.
    Close,
}

/// The state of the scan; it never needs a byte again that it has seen.
#[derive(Clone, Debug)]
pub(super) struct Framer {
    limits: Limits,
    place: Place,
    state: State,
    /// Bytes of the current frame so far.
    size: usize,
    /// Open elements in the current frame.
    depth: usize,
    /// Elements in the current frame so far.
    elements: usize,
    /// Bytes of whitespace since the last frame.
    whitespace: usize,
    /// How many times a byte was looked at.
    #[cfg(test)]
    pub(super) looks: usize,
}

/// Where in the document the scan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nothing of the document has been seen.
    Start,
    /// As `Start`, but another document came before on the same connection.
    Restart,
    /// The declaration, or whitespace, has been seen.
    Prolog,
    /// The stream is open.
    Stream,
    /// The stream is closed.
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between frames.
    Between,
    /// After `<`.
    Open,
    /// After `<?` and this many bytes of `xml`.
    Question(usize),
    /// In the declaration; whether the last byte was `?`.
    Declaration { question: bool },
    /// After `<!` and this many bytes of `[CDATA[`.
    Bang(usize),
    /// In a CDATA section, after this many `]`.
    Section { brackets: u8 },
    /// In a start tag, outside quotes; whether the last byte was `/`.
    StartTag { slash: bool },
    /// In an attribute value, up to this quote.
    Quoted(u8),
    /// In an end tag.
    EndTag,
    /// In the content of an element.
    Content,
}

impl Framer {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            place: Place::Start,
            state: State::Between,
            size: 0,
            depth: 0,
            elements: 0,
            whitespace: 0,
            #[cfg(test)]
            looks: 0,
        }
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A new document begins with the next byte that is not whitespace.
    pub(super) fn restart(&mut self) {
        *self = Self::new(self.limits);
        self.place = Place::Restart;
    }

    /// Whether the end tag of the stream has been seen.
    pub(super) fn is_closed(&self) -> bool {
        self.place == Place::Closed
    }

    /// Skips whitespace between frames; returns how many bytes. Inside a frame it does nothing.
    ///
    /// What comes next, if anything, begins a frame.
    pub(super) fn skip(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        if self.state != State::Between {
            return Ok(0);
        }
        let found = bytes.iter().position(|byte| !is_whitespace(*byte));
        let skipped = found.unwrap_or(bytes.len());
        self.whitespace += skipped;
        #[cfg(test)]
        {
            self.looks += bytes.len().min(skipped + 1);
        }
        if self.whitespace > self.limits.whitespace_bytes {
            return Err(Fault::TooMuchWhitespace(self.limits.whitespace_bytes));
        }
        // XML 1.0 §2.8: nothing, not even whitespace, may precede the declaration. After a restart
        // it still belongs to the document before, where it is allowed (RFC 6120 §11.7).
        if skipped > 0 && self.place == Place::Start {
            self.place = Place::Prolog;
        }
        match found.and_then(|at| bytes.get(at)) {
            Some(byte) if *byte != b'<' || self.is_closed() => Err(self.outside(*byte)),
            _ => Ok(skipped),
        }
    }

    /// Scans on in a frame; returns how many bytes belong to it, and what it is if it is whole.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<(usize, Option<Token>), Fault> {
        let (limit, fault) = match self.place {
            Place::Stream | Place::Closed => (
                self.limits.element_bytes,
                Fault::ElementTooBig as fn(usize) -> Fault,
            ),
            _ => (self.limits.header_bytes, Fault::HeaderTooBig as _),
        };
        let room = limit.saturating_sub(self.size);
        let window = bytes.get(..room).unwrap_or(bytes);
        let (used, token) = self.run(window)?;
        self.size += used;
        #[cfg(test)]
        {
            self.looks += used;
        }
        if token.is_some() {
            self.size = 0;
            self.elements = 0;
            self.whitespace = 0;
            self.state = State::Between;
        } else if self.size >= limit {
            return Err(fault(limit));
        }
        Ok((used, token))
    }

    fn run(&mut self, window: &[u8]) -> Result<(usize, Option<Token>), Fault> {
        let mut rest = window;
        loop {
            rest = self.leap(rest);
            let Some((byte, after)) = rest.split_first() else {
                return Ok((window.len(), None));
            };
            rest = after;
            if let Some(token) = self.step(*byte)? {
                return Ok((window.len() - rest.len(), Some(token)));
            }
        }
    }

    /// Jumps to the next byte that can change the state.
    fn leap<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let found = match self.state {
            State::Content => bytes.iter().position(|byte| *byte == b'<'),
            State::Quoted(quote) => bytes.iter().position(|byte| *byte == quote),
            State::EndTag => bytes.iter().position(|byte| *byte == b'>'),
            // `/` counts only just before `>`, so it must be seen.
            State::StartTag { slash: false } => bytes
                .iter()
                .position(|byte| matches!(byte, b'>' | b'"' | b'\'' | b'/')),
            _ => return bytes,
        };
        found.and_then(|at| bytes.get(at..)).unwrap_or_default()
    }

    fn step(&mut self, byte: u8) -> Result<Option<Token>, Fault> {
        self.state = match (self.state, byte) {
            (State::Between, b'<') | (State::Content, b'<') => State::Open,
            (State::Between, _) => return Err(self.outside(byte)),
            (State::Content, _) => State::Content,

            (State::Open, b'?') => State::Question(0),
            (State::Open, b'!') => State::Bang(0),
            (State::Open, b'/') => self.open_end_tag()?,
            // RFC 6120 §11.6: `<` in UTF-16, low byte first.
            (State::Open, 0) if self.is_at_start() => return Err(Fault::Utf16),
            (State::Open, _) => {
                self.open_start_tag()?;
                return self.in_start_tag(false, byte);
            }

            (State::Question(matched), _) => self.question(matched, byte)?,
            (State::Declaration { question: true }, b'>') => {
                self.place = Place::Prolog;
                return Ok(Some(Token::Declaration));
            }
            (State::Declaration { .. }, _) => State::Declaration {
                question: byte == b'?',
            },

            (State::Bang(matched), _) => self.bang(matched, byte)?,
            (State::Section { brackets: 2 }, b'>') => State::Content,
            (State::Section { brackets }, b']') => State::Section {
                brackets: (brackets + 1).min(2),
            },
            (State::Section { .. }, _) => State::Section { brackets: 0 },

            (State::StartTag { slash }, _) => return self.in_start_tag(slash, byte),
            (State::Quoted(quote), _) if byte == quote => State::StartTag { slash: false },
            (State::Quoted(quote), _) => State::Quoted(quote),

            (State::EndTag, b'>') => return Ok(self.end_tag()),
            (State::EndTag, _) => State::EndTag,
        };
        Ok(None)
    }

    /// What is wrong with a byte that stands where only markup or whitespace may.
    fn outside(&self, byte: u8) -> Fault {
        match (self.place, byte) {
            // RFC 6120 §11.6: no byte order mark; 0xEF begins that of UTF-8.
            (Place::Start | Place::Restart, 0xef) => Fault::ByteOrderMark,
            (Place::Start | Place::Restart, 0xfe | 0xff | 0) => Fault::Utf16,
            (Place::Stream, _) => Fault::TextBetweenElements,
            (Place::Closed, _) => Fault::DataAfterClose,
            _ => Fault::TextBeforeHeader,
        }
    }

    fn is_at_start(&self) -> bool {
        matches!(self.place, Place::Start | Place::Restart)
    }

    fn open_start_tag(&mut self) -> Result<(), Fault> {
        if self.place != Place::Stream {
            return Ok(());
        }
        self.elements += 1;
        if self.depth >= self.limits.depth {
            return Err(Fault::TooDeep(self.limits.depth));
        }
        if self.elements > self.limits.elements {
            return Err(Fault::TooManyElements(self.limits.elements));
        }
        Ok(())
    }

    fn in_start_tag(&mut self, slash: bool, byte: u8) -> Result<Option<Token>, Fault> {
        self.state = match byte {
            b'"' | b'\'' => State::Quoted(byte),
            b'>' => return Ok(self.start_tag(slash)),
            _ => State::StartTag {
                slash: byte == b'/',
            },
        };
        Ok(None)
    }

    /// At the end of a start tag.
    fn start_tag(&mut self, empty: bool) -> Option<Token> {
        if self.place != Place::Stream {
            self.place = if empty { Place::Closed } else { Place::Stream };
            return Some(Token::Header { empty });
        }
        if !empty {
            self.depth += 1;
        } else if self.depth == 0 {
            return Some(Token::Element);
        }
        self.state = State::Content;
        None
    }

    fn open_end_tag(&self) -> Result<State, Fault> {
        match self.place {
            Place::Stream => Ok(State::EndTag),
            _ => Err(Fault::CloseBeforeHeader),
        }
    }

    /// At the end of an end tag.
    fn end_tag(&mut self) -> Option<Token> {
        self.state = State::Content;
        match self.depth {
            0 => {
                self.place = Place::Closed;
                Some(Token::Close)
            }
            1 => {
                self.depth = 0;
                Some(Token::Element)
            }
            _ => {
                self.depth -= 1;
                None
            }
        }
    }

    /// After `<?`: only a declaration may go on, and only at the very start.
    fn question(&self, matched: usize, byte: u8) -> Result<State, Fault> {
        match b"xml".get(matched) {
            Some(want) if *want == byte => Ok(State::Question(matched + 1)),
            None if is_whitespace(byte) || byte == b'?' => {
                // XML 1.0 §2.8.
                if !self.is_at_start() {
                    return Err(Fault::MisplacedDeclaration);
                }
                Ok(State::Declaration {
                    question: byte == b'?',
                })
            }
            // RFC 6120 §11.1.
            _ => Err(Fault::ProcessingInstruction),
        }
    }

    /// After `<!`: only a CDATA section may go on, and only in an element.
    fn bang(&self, matched: usize, byte: u8) -> Result<State, Fault> {
        const SECTION: &[u8] = b"[CDATA[";
        match (matched, byte) {
            // RFC 6120 §11.1.
            (0, b'-') => return Err(Fault::Comment),
            (0, b'D' | b'd') => return Err(Fault::DocumentType),
            _ => {}
        }
        if SECTION.get(matched) != Some(&byte) {
            return Err(Fault::UnknownMarkup);
        }
        if self.depth == 0 {
            return Err(self.outside(byte));
        }
        if matched + 1 < SECTION.len() {
            Ok(State::Bang(matched + 1))
        } else {
            Ok(State::Section { brackets: 0 })
        }
    }
}
