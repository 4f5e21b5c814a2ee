//! Comparing what was sent with what a script expects: as parsed XML, with `{names}` for values
//! that are not known beforehand.

use std::collections::HashMap;

use xmpp_edge::proto::xml::{Element, Event, Header, Ns, StreamKind};

use super::lab::elements;

/// Values that were met under a name.
pub(crate) type Names = HashMap<String, String>;

/// Something the edge sent.
#[derive(Clone, Debug)]
pub(crate) enum Sent {
    Header(Header),
    Element(Element),
    Close,
}

/// Reads what a script expects to be sent.
pub(crate) fn expected(stream_kind: StreamKind, text: &str) -> Vec<Sent> {
    let mut all = Vec::new();
    let mut rest = text;
    if let Some(end) = header_end(text) {
        let (header, after) = text.split_at(end);
        all.push(Sent::Header(header_of(stream_kind, header)));
        rest = after;
    }
    all.extend(elements(stream_kind, rest).into_iter().map(sent));
    all
}

/// Reads what the edge did send; each XML declaration begins a new document.
pub(crate) fn sent_in(stream_kind: StreamKind, bytes: &[u8]) -> Vec<Sent> {
    let text = str::from_utf8(bytes).expect("UTF-8");
    let mut all = Vec::new();
    for (index, document) in text.split("<?xml version='1.0'?>").enumerate() {
        if index == 0 {
            all.extend(elements(stream_kind, document).into_iter().map(sent));
        } else {
            all.extend(expected(stream_kind, document));
        }
    }
    all
}

fn sent(event: Event) -> Sent {
    match event {
        Event::Header(header) => Sent::Header(header),
        Event::Element(element) => Sent::Element(element),
        Event::Stanza(span) => panic!("asked for trees: {span:?}"),
        Event::Excess(excess) => panic!("the edge sent too large a stanza: {excess:?}"),
        Event::Close => Sent::Close,
    }
}

fn header_end(text: &str) -> Option<usize> {
    let at = text.find("<stream:stream")?;
    Some(at + text.get(at..)?.find('>')? + 1)
}

fn header_of(stream_kind: StreamKind, text: &str) -> Header {
    use xmpp_edge::proto::xml::{Limits, Reader};
    let mut reader = Reader::new(stream_kind, Limits::UNAUTHENTICATED);
    reader.feed(text.as_bytes());
    match reader.next() {
        Ok(Some(Event::Header(header))) => header,
        other => panic!("{other:?} is no header: {text}"),
    }
}

/// Whether this was sent as expected; learns the values of new names.
pub(crate) fn matches(want: &Sent, got: &Sent, names: &mut Names) -> bool {
    match (want, got) {
        (Sent::Header(want), Sent::Header(got)) => {
            want.default_namespace() == got.default_namespace()
                && ["from", "to", "id", "version"].iter().all(|name| {
                    match (want.attribute(name), got.attribute(name)) {
                        (None, None) | (Some("{if-any}"), _) => true,
                        // Each header has an id of its own.
                        (Some("{id}"), Some(got)) => {
                            let fresh = names.get("id").is_none_or(|known| known != got);
                            names.insert("id".to_owned(), got.to_owned());
                            fresh && got.len() >= 22
                        }
                        (Some(want), Some(got)) => is_value(want, got, names),
                        _ => false,
                    }
                })
        }
        (Sent::Element(want), Sent::Element(got)) => is_element(want, got, names),
        (Sent::Close, Sent::Close) => true,
        _ => false,
    }
}

/// Whether an element is as expected. Texts of errors count only where the script has them.
pub(crate) fn is_element(want: &Element, got: &Element, names: &mut Names) -> bool {
    let attributes = |element: &Element| {
        element
            .attributes()
            .map(|attribute| {
                (
                    attribute.ns().clone(),
                    attribute.name().to_owned(),
                    attribute.value().to_owned(),
                )
            })
            .collect::<Vec<_>>()
    };
    let (wanted, found) = (attributes(want), attributes(got));
    let has_text = want.children().any(is_error_text);
    let children: Vec<_> = got
        .children()
        .filter(|child| has_text || !is_error_text(child))
        .collect();
    want.ns() == got.ns()
        && want.name() == got.name()
        && wanted.len() == found.len()
        && wanted.iter().all(|(ns, name, value)| {
            got.attribute_in(ns, name)
                .is_some_and(|found| is_value(value, found, names))
        })
        && is_value(want.text().trim(), got.text().trim(), names)
        && want.children().count() == children.len()
        && want
            .children()
            .zip(children)
            .all(|(want, got)| is_element(want, got, names))
}

fn is_error_text(element: &Element) -> bool {
    element.name() == "text" && [Ns::STREAM_ERRORS, Ns::STANZA_ERRORS].contains(element.ns())
}

fn is_value(want: &str, got: &str, names: &mut Names) -> bool {
    match want
        .strip_prefix('{')
        .and_then(|name| name.strip_suffix('}'))
    {
        Some("any") => true,
        Some(name) => {
            names
                .entry(name.to_owned())
                .or_insert_with(|| got.to_owned())
                == got
        }
        None => want == got,
    }
}
