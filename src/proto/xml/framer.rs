//! Where a frame ends: an incremental scanner that looks at every byte once.
//!
//! A frame is an XML declaration, the stream's start tag, one whole top-level element, or the
//! stream's end tag. The framer knows the grammar of tags, references and sections: a byte after
//! which nothing well-formed can follow is refused when it arrives, however long the frame goes on.
//! What is left to be judged when a frame is whole: namespaces, attributes given twice, letters
//! beyond ASCII in names (at the end of the name), and what stands in the declaration.

mod foreign;
mod tags;

use memchr::{memchr, memchr3};

use self::foreign::{TLS_ALERT, TLS_HANDSHAKE};
use self::tags::{forbidden, is_name_byte, unexpected};
use super::chars::is_whitespace;
use super::names::Names;
use super::pieces::Pieces;
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
    phase: Phase,
    state: State,
    /// Bytes of the current frame so far.
    size: usize,
    /// Open elements in the current frame.
    depth: usize,
    /// Elements in the current frame so far.
    elements: usize,
    /// Bytes of whitespace since the last frame.
    whitespace: usize,
    /// The stream's own name, then those of the open elements, then what is being read.
    names: Names,
    pieces: Pieces,
    /// The first limit that the current frame exceeds and that leaves the stream readable.
    excess: Option<Fault>,
    /// The reader knows of the excess.
    skims: bool,
    /// How many times a byte was looked at.
    #[cfg(test)]
    pub(super) looks: usize,
}

/// Where in the document the scan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
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
    /// In the first word of another protocol.
    Foreign,
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
    /// In a name, which may or may not have had its colon.
    Name { of: Named, prefixed: bool },
    /// After the colon in a name.
    Colon(Named),
    /// After whitespace in a start tag.
    InTag,
    /// After an attribute's name and whitespace.
    AfterName,
    /// After `=`.
    Equals,
    /// In an attribute value, up to this quote.
    Quoted(u8),
    /// After the second quote.
    AfterValue,
    /// After `/` in a start tag.
    Slash,
    /// In a reference; where it stands in an attribute value, up to this quote.
    Reference(Option<u8>),
    /// In an end tag, after this many bytes of the name.
    EndTag(usize),
    /// In an end tag, after its name and whitespace.
    EndSpace,
    /// In the content of an element, after this many `]`.
    Content { brackets: u8 },
}

/// What has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Element,
    Attribute,
}

/// Between elements' tags, outside of any bracket.
const CONTENT: State = State::Content { brackets: 0 };

impl Framer {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            phase: Phase::Start,
            state: State::Between,
            size: 0,
            depth: 0,
            elements: 0,
            whitespace: 0,
            names: Names::default(),
            pieces: Pieces::default(),
            excess: None,
            skims: false,
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
        self.phase = Phase::Restart;
    }

    /// Whether the next byte begins an element.
    pub(super) fn is_between_elements(&self) -> bool {
        self.state == State::Between && self.phase == Phase::Stream
    }

    /// A whole element was read past this scanner.
    pub(super) fn pass(&mut self) {
        self.whitespace = 0;
    }

    /// Whether the end tag of the stream has been seen.
    pub(super) fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// The limit that the current frame exceeds, where the stream can be read on, once for a frame:
    /// from here on the frame is scanned, counted, and not to be kept.
    pub(super) fn excess(&mut self) -> Option<Fault> {
        let fault = self.excess.clone().filter(|_| !self.skims)?;
        self.skims = true;
        Some(fault)
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
        if skipped > 0 && self.phase == Phase::Start {
            self.phase = Phase::Prolog;
        }
        match found.and_then(|at| bytes.get(at)) {
            Some(byte) if self.is_foreign(*byte) => Ok(skipped),
            Some(byte) if *byte != b'<' || self.is_closed() => Err(self.outside(*byte)),
            _ => Ok(skipped),
        }
    }

    /// Scans on in a frame; returns how many bytes belong to it, and what it is if it is whole.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<(usize, Option<Token>), Fault> {
        let limit = match self.phase {
            Phase::Stream | Phase::Closed => self.element_bytes(),
            _ => self.limits.header_bytes,
        };
        let room = limit.saturating_sub(self.size);
        let window = bytes.get(..room).unwrap_or(bytes);
        let (used, outcome) = self.run(window);
        // What came before the fault, if there is one: whichever is first counts.
        self.pieces.check(window.get(..used).unwrap_or(window))?;
        let token = outcome?;
        self.size += used;
        #[cfg(test)]
        {
            self.looks += used;
        }
        if token.is_some() {
            self.size = 0;
            self.elements = 0;
            self.whitespace = 0;
            self.excess = None;
            self.skims = false;
            self.state = State::Between;
        } else if self.size >= limit {
            self.too_big(limit)?;
        }
        Ok((used, token))
    }

    /// How many bytes the current frame may have before they are looked at again.
    fn element_bytes(&self) -> usize {
        let limit = self.limits.element_bytes;
        match self.skims {
            true => limit.saturating_mul(self.limits.overrun),
            false => limit,
        }
    }

    /// The frame has as many bytes as it may have, and is not whole.
    fn too_big(&mut self, limit: usize) -> Result<(), Fault> {
        match self.phase {
            // Only of an element whose start tag is known can one say whose it is.
            Phase::Stream if self.depth > 0 => self.exceeds(
                self.size + 1,
                self.limits.element_bytes,
                Fault::ElementTooBig,
            ),
            Phase::Stream | Phase::Closed => Err(Fault::ElementTooBig(limit)),
            _ => Err(Fault::HeaderTooBig(limit)),
        }
    }

    /// RFC 6120 §13.12, item 4: what is too large by a little is refused alone.
    fn exceeds(
        &mut self,
        count: usize,
        limit: usize,
        fault: fn(usize) -> Fault,
    ) -> Result<(), Fault> {
        let end = limit.saturating_mul(self.limits.overrun);
        if count > end {
            return Err(fault(end));
        }
        if count > limit {
            self.excess.get_or_insert_with(|| fault(limit));
        }
        Ok(())
    }

    /// Returns how many bytes were taken, and what came of them. A byte with a fault is not taken.
    fn run(&mut self, window: &[u8]) -> (usize, Result<Option<Token>, Fault>) {
        let mut rest = window;
        loop {
            rest = self.leap(rest);
            let Some((byte, after)) = rest.split_first() else {
                return (window.len(), Ok(None));
            };
            match self.step(*byte) {
                // What is kept of the frame depends on where it became too large, so no byte after
                // that is looked at before the reader knows of it.
                Ok(None) if self.excess.is_some() && !self.skims => {
                    return (window.len() - after.len(), Ok(None));
                }
                Ok(None) => rest = after,
                Ok(token) => return (window.len() - after.len(), Ok(token)),
                Err(fault) => return (window.len() - rest.len(), Err(fault)),
            }
        }
    }

    /// Jumps to the next byte that can change the state.
    fn leap<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let found = match self.state {
            State::Content { brackets: 0 } => memchr3(b'<', b'&', b']', bytes),
            State::Quoted(quote) => memchr3(quote, b'<', b'&', bytes),
            State::Section { brackets: 0 } => memchr(b']', bytes),
            State::InTag => bytes.iter().position(|byte| !is_whitespace(*byte)),
            State::Name { .. } => {
                let room = self
                    .limits
                    .name_bytes
                    .saturating_sub(self.names.last().len());
                let window = bytes.get(..room).unwrap_or(bytes);
                let end = window.iter().position(|byte| !is_name_byte(*byte));
                let end = end.unwrap_or(window.len());
                self.names.extend(bytes.get(..end).unwrap_or_default());
                Some(end)
            }
            State::EndTag(matched) => {
                let want = self.names.last().get(matched..).unwrap_or_default();
                if !bytes.starts_with(want) {
                    return bytes;
                }
                let end = want.len();
                self.state = State::EndTag(matched + end);
                Some(end)
            }
            _ => return bytes,
        };
        found.and_then(|at| bytes.get(at..)).unwrap_or_default()
    }

    fn step(&mut self, byte: u8) -> Result<Option<Token>, Fault> {
        self.state = match (self.state, byte) {
            (State::Between, b'<') | (State::Content { .. }, b'<') => State::Open,
            (State::Between, _) if self.is_foreign(byte) => {
                self.names.begin();
                self.foreign(byte)?
            }
            (State::Between, _) => return Err(self.outside(byte)),
            (State::Foreign, _) => self.foreign(byte)?,
            (State::Content { .. }, b'&') => self.open_reference(None),
            (State::Content { brackets }, b']') => State::Content {
                brackets: (brackets + 1).min(2),
            },
            // XML 1.0 §2.4.
            (State::Content { brackets: 2 }, b'>') => return Err(Fault::SectionEndInText),
            (State::Content { .. }, _) => CONTENT,

            (State::Open, b'?') => State::Question(0),
            (State::Open, b'!') => State::Bang(0),
            (State::Open, b'/') => self.open_end_tag()?,
            // RFC 6120 §11.6: `<` in UTF-16, low byte first.
            (State::Open, 0) if self.is_at_start() => return Err(Fault::Utf16),
            (State::Open, _) => {
                let state = self.open_name(Named::Element, byte)?;
                self.open_start_tag()?;
                state
            }

            (State::Question(matched), _) => self.question(matched, byte)?,
            (State::Declaration { question: true }, b'>') => {
                self.phase = Phase::Prolog;
                return Ok(Some(Token::Declaration));
            }
            // XML 1.0 §2.8: none of its parts contains one of these.
            (State::Declaration { question: true }, _)
            | (State::Declaration { .. }, b'<' | b'>') => {
                return Err(forbidden(byte).unwrap_or(Fault::MalformedDeclaration));
            }
            (State::Declaration { .. }, _) => State::Declaration {
                question: byte == b'?',
            },

            (State::Bang(matched), _) => self.bang(matched, byte)?,
            (State::Section { brackets: 2 }, b'>') => CONTENT,
            (State::Section { brackets }, b']') => State::Section {
                brackets: (brackets + 1).min(2),
            },
            (State::Section { .. }, _) => State::Section { brackets: 0 },

            (State::Colon(of), _) => self.after_colon(of, byte)?,
            (State::Name { of, prefixed }, _) => return self.in_name(of, prefixed, byte),
            (State::InTag | State::AfterValue | State::Slash, _) => return self.in_tag(byte),
            // XML 1.0 §3.1, production [41]; [25].
            (State::AfterName | State::Equals, b' ' | b'\t' | b'\r' | b'\n') => self.state,
            (State::AfterName, b'=') => State::Equals,
            (State::Equals, b'"' | b'\'') => State::Quoted(byte),
            (State::AfterName | State::Equals, _) => return Err(unexpected(byte)),
            (State::Quoted(quote), _) if byte == quote => State::AfterValue,
            // XML 1.0 §3.1: no `<` in attribute values.
            (State::Quoted(_), b'<') => return Err(Fault::LessThanInAttribute),
            (State::Quoted(quote), b'&') => self.open_reference(Some(quote)),
            (State::Quoted(quote), _) => State::Quoted(quote),
            (State::Reference(quote), _) => self.reference(quote, byte)?,

            (State::EndTag(matched), _) => return self.in_end_tag(matched, byte),
            (State::EndSpace, b' ' | b'\t' | b'\r' | b'\n') => State::EndSpace,
            (State::EndSpace, b'>') => return Ok(self.end_tag()),
            (State::EndSpace, _) => return Err(self.bad_end_tag(byte)),
        };
        Ok(None)
    }

    /// What is wrong with a byte that stands where only markup or whitespace may.
    fn outside(&self, byte: u8) -> Fault {
        match (self.phase, byte) {
            // RFC 6120 §11.6: no byte order mark; 0xEF begins that of UTF-8.
            (Phase::Start | Phase::Restart, 0xef) => Fault::ByteOrderMark,
            (Phase::Start | Phase::Restart, 0xfe | 0xff | 0) => Fault::Utf16,
            (Phase::Start, TLS_HANDSHAKE | TLS_ALERT) => Fault::TlsHello,
            (Phase::Stream, _) => Fault::TextBetweenElements,
            (Phase::Closed, _) => Fault::DataAfterClose,
            _ => Fault::TextBeforeHeader,
        }
    }

    fn is_at_start(&self) -> bool {
        matches!(self.phase, Phase::Start | Phase::Restart)
    }

    fn open_start_tag(&mut self) -> Result<(), Fault> {
        if self.phase != Phase::Stream {
            return Ok(());
        }
        self.elements += 1;
        self.exceeds(self.depth + 1, self.limits.depth, Fault::TooDeep)?;
        self.exceeds(self.elements, self.limits.elements, Fault::TooManyElements)
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
