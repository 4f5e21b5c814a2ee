//! Each limit, at its edge and one beyond.

use super::*;

const SMALL: Limits = Limits {
    header_bytes: 512,
    element_bytes: 256,
    depth: 4,
    elements: 8,
    attributes: 4,
    name_bytes: 16,
    bindings: 8,
    namespace_bytes: 12,
    whitespace_bytes: 10,
    overrun: 1,
};

/// What the limits above make of a text that follows the usual header (which binds three names).
fn fault(text: &str) -> Option<Fault> {
    let mut reader = Reader::new(StreamKind::Server, Limits::UNAUTHENTICATED);
    reader.feed(SERVER.as_bytes());
    reader.next().unwrap();
    reader.set_limits(SMALL);
    reader.feed(text.as_bytes());
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(fault) => return Some(fault),
        }
    }
}

/// An element of exactly this many bytes.
fn of_size(bytes: usize) -> String {
    format!("<a>{}</a>", "x".repeat(bytes - "<a></a>".len()))
}

#[test]
fn the_bytes_of_an_element_are_limited() {
    assert_eq!(fault(&of_size(256)), None);
    assert_eq!(fault(&of_size(257)), Some(Fault::ElementTooBig(256)));
    assert_eq!(fault(&of_size(256).repeat(3)), None);
}

#[test]
fn an_element_without_end_is_cut_at_the_limit() {
    for text in [
        "<a>",
        "<a b='",
        "<a ",
        "<a><![CDATA[",
        "</stream:stream ",
        "<a></a",
    ] {
        let endless = text.to_owned() + &" ".repeat(10_000);
        assert_eq!(fault(&endless), Some(Fault::ElementTooBig(256)), "{text}");
    }
}

#[test]
fn the_bytes_of_a_header_are_limited() {
    for text in [
        "<stream:stream ",
        "<?xml version='1.0' ",
        "<stream:stream a='",
    ] {
        let mut reader = Reader::new(StreamKind::Server, SMALL);
        reader.feed(text.as_bytes());
        reader.feed(" ".repeat(512).as_bytes());
        assert_eq!(reader.next(), Err(Fault::HeaderTooBig(512)), "{text}");
    }
}

#[test]
fn the_depth_is_limited() {
    assert_eq!(fault("<a><b><c><d/></c></b></a>"), None);
    assert_eq!(
        fault("<a><b><c><d><e/></d></c></b></a>"),
        Some(Fault::TooDeep(4))
    );
    assert_eq!(fault(&"<a>".repeat(100_000)), Some(Fault::TooDeep(4)));
}

#[test]
fn a_hundred_thousand_levels_stop_at_the_cap_and_the_deepest_tree_is_dropped_safely() {
    let limits = Limits::authenticated(1024 * 1024);
    let nested = |levels: usize| "<a>".repeat(levels) + &"</a>".repeat(levels);
    let mut reader = Reader::new(StreamKind::Server, limits);
    reader.feed(SERVER.as_bytes());
    reader.next().unwrap();
    reader.feed(nested(limits.depth).as_bytes());
    let deepest = reader.next().unwrap();
    assert!(matches!(deepest, Some(Event::Element(_))));
    drop(deepest);
    reader.feed(nested(100_000).as_bytes());
    let end = limits.depth * limits.overrun;
    assert_eq!(reader.next(), Err(Fault::TooDeep(end)));
}

#[test]
fn the_number_of_elements_is_limited() {
    let children = |count: usize| format!("<a>{}</a>", "<b/>".repeat(count));
    assert_eq!(fault(&children(7)), None);
    assert_eq!(fault(&children(8)), Some(Fault::TooManyElements(8)));
    assert_eq!(fault(&children(7).repeat(2)), None);
}

#[test]
fn the_number_of_attributes_is_limited() {
    assert_eq!(fault("<a b='' c='' d='' e=''/>"), None);
    assert_eq!(
        fault("<a b='' c='' d='' e='' f=''/>"),
        Some(Fault::TooManyAttributes(4))
    );
    assert_eq!(
        fault("<a xmlns='urn:a' xmlns:c='urn:c' d='' e='' f=''/>"),
        Some(Fault::TooManyAttributes(4))
    );
}

#[test]
fn the_length_of_names_is_limited() {
    let long = "n".repeat(17);
    assert_eq!(fault(&format!("<{}/>", &long[..16])), None);
    assert_eq!(fault(&format!("<{long}/>")), Some(Fault::NameTooLong(16)));
    assert_eq!(
        fault(&format!("<a {long}=''/>")),
        Some(Fault::NameTooLong(16))
    );
}

#[test]
fn the_number_of_bindings_in_scope_is_limited() {
    let bind = |prefixes: &str| -> String {
        prefixes
            .chars()
            .map(|p| format!(" xmlns:{p}='u'"))
            .collect()
    };
    let nested = |outer: &str, inner: &str| format!("<a{}><a{}/></a>", bind(outer), bind(inner));
    assert_eq!(fault(&nested("pqr", "st")), None);
    assert_eq!(
        fault(&nested("pqr", "stu")),
        Some(Fault::TooManyBindings(8))
    );
    // Out of scope is out of the count.
    assert_eq!(
        fault(&format!("<a><b{0}/><c{0}/><d{0}/></a>", bind("pqr"))),
        None
    );
}

#[test]
fn the_name_of_a_namespace_is_limited() {
    let names =
        |length: usize| [" xmlns", " xmlns:p"].map(|it| format!("{it}='{}'", "u".repeat(length)));
    for [short, long] in [0, 1].map(|index| [12, 13].map(|length| names(length)[index].clone())) {
        assert_eq!(fault(&format!("<a{short}/>")), None);
        assert_eq!(
            fault(&format!("<a{long}/>")),
            Some(Fault::NamespaceTooLong(12))
        );
        assert_eq!(
            fault(&format!("<a><b{long}/></a>")),
            Some(Fault::NamespaceTooLong(12))
        );
    }
    // References count as what they stand for.
    let references = "&#117;".repeat(12);
    assert_eq!(fault(&format!("<a xmlns='{references}'/>")), None);
    let mut reader = Reader::new(StreamKind::Server, Limits::UNAUTHENTICATED);
    let name = "u".repeat(1025);
    reader.feed(
        SERVER
            .replace("xmlns:db='", &format!("xmlns:db='{name}"))
            .as_bytes(),
    );
    assert_eq!(reader.next(), Err(Fault::NamespaceTooLong(1024)));
}

#[test]
fn whitespace_between_elements_is_limited_and_an_element_resets_it() {
    let spaces = |count| " ".repeat(count);
    assert_eq!(fault(&spaces(10)), None);
    assert_eq!(fault(&spaces(11)), Some(Fault::TooMuchWhitespace(10)));
    assert_eq!(fault(&format!("{0}<a/>{0}<a/>{0}", spaces(10))), None);
}

#[test]
fn whitespace_between_elements_is_dropped_as_it_arrives() {
    let mut reader = Reader::new(StreamKind::Server, Limits::authenticated(1024));
    reader.feed(SERVER.as_bytes());
    reader.next().unwrap();
    for _ in 0..100 {
        reader.feed(&[b' '; 1000]);
        assert_eq!(reader.next(), Ok(None));
        assert_eq!(reader.held(), 0);
    }
}

#[test]
fn one_large_stanza_does_not_keep_its_memory() {
    let mut reader = Reader::new(StreamKind::Server, Limits::authenticated(1024 * 1024));
    reader.feed(SERVER.as_bytes());
    reader.next().unwrap();
    reader.feed(of_size(1024 * 1024).as_bytes());
    assert!(reader.next().unwrap().is_some());
    reader.feed(b" ");
    assert!(reader.capacity() < 64 * 1024, "{}", reader.capacity());
}

#[test]
fn limits_can_be_changed_in_the_middle() {
    let mut reader = Reader::new(StreamKind::Server, Limits::UNAUTHENTICATED);
    reader.feed(SERVER.as_bytes());
    reader.next().unwrap();
    reader.set_limits(Limits::authenticated(262_144));
    reader.feed(of_size(262_144).as_bytes());
    assert!(reader.next().unwrap().is_some());
    reader.set_limits(Limits::UNAUTHENTICATED);
    reader.feed(of_size(262_144).as_bytes());
    assert_eq!(reader.next(), Err(Fault::ElementTooBig(8192)));
}

#[test]
fn a_fault_is_for_good_and_holds_nothing() {
    let mut reader = Reader::new(StreamKind::Server, SMALL);
    reader.feed(b"<!-- ");
    assert_eq!(reader.next(), Err(Fault::Comment));
    reader.feed(SERVER.as_bytes());
    assert_eq!(reader.next(), Err(Fault::Comment));
    assert_eq!(reader.finish(), Err(Fault::Comment));
    assert_eq!(reader.held(), 0);
}

/// What a stanza that exceeds a limit comes to, fed in pieces of a size, and what follows it.
fn excess(text: &str, size: usize) -> Vec<Result<Event, Fault>> {
    let limits = Limits {
        overrun: 3,
        ..SMALL
    };
    let mut reader = Reader::new(StreamKind::Server, Limits::UNAUTHENTICATED);
    reader.feed(SERVER.as_bytes());
    reader.next().unwrap();
    reader.set_limits(limits);
    let mut outcomes = Vec::new();
    for piece in text.as_bytes().chunks(size) {
        reader.feed(piece);
        loop {
            match reader.next() {
                Ok(None) => break,
                Ok(Some(event)) => outcomes.push(Ok(event)),
                Err(fault) => return [outcomes, vec![Err(fault)]].concat(),
            }
        }
        assert!(reader.held() <= limits.element_bytes + size);
    }
    outcomes
}

/// The start tag of what is too large, its fault and its size, as an event.
fn refused(fault: Fault, bytes: usize) -> Result<Event, Fault> {
    let start = Element::new(Ns::CONTENT, "message").with_attribute("to", "a");
    Ok(Event::Excess(Excess {
        start,
        fault,
        bytes,
    }))
}

#[test]
fn a_stanza_beyond_a_limit_is_refused_alone() {
    let next = || Ok(Event::Element(Element::new(Ns::CONTENT, "presence")));
    for (inside, fault) in [
        ("x".repeat(300), Fault::ElementTooBig(256)),
        ("\u{e4}".repeat(200), Fault::ElementTooBig(256)),
        (
            format!("<a b='{}>'/>", "y".repeat(300)),
            Fault::ElementTooBig(256),
        ),
        ("<b><c><d><e/></d></c></b>".into(), Fault::TooDeep(4)),
        ("<b/>".repeat(20), Fault::TooManyElements(8)),
        (
            "<b a='' c='' d='' e='' f=''/>".into(),
            Fault::TooManyAttributes(4),
        ),
        (
            // Of two limits, the one that is exceeded first counts.
            "<b/>".repeat(8) + "<b><c><d><e/></d></c></b>",
            Fault::TooManyElements(8),
        ),
        (
            "<a xmlns:a='u' xmlns:b='u' xmlns:c='u'><b xmlns:d='u' xmlns:e='u' xmlns:f='u'/></a>"
                .into(),
            Fault::TooManyBindings(8),
        ),
        (
            format!("<a xmlns:b='{}'/>", "u".repeat(13)),
            Fault::NamespaceTooLong(12),
        ),
    ] {
        let stanza = format!("<message to='a'>{inside}</message>");
        let expected = [refused(fault, stanza.len()), next()];
        let text = stanza + "<presence/>";
        for size in [1, 2, 7, 100, 256, 257, text.len()] {
            assert_eq!(excess(&text, size), expected, "{text} by {size}");
        }
    }
}

#[test]
fn what_is_far_beyond_a_limit_ends_the_stream() {
    for (text, fault) in [
        (
            format!("<message>{}", "x".repeat(1000)),
            Fault::ElementTooBig(768),
        ),
        (format!("<message>{}", "<a>".repeat(20)), Fault::TooDeep(12)),
        (
            format!("<message>{}", "<a/>".repeat(30)),
            Fault::TooManyElements(24),
        ),
        // What is not well-formed is found behind the limit, too.
        (
            format!("<message>{}</b>", "x".repeat(300)),
            Fault::EndTagMismatch,
        ),
        (
            format!("<message>{}&u;", "x".repeat(300)),
            Fault::Entity("u".into()),
        ),
        (
            format!("<message>{}\x01", "x".repeat(300)),
            Fault::ForbiddenCharacter(1),
        ),
        // Nobody can be told where the start tag itself is too large, or where it is no stanza.
        (
            format!("<message a='{}'/>", "x".repeat(300)),
            Fault::ElementTooBig(256),
        ),
        (
            "<message a='' b='' c='' d='' e=''/>".into(),
            Fault::TooManyAttributes(4),
        ),
        (
            format!("<message xmlns:b='{}'/>", "u".repeat(13)),
            Fault::NamespaceTooLong(12),
        ),
        (
            format!("<a xmlns='u'>{}</a>", "x".repeat(300)),
            Fault::ElementTooBig(256),
        ),
        (
            format!("<p:message>{}", "x".repeat(300)),
            Fault::UnboundPrefix("p".into()),
        ),
    ] {
        for size in [1, 2, 7, 100, 256, 257, text.len()] {
            let outcome = excess(&text, size);
            assert_eq!(outcome, [Err(fault.clone())], "{text} by {size}");
        }
    }
}
