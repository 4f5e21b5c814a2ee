//! Spans are what the writer writes of the tree, and nothing else changes by them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::properties::{PIECES, SEEDS, any_element, any_stream_kind, damage};
use super::*;

/// Stanzas in which many things are usual, and some are not.
const MORE: &[&str] = &[
    "<message from='a@b.example/r' to=\"c@d.example\" id='x1' type=\"chat\"><body>a > b &gt; c</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>",
    "<message to='a' from='b'><body xml:lang='de' a='1'>\u{ff0c}\u{1f600}</body>\n <x xmlns='urn:x' b='&quot;&apos;\t&#10;'><y/><z xmlns='jabber:client'><body>x</body></z><w xmlns='urn:x'/></x></message>",
    "<presence xmlns='jabber:server' from='a'/><presence xmlns='jabber:component:accept'/><presence xmlns='jabber:client'/>",
    "<iq type='result' id='' to='a&amp;b'><error xmlns='jabber:client'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:a?b&amp;c</gone></error></iq>",
    "<presence from='a'><status a='x' xml:lang='en' b=\"it's\">away</status><priority>5</priority><c xmlns='http://jabber.org/protocol/caps' ver='QgayPKawpkPSDYmwT/WM94uAlu0=' node='n' hash='sha-1'></c></presence>",
    "<message xml:lang='fr' id='\u{e4}'><x xmlns=''><y xmlns='' a=''/></x><partner xmlns='urn:xmpp-edge:partner:0'/>text</message>",
    "<message><a><b><c><d><e><f><g><h><i><j>deep</j></i></h></g></f></e></d></c></b></a></message>",
];

/// Everything a reader makes of some bytes, given in pieces of this size.
fn events(
    gives_spans: bool,
    stream_kind: StreamKind,
    bytes: &[u8],
    size: usize,
) -> (Vec<Event>, Option<Fault>) {
    let limits = Limits {
        elements: 64,
        depth: 12,
        bindings: 8,
        attributes: 6,
        name_bytes: 40,
        namespace_bytes: 60,
        ..Limits::authenticated(4 * 1024)
    };
    let mut reader = Reader::new(stream_kind, limits);
    if gives_spans {
        reader.give_spans();
    }
    events_of(reader, bytes, size)
}

/// Reads bytes both ways: how many stanzas came as spans.
fn compare(stream_kind: StreamKind, bytes: &[u8], size: usize) -> usize {
    let shown = String::from_utf8_lossy(bytes);
    let (with, fault) = events(true, stream_kind, bytes, size);
    let (without, same_fault) = events(false, stream_kind, bytes, size);
    assert_eq!(fault, same_fault, "{shown}");
    assert_eq!(with.len(), without.len(), "{shown}");
    let mut spans = 0;
    for (one, other) in with.iter().zip(&without) {
        let (Event::Stanza(span), Event::Element(element)) = (one, other) else {
            assert_eq!(one, other, "{shown}");
            continue;
        };
        spans += 1;
        let text = String::from_utf8(span.bytes().to_vec()).unwrap();
        for kind in [StreamKind::Server, StreamKind::Component] {
            assert_eq!(text, written(kind, element), "{kind:?} {shown}");
        }
        assert_eq!(&span.tree().unwrap(), element, "{shown}");
        assert_eq!(span.name(), element.name());
        let values = [span.from(), span.to(), span.stanza_type(), span.id()];
        let same = ["from", "to", "type", "id"].map(|name| element.attribute(name));
        assert_eq!(values, same, "{shown}");
        assert_eq!(span.children(), element.children().count());
        let has = |name| element.child(&Ns::CONTENT, name).is_some();
        assert_eq!(span.has_error(), has("error"));
        assert_eq!(span.has_status(), has("status"));
        changes((**span).clone(), element.clone());
    }
    spans
}

/// What may be changed about a span changes as it does in a tree.
fn changes(mut span: Span, mut element: Element) {
    if span.from().is_some() {
        span.set_from("somebody@else.example/x");
        element.set_attribute("from", "somebody@else.example/x");
    }
    if span.to().is_some() {
        span.set_to("b");
        element.set_attribute("to", "b");
    }
    let note = Element::new(Ns::PARTNER, "partner").with_attribute("domain", "a.example");
    span.push(&note);
    element.push(note);
    let text = String::from_utf8(span.bytes().to_vec()).unwrap();
    assert_eq!(text, written(StreamKind::Component, &element));
    let values = [span.from(), span.to(), span.stanza_type(), span.id()];
    let same = ["from", "to", "type", "id"].map(|name| element.attribute(name));
    assert_eq!(values, same, "{text}");
}

fn header(stream_kind: StreamKind, lang: &str) -> String {
    let namespace = stream_kind.content_namespace();
    format!(
        "<s:stream xmlns='{namespace}' xmlns:s='http://etherx.jabber.org/streams' \
         xmlns:db='jabber:server:dialback' xml:lang='{lang}'>"
    )
}

#[test]
fn the_usual_stanza_is_a_span() {
    let counts: Vec<_> = MORE
        .iter()
        .chain(SEEDS)
        .map(|text| {
            let bytes = [&header(StreamKind::Server, "de"), *text].concat();
            let whole = compare(StreamKind::Server, bytes.as_bytes(), usize::MAX);
            for size in 1..bytes.len() {
                assert_eq!(compare(StreamKind::Server, bytes.as_bytes(), size), whole);
            }
            whole
        })
        .collect();
    assert_eq!(counts, [1, 1, 1, 0, 1, 0, 1, 1, 2, 0, 0, 0, 1, 1, 0]);
}

#[test]
fn a_whole_stanza_is_a_span_however_long_the_one_before_it_was() {
    let long = format!(
        "<message id='a'><body>{}</body></message>",
        "x".repeat(2_000)
    );
    let short = "<presence id='b'/>".repeat(12);
    let bytes = [
        &header(StreamKind::Server, "de"),
        &*long,
        &short,
        &long,
        &short,
    ]
    .concat();
    for size in (1..bytes.len()).step_by(31).chain([bytes.len()]) {
        assert_eq!(
            compare(StreamKind::Server, bytes.as_bytes(), size),
            26,
            "{size}"
        );
    }
}

#[test]
fn limits_hold_for_spans() {
    let many = |piece: &str, count: usize| format!("<iq id='a'>{}</iq>", piece.repeat(count));
    let nested = |count: usize| {
        let (open, close) = ("<a>".repeat(count), "</a>".repeat(count));
        format!("<iq>{open}{close}</iq>")
    };
    let named = |length: usize| format!("<iq><{}/></iq>", "a".repeat(length));
    let attribute = |length: usize| format!("<iq><a {}=''/></iq>", "a".repeat(length));
    let xml = |length: usize| format!("<iq><a xml:{}=''/></iq>", "a".repeat(length));
    let space = |length: usize| format!("<iq><a xmlns='{}'/></iq>", "a".repeat(length));
    let bound = |count: usize| {
        let open: String = (0..count).map(|at| format!("<a xmlns='{at}'>")).collect();
        format!("<iq>{open}{}</iq>", "</a>".repeat(count))
    };
    let long = |count: usize| format!("<iq>{}</iq>", " ".repeat(count - 9));
    let full = |count: usize| {
        let all: String = (0..count).map(|at| format!(" a{at}=''")).collect();
        format!("<iq><a{all}/></iq>")
    };
    for (fits, exceeds) in [
        (many("<a/>", 63), many("<a/>", 64)),
        (nested(11), nested(12)),
        (named(40), named(41)),
        (attribute(40), attribute(41)),
        (xml(36), xml(37)),
        (space(60), space(61)),
        (bound(5), bound(6)),
        (long(4096), long(4097)),
        (full(6), full(7)),
    ] {
        for (text, spans) in [(fits, 1), (exceeds, 0)] {
            let bytes = [&header(StreamKind::Server, "de"), &*text].concat();
            for size in [1, 100, usize::MAX] {
                let found = compare(StreamKind::Server, bytes.as_bytes(), size);
                assert_eq!(found, spans, "{text}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn a_span_is_what_the_writer_writes(
        seed in select([MORE, SEEDS].concat()),
        damages in vec((any::<Index>(), 0..3_usize, select(PIECES)), 0..4),
        lang in select(vec!["de", "", "en-GB", "it's"]),
        stream_kind in any_stream_kind(),
        size in 1..60_usize,
    ) {
        let mut stanza = seed.as_bytes().to_vec();
        for (at, cut, piece) in damages {
            damage(&mut stanza, at, cut, piece);
        }
        let header = header(stream_kind, &lang.replace('\'', "&apos;"));
        let bytes = [header.as_bytes(), &stanza, b"<presence/>"].concat();
        let spans = compare(stream_kind, &bytes, size);
        prop_assert_eq!(compare(stream_kind, &bytes, usize::MAX), spans);
    }

    #[test]
    fn whatever_is_written_may_be_read_as_a_span(
        children in vec(any_element(), 0..4),
        stream_kind in any_stream_kind(),
        size in 1..60_usize,
    ) {
        let mut stanza = Element::new(Ns::CONTENT, "message").with_attribute("id", "1");
        for child in children {
            stanza.push(child);
        }
        let text = written(stream_kind, &stanza);
        let bytes = [&header(stream_kind, "de"), &*text].concat();
        compare(stream_kind, bytes.as_bytes(), size);
    }
}
