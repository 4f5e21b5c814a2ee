//! What our reader makes of documents: `run` compares it with what two other parsers make of them.
//!
//! Standard input names a file on each line; standard output has a line of JSON for each.

use std::error::Error;
use std::io::{BufWriter, Write, stdin, stdout};

use serde_json::{Value, json};
use xmpp_edge::proto::xml::{Element, Event, Fault, Limits, Node, Ns, Reader, StreamKind};

/// The suite is about XML, so nothing is refused for its size.
const LIMITS: Limits = Limits {
    header_bytes: usize::MAX,
    element_bytes: usize::MAX,
    depth: usize::MAX,
    elements: usize::MAX,
    attributes: usize::MAX,
    name_bytes: usize::MAX,
    bindings: usize::MAX,
    namespace_bytes: usize::MAX,
    whitespace_bytes: usize::MAX,
    overrun: 1,
};

const HEADER: &[u8] =
    b"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>";
const FOOTER: &[u8] = b"</stream:stream>";

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(stdout().lock());
    for path in stdin().lines() {
        let bytes = std::fs::read(path?)?;
        let whole = read(&bytes, bytes.len());
        let cut_anywhere = read(&bytes, 1) == whole;
        let (by_spans, spans_agree) = spans(&bytes);
        let (elements, fault) = whole;
        let reading = json!({
            "elements": elements.iter().map(plain).collect::<Vec<_>>(),
            "condition": fault.as_ref().map(|fault| fault.condition().as_str()),
            "fault": fault.map(|fault| fault.to_string()),
            "cut_anywhere": cut_anywhere,
            "by_spans": by_spans,
            "spans_agree": spans_agree,
        });
        writeln!(out, "{reading}")?;
    }
    out.flush()?;
    Ok(())
}

/// The top-level elements of a stream that is given in pieces of this size, and what is wrong with it.
fn read(bytes: &[u8], size: usize) -> (Vec<Element>, Option<Fault>) {
    read_by(Reader::new(StreamKind::Server, LIMITS), bytes, size)
}

/// What follows the header as what is inside a stanza: how many of such were passed on as they are written
/// while they are read, and whether they mean the same, or have the same fault, as when a tree is made of them.
fn spans(bytes: &[u8]) -> (usize, bool) {
    let Some(content) = bytes.strip_prefix(HEADER) else {
        return (0, true);
    };
    let content = content.strip_suffix(FOOTER).unwrap_or(content);
    let document = [HEADER, b"<message><x>", content, b"</x></message>"].concat();
    let trees = read(&document, document.len());
    let mut count = 0;
    let agrees = [1, document.len()].into_iter().all(|size| {
        let mut reader = Reader::new(StreamKind::Server, LIMITS);
        reader.give_spans();
        count = 0;
        let (elements, fault) = read_counting(reader, &document, size, &mut count);
        (elements, fault) == trees
    });
    (count, agrees)
}

fn read_by(reader: Reader, bytes: &[u8], size: usize) -> (Vec<Element>, Option<Fault>) {
    read_counting(reader, bytes, size, &mut 0)
}

fn read_counting(
    mut reader: Reader,
    bytes: &[u8],
    size: usize,
    spans: &mut usize,
) -> (Vec<Element>, Option<Fault>) {
    let mut elements = Vec::new();
    for piece in bytes.chunks(size.max(1)) {
        reader.feed(piece);
        loop {
            match reader.next() {
                Ok(Some(Event::Element(element))) => elements.push(element),
                Ok(Some(Event::Stanza(span))) => {
                    *spans += 1;
                    elements.extend(span.tree());
                }
                Ok(Some(Event::Header(_) | Event::Excess(_) | Event::Close)) => {}
                Ok(None) => break,
                Err(fault) => return (elements, Some(fault)),
            }
        }
    }
    (elements, reader.finish().err())
}

/// An element by what it means: namespace, name, attributes in order, content.
fn plain(element: &Element) -> Value {
    let mut attributes: Vec<_> = element
        .attributes()
        .map(|attribute| [written(attribute.ns()), attribute.name(), attribute.value()])
        .collect();
    attributes.sort_unstable();
    let nodes: Vec<_> = element
        .nodes()
        .map(|node| match node {
            Node::Text(text) => json!(text),
            Node::Element(child) => plain(child),
        })
        .collect();
    json!([written(element.ns()), element.name(), attributes, nodes])
}

/// The namespace as it stood on the stream.
fn written(ns: &Ns) -> &str {
    match *ns == Ns::CONTENT {
        true => StreamKind::Server.content_namespace(),
        false => ns.as_str(),
    }
}
