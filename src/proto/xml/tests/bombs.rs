//! What is written stays within a small multiple of what was read, however names are declared and used.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::properties::{any_element, any_stream_kind, round_trip};
use super::*;

/// What one stanza may bring more than twice what was read: declarations that are nothing to look after,
/// and those that were read with the stream header.
const MORE: usize = 8 << 10;

/// As long as the name of a namespace may be.
fn long(letter: char) -> String {
    letter.to_string().repeat(1024)
}

/// A stream header that binds `h` and `i` to long names.
fn header(stream_kind: StreamKind) -> String {
    let usual = if stream_kind == StreamKind::Server {
        SERVER
    } else {
        COMPONENT
    };
    let names = format!(" xmlns:h='{}' xmlns:i='{}'", long('h'), long('i'));
    usual.replace(" to='b", &format!("{names} to='b"))
}

/// A stanza that is read behind that header.
fn stanza(stream_kind: StreamKind, text: &str) -> Element {
    let (mut events, fault) = read(stream_kind, header(stream_kind) + text);
    match (fault, events.pop()) {
        (None, Some(Event::Element(element))) => element,
        other => panic!("{other:?} from {text}"),
    }
}

/// Each uses a long name in many places where it is declared in one.
fn bombs() -> Vec<String> {
    let (p, q) = (long('p'), long('q'));
    let message = |declared: &str, inside: String| format!("<message{declared}>{inside}</message>");
    let both = format!(" xmlns:p='{p}' xmlns:q='{q}'");
    vec![
        message(&both, "<p:a/>".repeat(2000)),
        message(&both, "<p:a/><q:a/>".repeat(1000)),
        message(&both, "<p:a><q:b><p:c/></q:b></p:a>".repeat(500)),
        message(&both, "<x xmlns='u'><p:a/></x>".repeat(900)),
        message("", "<h:a/>".repeat(2000)),
        message("", "<h:a/><i:a/>".repeat(1000)),
        message("", "<x h:a='' i:a=''/>".repeat(2000)),
        message("", "<x><y h:a=''><h:z/></y></x>".repeat(500)),
        // Where the name is the default one, and others stand between.
        format!(
            "<message><x xmlns='{p}' xmlns:p='u'>{}</x></message>",
            "<p:a><b/></p:a>".repeat(900)
        ),
        format!(
            "<message><x xmlns='{p}'>{}</x></message>",
            "<c xmlns:p='u' p:d=''/><a xmlns=''/>".repeat(500)
        ),
        // The prefixes that the writer makes are taken.
        message(
            &format!("{both} xmlns:ns0='u' xmlns:ns2='v'"),
            "<p:a ns0:b=''/><q:a><c xmlns:ns1='w' ns1:d=''/></q:a>".repeat(300),
        ),
    ]
}

#[test]
fn a_name_that_is_declared_once_is_not_written_thousands_of_times() {
    for stream_kind in [StreamKind::Server, StreamKind::Component] {
        for text in bombs() {
            let element = stanza(stream_kind, &text);
            let out = written(stream_kind, &element);
            let shown = &text[text.len() - 40..];
            assert!(
                out.len() <= 2 * text.len() + MORE,
                "{} of {}: {shown}",
                out.len(),
                text.len()
            );
            round_trip(&element, stream_kind).unwrap();
        }
    }
}

#[test]
fn few_declarations_are_written_as_ever() {
    let many = "<p:a/>".repeat(40);
    let element = element(&format!("<message xmlns:p='urn:p'>{many}</message>")).unwrap();
    let plain = "<a xmlns='urn:p'/>".repeat(40);
    assert_eq!(
        written(StreamKind::Component, &element),
        format!("<message xmlns:p='urn:p'>{plain}</message>")
    );
}

#[test]
fn prefixes_are_made_for_what_takes_most() {
    let name = "u".repeat(200);
    let text = format!(
        "<message xmlns:p='{name}' xmlns:ns0='v'>{}<ns0:b/><body>x</body></message>",
        "<p:a><c xmlns='w'/></p:a>".repeat(20)
    );
    let many = "<ns1:a><c xmlns='w'/></ns1:a>".repeat(20);
    assert_eq!(
        relayed(&text),
        format!(
            "<message xmlns:ns1='{name}' xmlns:ns2='w' xmlns:p='{name}' xmlns:ns0='v'>\
             {}<b xmlns='v'/><body>x</body></message>",
            many.replace("<c xmlns='w'/>", "<ns2:c/>")
        )
    );
}

fn relayed(text: &str) -> String {
    written(StreamKind::Component, &element(text).unwrap())
}

/// Content of a stanza: elements of any of the namespaces in scope, some of which they declare anew.
fn any_content() -> impl Strategy<Value = String> {
    let prefix = select(vec!["", "", "p:", "q:", "h:", "i:"]);
    let declared = select(vec!["", "", "", " xmlns='u'", " xmlns=''", " xmlns:p='u'"]);
    let attribute = select(vec!["", "", " a=''", " h:a='b'", " p:a=''"]);
    let leaf = (prefix, declared, attribute);
    let leaf = leaf.prop_map(|(prefix, declared, attribute)| {
        [
            format!("<{prefix}a{declared}{attribute}>"),
            format!("</{prefix}a>"),
        ]
    });
    let tree = leaf.prop_map(|tags| tags.concat()).boxed();
    let inside = (tree.clone(), 1..60_usize).prop_map(|(tree, times)| tree.repeat(times));
    let nested = (
        select(vec!["p:a", "q:a", "h:a"]),
        vec(inside, 0..6),
        1..4_usize,
    );
    let nested = nested.prop_map(|(name, inside, times)| {
        format!("<{name}>{}</{name}>", inside.concat()).repeat(times)
    });
    vec(prop_oneof![tree, nested], 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_written_is_a_small_multiple_of_what_was_read(
        content in any_content(),
        lengths in (1..1024_usize, 1..1024_usize),
        stream_kind in any_stream_kind(),
    ) {
        let [p, q] = ['p', 'q'].map(|letter| letter.to_string());
        let (p, q) = (p.repeat(lengths.0), q.repeat(lengths.1));
        let text = format!("<message xmlns:p='{p}' xmlns:q='{q}'>{content}</message>");
        let (events, fault) = read(stream_kind, header(stream_kind) + &text);
        // What has too many elements is refused, and never written.
        prop_assume!(fault.is_none() && !matches!(events.last(), Some(Event::Excess(_))));
        let Some(Event::Element(element)) = events.last() else { panic!("{events:?}") };
        let out = written(stream_kind, element);
        prop_assert!(out.len() <= 2 * text.len() + MORE, "{} of {}", out.len(), text.len());
        round_trip(element, stream_kind)?;
    }

    #[test]
    fn lengths_are_those_of_what_is_written(element in any_element(), stream_kind in any_stream_kind()) {
        let real = written(stream_kind, &element).len();
        prop_assert_eq!(writer::length(stream_kind, &element, usize::MAX), real);
        prop_assert!(writer::at_most(&element) >= real);
    }
}

#[test]
fn the_length_of_a_bomb_is_that_of_what_is_written_and_counting_ends() {
    for text in bombs() {
        let element = stanza(StreamKind::Server, &text);
        let real = written(StreamKind::Server, &element).len();
        assert_eq!(
            writer::length(StreamKind::Server, &element, usize::MAX),
            real
        );
        assert_eq!(writer::length(StreamKind::Server, &element, real), real);
        assert!(writer::at_most(&element) >= real);
        let stopped = writer::length(StreamKind::Server, &element, 4096);
        assert!(stopped > 4096 && stopped <= real.min(12 << 10), "{stopped}");
    }
}

/// It is what is allocated at once, before the length is known.
#[test]
fn the_estimate_of_a_bomb_is_a_small_multiple_of_what_was_read() {
    for text in bombs() {
        let hint = stanza(StreamKind::Server, &text).size_hint();
        assert!(hint <= 10 * text.len(), "{hint} of {}", text.len());
    }
}
