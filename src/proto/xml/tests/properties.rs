//! Properties of what is generated, and of what comes of it when single bytes go wrong.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::proto::xml::chars::is_char;

/// Stanzas of many forms, to be damaged.
pub(super) const SEEDS: &[&str] = &[
    "<message to='a@b.example' from='c@d.example/e' id='1' type='chat'><body>hi &amp; bye</body></message>",
    "<iq type='get' id=\"2\"><query xmlns='jabber:iq:version'/></iq><presence/>",
    "<p:x xmlns:p='urn:p' xmlns:q='urn:q' p:a='1' q:a='2' a=\"3\"><p:y/><y xmlns=''/>t</p:x>",
    "<message><body><![CDATA[<b>]]]]></body><x xmlns='urn:x'>&#10;&#x41;&lt;\r\n\t</x></message >",
    "<db:result from='a.example' to='b.example' type='valid'>key</db:result> \n<a  b = 'c\r\nd' />",
    "<message><f xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body xml:lang='de'>x</body></message></f></message>",
    "<presence><status xmlns='jabber:component:accept'>\u{e4}\u{1f600}</status></presence>",
    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features></stream:stream>",
];

/// What a damaged place is damaged with.
pub(super) const PIECES: &[&[u8]] = &[
    b"<",
    b">",
    b"/",
    b"&",
    b";",
    b"'",
    b"\"",
    b"=",
    b":",
    b"!",
    b"?",
    b"-",
    b"[",
    b"]",
    b"#",
    b"x",
    b" ",
    b"\t",
    b"\r",
    b"\n",
    b"\0",
    b"\x0b",
    b"\x80",
    b"\xc2",
    b"\xeb",
    b"\xff",
    b"a",
    b"p:",
    b"1",
    b"</",
    b"/>",
    b"<a>",
    b"</a>",
    b"<a/>",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<?xml ",
    b"?>",
    b"<!DOCTYPE a>",
    b"&lt;",
    b"&#1;",
    b"&#xD;",
    b"&a;",
    b" xmlns='",
    b" xmlns:p='urn:q'",
    b" a=''",
    b" p:a='1'",
    b"xmlns",
    b"xml",
    b"\xef\xbf\xbe",
    b"\xef\xbb\xbf",
    b"\xc3\xa4",
    b"stream:",
    b"db:",
];

/// Replaces a stretch of at most two bytes by a piece.
pub(super) fn damage(bytes: &mut Vec<u8>, at: Index, cut: usize, piece: &[u8]) {
    let at = at.index(bytes.len() + 1);
    let end = (at + cut).min(bytes.len());
    bytes.splice(at..end, piece.iter().copied());
}

/// What we accept, the other parser accepts, and for the same; and so it is with what we write.
fn agree(bytes: &[u8], stream_kind: StreamKind) -> Result<(), TestCaseError> {
    let (events, fault) = read(stream_kind, bytes);
    let ours = oracle::elements(&events, stream_kind);
    let (theirs, _) = oracle::parse(bytes, stream_kind);
    prop_assert!(
        theirs.starts_with(&ours),
        "{ours:?} for us, {theirs:?} for them"
    );
    prop_assert_eq!(
        &read_in_pieces(stream_kind, bytes, 1),
        &(events.clone(), fault)
    );
    for event in &events {
        if let Event::Element(element) = event {
            round_trip(element, stream_kind)?;
        }
    }
    Ok(())
}

/// What is written is read back as it was, by us and by the other parser.
pub(super) fn round_trip(element: &Element, stream_kind: StreamKind) -> Result<(), TestCaseError> {
    let mut bytes = Vec::new();
    writer::write_header(stream_kind, &[], &mut bytes);
    let header = bytes.len();
    writer::write_element(stream_kind, element, &mut bytes);
    let text = String::from_utf8_lossy(&bytes[header..]).into_owned();
    let (events, fault) = read(stream_kind, &bytes);
    prop_assert_eq!(fault, None, "{}", text);
    prop_assert_eq!(
        events.last(),
        Some(&Event::Element(element.clone())),
        "{}",
        text
    );
    let (theirs, result) = oracle::parse(&bytes, stream_kind);
    prop_assert!(result.is_ok(), "{}: {:?}", text, result);
    prop_assert_eq!(
        theirs,
        vec![oracle::plain(element, stream_kind)],
        "{}",
        text
    );
    Ok(())
}

pub(super) fn any_stream_kind() -> impl Strategy<Value = StreamKind> {
    select(vec![StreamKind::Server, StreamKind::Component])
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-d]", "[a-zA-Z_ä][a-zA-Z0-9._ä-]{0,6}"]
}

fn any_text() -> impl Strategy<Value = String> {
    let any = any::<String>().prop_map(|text| text.chars().filter(|c| is_char(*c)).collect());
    prop_oneof!["[ab<>&'\"\r\n\t \\]]{0,8}", any]
}

fn any_attributes() -> impl Strategy<Value = Vec<(&'static str, String, String)>> {
    let ns = select(vec![
        "",
        "",
        "urn:a",
        "urn:b",
        "http://www.w3.org/XML/1998/namespace",
    ]);
    vec((ns, any_name(), any_text()), 0..4)
}

/// Any element that a reader could have read at that place: content only inside content.
pub(super) fn any_element() -> impl Strategy<Value = Element> {
    let ns = select(vec![
        "content",
        "",
        "urn:a",
        "urn:b",
        "jabber:client",
        "urn:xmpp:ping",
    ]);
    let declared = vec(
        (
            select(vec!["p", "q", "ns0", "stream"]),
            select(vec!["urn:a", "urn:b"]),
        ),
        0..3,
    );
    let leaf = (ns, any_name(), any_attributes(), declared, any_text());
    let leaf = leaf.prop_map(|(ns, name, attributes, declared, text)| {
        let ns = if ns == "content" {
            Ns::CONTENT
        } else {
            Ns::from(ns)
        };
        let mut element = Element::new(ns, name).with_text(&text);
        for (ns, name, value) in attributes {
            element.set_attribute_in(ns, name, value);
        }
        for (prefix, ns) in declared {
            element.declare(prefix, ns.into());
        }
        element
    });
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        (inner.clone(), vec((inner, any_text()), 0..4)).prop_map(|(parent, children)| {
            children.into_iter().fold(parent, |parent, (child, text)| {
                parent.with_child(child).with_text(&text)
            })
        })
    });
    tree.prop_map(|element| as_read(element, 1, true))
}

fn as_read(mut element: Element, level: usize, in_content: bool) -> Element {
    if level == 1 && *element.ns() == Ns::CLIENT {
        element.set_ns(Ns::CONTENT);
    }
    let is_content =
        in_content && (element.ns().is_literal_content() || *element.ns() == Ns::CONTENT);
    if is_content {
        element.set_ns(Ns::CONTENT);
    } else if *element.ns() == Ns::CONTENT {
        element.set_ns(Ns::CLIENT);
    }
    for child in element.children_mut() {
        *child = as_read(child.clone(), level + 1, is_content || level == 1);
    }
    element
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn whatever_is_written_is_read_back(element in any_element(), stream_kind in any_stream_kind()) {
        round_trip(&element, stream_kind)?;
    }

    #[test]
    fn what_we_accept_others_accept_for_the_same(
        seed in select(SEEDS),
        damages in vec((any::<Index>(), 0..3_usize, select(PIECES)), 0..4),
        stream_kind in any_stream_kind(),
    ) {
        let header = if stream_kind == StreamKind::Server { SERVER } else { COMPONENT };
        let mut stanza = seed.as_bytes().to_vec();
        for (at, cut, piece) in damages {
            damage(&mut stanza, at, cut, piece);
        }
        agree(&[header.as_bytes(), &stanza].concat(), stream_kind)?;
    }

    #[test]
    fn what_we_accept_as_a_header_others_accept(
        damages in vec((any::<Index>(), 0..3_usize, select(PIECES)), 1..3),
    ) {
        let mut bytes = format!("{SERVER}<db:a stream:b=''/><iq/>").into_bytes();
        for (at, cut, piece) in damages {
            damage(&mut bytes, at, cut, piece);
        }
        agree(&bytes, StreamKind::Server)?;
    }

    #[test]
    fn any_cut_of_damaged_bytes_gives_the_same(
        seed in select(SEEDS),
        damages in vec((any::<Index>(), 0..3_usize, select(PIECES)), 0..3),
        size in 1..40_usize,
    ) {
        let mut bytes = [SERVER, seed, seed].concat().into_bytes();
        for (at, cut, piece) in damages {
            damage(&mut bytes, at, cut, piece);
        }
        prop_assert_eq!(
            read_in_pieces(StreamKind::Server, &bytes, size),
            read(StreamKind::Server, &bytes)
        );
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..200)) {
        agree(&bytes, StreamKind::Component)?;
        agree(&[SERVER.as_bytes(), b"<a>", &bytes].concat(), StreamKind::Server)?;
    }
}
