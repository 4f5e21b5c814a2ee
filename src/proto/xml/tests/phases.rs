//! What the stream machines ask for between elements: a new document, STARTTLS, the end.

use super::*;

fn opened() -> Reader {
    let mut reader = Reader::new(StreamKind::Server, Limits::UNAUTHENTICATED);
    reader.feed(SERVER.as_bytes());
    assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
    reader
}

#[test]
fn what_follows_a_restart_belongs_to_the_new_document() {
    for between in ["", "\n", " \r\n"] {
        let mut reader = opened();
        reader.feed(format!("<a/>{between}{SERVER}<b/>").as_bytes());
        assert!(matches!(reader.next(), Ok(Some(Event::Element(_)))));
        reader.restart();
        let Ok(Some(Event::Header(header))) = reader.next() else {
            panic!("no header after {between:?}");
        };
        assert!(header.has_declaration());
        assert!(matches!(reader.next(), Ok(Some(Event::Element(_)))));
    }
}

#[test]
fn without_a_restart_a_second_header_is_refused() {
    let mut reader = opened();
    reader.feed(SERVER.split_once('>').unwrap().1.as_bytes());
    reader.feed(b"</stream:stream>");
    assert_eq!(reader.next(), Err(Fault::NestedStream("stream".into())));
}

#[test]
fn bindings_of_the_old_document_are_forgotten() {
    let mut reader = opened();
    reader.restart();
    reader.feed(
        b"<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:server'><db:result/>",
    );
    assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
    assert_eq!(reader.next(), Err(Fault::UnboundPrefix("db".into())));
}

#[test]
fn nothing_but_whitespace_may_follow_starttls_in_the_clear() {
    for (after, drained) in [
        ("", true),
        ("\r\n", true),
        ("<", false),
        (" <auth/>", false),
        ("\x16", false),
    ] {
        let mut reader = opened();
        reader.feed(format!("<starttls/>{after}").as_bytes());
        assert!(matches!(reader.next(), Ok(Some(Event::Element(_)))));
        assert_eq!(reader.is_drained(), drained, "{after:?}");
    }
}

#[test]
fn an_unfinished_element_is_not_drained() {
    let mut reader = opened();
    reader.feed(b"<auth");
    assert_eq!(reader.next(), Ok(None));
    assert!(!reader.is_drained());
}

#[test]
fn the_input_may_end_only_after_the_end_tag() {
    let mut reader = opened();
    assert_eq!(reader.finish(), Err(Fault::Truncated));
    reader.feed(b"<a>");
    assert_eq!(reader.next(), Ok(None));
    assert_eq!(reader.finish(), Err(Fault::Truncated));
    reader.feed(b"</a></stream:stream>");
    assert!(matches!(reader.next(), Ok(Some(Event::Element(_)))));
    assert_eq!(reader.next(), Ok(Some(Event::Close)));
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn a_header_that_is_empty_closes_the_stream_too() {
    let mut reader = Reader::new(StreamKind::Server, Limits::UNAUTHENTICATED);
    reader.feed(b"<stream xmlns='http://etherx.jabber.org/streams'/>");
    let Ok(Some(Event::Header(header))) = reader.next() else {
        panic!();
    };
    assert_eq!(header.default_namespace(), Some(Ns::STREAM.as_str()));
    assert!(!header.has_declaration());
    assert_eq!(reader.next(), Ok(Some(Event::Close)));
    assert_eq!(reader.next(), Ok(None));
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn stanzas_may_carry_their_namespace_themselves() {
    // RFC 6120 §4.8.2, "prefix-free canonicalization".
    let text = "<stream xmlns='http://etherx.jabber.org/streams'>\
        <message xmlns='jabber:server'><body/></message><features/></stream>";
    let (events, fault) = read(StreamKind::Server, text);
    assert_eq!(fault, None);
    let [
        _,
        Event::Element(message),
        Event::Element(features),
        Event::Close,
    ] = events.as_slice()
    else {
        panic!("{events:?}");
    };
    assert!(message.is(&Ns::CONTENT, "message"));
    assert!(features.is(&Ns::STREAM, "features"));
}

#[test]
fn addresses_are_what_the_attributes_mean_and_nothing_that_looks_like_them() {
    let text = r#"<s:stream xmlns:s='http://etherx.jabber.org/streams' id=" to='evil.example' "
        from='a&#46;example' s:to="evil.example" to = "b.example">"#;
    let (events, fault) = read(StreamKind::Server, text);
    assert_eq!(fault, None);
    let [Event::Header(header)] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(header.attribute("from"), Some("a.example"));
    assert_eq!(header.attribute("to"), Some("b.example"));
    assert_eq!(header.attribute("id"), Some(" to='evil.example' "));
}

/// Some servers send their error so; nothing else is read in this way.
#[test]
fn an_answer_may_be_an_error_whose_prefix_nobody_declares() {
    let read = |text: &str| {
        let mut reader = Reader::of_answers(StreamKind::Server, Limits::UNAUTHENTICATED);
        reader.feed(text.as_bytes());
        let mut events = Vec::new();
        loop {
            match reader.next() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => return (events, None),
                Err(fault) => return (events, Some(fault)),
            }
        }
    };
    let undeclared = Fault::UnboundPrefix("stream".into());
    let error = "<stream:error><host-unknown/></stream:error>";
    // As the root.
    let (events, fault) = read(error);
    assert_eq!(fault, None);
    let [Event::Header(root), Event::Element(condition), Event::Close] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!((root.name(), root.fault()), ("error", Some(&undeclared)));
    assert_eq!(condition.name(), "host-unknown");
    // Behind a header with the same fault, or with none.
    let whole = "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:server'>";
    for (header, has_fault) in [("<stream:stream id='1'>", true), (whole, false)] {
        let (events, fault) = read(&format!("{header}{error}"));
        assert_eq!(fault, None, "{header}");
        let [Event::Header(root), Event::Element(element)] = events.as_slice() else {
            panic!("{events:?}");
        };
        assert_eq!(root.fault().is_some(), has_fault);
        assert!(element.is(&Ns::STREAM, "error"));
        // No other element is read so, nor another prefix, nor an error inside of something.
        for other in [
            "<stream:features/>",
            "<db:result/>",
            "<message><stream:error/></message>",
            "<streams:error/>",
        ] {
            let (events, fault) = read(&format!("{header}{other}"));
            assert_eq!(events.len(), 1, "{other}");
            assert!(fault.is_some(), "{other}");
        }
    }
    // Other readers know no such leniency.
    let mut reader = Reader::new(StreamKind::Server, Limits::UNAUTHENTICATED);
    reader.feed(error.as_bytes());
    assert_eq!(reader.next(), Err(undeclared));
}

#[test]
fn an_error_without_its_prefix_can_still_be_shown() {
    let open = "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:server'>";
    let unreadable = |element: &str| {
        let mut reader = Reader::new(StreamKind::Server, Limits::UNAUTHENTICATED);
        reader.feed(open.as_bytes());
        reader.next().unwrap();
        reader.feed(element.as_bytes());
        assert!(reader.next().is_err(), "{element}");
        reader.unreadable().map(ToString::to_string)
    };
    assert_eq!(
        unreadable("<stream:error><host-unknown/>\u{7}</stream:error>").as_deref(),
        Some("\"<stream:error><host-unknown/>\\u{7}</stream:error>\"")
    );
    let long = format!("<stream:error>{}</stream:error>", "x".repeat(1000));
    assert!(unreadable(&long).unwrap().len() < 310);
    assert_eq!(unreadable("<message><body>secret &</body></message>"), None);
}
