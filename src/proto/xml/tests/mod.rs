//! The whole pipeline, from bytes to events and back.

mod at_once;
mod bombs;
mod conversation;
mod documents;
mod limits;
mod oracle;
mod phases;
mod properties;
mod spans;
mod writing;

use super::*;

/// The headers that most tests begin with.
pub(super) const SERVER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:server' \
    xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' \
    from='a.example' to='b.example' version='1.0'>";
pub(super) const COMPONENT: &str = "<stream:stream xmlns='jabber:component:accept' \
    xmlns:stream='http://etherx.jabber.org/streams' to='b.example'>";

/// Everything the reader makes of these bytes, given in pieces of this size, and the fault at the end, if any.
pub(super) fn read_in_pieces(
    stream_kind: StreamKind,
    bytes: &[u8],
    size: usize,
) -> (Vec<Event>, Option<Fault>) {
    let reader = Reader::new(stream_kind, Limits::authenticated(64 * 1024));
    events_of(reader, bytes, size)
}

/// What a reader makes of bytes that come in pieces of so many.
fn events_of(mut reader: Reader, bytes: &[u8], size: usize) -> (Vec<Event>, Option<Fault>) {
    let mut events = Vec::new();
    for piece in bytes.chunks(size.max(1)) {
        reader.feed(piece);
        loop {
            match reader.next() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(fault) => return (events, Some(fault)),
            }
        }
    }
    (events, None)
}

pub(super) fn read(stream_kind: StreamKind, text: impl AsRef<[u8]>) -> (Vec<Event>, Option<Fault>) {
    let bytes = text.as_ref();
    read_in_pieces(stream_kind, bytes, bytes.len())
}

/// The one element that follows the usual header.
pub(super) fn element(text: &str) -> Result<Element, Fault> {
    element_on(StreamKind::Server, text)
}

pub(super) fn element_on(stream_kind: StreamKind, text: &str) -> Result<Element, Fault> {
    let header = match stream_kind {
        StreamKind::Server => SERVER,
        StreamKind::Component => COMPONENT,
    };
    let (mut events, fault) = read(stream_kind, format!("{header}{text}"));
    match (fault, events.pop()) {
        (Some(fault), _) => Err(fault),
        (None, Some(Event::Element(element))) => Ok(element),
        (None, other) => panic!("no element but {other:?} from {text}"),
    }
}

pub(super) fn written(stream_kind: StreamKind, element: &Element) -> String {
    let mut out = Vec::new();
    writer::write_element(stream_kind, element, &mut out);
    String::from_utf8(out).unwrap()
}
