//! What is impossible is refused at the first byte after which nothing well-formed can follow.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rxml::{Error, Parse};

use super::properties::{PIECES, SEEDS, damage};
use super::*;

/// What follows the usual header: the last byte makes it impossible, and without that byte nothing is.
const IMPOSSIBLE: &[(&[u8], &str)] = &[
    (b"<'", "BadName"),
    (b"<\"", "BadName"),
    (b"<=", "BadName"),
    (b"<>", "BadName"),
    (b"< ", "BadName"),
    (b"<1", "BadName"),
    (b"<-", "BadName"),
    (b"<:", "BadName"),
    (b"<&", "BadName"),
    (b"<<", "BadName"),
    (b"<\x01", "ForbiddenCharacter"),
    (b"<a'", "BadName"),
    (b"<a\"", "BadName"),
    (b"<a=", "BadName"),
    (b"<a<", "BadName"),
    (b"<a&", "BadName"),
    (b"<a\0", "ForbiddenCharacter"),
    (b"<a:1", "BadName"),
    (b"<a:>", "BadName"),
    (b"<a::", "BadName"),
    (b"<a:b:", "BadName"),
    (b"<a\xff", "InvalidUtf8"),
    (b"<a\xc3 ", "InvalidUtf8"),
    (b"<a\xc3\x97 ", "BadName"),
    (b"<a =", "Syntax"),
    (b"<a '", "BadName"),
    (b"<a <", "BadName"),
    (b"<a 1", "BadName"),
    (b"<a :", "BadName"),
    (b"<a \x0b", "ForbiddenCharacter"),
    (b"<a b>", "Syntax"),
    (b"<a b/", "Syntax"),
    (b"<a b'", "BadName"),
    (b"<a b<", "BadName"),
    (b"<a b c", "Syntax"),
    (b"<a b >", "Syntax"),
    (b"<a b '", "Syntax"),
    (b"<a b==", "Syntax"),
    (b"<a b=c", "Syntax"),
    (b"<a b=>", "Syntax"),
    (b"<a b=/", "Syntax"),
    (b"<a b= c", "Syntax"),
    (b"<a b='<", "LessThanInAttribute"),
    (b"<a b='& ", "LoneAmpersand"),
    (b"<a b='&'", "LoneAmpersand"),
    (b"<a b='&lt<", "LoneAmpersand"),
    (b"<a b='\x1f", "ForbiddenCharacter"),
    (b"<a b='c'd", "AttributesNotSeparated"),
    (b"<a b='c''", "AttributesNotSeparated"),
    (b"<a b='c'=", "AttributesNotSeparated"),
    (b"<a/ ", "Syntax"),
    (b"<a//", "Syntax"),
    (b"<a /b", "Syntax"),
    (b"<a>& ", "LoneAmpersand"),
    (b"<a>&&", "LoneAmpersand"),
    (b"<a>&;", "LoneAmpersand"),
    (b"<a>&<", "LoneAmpersand"),
    (b"<a>&amp ", "LoneAmpersand"),
    (b"<a>&nbsp;", "Entity"),
    (b"<a>&#X", "CharacterReference"),
    (b"<a>&#a", "CharacterReference"),
    (b"<a>&#;", "CharacterReference"),
    (b"<a>&#x;", "CharacterReference"),
    (b"<a>&#xg", "CharacterReference"),
    (b"<a>&#0;", "CharacterReference"),
    (b"<a>&#x110000", "CharacterReference"),
    (b"<a>&#1114112", "CharacterReference"),
    (b"<a>&#000000065", "UnportableReference"),
    (b"<a>]]>", "SectionEndInText"),
    (b"<a>]]]]>", "SectionEndInText"),
    (b"<a>\x7f\x08", "ForbiddenCharacter"),
    (b"<a>\xef\xbf\xbf", "ForbiddenCharacter"),
    (b"<a>\x80", "InvalidUtf8"),
    (b"<a>\xe4\xb8<", "InvalidUtf8"),
    (b"<a><![CDATA[\x02", "ForbiddenCharacter"),
    (b"<a></b", "EndTagMismatch"),
    (b"<a></ ", "EndTagMismatch"),
    (b"<a></>", "EndTagMismatch"),
    (b"<a></ab", "EndTagMismatch"),
    (b"<a></a/", "EndTagMismatch"),
    (b"<a></a b", "EndTagMismatch"),
    (b"<ab></a>", "EndTagMismatch"),
    (b"<a><b></a", "EndTagMismatch"),
    (b"<a><b/><c></c></b", "EndTagMismatch"),
    (b"<a></a></a", "CloseMismatch"),
    (b"</stream>", "CloseMismatch"),
    (b"</stream:stream/", "CloseMismatch"),
    (b"</stream:stream x", "CloseMismatch"),
];

#[test]
fn what_is_impossible_is_refused_at_once() {
    for (bytes, name) in IMPOSSIBLE {
        let shown = bytes.escape_ascii();
        let mut reader = Reader::new(StreamKind::Server, Limits::UNAUTHENTICATED);
        reader.feed(SERVER.as_bytes());
        assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
        let (last, before) = bytes.split_last().unwrap();
        reader.feed(before);
        while let Some(event) = reader
            .next()
            .unwrap_or_else(|fault| panic!("{shown}: {fault}"))
        {
            assert!(matches!(event, Event::Element(_)), "{shown}");
        }
        reader.feed(&[*last]);
        let fault = format!("{:?}", reader.next().expect_err(&shown.to_string()));
        assert_eq!(fault.split('(').next(), Some(*name), "{shown}");
    }
}

#[test]
fn what_is_not_yet_impossible_is_waited_for() {
    for text in [
        "<a b = 'c\"d>' e\n=\"'/>\" ",
        "<a/",
        "<a>]] >]",
        "<a>&#x10FFF",
        "<a>&quo",
        "<a></a ",
        "<_a.-9:_",
        "<a><![CDATA[]]]&<]]",
        "<a><b></b></a",
        "</stream:stream ",
        "<ä ö='",
    ] {
        assert_eq!(
            read(StreamKind::Server, format!("{SERVER}{text}")).1,
            None,
            "{text}"
        );
    }
}

/// After how many bytes the other parser refuses a stream, if it does.
fn refused_by_rxml(bytes: &[u8]) -> Option<(usize, Error)> {
    let mut parser = rxml::Parser::default();
    for (at, byte) in bytes.iter().enumerate() {
        let mut input = std::slice::from_ref(byte);
        loop {
            match parser.parse(&mut input, false) {
                Ok(Some(_)) => {}
                Ok(None) | Err(rxml::error::EndOrError::NeedMoreData) => break,
                Err(rxml::error::EndOrError::Error(error)) => return Some((at + 1, error)),
            }
        }
    }
    None
}

fn refused_by_us(bytes: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(StreamKind::Server, Limits::authenticated(64 * 1024));
    for (at, byte) in bytes.iter().enumerate() {
        reader.feed(&[*byte]);
        loop {
            match reader.next() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return Some(at + 1),
            }
        }
    }
    None
}

/// Namespaces and attributes given twice are judged when an element is whole; an entity, and what
/// begins with `<?` or `<!`, when so much of it is there that it can be named.
fn is_judged_later(error: &Error) -> bool {
    if matches!(
        error,
        Error::UndeclaredEntity | Error::DuplicateAttribute | Error::RestrictedXml(_)
    ) {
        return true;
    }
    let said = error.to_string();
    ["namespace", "prefix", "duplicate", "xmlns", "reserved"]
        .iter()
        .any(|word| said.contains(word))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// Where another parser, fed byte by byte, has refused a stream, we have refused it by then.
    #[test]
    fn no_other_parser_refuses_sooner(
        seed in select(SEEDS),
        damages in vec((any::<Index>(), 0..3_usize, select(PIECES)), 1..4),
    ) {
        let mut stanza = seed.as_bytes().to_vec();
        for (at, cut, piece) in damages {
            damage(&mut stanza, at, cut, piece);
        }
        // It refuses some characters after a lone CR in an attribute, which XML 1.0 §2.11 allows.
        stanza.iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b' ');
        let bytes = [SERVER.as_bytes(), &stanza].concat();
        if let Some((theirs, error)) = refused_by_rxml(&bytes)
            && !is_judged_later(&error)
        {
            let ours = refused_by_us(&bytes);
            let shown = bytes.get(SERVER.len()..).unwrap_or_default().escape_ascii();
            prop_assert!(ours.is_some_and(|ours| ours <= theirs), "{shown}: {ours:?}, not {theirs} ({error})");
        }
    }
}
