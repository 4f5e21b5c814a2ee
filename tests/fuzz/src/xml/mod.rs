//! Our reader and writer against two parsers of other hands.

mod expat;
#[path = "../../../../src/proto/xml/tests/oracle.rs"]
mod oracle;
mod tree;

pub use tree::Trees;

use xmpp_edge::proto::xml::{
    Attribute, Element, Event, Fault, Limits, Node, Ns, Reader, StreamKind, writer,
};

/// A server's header, before arbitrary bytes.
pub const HEADER: &[u8] = b"<stream:stream xmlns='jabber:server' \
    xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' \
    from='a.example' to='b.example' version='1.0'>";

/// What the reader made of some bytes.
#[derive(Debug, PartialEq)]
pub struct Reading {
    events: Vec<Event>,
    fault: Option<Fault>,
    /// Whether no frame was left unfinished: judgement on one is passed at its end.
    is_whole: bool,
}

/// Gives bytes to a reader, in pieces of this size.
pub fn read(stream_kind: StreamKind, limits: Limits, bytes: &[u8], size: usize) -> Reading {
    read_by(Reader::new(stream_kind, limits), bytes, size)
}

fn read_by(mut reader: Reader, bytes: &[u8], size: usize) -> Reading {
    let mut events = Vec::new();
    let mut fault = None;
    for piece in bytes.chunks(size.max(1)) {
        reader.feed(piece);
        while fault.is_none() {
            match reader.next() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(found) => fault = Some(found),
            }
        }
    }
    Reading {
        events,
        is_whole: fault.is_none() && reader.is_drained(),
        fault,
    }
}

/// A span is what the writer writes of the tree, and nothing else changes by reading spans; these bytes
/// come in pieces of this size.
pub fn hold_spans(stream_kind: StreamKind, limits: Limits, bytes: &[u8], size: usize) {
    let trees = read(stream_kind, limits, bytes, bytes.len());
    let mut reader = Reader::new(stream_kind, limits);
    reader.give_spans();
    let spans = read_by(reader, bytes, size);
    let shown = String::from_utf8_lossy(bytes);
    assert_eq!(spans.fault, trees.fault, "{shown}");
    assert_eq!(spans.events.len(), trees.events.len(), "{shown}");
    for pair in spans.events.iter().zip(&trees.events) {
        let (Event::Stanza(span), Event::Element(element)) = pair else {
            assert_eq!(pair.0, pair.1, "{shown}");
            continue;
        };
        for stream_kind in [StreamKind::Server, StreamKind::Component] {
            let mut written = Vec::new();
            writer::write_element(stream_kind, element, &mut written);
            assert_eq!(span.bytes(), written, "{shown}");
        }
        let values = [span.from(), span.to(), span.stanza_type(), span.id()];
        let same = ["from", "to", "type", "id"].map(|name| element.attribute(name));
        assert_eq!(values, same, "{shown}");
        assert_eq!(span.children(), element.children().count(), "{shown}");
        let has = |name| element.child(&Ns::CONTENT, name).is_some();
        assert_eq!(span.has_error(), has("error"), "{shown}");
        assert_eq!(span.has_status(), has("status"), "{shown}");
        assert_eq!(span.tree().as_ref(), Ok(element), "{shown}");
    }
}

/// What we accept, the others accept, and for the same; and so it is with what we write of it.
pub fn agree(stream_kind: StreamKind, bytes: &[u8]) {
    let limits = Limits::authenticated(64 * 1024);
    let reading = read(stream_kind, limits, bytes, bytes.len());
    let ours = oracle::elements(&reading.events, stream_kind);
    let shown = String::from_utf8_lossy(bytes);
    for (parser, (theirs, error)) in others(stream_kind, bytes) {
        assert!(
            theirs.starts_with(&ours),
            "{parser}: {ours:?} for us, {theirs:?} for them: {shown}"
        );
        // Where we see no fault, neither do they, and they find no element that we do not.
        if reading.is_whole {
            assert_eq!(error, None, "{parser}: {shown}");
            assert_eq!(theirs.len(), ours.len(), "{parser}: {shown}");
        }
    }
    for event in &reading.events {
        if let Event::Element(element) = event {
            round_trip(stream_kind, element);
        }
    }
}

/// What is written is read back as it was, by us and by the others.
pub fn round_trip(stream_kind: StreamKind, element: &Element) {
    let bytes = readable(stream_kind, element);
    let shown = String::from_utf8_lossy(&bytes);
    for (parser, (theirs, error)) in others(stream_kind, &bytes) {
        assert_eq!(error, None, "{parser}: {shown}");
        assert_eq!(
            theirs,
            [oracle::plain(element, stream_kind)],
            "{parser}: {shown}"
        );
    }
}

/// What is written is read back as it was, by us; returns what is written, after a header.
pub fn readable(stream_kind: StreamKind, element: &Element) -> Vec<u8> {
    let mut bytes = Vec::new();
    writer::write_header(stream_kind, &[], &mut bytes);
    writer::write_element(stream_kind, element, &mut bytes);
    let limits = Limits {
        element_bytes: usize::MAX,
        namespace_bytes: usize::MAX,
        ..Limits::authenticated(1024 * 1024)
    };
    let Reading { events, fault, .. } = read(stream_kind, limits, &bytes, bytes.len());
    let shown = String::from_utf8_lossy(&bytes);
    assert_eq!(fault, None, "{shown}");
    let last = events.last();
    assert_eq!(last, Some(&Event::Element(element.clone())), "{shown}");
    bytes
}

/// What one of the others makes of a stream: the root's children, and the error at the end, if any.
type Theirs = (Vec<oracle::Plain>, Option<String>);

fn others(stream_kind: StreamKind, bytes: &[u8]) -> [(&'static str, Theirs); 2] {
    let (theirs, result) = oracle::parse(bytes, stream_kind);
    let rxml = (theirs, result.err().map(|error| error.to_string()));
    [("rxml", rxml), ("expat", expat::parse(bytes, stream_kind))]
}
