//! Small documents, each with what must become of it: the cases in which parsers differ.

use super::*;

/// What stands inside an open `jabber:server` stream. The last column names the fault, or is
/// empty where the document is accepted.
#[rustfmt::skip]
const INSIDE: &[(&[u8], &str, &str)] = &[
    // The XML declaration.
    (b"<?xml version='1.0'?><a/>", "not-well-formed", "MisplacedDeclaration"),
    (b" <?xml version='1.0'?><a/>", "not-well-formed", "MisplacedDeclaration"),
    (b"<a><?xml version='1.0'?></a>", "not-well-formed", "MisplacedDeclaration"),
    // Restricted markup.
    (b"<!DOCTYPE a><a/>", "restricted-xml", "DocumentType"),
    (b"<!doctype a><a/>", "restricted-xml", "DocumentType"),
    (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "restricted-xml", "DocumentType"),
    (b"<a><!DOCTYPE a></a>", "restricted-xml", "DocumentType"),
    (b"<!ENTITY b 'c'><a/>", "not-well-formed", "UnknownMarkup"),
    (b"<!-- --><a/>", "restricted-xml", "Comment"),
    (b"<a><!-- --></a>", "restricted-xml", "Comment"),
    (b"<a><!-- a -- b --></a>", "restricted-xml", "Comment"),
    (b"<a><?b c?></a>", "restricted-xml", "ProcessingInstruction"),
    (b"<?b c?><a/>", "restricted-xml", "ProcessingInstruction"),
    (b"<?xmlb c?><a/>", "restricted-xml", "ProcessingInstruction"),
    (b"<a><? \xeb<b/></a>", "restricted-xml", "ProcessingInstruction"),
    // References.
    (b"<a>&nbsp;</a>", "restricted-xml", "Entity"),
    (b"<a b='&nbsp;'/>", "restricted-xml", "Entity"),
    (b"<a>&lt;&gt;&amp;&apos;&quot;</a>", "", ""),
    (b"<a b='&lt;&gt;&amp;&apos;&quot;'/>", "", ""),
    (b"<a>b & c</a>", "not-well-formed", "LoneAmpersand"),
    (b"<a>b &amp c</a>", "not-well-formed", "LoneAmpersand"),
    (b"<a b='c & d'/>", "not-well-formed", "LoneAmpersand"),
    (b"<a b='c & d;'/>", "not-well-formed", "LoneAmpersand"),
    (b"<a>&;</a>", "not-well-formed", "LoneAmpersand"),
    (b"<a>&#0;</a>", "not-well-formed", "CharacterReference"),
    (b"<a>&#xD800;</a>", "not-well-formed", "CharacterReference"),
    (b"<a>&#1;</a>", "not-well-formed", "CharacterReference"),
    (b"<a b='&#x1F;'/>", "not-well-formed", "CharacterReference"),
    (b"<a>&#xFFFE;</a>", "not-well-formed", "CharacterReference"),
    (b"<a>&#x110000;</a>", "not-well-formed", "CharacterReference"),
    (b"<a>&#99999999999999999999;</a>", "not-well-formed", "CharacterReference"),
    (b"<a>&#X41;</a>", "not-well-formed", "CharacterReference"),
    (b"<a>&#000000065;</a>", "policy-violation", "UnportableReference"),
    (b"<a>&#x;</a>", "not-well-formed", "CharacterReference"),
    (b"<a>&#9;&#10;&#13;&#x10FFFF;</a>", "", ""),
    // Characters.
    (b"<a>\0</a>", "not-well-formed", "ForbiddenCharacter"),
    (b"<a>\x01</a>", "not-well-formed", "ForbiddenCharacter"),
    (b"<a b='\x0b'/>", "not-well-formed", "ForbiddenCharacter"),
    (b"<a\x0cb='c'/>", "not-well-formed", "ForbiddenCharacter"),
    (b"<a><![CDATA[\x1f]]></a>", "not-well-formed", "ForbiddenCharacter"),
    (b"<a>\xef\xbf\xbe</a>", "not-well-formed", "ForbiddenCharacter"),
    (b"<a b='\xef\xbf\xbf'/>", "not-well-formed", "ForbiddenCharacter"),
    (b"<a>\x7f\xc2\x85\xef\xbb\xbf\xef\xbf\xbd\xf0\x9f\x98\x80</a>", "", ""),
    (b"<a>\xff</a>", "unsupported-encoding", "InvalidUtf8"),
    (b"<a>\xc0\xaf</a>", "unsupported-encoding", "InvalidUtf8"),
    (b"<a>\xed\xa0\xbd\xed\xb8\x80</a>", "unsupported-encoding", "InvalidUtf8"),
    (b"<a>\xf5\x80\x80\x80</a>", "unsupported-encoding", "InvalidUtf8"),
    (b"<a>\xeb</a>", "unsupported-encoding", "InvalidUtf8"),
    (b"<a b='\xff'/>", "unsupported-encoding", "InvalidUtf8"),
    (b"<a\xff/>", "unsupported-encoding", "InvalidUtf8"),
    (b"<a b\xff='c'/>", "unsupported-encoding", "InvalidUtf8"),
    // Text and sections.
    (b"<a>]]></a>", "not-well-formed", "SectionEndInText"),
    (b"<a>b]]]>c</a>", "not-well-formed", "SectionEndInText"),
    (b"<a>]]&gt; ]> ]] ></a>", "", ""),
    (b"<a><![CDATA[<&]]</a>] ]]]></a>", "", ""),
    (b"<a><![CDATA[]]></a>", "", ""),
    (b"<a><![cdata[b]]></a>", "not-well-formed", "UnknownMarkup"),
    (b"<a><![CDATA b]]></a>", "not-well-formed", "UnknownMarkup"),
    (b"<a><!></a>", "not-well-formed", "UnknownMarkup"),
    // Tags and attributes.
    (b"<a b='<'/>", "not-well-formed", "LessThanInAttribute"),
    (b"<a b='>'/>", "", ""),
    (b"<a b=c/>", "not-well-formed", "Syntax"),
    (b"<a b/>", "not-well-formed", "Syntax"),
    (b"<a b=/>", "not-well-formed", "Syntax"),
    (b"<a / ></a>", "not-well-formed", "Syntax"),
    (b"<a =''/>", "not-well-formed", "Syntax"),
    (b"< a/>", "not-well-formed", "BadName"),
    (b"< />", "not-well-formed", "BadName"),
    (b"<></>", "not-well-formed", "BadName"),
    (b"<a b='c'd='e'/>", "not-well-formed", "AttributesNotSeparated"),
    (b"<a b='c' b='d'/>", "not-well-formed", "DuplicateAttribute"),
    (b"<a b='c'\n\td = \"e\" ></a\n>", "", ""),
    (b"<1a/>", "not-well-formed", "BadName"),
    (b"<a!b/>", "not-well-formed", "BadName"),
    (b"<a 1b='c'/>", "not-well-formed", "BadName"),
    (b"<a !='c'/>", "not-well-formed", "BadName"),
    (b"<a<b/>", "not-well-formed", "BadName"),
    (b"<a><b></a></b>", "not-well-formed", "EndTagMismatch"),
    (b"<a></b>", "not-well-formed", "EndTagMismatch"),
    (b"<a></A>", "not-well-formed", "EndTagMismatch"),
    (b"<a></a b='c'>", "not-well-formed", "EndTagMismatch"),
    (b"<a></ a>", "not-well-formed", "EndTagMismatch"),
    (b"<a></a >", "", ""),
    (b"<\xc3\xa4 \xc3\xb6=''/>", "", ""),
    (b"<a\xef\xbb\xbf/>", "policy-violation", "UnportableName"),
    (b"<\xf0\x90\x80\x80/>", "policy-violation", "UnportableName"),
    (b"<xml:a/>", "", ""),
    // Names with colons, and namespaces.
    (b"<a:b:c xmlns:a='urn:a'/>", "not-well-formed", "BadName"),
    (b"<stream:/>", "not-well-formed", "BadName"),
    (b"<:a/>", "not-well-formed", "BadName"),
    (b"<a b:c:d='' xmlns:b='urn:b'/>", "not-well-formed", "BadName"),
    (b"<p:a/>", "not-well-formed", "UnboundPrefix"),
    (b"<a p:b=''/>", "not-well-formed", "UnboundPrefix"),
    (b"<a><b xmlns:p='urn:p'/><p:c/></a>", "not-well-formed", "UnboundPrefix"),
    (b"<a p:b='' xmlns:p='urn:p'/>", "", ""),
    (b"<a xmlns:p='urn:p' xmlns:q='urn:p' p:b='' q:b=''/>", "not-well-formed", "DuplicateAttribute"),
    (b"<a xmlns:p='urn:p' xmlns:q='urn:q' p:b='' q:b='' b=''/>", "", ""),
    (b"<a xmlns='urn:a' xmlns='urn:b'/>", "not-well-formed", "DuplicateAttribute"),
    (b"<a xmlns:p='urn:a' xmlns:p='urn:b'/>", "not-well-formed", "DuplicateAttribute"),
    (b"<a xmlns:p=''/>", "not-well-formed", "EmptyPrefixBinding"),
    (b"<a xmlns='urn:a'><b xmlns=''/></a>", "", ""),
    (b"<a xmlns:xml='urn:a'/>", "not-well-formed", "ReservedNamespace"),
    (b"<a xmlns:xmlns='urn:a'/>", "not-well-formed", "ReservedNamespace"),
    (b"<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", "not-well-formed", "ReservedNamespace"),
    (b"<a xmlns='http://www.w3.org/XML/1998/namespace'/>", "not-well-formed", "ReservedNamespace"),
    (b"<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", "not-well-formed", "ReservedNamespace"),
    (b"<a xmlns='http://www.w3.org/2000/xmlns/'/>", "not-well-formed", "ReservedNamespace"),
    (b"<xmlns:a/>", "not-well-formed", "ReservedNamespace"),
    (b"<a xml:lang='en' xml:space='preserve'/>", "", ""),
    (b"<a xmlns='urn:&#97;&amp;'/>", "", ""),
    // Between the elements.
    (b"<a/> \t\r\n<b/>", "", ""),
    (b"text<a/>", "bad-format", "TextBetweenElements"),
    (b"<a/>&#32;<b/>", "bad-format", "TextBetweenElements"),
    (b"<a/><![CDATA[ ]]><b/>", "bad-format", "TextBetweenElements"),
    (b"<a/>\xef\xbb\xbf<b/>", "bad-format", "TextBetweenElements"),
    (b"<a/>\0<b/>", "bad-format", "TextBetweenElements"),
    // Streams in streams, and content namespaces.
    (b"<message><stream:stream/></message>", "bad-format", "NestedStream"),
    (b"<a><b xmlns='http://etherx.jabber.org/streams'/></a>", "bad-format", "NestedStream"),
    (b"<stream:stream/>", "bad-format", "NestedStream"),
    (b"<p:message xmlns:p='jabber:server'/>", "bad-namespace-prefix", "PrefixedContent"),
    (b"<message xmlns='jabber:client'/>", "invalid-namespace", "WrongContentNamespace"),
    (b"<message xmlns='jabber:component:accept'/>", "invalid-namespace", "WrongContentNamespace"),
    // The end.
    (b"<a/></stream:stream>", "", ""),
    (b"<a/></stream:stream\n> \n", "", ""),
    (b"</stream>", "not-well-formed", "CloseMismatch"),
    (b"</ stream:stream>", "not-well-formed", "CloseMismatch"),
    (b"</stream:stream><a/>", "not-well-formed", "DataAfterClose"),
    (b"</stream:stream></stream:stream>", "not-well-formed", "DataAfterClose"),
    (b"</stream:stream>a", "not-well-formed", "DataAfterClose"),
];

/// The start tag that the next table leaves out.
const OPEN: &[u8] =
    b"<stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:server'>";

/// What stands before the stream's start tag.
#[rustfmt::skip]
const BEFORE: &[(&[u8], &str, &str)] = &[
    (b"", "", ""),
    (b"<?xml version='1.0'?>", "", ""),
    (b"<?xml version='1.0'?>\r\n", "", ""),
    (b"<?xml version=\"1.0\" encoding=\"utf-8\" ?>", "", ""),
    (b"\n\n", "", ""),
    (b" <?xml version='1.0'?>", "not-well-formed", "MisplacedDeclaration"),
    (b"<?xml version='1.0'?><?xml version='1.0'?>", "not-well-formed", "MisplacedDeclaration"),
    (b"<?xml?>", "not-well-formed", "MalformedDeclaration"),
    (b"<?xml encoding='UTF-8'?>", "not-well-formed", "MalformedDeclaration"),
    (b"<?xml version='2.0'?>", "not-well-formed", "XmlVersion"),
    (b"<?xml version='1.1'?>", "not-well-formed", "XmlVersion"),
    (b"<?xml version='1.0' encoding='ISO-8859-1'?>", "unsupported-encoding", "UnsupportedEncoding"),
    (b"<?xml version='1.0' encoding='UTF-16'?>", "unsupported-encoding", "UnsupportedEncoding"),
    (b"<?XML version='1.0'?>", "restricted-xml", "ProcessingInstruction"),
    (b"<?xml version='1.0'?><?b?>", "restricted-xml", "ProcessingInstruction"),
    (b"<!DOCTYPE stream:stream>", "restricted-xml", "DocumentType"),
    (b"<?xml version='1.0'?><!-- -->", "restricted-xml", "Comment"),
    (b"\xef\xbb\xbf", "not-well-formed", "ByteOrderMark"),
    (b"\xef\xbb\xbf<?xml version='1.0'?>", "not-well-formed", "ByteOrderMark"),
    (b"\xff\xfe<\0", "unsupported-encoding", "Utf16"),
    (b"\xfe\xff\0<", "unsupported-encoding", "Utf16"),
    (b"<\0?\0", "unsupported-encoding", "Utf16"),
    (b"\0<\0?", "unsupported-encoding", "Utf16"),
    (b"text", "not-well-formed", "TextBeforeHeader"),
    (b"G", "not-well-formed", "TextBeforeHeader"),
    (b"GETTING ", "not-well-formed", "TextBeforeHeader"),
    (b" GET / HTTP/1.1\r\n", "not-well-formed", "TextBeforeHeader"),
    (b"SSL-", "not-well-formed", "TextBeforeHeader"),
    (b"\x16\x03\x01", "not-well-formed", "TlsHello"),
    (b"\x15\x03\x01", "not-well-formed", "TlsHello"),
    (b"HTTP/1.1 400 Bad Request\r\n", "not-well-formed", "HttpRequest"),
    (b"HTTPS", "not-well-formed", "TextBeforeHeader"),
    (b"GET / HTTP/1.1\r\n", "not-well-formed", "HttpRequest"),
    (b"POST /x HTTP/1.1\r\n", "not-well-formed", "HttpRequest"),
    (b"PROPFIND / HTTP/1.1\r\n", "not-well-formed", "HttpRequest"),
    (b"PRI * HTTP/2.0\r\n\r\n", "not-well-formed", "HttpRequest"),
    (b"SSH-2.0-x\r\n", "not-well-formed", "SshHello"),
    (b"<?xml version='1.0'><stream>", "not-well-formed", "MalformedDeclaration"),
    (b"<?xml version='1.0'?<stream>", "not-well-formed", "MalformedDeclaration"),
    (b"<![CDATA[]]>", "not-well-formed", "TextBeforeHeader"),
    (b"</stream:stream>", "not-well-formed", "CloseBeforeHeader"),
    // Other start tags.
    (b"<p:stream>", "not-well-formed", "UnboundPrefix"),
    (b"<stream xmlns='http://etherx.jabber.org/streams' a='<'>", "not-well-formed", "LessThanInAttribute"),
    (b"<stream xmlns='http://etherx.jabber.org/streams' a='1' a='2'>", "not-well-formed", "DuplicateAttribute"),
];

/// What is wrong with how a document was read, if anything is.
fn wrong(document: &[u8], condition: &str, name: &str) -> Option<String> {
    let shown = String::from_utf8_lossy(document);
    let (events, fault) = read(StreamKind::Server, document);
    let got = fault.as_ref().map(|fault| {
        let debug = format!("{fault:?}");
        let name = debug.split('(').next().unwrap_or_default().to_owned();
        (fault.condition().as_str(), name)
    });
    let want = (!name.is_empty()).then(|| (condition, name.to_owned()));
    if got != want {
        return Some(format!("{got:?}: {shown}"));
    }
    if read_in_pieces(StreamKind::Server, document, 1) != (events.clone(), fault) {
        return Some(format!("not the same byte by byte: {shown}"));
    }

    // Whatever we take, the other parser takes, and for the same.
    let (theirs, result) = oracle::parse(document, StreamKind::Server);
    let ours = oracle::elements(&events, StreamKind::Server);
    if !theirs.starts_with(&ours) {
        return Some(format!("{ours:?} for us, {theirs:?} for them: {shown}"));
    }
    if want.is_none() && (result.is_err() || ours.len() != theirs.len()) {
        return Some(format!("{result:?} for them: {shown}"));
    }
    None
}

#[test]
fn what_stands_inside_a_stream() {
    let wrong: Vec<_> = INSIDE
        .iter()
        .filter_map(|(document, condition, name)| {
            wrong(&[SERVER.as_bytes(), document].concat(), condition, name)
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_stands_before_a_stream() {
    let wrong: Vec<_> = BEFORE
        .iter()
        .filter_map(|(document, condition, name)| {
            wrong(&[document, OPEN].concat(), condition, name)
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
