//! Bytes out: pairs, texts, and what stands for a character that cannot stand for itself.

use crate::proto::xml::chars::is_char;

/// Where bytes go.
pub(super) trait Sink {
    /// Takes more of them.
    fn put(&mut self, bytes: &[u8]);

    /// How many it has taken.
    fn taken(&self) -> usize;

    /// Forgets all but the first so many.
    fn cut(&mut self, taken: usize);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn taken(&self) -> usize {
        self.len()
    }

    fn cut(&mut self, taken: usize) {
        self.truncate(taken);
    }
}

/// The most bytes that one becomes: `&quot;`.
pub(super) const WORST: usize = 6;

pub(super) fn write_declaration(prefix: &str, ns: &str, out: &mut impl Sink) {
    out.put(b" xmlns:");
    write_pair(prefix, ns, out);
}

pub(super) fn write_attribute(name: &str, value: &str, out: &mut impl Sink) {
    out.put(b" ");
    write_pair(name, value, out);
}

pub(super) fn write_pair(name: &str, value: &str, out: &mut impl Sink) {
    out.put(name.as_bytes());
    out.put(b"='");
    write_escaped(value, in_attribute, out);
    out.put(b"'");
}

pub(super) fn write_text(text: &str, out: &mut impl Sink) {
    write_escaped(text, in_text, out);
}

/// What a character is written as, if not as itself. XML 1.0 §2.4 for `&`, `<` and `>`; §2.11:
/// a literal CR would be read as LF.
pub(in crate::proto::xml) fn in_text(c: char) -> Option<&'static str> {
    match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '\r' => Some("&#xD;"),
        c if !is_char(c) => Some(""),
        _ => None,
    }
}

/// XML 1.0 §3.3.3: literal white space but the space would be read as a space.
pub(in crate::proto::xml) fn in_attribute(c: char) -> Option<&'static str> {
    match c {
        '\'' => Some("&apos;"),
        '"' => Some("&quot;"),
        '\t' => Some("&#x9;"),
        '\n' => Some("&#xA;"),
        c => in_text(c),
    }
}

pub(super) fn write_escaped(
    text: &str,
    escape: impl Fn(char) -> Option<&'static str>,
    out: &mut impl Sink,
) {
    let mut rest = text;
    let mut from = 0;
    while let Some(at) = next_candidate(rest, from) {
        let (literal, after) = rest.split_at(at);
        let mut chars = after.chars();
        let Some(c) = chars.next() else { break };
        match escape(c) {
            Some(escaped) => {
                out.put(literal.as_bytes());
                out.put(escaped.as_bytes());
                rest = chars.as_str();
                from = 0;
            }
            None => from = at + c.len_utf8(),
        }
    }
    out.put(rest.as_bytes());
}

/// Where, from an index on, the next character begins that may have to be escaped: markup, a
/// control, or one of U+F000 to U+FFFF.
fn next_candidate(text: &str, from: usize) -> Option<usize> {
    let is_candidate =
        |byte: &u8| matches!(byte, 0..0x20 | b'&' | b'<' | b'>' | b'\'' | b'"' | 0xef);
    let bytes = text.as_bytes().get(from..)?;
    bytes.iter().position(is_candidate).map(|at| from + at)
}
