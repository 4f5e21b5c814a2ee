//! What the scripted ends say and understand: just enough of the protocol, and one way to write a
//! stanza, so that a record of bytes tells which stanzas it carries.

use tokio::io::{AsyncRead, AsyncReadExt as _};

pub(super) const LOCALS: [&str; 2] = ["contoso.example", "eu.contoso.example"];
pub(super) const PARTNERS: [&str; 2] = ["fabrikam.example", "northwind.example"];
pub(super) const SECRET: &str = "0123456789abcdef";

/// One side's reading, element by element.
#[derive(Debug)]
pub(super) struct Reading<R> {
    source: R,
    text: String,
}

impl<R: AsyncRead + Unpin> Reading<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            text: String::new(),
        }
    }

    /// The next whole element, or tag of the stream; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = end_of_first(&self.text) {
                let rest = self.text.split_off(end);
                return Some(std::mem::replace(&mut self.text, rest));
            }
            let mut chunk = [0; 4 << 10];
            match self.source.read(&mut chunk).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => self
                    .text
                    .push_str(std::str::from_utf8(&chunk[..count]).ok()?),
            }
        }
    }
}

/// Where the first element ends, or the first tag of a stream.
pub(super) fn end_of_first(text: &str) -> Option<usize> {
    let tag = text.find('>')? + 1;
    let first = &text[..tag];
    if first.starts_with("<?") || first.starts_with("</") || first.ends_with("/>") {
        return Some(tag);
    }
    let name_ends = first.find([' ', '>']).unwrap_or(tag);
    let name = &first[1..name_ends];
    if name == "stream:stream" {
        return Some(tag);
    }
    // No element here has one of its own name inside.
    let mut at = tag;
    loop {
        at += text[at..].find('<')? + 1;
        if let Some(end) = text[at..].strip_prefix('/')
            && end
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('>'))
        {
            return Some(at + 1 + name.len() + 1);
        }
    }
}

/// The value of an attribute of an element's first tag.
pub(super) fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let tag = &element[..element.find('>')?];
    let begin = tag.find(&format!(" {name}='"))? + name.len() + 3;
    let rest = &tag[begin..];
    rest.find('\'').map(|end| &rest[..end])
}

/// The opening of a stream.
pub(super) fn header(namespace: &str, attributes: &str) -> String {
    format!(
        "<stream:stream xmlns='{namespace}' xmlns:db='jabber:server:dialback' \
         xmlns:stream='http://etherx.jabber.org/streams' {attributes}>"
    )
}

/// `who@domain`.
pub(super) fn user(who: &str, domain: &str) -> String {
    format!("{who}@{domain}")
}

/// A message with a number and so many bytes of text.
pub(super) fn message(from: &str, to: &str, id: &str, bytes: usize) -> String {
    let text = "x".repeat(bytes);
    format!("<message from='{from}' to='{to}' id='{id}'><body>{text}</body></message>")
}

#[test]
fn elements_end_where_they_end() {
    let text = "<?xml version='1.0'?><stream:stream a='b'><a/><b c='d'><e/></b></stream:stream>";
    let (mut rest, mut found) = (text, Vec::new());
    while let Some(end) = end_of_first(rest) {
        found.push(&rest[..end]);
        rest = &rest[end..];
    }
    assert_eq!(
        found[2..],
        ["<a/>", "<b c='d'><e/></b>", "</stream:stream>"]
    );
    assert_eq!(attribute(found[3], "c"), Some("d"));
    assert_eq!(end_of_first("<b><e/>"), None);
}
