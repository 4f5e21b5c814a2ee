//! Streams as a whole: what comes out does not depend on how the bytes were cut.

use super::*;

const CONVERSATION: &str = "<?xml version='1.0' encoding='UTF-8'?>\n\
    <stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
    xmlns:db=\"jabber:server:dialback\" xml:lang='de' from='a.example' to='b.example' version='1.0'>\
    <stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features> \n \
    <db:result from='a.example' to='b.example'>k&#101;y</db:result>\
    <message to='x@b.example' from='y@a.example'><body>1 &lt; 2\r\n<![CDATA[<&]]]]><![CDATA[>]]></body>\
    <x xmlns='urn:x' a=\"'>\" b='\"/>'/></message>   <presence/></stream:stream>\n";

#[test]
fn a_conversation_gives_its_events() {
    let (events, fault) = read(StreamKind::Server, CONVERSATION);
    assert_eq!(fault, None);
    let [
        Event::Header(header),
        Event::Element(features),
        Event::Element(result),
        Event::Element(message),
        Event::Element(presence),
        Event::Close,
    ] = events.as_slice()
    else {
        panic!("{events:?}");
    };
    assert_eq!((header.name(), header.ns()), ("stream", &Ns::STREAM));
    assert_eq!(header.attribute("from"), Some("a.example"));
    assert_eq!(header.lang(), Some("de"));
    assert_eq!(header.default_namespace(), Some("jabber:server"));
    assert_eq!(header.prefix_of(&Ns::DIALBACK), Some("db"));
    assert!(header.has_declaration());
    assert!(features.child(&Ns::TLS, "starttls").is_some());
    assert!(result.is(&Ns::DIALBACK, "result"));
    assert_eq!(result.text(), "key");
    assert_eq!(
        message.child(&Ns::CONTENT, "body").unwrap().text(),
        "1 < 2\n<&]]>"
    );
    assert!(presence.is(&Ns::CONTENT, "presence"));
}

#[test]
fn pieces_of_any_size_give_the_same_events() {
    let whole = read(StreamKind::Server, CONVERSATION);
    for size in 1..CONVERSATION.len() {
        assert_eq!(
            read_in_pieces(StreamKind::Server, CONVERSATION.as_bytes(), size),
            whole,
            "{size}"
        );
    }
}

#[test]
fn one_byte_at_a_time_costs_no_more_than_all_at_once() {
    let stanza = format!(
        "<message><body a='{0}'>{0}</body></message> \n",
        "x".repeat(10_000)
    );
    let bytes = [SERVER, &stanza, &stanza].concat().into_bytes();
    for size in [1, 2, 1000, bytes.len()] {
        let mut reader = Reader::new(StreamKind::Server, Limits::authenticated(64 * 1024));
        let mut events = 0;
        for piece in bytes.chunks(size) {
            reader.feed(piece);
            while reader.next().unwrap().is_some() {
                events += 1;
            }
        }
        // The first byte of each frame is looked at twice.
        assert_eq!((events, reader.looks()), (3, bytes.len() + 4), "{size}");
    }
}

#[test]
fn the_language_of_the_stream_goes_with_its_stanzas() {
    // RFC 6120 §4.7.4.
    let open = "<stream:stream xml:lang='de' xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>";
    let (events, _) = read(
        StreamKind::Server,
        format!("{open}<iq/><iq xml:lang='fr'/><a xmlns='urn:a'/>"),
    );
    let langs: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Element(element) => Some(element.lang()),
            _ => None,
        })
        .collect();
    assert_eq!(langs, [Some("de"), Some("fr"), None]);
    assert_eq!(element("<iq/>").unwrap().lang(), None);
}
