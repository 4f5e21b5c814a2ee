//! The one pass over a stanza: read, checked and written at the same time.
//!
//! Whatever is not followed here is left to the tree. What is wrong is left to it, too, because only it says
//! what is wrong.

mod class;
mod cursor;
mod parts;

use memchr::{memchr, memchr3};

use self::cursor::Cursor;
pub(in crate::proto::xml) use self::parts::Inherited;
use self::parts::{Attribute, Inside, Open, Tag};
use super::{STANZAS, Span, Stretch, Values};
use crate::proto::xml::scope::HeaderScope;
use crate::proto::xml::writer::{FEW, in_text};
use crate::proto::xml::{Ns, strict};

/// What is kept from one stanza to the next, so that nothing is allocated.
#[derive(Debug, Default)]
pub(in crate::proto::xml) struct Scratch {
    out: Vec<u8>,
    open: Vec<Open>,
}

/// So many attributes are looked at in one tag: usual ones have five.
const ATTRIBUTES: usize = 16;

struct Pass<'p, 'b> {
    inherited: Inherited<'p>,
    cursor: Cursor<'b, 'p>,
    open: &'p mut Vec<Open>,
    /// The names of attributes of the tag, by where they begin and end.
    names: [(usize, usize); ATTRIBUTES],
    /// Where the `>` of the last start tag stands, if that one is not empty.
    opened: usize,
    elements: usize,
    /// How much of it are declarations of namespaces.
    declared: usize,
    values: Values,
    children: usize,
    has_error: bool,
    has_status: bool,
}

impl Scratch {
    /// The stanza that bytes begin with, and how many of them it takes; nothing where it is not whole,
    /// or anything about it is not usual.
    pub(in crate::proto::xml) fn read(
        &mut self,
        bytes: &[u8],
        inherited: Inherited<'_>,
    ) -> Option<(Box<Span>, usize)> {
        self.span(bytes, inherited, false)
    }

    /// The same of a whole frame, whose characters were checked when they came.
    pub(in crate::proto::xml) fn read_checked(
        &mut self,
        frame: &[u8],
        inherited: Inherited<'_>,
    ) -> Option<(Box<Span>, usize)> {
        /// What is written may be a little longer than what was read.
        const MORE: usize = 128;
        self.out.clear();
        // All the room is allocated at once.
        self.out.reserve_exact(frame.len() + MORE);
        self.span(frame, inherited, true)
    }

    fn span(
        &mut self,
        bytes: &[u8],
        inherited: Inherited<'_>,
        are_checked: bool,
    ) -> Option<(Box<Span>, usize)> {
        self.out.clear();
        self.open.clear();
        let mut pass = Pass {
            inherited,
            cursor: Cursor::new(bytes, &mut self.out),
            open: &mut self.open,
            names: [(0, 0); ATTRIBUTES],
            opened: 0,
            elements: 0,
            declared: 0,
            values: Values::default(),
            children: 0,
            has_error: false,
            has_status: false,
        };
        let name = pass.stanza()?;
        let used = pass.cursor.at;
        if used > inherited.limits.element_bytes {
            return None;
        }
        pass.cursor.flush(used)?;
        let (values, children) = (pass.values, pass.children);
        let (has_error, has_status) = (pass.has_error, pass.has_status);
        let span = Span {
            text: self.text(are_checked)?,
            name,
            values,
            children,
            has_error,
            has_status,
        };
        Some((Box::new(span), used))
    }

    /// What was written, if it is UTF-8 and XML admits each character, and none of them is a carriage
    /// return, which would be read as another. What was read and is not written is ASCII, or is the same
    /// as something that is. Where the characters were checked before, references are known to be good, too.
    fn text(&mut self, are_checked: bool) -> Option<String> {
        /// Beyond this it is not worth copying.
        const SHORT: usize = 2048;
        let mut text = match self.out.len() < SHORT {
            true => simdutf8::basic::from_utf8(&self.out).ok()?.to_owned(),
            false => String::from_utf8(std::mem::take(&mut self.out)).ok()?,
        };
        let is_clean = match are_checked {
            true => memchr(b'\r', text.as_bytes()).is_none(),
            false => {
                strict::is_plain(text.as_bytes())
                    || strict::characters(&text).is_ok() && !text.contains('\r')
            }
        };
        is_clean.then_some(())?;
        if text.capacity() > text.len() + text.len() / 8 {
            text.shrink_to_fit();
        }
        Some(text)
    }

    /// Gives memory back that a usual stanza does not need.
    pub(in crate::proto::xml) fn tidy(&mut self, most: usize) {
        if self.out.capacity() > most {
            *self = Self::default();
        }
    }
}

impl<'b> Pass<'_, 'b> {
    fn stanza(&mut self) -> Option<&'static str> {
        self.cursor.take(b'<')?;
        let name = self.stanza_tag()?;
        while !self.open.is_empty() {
            self.text()?;
            let begin = self.cursor.at;
            self.cursor.take(b'<')?;
            match self.cursor.take(b'/') {
                Some(()) => self.end_tag(begin)?,
                None => self.child_tag()?,
            }
        }
        Some(name)
    }

    /// The stanza's own start tag.
    fn stanza_tag(&mut self) -> Option<&'static str> {
        let Inherited {
            scope, stream_kind, ..
        } = self.inherited;
        let begin = self.cursor.at;
        let name = self.cursor.name()?;
        let end = self.cursor.at;
        let mut stanzas = STANZAS.into_iter();
        let name = stanzas.find(|stanza| stanza.as_bytes() == name)?;
        self.elements = 1;
        let header = Inside {
            default: None,
            is_content: true,
            bindings: 0,
        };
        let tag = self.tag(&header, true)?;
        // RFC 6120 §4.8.3: of the stream's own content namespace.
        let default = self.default_of(tag.inside.default, scope)?;
        if default != stream_kind.content_namespace().as_bytes() {
            return None;
        }
        if let Some(lang) = self.inherited.lang.filter(|_| !tag.has_lang) {
            let place = self.cursor.written();
            let pieces = [b" xml:lang='", lang.as_bytes(), b"'"];
            self.cursor.insert(place, pieces)?;
        }
        self.tag_end(&tag, (begin, end))?;
        Some(name)
    }

    /// The start tag of an element inside the stanza.
    fn child_tag(&mut self) -> Option<()> {
        let limits = self.inherited.limits;
        let outer = self.open.last()?.inside;
        let begin = self.cursor.at;
        let name = self.cursor.name()?;
        let end = self.cursor.at;
        self.elements += 1;
        if name.len() > limits.name_bytes
            || self.elements > limits.elements
            || self.open.len() >= limits.depth
        {
            return None;
        }
        let tag = self.tag(&outer, false)?;
        if self.open.len() == 1 {
            self.children += 1;
            self.has_error |= tag.inside.is_content && name == b"error";
            self.has_status |= tag.inside.is_content && name == b"status";
        }
        self.tag_end(&tag, (begin, end))
    }

    /// A start tag behind its name, up to its end.
    fn tag(&mut self, outer: &Inside, is_stanza: bool) -> Option<Tag> {
        let mut tag = Tag {
            is_empty: false,
            has_lang: false,
            inside: *outer,
        };
        let first = self.cursor.written();
        // What has the prefix `xml` is written behind the others.
        let mut late = None;
        let mut count = 0;
        while let Some(attribute) = self.attribute(&mut count)? {
            let Attribute {
                name, quote, begin, ..
            } = attribute;
            if name == b"xmlns" {
                let range = self.cursor.plain_value(quote)?;
                let by = self.declaration(&mut tag.inside, outer, range, is_stanza)?;
                let (declared, length) = by;
                match declared {
                    true if count == 1 => self.normal(&attribute, range)?,
                    true => {
                        let end = self.cursor.at;
                        self.cursor.write_as((begin, end), b"")?;
                        let ns = self.cursor.read(range.0, range.1)?;
                        self.cursor.insert(first, [b" xmlns='", ns, b"'"])?;
                        late = late.map(|(begin, end)| (begin + length, end + length));
                    }
                    false => {
                        let end = self.cursor.at;
                        self.cursor.write_as((begin, end), b"")?;
                    }
                }
                continue;
            }
            let place = self.cursor.written() - (self.cursor.at - begin);
            let place = self.normal_begin(&attribute).map(|()| place)?;
            let ((from, to), is_plain) = self.cursor.value(quote)?;
            self.normal_end(quote)?;
            if attribute.is_xml {
                tag.has_lang |= name == b"xml:lang";
                let end = self.cursor.written();
                late = match late {
                    None => Some((place, end)),
                    Some((first, last)) if last == place => Some((first, end)),
                    // Usual tags have one.
                    Some(_) => return None,
                };
            } else if is_stanza && let Some(value) = self.values.of(name) {
                // What is meant must stand there as it is.
                *value = Some(Stretch {
                    begin: u32::try_from(from).ok().filter(|_| is_plain)?,
                    end: u32::try_from(to).ok()?,
                });
            }
        }
        tag.is_empty = self.cursor.peek()? == b'/';
        if let Some((begin, end)) = late
            && end < self.cursor.written()
        {
            self.cursor.move_back((begin, end))?;
            if is_stanza {
                let begin = u32::try_from(begin).ok()?;
                let length = i64::try_from(end).ok()? - i64::from(begin);
                self.values.shift(begin, -length);
            }
        }
        Some(tag)
    }

    /// The next attribute up to its first quote; nothing, at the end of the tag.
    #[inline]
    fn attribute(&mut self, count: &mut usize) -> Option<Option<Attribute<'b>>> {
        let limits = self.inherited.limits;
        let cursor = &mut self.cursor;
        let begin = cursor.at;
        let spaces = cursor.space();
        if matches!(cursor.peek()?, b'>' | b'/') {
            if spaces > 0 {
                cursor.write_as((begin, begin + spaces), b"")?;
            }
            return Some(None);
        }
        if spaces == 0 || *count >= limits.attributes {
            return None;
        }
        let name_begin = cursor.at;
        let prefix = cursor.name()?;
        let mut is_xml = false;
        if cursor.peek()? == b':' {
            // Other prefixes must be declared, and are written anew.
            is_xml = prefix == b"xml";
            cursor.at += 1;
            cursor.name().filter(|_| is_xml)?;
        }
        let name_end = cursor.at;
        let name = cursor.read(name_begin, name_end)?;
        let (seen, free) = self.names.split_at_mut_checked(*count)?;
        let is_twice = seen
            .iter()
            .any(|(begin, end)| cursor.bytes.get(*begin..*end) == Some(name));
        if is_twice || name.len() > limits.name_bytes {
            return None;
        }
        *free.first_mut()? = (name_begin, name_end);
        *count += 1;
        cursor.space();
        cursor.take(b'=')?;
        cursor.space();
        let quote = cursor.peek()?;
        cursor.at += 1;
        matches!(quote, b'\'' | b'"').then_some(Some(Attribute {
            name,
            is_xml,
            quote,
            begin,
        }))
    }

    /// What stands before a value is written as usual: a space, the name, and `='`.
    #[inline]
    fn normal_begin(&mut self, attribute: &Attribute<'b>) -> Option<()> {
        let cursor = &mut self.cursor;
        let Attribute { name, begin, .. } = *attribute;
        let end = cursor.at;
        let is_short = end - begin == name.len() + 3;
        if is_short && attribute.quote == b'\'' && cursor.bytes.get(begin) == Some(&b' ') {
            return Some(());
        }
        cursor.write_as((begin, end), b" ")?;
        cursor.write_as((end, end), name)?;
        cursor.write_as((end, end), b"='")
    }

    /// Behind the second quote.
    #[inline]
    fn normal_end(&mut self, quote: u8) -> Option<()> {
        match quote {
            b'\'' => Some(()),
            _ => {
                let end = self.cursor.at;
                self.cursor.write_as((end - 1, end), b"'")
            }
        }
    }

    /// An attribute whose value is plain, and was read, is written as usual.
    fn normal(&mut self, attribute: &Attribute<'b>, range: (usize, usize)) -> Option<()> {
        let end = std::mem::replace(&mut self.cursor.at, range.0);
        self.normal_begin(attribute)?;
        self.cursor.at = end;
        self.normal_end(attribute.quote)
    }

    /// A default namespace is declared: whether that is written, and how long it is.
    fn declaration(
        &mut self,
        inside: &mut Inside,
        outer: &Inside,
        range: (usize, usize),
        is_stanza: bool,
    ) -> Option<(bool, usize)> {
        let Inherited { limits, scope, .. } = self.inherited;
        let ns = self.cursor.read(range.0, range.1)?;
        let is_special = SPECIAL
            .iter()
            .any(|special| special.as_str().as_bytes() == ns);
        inside.default = Some(range);
        inside.bindings = outer.bindings + 1;
        if is_special
            || ns.len() > limits.namespace_bytes
            || scope.len() + inside.bindings > limits.bindings
        {
            return None;
        }
        if is_stanza {
            return Some((false, 0));
        }
        // RFC 6120 §4.8.3: re-scoping stops at the first extension element.
        inside.is_content = outer.is_content && is_literal_content(ns);
        let is_same = match (outer.is_content, inside.is_content) {
            (true, true) => true,
            (false, false) => self.default_of(outer.default, scope)? == ns,
            _ => false,
        };
        /// ` xmlns=''`.
        const DECLARATION: usize = 9;
        let length = DECLARATION + ns.len();
        if !is_same {
            self.declared += length;
        }
        // The writer counts them, too, and has another way for many.
        (self.declared <= FEW).then_some((!is_same, length))
    }

    /// At the end of a start tag.
    fn tag_end(&mut self, tag: &Tag, name: (usize, usize)) -> Option<()> {
        if tag.is_empty {
            return self.cursor.take_all(b"/>");
        }
        self.opened = self.cursor.at;
        self.cursor.take(b'>')?;
        let inside = tag.inside;
        self.open.push(Open { name, inside });
        Some(())
    }

    /// Behind `</`, which begins here.
    fn end_tag(&mut self, begin: usize) -> Option<()> {
        let (from, to) = self.open.pop()?.name;
        let name = self.cursor.read(from, to)?;
        self.cursor.take_all(name)?;
        let space = self.cursor.at;
        let spaces = self.cursor.space();
        self.cursor.take(b'>')?;
        let end = self.cursor.at;
        if begin == self.opened + 1 {
            // Nothing is inside.
            return self.cursor.write_as((self.opened, end), b"/>");
        }
        match spaces {
            0 => Some(()),
            _ => self.cursor.write_as((space, end), b">"),
        }
    }

    /// Text up to the next tag.
    fn text(&mut self) -> Option<()> {
        while self.cursor.peek()? != b'<' {
            let rest = self.cursor.rest();
            let (literal, special) = rest.split_at_checked(memchr3(b'<', b'&', b'>', rest)?)?;
            let special = special.first()?;
            // A stanza has no text of its own but white space. What is referred to is no such thing.
            let is_own = self.open.len() == 1;
            if is_own && !(literal.trim_ascii().is_empty() && *special == b'<') {
                return None;
            }
            self.cursor.at += literal.len();
            let at = self.cursor.at;
            match special {
                b'&' => {
                    self.cursor.at += 1;
                    self.cursor.reference(at, in_text)?;
                }
                // XML 1.0 §2.4.
                b'>' if literal.ends_with(b"]]") => return None,
                b'>' => {
                    self.cursor.at += 1;
                    self.cursor.write_as((at, at + 1), b"&gt;")?;
                }
                _ => {}
            }
        }
        Some(())
    }

    fn default_of<'d>(
        &self,
        default: Option<(usize, usize)>,
        scope: &'d HeaderScope,
    ) -> Option<&'d [u8]>
    where
        'b: 'd,
    {
        match default {
            None => Some(scope.default_namespace().as_str().as_bytes()),
            Some((begin, end)) => self.cursor.read(begin, end),
        }
    }
}

/// Declared as a default namespace, these are wrong, or mean something that a tree must show.
const SPECIAL: [Ns; 4] = [Ns::XML, Ns::XMLNS, Ns::STREAM, Ns::PARTNER];

fn is_literal_content(ns: &[u8]) -> bool {
    matches!(
        ns,
        b"jabber:client" | b"jabber:server" | b"jabber:component:accept"
    )
}
