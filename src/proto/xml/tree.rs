//! From one whole frame to what it means: the parser crate's events, checked and built up.

use quick_xml::Reader;
use quick_xml::errors::IllFormedError;
use quick_xml::events::attributes::AttrError;
use quick_xml::events::{BytesStart, Event};

use super::references::{attribute_value, push_text, resolve};
use super::scope::{HeaderScope, Scope};
use super::{Element, Fault, Limits, Ns, StreamKind, strict};

/// Parses the start tag of a stream, where `known` is in scope already; returns also its name as
/// written, and what it declares.
pub(super) fn header(
    frame: &[u8],
    known: &HeaderScope,
    limits: &Limits,
) -> Result<(Element, String, HeaderScope), Fault> {
    let text = checked(frame)?;
    let mut scope = Scope::new(known, limits);
    match next(&mut Reader::from_str(text))? {
        Event::Start(tag) | Event::Empty(tag) => {
            let (_, root) = start_tag(&tag, &mut scope, limits, None)?;
            Ok((
                root,
                tag.name().into_inner().to_owned(),
                scope.into_header(),
            ))
        }
        other => Err(misplaced(&other)),
    }
}

/// Parses one whole top-level element.
pub(super) fn element(
    frame: &[u8],
    header: &HeaderScope,
    stream_kind: StreamKind,
    limits: &Limits,
) -> Result<Element, Fault> {
    let text = checked(frame)?;
    let mut reader = Reader::from_str(text);
    let mut scope = Scope::new(header, limits);
    // The open elements, each with the scope to go back to at its end.
    let mut open: Vec<(Element, usize)> = Vec::new();
    loop {
        let done = match next(&mut reader)? {
            Event::Start(tag) => {
                let mark = scope.mark();
                let element = placed_start_tag(&tag, &mut scope, stream_kind, limits, &mut open)?;
                open.push((element, mark));
                continue;
            }
            Event::Empty(tag) => {
                let mark = scope.mark();
                let element = placed_start_tag(&tag, &mut scope, stream_kind, limits, &mut open)?;
                scope.leave(mark);
                element
            }
            Event::End(_) => {
                let (element, mark) = open.pop().ok_or(Fault::EndTagMismatch)?;
                scope.leave(mark);
                element
            }
            Event::Text(text) => {
                strict::no_section_end(&text)?;
                push_text(&text, text_of(&mut open)?);
                continue;
            }
            Event::CData(piece) if piece.is_empty() => continue,
            Event::CData(section) => {
                push_text(&section, text_of(&mut open)?);
                continue;
            }
            Event::GeneralRef(reference) => {
                let c = resolve(&reference)?;
                text_of(&mut open)?.push(c);
                continue;
            }
            other => return Err(misplaced(&other)),
        };
        match open.last_mut() {
            Some((parent, _)) => parent.push(done),
            None => return at_end(&mut reader).map(|()| done),
        }
    }
}

/// Parses the start tag of a top-level element, whatever comes after it.
pub(super) fn start(
    frame: &[u8],
    header: &HeaderScope,
    stream_kind: StreamKind,
    limits: &Limits,
) -> Result<Element, Fault> {
    // The framer has looked at each character. The frame may be cut inside one.
    let text = frame.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let mut scope = Scope::new(header, limits);
    match next(&mut Reader::from_str(text))? {
        Event::Start(tag) | Event::Empty(tag) => {
            placed_start_tag(&tag, &mut scope, stream_kind, limits, &mut [])
        }
        other => Err(misplaced(&other)),
    }
}

/// Checks that the end tag of the stream has the name of its start tag.
pub(super) fn close(frame: &[u8], name: &str) -> Result<(), Fault> {
    let text = checked(frame)?;
    let closed = text
        .strip_prefix("</")
        .and_then(|rest| rest.strip_suffix('>'))
        .map(|rest| rest.trim_end_matches([' ', '\t', '\r', '\n']));
    if closed != Some(name) {
        return Err(Fault::CloseMismatch(text.into()));
    }
    Ok(())
}

/// The frame as text that XML admits.
pub(super) fn checked(frame: &[u8]) -> Result<&str, Fault> {
    let text = strict::utf8(frame)?;
    strict::characters(text)?;
    Ok(text)
}

/// A start tag, with its namespace seen from where the element stands.
fn placed_start_tag(
    tag: &BytesStart<'_>,
    scope: &mut Scope<'_>,
    stream_kind: StreamKind,
    limits: &Limits,
    open: &mut [(Element, usize)],
) -> Result<Element, Fault> {
    let top = open.first_mut().map(|(top, _)| top);
    let (prefix, mut element) = start_tag(tag, scope, limits, top)?;
    let parent = open.last().map(|(parent, _)| parent);
    not_a_stream(&element, parent.is_some())?;
    let is_content = match parent {
        None => own_content(&element, stream_kind)?,
        // RFC 6120 §4.8.3: re-scoping stops at the first extension element.
        Some(parent) => {
            (open.len() == 1 || *parent.ns() == Ns::CONTENT) && element.ns().is_literal_content()
        }
    };
    if is_content {
        // RFC 6120 §4.8.5. Not said of components, some of whose libraries write prefixes.
        if prefix && stream_kind == StreamKind::Server {
            return Err(Fault::PrefixedContent(tag.name().into_inner().into()));
        }
        element.set_ns(Ns::CONTENT);
    }
    Ok(element)
}

/// CVE-2022-20917 and its kin: nothing of the stream's own namespace may stand inside a stanza,
/// nor a second root inside the stream.
fn not_a_stream(element: &Element, nested: bool) -> Result<(), Fault> {
    if *element.ns() == Ns::STREAM && (nested || element.name() == "stream") {
        return Err(Fault::NestedStream(element.name().into()));
    }
    Ok(())
}

/// RFC 6120 §4.8.3: a top-level element of a content namespace that is not the stream's own.
fn own_content(element: &Element, stream_kind: StreamKind) -> Result<bool, Fault> {
    let is_own = element.ns().as_str() == stream_kind.content_namespace();
    if !is_own && element.ns().is_literal_content() {
        return Err(Fault::WrongContentNamespace(element.ns().as_str().into()));
    }
    Ok(is_own)
}

/// A start tag by itself, inside the top-level element if it is not its own; returns also whether its
/// name has a prefix.
fn start_tag(
    tag: &BytesStart<'_>,
    scope: &mut Scope<'_>,
    limits: &Limits,
    mut top: Option<&mut Element>,
) -> Result<(bool, Element), Fault> {
    strict::attributes_are_separated(tag.attributes_raw())?;
    let (prefix, local) = strict::qname(tag.name().into_inner(), limits.name_bytes)?;
    let mut element = Element::from_parsed_name(local);
    // Prefixes of attributes can be declared after they are used, so they are resolved afterwards.
    let mut prefixed: Vec<(&str, &str, String)> = Vec::new();
    for (index, attribute) in tag.attributes().enumerate() {
        if index >= limits.attributes {
            return Err(Fault::TooManyAttributes(limits.attributes));
        }
        let attribute = attribute.map_err(|error| attribute_fault(&error, tag))?;
        strict::no_less_than(&attribute.value)?;
        let value = attribute_value(&attribute.value)?;
        match strict::qname(attribute.key.into_inner(), limits.name_bytes)? {
            (None, "xmlns") => {
                scope.bind("", &value)?;
            }
            (None, name) => element.push_attribute(Ns::NONE, name, value),
            (Some("xmlns"), prefix) => {
                let ns = scope.bind(prefix, &value)?;
                element.declare(prefix, ns);
            }
            (Some(prefix), name) => prefixed.push((prefix, name, value)),
        }
    }
    for (prefix, name, value) in prefixed {
        let ns = scope.of_attribute(Some(prefix))?.clone();
        not_given_twice(&element, &ns, name)?;
        if scope.is_from_header(prefix) {
            // RFC 6120 §4.8.5: what the header declares does not reach beyond this stream. It is
            // declared once for all that use it.
            let declares = top.as_deref_mut().unwrap_or(&mut element);
            declares.declare(prefix, ns.clone());
        }
        element.push_attribute(ns, name, value);
    }
    element.set_ns(scope.of_element(prefix)?.clone());
    Ok((prefix.is_some(), element))
}

/// Namespaces in XML §6.3: no two attributes with one expanded name.
fn not_given_twice(element: &Element, ns: &Ns, name: &str) -> Result<(), Fault> {
    if element.attribute_in(ns, name).is_some() {
        return Err(Fault::DuplicateAttribute(name.into()));
    }
    Ok(())
}

/// The text at the end of the innermost open element.
fn text_of(open: &mut [(Element, usize)]) -> Result<&mut String, Fault> {
    match open.last_mut() {
        Some((element, _)) => Ok(element.last_text()),
        None => Err(Fault::TextBetweenElements),
    }
}

/// The framer and the parser must agree where the frame ends.
fn at_end(reader: &mut Reader<&[u8]>) -> Result<(), Fault> {
    match next(reader)? {
        Event::Eof => Ok(()),
        _ => Err(Fault::Syntax("a second element in one frame".into())),
    }
}

fn next<'b>(reader: &mut Reader<&'b [u8]>) -> Result<Event<'b>, Fault> {
    reader.read_event().map_err(|error| match error {
        quick_xml::Error::IllFormed(
            IllFormedError::MismatchedEndTag { .. } | IllFormedError::UnmatchedEndTag(_),
        ) => Fault::EndTagMismatch,
        quick_xml::Error::IllFormed(IllFormedError::UnclosedReference) => Fault::LoneAmpersand,
        quick_xml::Error::Encoding(_) => Fault::InvalidUtf8,
        error => Fault::Syntax(error.to_string().as_str().into()),
    })
}

fn attribute_fault(error: &AttrError, tag: &BytesStart<'_>) -> Fault {
    match error {
        AttrError::Duplicated(..) => Fault::DuplicateAttribute(tag.attributes_raw().into()),
        error => Fault::Syntax(error.to_string().as_str().into()),
    }
}

/// An event that no frame may contain; the framer has refused most of them before.
fn misplaced(event: &Event<'_>) -> Fault {
    match event {
        Event::Comment(_) => Fault::Comment,
        Event::PI(_) => Fault::ProcessingInstruction,
        Event::DocType(_) => Fault::DocumentType,
        Event::Decl(_) => Fault::MisplacedDeclaration,
        _ => Fault::Syntax("the frame ends early".into()),
    }
}
