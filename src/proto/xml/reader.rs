//! The reading end of a stream: bytes in, [`Event`]s out.

use super::framer::{Framer, Token};
use super::scope::{HeaderScope, Scope};
use super::span::{Inherited, Scratch, Span};
use super::{Element, Excerpt, Fault, Header, Limits, Ns, StreamKind, declaration, tree};

/// What came on the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The stream was opened.
    Header(Header),
    /// A top-level element.
    Element(Element),
    /// A stanza, where [`Reader::give_spans`] was called, and nothing about it is unusual.
    Stanza(Box<Span>),
    /// A top-level element of the content namespace that exceeds a limit. It is over, and the stream
    /// can be read on.
    Excess(Excess),
    /// The stream was closed.
    Close,
}

/// What is known of a top-level element that is not kept.
///
/// It is well-formed as far as the framer looks: names, nesting, references and characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excess {
    /// Its start tag.
    pub start: Element,
    /// The first limit that it exceeds.
    pub fault: Fault,
    /// Its size.
    pub bytes: usize,
}

/// Reads one direction of one stream.
///
/// It holds at most one unfinished frame (bounded by [`Limits`]) and what one [`Reader::feed`] brought.
#[derive(Debug)]
pub struct Reader {
    stream_kind: StreamKind,
    /// Whether errors are read whose prefix is not declared.
    is_lenient: bool,
    /// Where stanzas are given as spans.
    scratch: Option<Box<Scratch>>,
    /// Up to where the buffer was looked at for a span in vain.
    tried: usize,
    /// How long the last span was when it was read.
    usual: u32,
    framer: Framer,
    buffer: Vec<u8>,
    /// Where the frame that was last begun begins in the buffer.
    frame: usize,
    /// Up to where the buffer is used up: at most the beginning of an unfinished frame.
    start: usize,
    /// Up to where the framer has seen the buffer.
    seen: usize,
    header: OpenHeader,
    /// The element that is being read, where it is not kept.
    skimmed: Option<Box<Excess>>,
    /// The header was an empty-element tag: it closes the stream, too.
    close_follows: bool,
    /// A fault is for good.
    fault: Option<Fault>,
    unreadable: Option<Excerpt>,
}

/// What of the stream header still matters to what follows.
#[derive(Debug, Default)]
struct OpenHeader {
    has_declaration: bool,
    /// The name as written, which the end tag must repeat.
    name: String,
    scope: HeaderScope,
    lang: Option<Box<str>>,
}

impl Reader {
    /// A reader for a new stream.
    #[must_use]
    pub fn new(stream_kind: StreamKind, limits: Limits) -> Self {
        Self {
            stream_kind,
            is_lenient: false,
            scratch: None,
            tried: 0,
            usual: 0,
            framer: Framer::new(limits),
            buffer: Vec::new(),
            frame: 0,
            start: 0,
            seen: 0,
            header: OpenHeader::default(),
            skimmed: None,
            close_follows: false,
            fault: None,
            unreadable: None,
        }
    }

    /// A reader for what answers a stream of ours: it also reads a `<stream:error>` whose prefix is
    /// not declared, before a header or behind one.
    ///
    /// Some servers send such an error, and what they had to say would be lost behind the fault of
    /// its form. Nothing else is read so: a root that is not an error has its [`Header::fault`].
    #[must_use]
    pub fn of_answers(stream_kind: StreamKind, limits: Limits) -> Self {
        Self {
            is_lenient: true,
            ..Self::new(stream_kind, limits)
        }
    }

    /// Takes bytes from the socket. Ask [`Reader::next`] until it has no more before the next call.
    pub fn feed(&mut self, bytes: &[u8]) {
        // Nothing new: what is left need not be moved. A machine reads on in this way after each stanza.
        if self.fault.is_some() || bytes.is_empty() {
            return;
        }
        self.tried = 0;
        if self.start == self.buffer.len() {
            self.give_back();
        } else if self.start > 0 {
            self.buffer.drain(..self.start);
        }
        self.seen -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next event, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`Fault`], and the same again from then on: the stream cannot be read any further.
    #[expect(
        clippy::should_implement_trait,
        reason = "`None` here means not yet, rather than never again"
    )]
    pub fn next(&mut self) -> Result<Option<Event>, Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let event = self.read();
        if let Ok(None) = &event {
            self.give_back();
        }
        if let Err(fault) = &event {
            self.fault = Some(fault.clone());
            self.unreadable = self.stream_element();
            self.buffer = Vec::new();
            self.start = 0;
            self.seen = 0;
        }
        event
    }

    /// The beginning of the element that could not be read, where it was one of the stream's own.
    ///
    /// Some peers send `<stream:error>` without ever declaring the prefix: what they had to say
    /// would be lost behind the fault. Of anything else, users' words included, nothing is kept.
    #[must_use]
    pub fn unreadable(&self) -> Option<&Excerpt> {
        self.unreadable.as_ref()
    }

    /// From here on the usual stanza is given as an [`Event::Stanza`]: what it is for is to be passed on.
    pub fn give_spans(&mut self) {
        self.scratch.get_or_insert_default();
    }

    /// Changes the limits, from the next byte on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.framer.set_limits(limits);
    }

    /// A new document follows on the same connection, as after SASL (RFC 6120 §6.4.6): bytes not
    /// yet consumed belong to it, and nothing learned from the old header stays.
    pub fn restart(&mut self) {
        self.framer.restart();
        self.header = OpenHeader::default();
        self.close_follows = false;
    }

    /// Whether nothing but whitespace is left over: asked right before TLS starts, so that nothing
    /// sent in the clear can be taken for something sent under TLS. RFC 6120 §5.3.3 forbids even
    /// the whitespace, but some servers end `<starttls/>` with a line end, and it does no harm.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let mut left = self.buffer.iter().skip(self.start);
        let is_between = !self.close_follows && self.skimmed.is_none();
        is_between && left.all(|byte| super::chars::is_whitespace(*byte))
    }

    /// Judges the end of the input.
    ///
    /// # Errors
    /// [`Fault::Truncated`] unless the stream was closed before, or the fault there was already.
    pub fn finish(&self) -> Result<(), Fault> {
        match &self.fault {
            Some(fault) => Err(fault.clone()),
            None if self.framer.is_closed() => Ok(()),
            None => Err(Fault::Truncated),
        }
    }

    /// Bytes held of an unfinished frame.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// How many times a byte was looked at to find the ends of frames.
    #[cfg(test)]
    pub(super) fn looks(&self) -> usize {
        self.framer.looks
    }

    /// Bytes of memory held for the buffer.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Whoever waits for more holds no memory that is not used: most streams are idle.
    fn give_back(&mut self) {
        if self.start == self.buffer.len() {
            self.buffer = Vec::new();
            (self.start, self.seen) = (0, 0);
        }
        if let Some(scratch) = &mut self.scratch {
            scratch.tidy(KEPT_CAPACITY);
        }
    }

    fn stream_element(&self) -> Option<Excerpt> {
        const SHOWN: usize = 300;
        let frame = self.buffer.get(self.frame..)?;
        let shown = frame.get(..SHOWN).unwrap_or(frame);
        shown
            .starts_with(b"<stream:")
            .then(|| Excerpt::longer(&String::from_utf8_lossy(shown)))
    }

    fn read(&mut self) -> Result<Option<Event>, Fault> {
        if std::mem::take(&mut self.close_follows) {
            return Ok(Some(Event::Close));
        }
        loop {
            self.frame = self.start;
            let unseen = self.buffer.get(self.seen..).unwrap_or_default();
            let skipped = self.framer.skip(unseen)?;
            if skipped > 0 {
                self.start += skipped;
                self.seen = self.start;
                self.frame = self.start;
            }
            let unseen = self.buffer.get(self.seen..).unwrap_or_default();
            if unseen.is_empty() {
                return Ok(None);
            }
            if let Some((span, used)) = self.whole_span() {
                self.start += used;
                self.seen = self.start;
                self.usual = u32::try_from(used).unwrap_or(u32::MAX);
                self.framer.pass();
                return Ok(Some(Event::Stanza(span)));
            }
            let unseen = self.buffer.get(self.seen..).unwrap_or_default();
            let (used, token) = self.framer.scan(unseen)?;
            self.seen += used;
            if let Some(fault) = self.framer.excess() {
                self.skim(fault)?;
            }
            if let Some(skimmed) = &mut self.skimmed {
                skimmed.bytes += self.seen - self.start;
                self.start = self.seen;
            }
            let Some(token) = token else {
                continue;
            };
            if let Some(skimmed) = self.skimmed.take() {
                return Ok(Some(Event::Excess(*skimmed)));
            }
            if token == Token::Element
                && let Some(span) = self.late_span()
            {
                self.start = self.seen;
                return Ok(Some(Event::Stanza(span)));
            }
            let frame = self.buffer.get(self.start..self.seen).unwrap_or_default();
            self.start = self.seen;
            let limits = self.framer.limits();
            match token {
                Token::Declaration => {
                    declaration::check(tree::checked(frame)?)?;
                    self.header.has_declaration = true;
                }
                Token::Header { empty } => {
                    self.close_follows = empty;
                    return self.header.open(frame, limits, self.is_lenient).map(Some);
                }
                Token::Element => {
                    let scope = &self.header.scope;
                    return match tree::element(frame, scope, self.stream_kind, limits) {
                        Ok(element) => Ok(Some(Event::Element(self.header.inherited(element)))),
                        Err(fault) => match self.undeclared_error(frame, &fault) {
                            Some(error) => Ok(Some(Event::Element(error))),
                            None => self.too_complex(frame, fault).map(Some),
                        },
                    };
                }
                Token::Close => {
                    tree::close(frame, &self.header.name)?;
                    return Ok(Some(Event::Close));
                }
            }
        }
    }
}

/// Stanzas that are written while they are read.
impl Reader {
    /// A whole stanza, where one begins here. Its end need not be looked for before.
    fn whole_span(&mut self) -> Option<(Box<Span>, usize)> {
        if self.scratch.is_none() || !self.framer.is_between_elements() {
            return None;
        }
        // So few bytes are probably only the beginning of a stanza. Its end is not looked for yet.
        let unseen = self.buffer.get(self.start..).unwrap_or_default();
        if unseen.len() < self.usual as usize && !unseen.ends_with(b">") {
            self.tried = 0;
            return None;
        }
        self.tried = self.buffer.len();
        self.span(self.buffer.len(), Scratch::read)
    }

    /// The frame as a span, where it is whole only now.
    fn late_span(&mut self) -> Option<Box<Span>> {
        if self.seen <= self.tried {
            return None;
        }
        let (span, used) = self.span(self.seen, Scratch::read_checked)?;
        self.usual = u32::try_from(used).unwrap_or(u32::MAX);
        (used == self.seen - self.start).then_some(span)
    }

    fn span(
        &mut self,
        end: usize,
        read: impl FnOnce(&mut Scratch, &[u8], Inherited<'_>) -> Option<(Box<Span>, usize)>,
    ) -> Option<(Box<Span>, usize)> {
        let bytes = self.buffer.get(self.start..end)?;
        let inherited = Inherited {
            stream_kind: self.stream_kind,
            limits: self.framer.limits(),
            scope: &self.header.scope,
            lang: self.header.lang.as_deref(),
        };
        read(self.scratch.as_mut()?, bytes, inherited)
    }
}

impl Reader {
    /// A stream error, in an element whose only fault is that it does not declare its prefix.
    fn undeclared_error(&self, frame: &[u8], fault: &Fault) -> Option<Element> {
        if !self.is_lenient || !Scope::lacks_stream_prefix(fault) {
            return None;
        }
        let scope = self.header.scope.with_stream_prefix();
        tree::element(frame, &scope, self.stream_kind, self.framer.limits())
            .ok()
            .filter(|element| element.is(&Ns::STREAM, "error"))
    }
}

/// Elements that exceed a limit (RFC 6120 §13.12, item 4).
impl Reader {
    /// From here on the element is read and not kept, but for its start tag.
    fn skim(&mut self, fault: Fault) -> Result<(), Fault> {
        let frame = self.buffer.get(self.start..self.seen).unwrap_or_default();
        self.skimmed = Some(Box::new(Excess {
            start: self.content_start(frame, &fault)?,
            fault,
            bytes: 0,
        }));
        Ok(())
    }

    /// An element that is whole, and in which something is wrong.
    fn too_complex(&self, frame: &[u8], fault: Fault) -> Result<Event, Fault> {
        let is_recoverable = matches!(
            fault,
            Fault::TooManyAttributes(_) | Fault::TooManyBindings(_) | Fault::NamespaceTooLong(_)
        );
        if !is_recoverable || self.framer.limits().overrun <= 1 {
            return Err(fault);
        }
        Ok(Event::Excess(Excess {
            start: self.content_start(frame, &fault)?,
            fault,
            bytes: frame.len(),
        }))
    }

    /// The start tag of an element that may be cut. Only those of the content namespace can be
    /// refused alone; the fault of others ends the stream.
    fn content_start(&self, frame: &[u8], fault: &Fault) -> Result<Element, Fault> {
        let limits = self.framer.limits();
        let start = tree::start(frame, &self.header.scope, self.stream_kind, limits)?;
        match *start.ns() == Ns::CONTENT {
            true => Ok(start),
            false => Err(fault.clone()),
        }
    }
}

/// The usual stanza has less.
const KEPT_CAPACITY: usize = 1024;

impl OpenHeader {
    fn open(&mut self, frame: &[u8], limits: &Limits, is_lenient: bool) -> Result<Event, Fault> {
        let nothing = HeaderScope::default();
        let mut in_spite_of = None;
        let (root, name, scope) = match tree::header(frame, &nothing, limits) {
            Err(fault) if is_lenient && Scope::lacks_stream_prefix(&fault) => {
                in_spite_of = Some(fault);
                tree::header(frame, &nothing.with_stream_prefix(), limits)?
            }
            read => read?,
        };
        self.name = name;
        self.scope = scope;
        self.lang = root.lang().filter(|lang| is_language(lang)).map(Into::into);
        let default = self.scope.default_namespace();
        let header = Header::new(root, default, self.has_declaration);
        Ok(Event::Header(header.in_spite_of(in_spite_of)))
    }

    /// RFC 6120 §4.7.4: a stanza without a language has that of the stream it came on, and says so
    /// where it goes on to.
    fn inherited(&self, mut element: Element) -> Element {
        if let Some(lang) = &self.lang
            && *element.ns() == Ns::CONTENT
            && element.lang().is_none()
        {
            element.set_lang(lang);
        }
        element
    }
}

/// Shaped like a language tag (RFC 5646 §2.1), and short: it is copied to every stanza.
fn is_language(lang: &str) -> bool {
    let is_subtag = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    lang.len() <= 35 && lang.split('-').all(is_subtag)
}
