//! What the writer makes, and that reading it gives the same again.

use super::*;

/// What an element read on one kind of stream looks like on another.
fn relayed(from: StreamKind, text: &str, to: StreamKind) -> String {
    written(to, &element_on(from, text).unwrap())
}

#[test]
fn a_stanza_is_rescoped_without_being_touched() {
    let stanza = "<message to='a@b.example'><body>hi</body><x xmlns='urn:x'><y/></x></message>";
    assert_eq!(
        relayed(StreamKind::Server, stanza, StreamKind::Component),
        stanza
    );
    assert_eq!(
        relayed(StreamKind::Component, stanza, StreamKind::Server),
        stanza
    );
}

#[test]
fn elements_have_no_prefix_but_at_the_top_level() {
    for (read, want) in [
        ("<db:result>k</db:result>", "<db:result>k</db:result>"),
        (
            "<stream:error><a xmlns='urn:a'/></stream:error>",
            "<stream:error><a xmlns='urn:a'/></stream:error>",
        ),
        (
            "<d:result xmlns:d='jabber:server:dialback' xmlns:db='urn:other'/>",
            "<result xmlns='jabber:server:dialback' xmlns:d='jabber:server:dialback' xmlns:db='urn:other'/>",
        ),
        (
            "<iq><p:q xmlns:p='urn:p'><p:r/></p:q></iq>",
            "<iq><q xmlns='urn:p' xmlns:p='urn:p'><r/></q></iq>",
        ),
        (
            "<iq><q xmlns=''><r/></q></iq>",
            "<iq><q xmlns=''><r/></q></iq>",
        ),
        (
            "<iq><q xmlns='urn:q'><r xmlns=''/></q></iq>",
            "<iq><q xmlns='urn:q'><r xmlns=''/></q></iq>",
        ),
    ] {
        assert_eq!(
            relayed(StreamKind::Server, read, StreamKind::Server),
            want,
            "{read}"
        );
    }
}

#[test]
fn a_literal_content_namespace_cannot_hide_from_policy() {
    // A gateway would take this status for the stanza's own, so we must, too.
    for ns in ["jabber:component:accept", "jabber:client", "jabber:server"] {
        let presence = element(&format!(
            "<presence><status xmlns='{ns}'>x</status></presence>"
        ))
        .unwrap();
        assert!(presence.child(&Ns::CONTENT, "status").is_some(), "{ns}");
    }
}

#[test]
fn content_namespaces_in_a_payload_stay_as_they_are() {
    for ns in ["jabber:component:accept", "jabber:client", "jabber:server"] {
        let forwarded = format!(
            "<message><f xmlns='urn:xmpp:forward:0'><message xmlns='{ns}'><body>x</body></message></f></message>"
        );
        assert_eq!(
            relayed(StreamKind::Server, &forwarded, StreamKind::Component),
            forwarded
        );
        assert_eq!(
            relayed(StreamKind::Component, &forwarded, StreamKind::Server),
            forwarded
        );
    }
}

#[test]
fn prefixes_of_the_header_are_declared_where_they_are_used() {
    // RFC 6120 §4.8.5.
    let open = "<stream:stream xmlns='jabber:server' xmlns:x='urn:x' \
        xmlns:stream='http://etherx.jabber.org/streams'>";
    let (events, _) = read(
        StreamKind::Server,
        format!("{open}<iq><x:q x:a='1'><x:r/></x:q></iq>"),
    );
    let Some(Event::Element(iq)) = events.last() else {
        panic!("{events:?}");
    };
    assert_eq!(
        written(StreamKind::Component, iq),
        "<iq xmlns:x='urn:x'><q xmlns='urn:x' x:a='1'><r/></q></iq>"
    );
}

#[test]
fn declarations_that_names_in_content_may_need_are_kept() {
    let stanza =
        "<iq><v xmlns='urn:v' xmlns:xsi='urn:xsi' xmlns:xs='urn:xs' xsi:type='xs:string'/></iq>";
    assert_eq!(
        relayed(StreamKind::Server, stanza, StreamKind::Component),
        stanza
    );
    // Once is enough, and the xml prefix needs none.
    assert_eq!(
        relayed(
            StreamKind::Server,
            "<iq xmlns:p='urn:p'><a xmlns:p='urn:p'/><b xmlns:p='urn:q'/>\
             <c xmlns:xml='http://www.w3.org/XML/1998/namespace'/></iq>",
            StreamKind::Server
        ),
        "<iq xmlns:p='urn:p'><a/><b xmlns:p='urn:q'/><c/></iq>"
    );
}

#[test]
fn attributes_of_a_namespace_without_prefix_get_one() {
    let mut inner = Element::new("urn:a", "b");
    inner.set_attribute_in("urn:p", "x", "1");
    inner.set_attribute_in("urn:q", "x", "2");
    let mut outer = Element::new("urn:a", "a").with_child(inner);
    outer.set_attribute_in("urn:p", "x", "0");
    outer.set_lang("en");
    assert_eq!(
        written(StreamKind::Server, &outer),
        "<a xmlns='urn:a' xmlns:ns0='urn:p' ns0:x='0' xml:lang='en'>\
         <b ns0:x='1' xmlns:ns1='urn:q' ns1:x='2'/></a>"
    );
}

#[test]
fn a_hidden_prefix_is_not_used() {
    let text = "<a xmlns='urn:a' xmlns:p='urn:p' p:x='1'><b xmlns:p='urn:q' xmlns:r='urn:p' p:x='2' r:x='3'/></a>";
    assert_eq!(relayed(StreamKind::Server, text, StreamKind::Server), text);
    let mut inner = Element::new("urn:a", "b");
    inner.declare("stream", Ns::PING);
    inner.set_attribute_in(Ns::STREAM, "x", "1");
    assert_eq!(
        written(StreamKind::Server, &inner),
        "<b xmlns='urn:a' xmlns:stream='urn:xmpp:ping' xmlns:ns0='http://etherx.jabber.org/streams' ns0:x='1'/>"
    );
}

#[test]
fn what_a_parser_would_change_is_written_as_a_reference() {
    let element = Element::new(Ns::CONTENT, "a")
        .with_attribute("b", "<&>'\"\t\r\n")
        .with_text("<&>'\"\t\r\n]]>\u{0}\u{b}\u{ffff}ä");
    assert_eq!(
        written(StreamKind::Server, &element),
        "<a b='&lt;&amp;&gt;&apos;&quot;&#x9;&#xD;&#xA;'>&lt;&amp;&gt;'\"\t&#xD;\n]]&gt;ä</a>"
    );
}

#[test]
fn headers_are_what_the_other_side_reads() {
    for stream_kind in [StreamKind::Server, StreamKind::Component] {
        let mut out = Vec::new();
        writer::write_header(
            stream_kind,
            &[
                ("from", "b.example"),
                ("id", "a'<&"),
                ("version", "1.0"),
                ("xml:lang", "en"),
            ],
            &mut out,
        );
        writer::write_element(stream_kind, &Element::new(Ns::CONTENT, "iq"), &mut out);
        writer::write_close(&mut out);
        let (events, fault) = read(stream_kind, out);
        assert_eq!(fault, None);
        let [Event::Header(header), Event::Element(iq), Event::Close] = events.as_slice() else {
            panic!("{events:?}");
        };
        assert_eq!((header.name(), header.ns()), ("stream", &Ns::STREAM));
        assert_eq!(
            header.default_namespace(),
            Some(stream_kind.content_namespace())
        );
        assert_eq!(header.attribute("id"), Some("a'<&"));
        assert_eq!(
            header.prefix_of(&Ns::DIALBACK).is_some(),
            stream_kind == StreamKind::Server
        );
        assert_eq!((iq.name(), iq.lang()), ("iq", Some("en")));
    }
}

#[test]
fn the_size_of_an_element_is_about_what_is_written() {
    for text in [
        "<iq/>",
        "<message to='a@b.example' id='1'><body>hello there</body></message>",
    ] {
        let element = element(text).unwrap();
        let (hint, real) = (element.size_hint(), text.len());
        assert!(hint >= real && hint <= 3 * real + 60, "{hint} for {real}");
    }
}
