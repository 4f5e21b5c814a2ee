//! An independent parser's view of a stream, in a form that ours can be compared with.

use std::collections::BTreeMap;

use rxml::{Event as Theirs, Parse, WithOptions};

use super::*;

/// An element by nothing but what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plain {
    pub(super) ns: String,
    pub(super) name: String,
    pub(super) attributes: BTreeMap<(String, String), String>,
    pub(super) nodes: Vec<PlainNode>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PlainNode {
    Element(Plain),
    Text(String),
}

/// Our element in the plain form, on a stream of this kind.
pub(super) fn plain(element: &Element, stream_kind: StreamKind) -> Plain {
    let written = |ns: &Ns| match *ns == Ns::CONTENT {
        true => stream_kind.content_namespace().to_owned(),
        false => ns.as_str().to_owned(),
    };
    let of_attribute = |attribute: &Attribute| {
        let name = (written(attribute.ns()), attribute.name().to_owned());
        (name, attribute.value().to_owned())
    };
    let of_node = |node: &Node| match node {
        Node::Text(text) => PlainNode::Text(text.clone()),
        Node::Element(child) => PlainNode::Element(plain(child, stream_kind)),
    };
    Plain {
        ns: written(element.ns()),
        name: element.name().to_owned(),
        attributes: element.attributes().map(of_attribute).collect(),
        nodes: element.nodes().map(of_node).collect(),
    }
}

/// The elements among our events, in the plain form.
pub(super) fn elements(events: &[Event], stream_kind: StreamKind) -> Vec<Plain> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Element(element) => Some(plain(element, stream_kind)),
            _ => None,
        })
        .collect()
}

/// The root's whole children as another parser's events build them up.
#[derive(Debug, Default)]
pub(super) struct Builder {
    open: Vec<Plain>,
    whole: Vec<Plain>,
}

impl Builder {
    pub(super) fn start(
        &mut self,
        ns: String,
        name: String,
        attributes: BTreeMap<(String, String), String>,
    ) {
        self.open.push(Plain {
            ns,
            name,
            attributes,
            nodes: Vec::new(),
        });
    }

    pub(super) fn end(&mut self) {
        let done = self
            .open
            .pop()
            .expect("the other parser balances its events");
        match self.open.as_mut_slice() {
            [] => {}
            [_root] => self.whole.push(done),
            [.., parent] => parent.nodes.push(PlainNode::Element(done)),
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        if let Some(parent) = self.open.last_mut() {
            match parent.nodes.last_mut() {
                Some(PlainNode::Text(last)) => last.push_str(text),
                _ => parent.nodes.push(PlainNode::Text(text.to_owned())),
            }
        }
    }

    /// What was built, re-scoped as we do it.
    pub(super) fn finish(self, stream_kind: StreamKind) -> Vec<Plain> {
        let rescoped = |element| rescoped(element, 1, true, stream_kind);
        self.whole.into_iter().map(rescoped).collect()
    }
}

/// What the other parser makes of a stream: the root's whole children, re-scoped as we do it,
/// and whether it went to the end of the bytes without an error.
pub(super) fn parse(
    bytes: &[u8],
    stream_kind: StreamKind,
) -> (Vec<Plain>, Result<(), rxml::Error>) {
    let options = rxml::Options {
        max_token_length: 1024 * 1024,
        ..Default::default()
    };
    let mut parser = rxml::Parser::with_options(options);
    // It refuses whitespace before the root where no declaration came, which XML 1.0 §2.8 allows,
    // and some characters after a lone CR in an attribute, which §2.11 says is a line end.
    let bytes = line_ends_normalised(bytes);
    let mut input = bytes.trim_ascii_start();
    let mut builder = Builder::default();
    let result = loop {
        match parser.parse(&mut input, false) {
            Ok(Some(Theirs::StartElement(_, (ns, name), attributes))) => {
                let attributes = attributes
                    .iter()
                    .map(|((ns, name), value)| ((ns.to_string(), name.to_string()), value.clone()))
                    .collect();
                builder.start(ns.to_string(), name.to_string(), attributes);
            }
            Ok(Some(Theirs::EndElement(_))) => builder.end(),
            Ok(Some(Theirs::Text(_, text))) => builder.text(&text),
            Ok(Some(Theirs::XmlDeclaration(..))) => {}
            Ok(None) | Err(rxml::error::EndOrError::NeedMoreData) => break Ok(()),
            Err(rxml::error::EndOrError::Error(error)) => break Err(error),
        }
    };
    (builder.finish(stream_kind), result)
}

/// XML 1.0 §2.11 as it is written: before parsing.
fn line_ends_normalised(bytes: &[u8]) -> Vec<u8> {
    let mut normalised = Vec::with_capacity(bytes.len());
    let mut after_cr = false;
    for byte in bytes {
        match byte {
            b'\r' => normalised.push(b'\n'),
            b'\n' if after_cr => {}
            other => normalised.push(*other),
        }
        after_cr = *byte == b'\r';
    }
    normalised
}

/// RFC 6120 §4.8.3 in its own words: stanzas and by inheritance their children, but no extension
/// element nor any child of one.
fn rescoped(mut element: Plain, level: usize, in_content: bool, stream_kind: StreamKind) -> Plain {
    const CONTENT: [&str; 3] = ["jabber:client", "jabber:server", "jabber:component:accept"];
    let is_content = in_content && CONTENT.contains(&element.ns.as_str());
    if is_content {
        element.ns = stream_kind.content_namespace().to_owned();
    }
    for node in &mut element.nodes {
        if let PlainNode::Element(child) = node {
            let inside = is_content || level == 1;
            *child = rescoped(child.clone(), level + 1, inside, stream_kind);
        }
    }
    element
}
