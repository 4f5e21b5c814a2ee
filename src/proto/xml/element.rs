//! [`Element`]: an owned piece of XML, as read by the reader or built by us.

use std::borrow::Cow;

use super::Ns;

/// An XML element with everything in it.
///
/// Two elements are equal when their expanded names, attributes (in any order) and content are:
/// prefixes, and the namespace declarations kept for the sake of names in content, do not count.
///
/// The tree is as deep as what was received, which [`Limits::depth`](super::Limits) caps: so the
/// few recursive walks over it (clone, drop, compare) are as deep as that and no deeper.
#[derive(Clone, Debug)]
pub struct Element {
    name: Cow<'static, str>,
    ns: Ns,
    attributes: Vec<Attribute>,
    /// Prefixes declared on the element itself; few elements have any.
    declarations: Vec<(Box<str>, Ns)>,
    nodes: Vec<Node>,
}

/// An attribute, by its expanded name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    ns: Ns,
    name: Cow<'static, str>,
    value: String,
}

/// What an element contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A child element.
    Element(Element),
    /// Text; never empty, and never next to another text.
    Text(String),
}

impl Element {
    /// An empty element.
    pub fn new(ns: impl Into<Ns>, name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            ns: ns.into(),
            attributes: Vec::new(),
            declarations: Vec::new(),
            nodes: Vec::new(),
        }
    }

    /// With an attribute (in no namespace) set.
    #[must_use]
    pub fn with_attribute(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        self.set_attribute(name, value);
        self
    }

    /// With a child element appended.
    #[must_use]
    pub fn with_child(mut self, child: Self) -> Self {
        self.push(child);
        self
    }

    /// With text appended.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        self.push_text(text);
        self
    }

    /// The local name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace.
    #[must_use]
    pub fn ns(&self) -> &Ns {
        &self.ns
    }

    /// Whether this is the element of that expanded name.
    #[must_use]
    pub fn is(&self, ns: &Ns, name: &str) -> bool {
        self.ns == *ns && self.name == name
    }

    /// The value of an attribute in no namespace.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attribute_in(&Ns::NONE, name)
    }

    /// The value of an attribute by its expanded name.
    #[must_use]
    pub fn attribute_in(&self, ns: &Ns, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.is(ns, name))
            .map(Attribute::value)
    }

    /// All attributes, as they came.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter()
    }

    /// The value of `xml:lang`, if the element has its own.
    #[must_use]
    pub fn lang(&self) -> Option<&str> {
        self.attribute_in(&Ns::XML, "lang")
    }

    /// Sets an attribute in no namespace, in place of any earlier value.
    pub fn set_attribute(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.set_attribute_in(Ns::NONE, name, value);
    }

    /// Sets an attribute by its expanded name.
    pub fn set_attribute_in(
        &mut self,
        ns: impl Into<Ns>,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) {
        let (ns, name, value) = (ns.into(), name.into(), value.into());
        match self.attributes.iter_mut().find(|a| a.is(&ns, &name)) {
            Some(attribute) => attribute.value = value,
            None => self.attributes.push(Attribute { ns, name, value }),
        }
    }

    /// Sets `xml:lang`.
    pub fn set_lang(&mut self, lang: &str) {
        self.set_attribute_in(Ns::XML, "lang", lang);
    }

    /// The child elements.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) => None,
        })
    }

    /// The child elements, to be changed.
    pub fn children_mut(&mut self) -> impl Iterator<Item = &mut Self> {
        self.nodes.iter_mut().filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) => None,
        })
    }

    /// The first child element of that expanded name.
    #[must_use]
    pub fn child(&self, ns: &Ns, name: &str) -> Option<&Self> {
        self.children().find(|child| child.is(ns, name))
    }

    /// Everything directly in the element, in order.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    /// The text directly in the element, children's left out; borrowed where it is in one piece.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        let mut pieces = self.nodes.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        let first = pieces.next().unwrap_or_default();
        match pieces.next() {
            None => Cow::Borrowed(first),
            Some(second) => {
                let mut all = [first, second].concat();
                all.extend(pieces);
                Cow::Owned(all)
            }
        }
    }

    /// Appends a child element.
    pub fn push(&mut self, child: Self) {
        self.nodes.push(Node::Element(child));
    }

    /// Appends text, joining it to text that is already last.
    pub fn push_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.last_text().push_str(text);
    }

    /// Keeps the child elements that the predicate accepts, and all text.
    pub fn retain_children(&mut self, mut keep: impl FnMut(&Self) -> bool) {
        self.nodes.retain(|node| match node {
            Node::Element(child) => keep(child),
            Node::Text(_) => true,
        });
        self.nodes.dedup_by(|next, last| match (last, next) {
            (Node::Text(last), Node::Text(next)) => {
                last.push_str(next);
                true
            }
            _ => false,
        });
    }

    /// Takes out, however deep inside, each element and each attribute of a namespace.
    pub fn strip(&mut self, ns: &Ns) {
        self.attributes.retain(|attribute| attribute.ns != *ns);
        self.declarations.retain(|(_, declared)| declared != ns);
        if self.children().any(|child| child.ns == *ns) {
            self.retain_children(|child| child.ns != *ns);
        }
        for child in self.children_mut() {
            child.strip(ns);
        }
    }

    /// About how many bytes the element takes when written: never more than a few times what was read.
    #[must_use]
    pub fn size_hint(&self) -> usize {
        /// Of the usual namespaces. A long one may be that of thousands of elements, and is declared
        /// for all of them together.
        const NAMESPACE: usize = 40;
        let mut bytes = 0;
        let mut left = vec![self];
        while let Some(element) = left.pop() {
            // <name xmlns=''></name>
            bytes += 2 * element.name.len() + element.ns.as_str().len().min(NAMESPACE) + 14;
            for attribute in &element.attributes {
                bytes += attribute.name.len() + attribute.value.len() + 4;
            }
            for node in &element.nodes {
                match node {
                    Node::Text(text) => bytes += text.len(),
                    Node::Element(child) => left.push(child),
                }
            }
        }
        bytes
    }

    /// The prefixes declared on the element itself, the default namespace left out.
    pub(crate) fn declarations(&self) -> impl Iterator<Item = (&str, &Ns)> {
        self.declarations
            .iter()
            .map(|(prefix, ns)| (prefix.as_ref(), ns))
    }

    /// Records that a prefix is declared here.
    pub(crate) fn declare(&mut self, prefix: &str, ns: Ns) {
        if !self
            .declarations
            .iter()
            .any(|(known, _)| **known == *prefix)
        {
            self.declarations.push((prefix.into(), ns));
        }
    }

    /// An element from the wire, its namespace not known yet.
    pub(crate) fn from_parsed_name(name: &str) -> Self {
        Self::new(Ns::NONE, owned_name(name))
    }

    pub(crate) fn set_ns(&mut self, ns: Ns) {
        self.ns = ns;
    }

    /// The text that is last, or a new one; the caller adds to it.
    pub(crate) fn last_text(&mut self) -> &mut String {
        if !matches!(self.nodes.last(), Some(Node::Text(_))) {
            self.nodes.push(Node::Text(String::new()));
        }
        match self.nodes.last_mut() {
            Some(Node::Text(text)) => text,
            _ => unreachable!("a text was put there if there was none"),
        }
    }

    /// Appends an attribute that is known to be new.
    pub(crate) fn push_attribute(&mut self, ns: Ns, name: &str, value: String) {
        let name = owned_name(name);
        self.attributes.push(Attribute { ns, name, value });
    }

    /// The content, by index.
    pub(crate) fn node(&self, index: usize) -> Option<&Node> {
        self.nodes.get(index)
    }

    /// Whether there is nothing inside.
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// The usual names, by length.
const USUAL: &[&[&str]] = &[
    &[],
    &["x", "c", "r", "a"],
    &["iq", "to", "id", "by"],
    &["ver", "jid", "var"],
    &[
        "from", "type", "body", "lang", "show", "item", "text", "code", "node", "hash", "nick",
    ],
    &[
        "query", "error", "delay", "stamp", "field", "value", "photo", "items",
    ],
    &["status", "thread", "active", "paused", "result"],
    &["message", "subject", "request", "updated"],
    &["presence", "priority", "received", "inactive"],
    &[
        "composing",
        "origin-id",
        "stanza-id",
        "forwarded",
        "displayed",
    ],
];

/// A name kept without an allocation where it is one of the usual ones.
fn owned_name(name: &str) -> Cow<'static, str> {
    let same_length = USUAL.get(name.len()).copied().unwrap_or_default();
    match same_length.iter().find(|usual| **usual == name) {
        Some(usual) => Cow::Borrowed(usual),
        None => Cow::Owned(name.to_owned()),
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.ns, &other.name)
            && self.attributes.len() == other.attributes.len()
            && self
                .attributes
                .iter()
                .all(|a| other.attribute_in(&a.ns, &a.name) == Some(&a.value))
            && self.nodes == other.nodes
    }
}

impl Eq for Element {}

impl Attribute {
    /// The namespace; [`Ns::NONE`] for most.
    #[must_use]
    pub fn ns(&self) -> &Ns {
        &self.ns
    }

    /// The local name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, references resolved.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    fn is(&self, ns: &Ns, name: &str) -> bool {
        self.ns == *ns && self.name == name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Element {
        Element::new(Ns::CONTENT, "message")
            .with_attribute("to", "a@b.example")
            .with_child(Element::new(Ns::CONTENT, "body").with_text("hi"))
            .with_text("one")
            .with_child(Element::new("urn:example", "x"))
            .with_text("two")
    }

    #[test]
    fn parts_are_found_by_expanded_name() {
        let message = message();
        assert!(message.is(&Ns::CONTENT, "message"));
        assert_eq!(message.attribute("to"), Some("a@b.example"));
        assert_eq!(message.child(&Ns::CONTENT, "body").unwrap().text(), "hi");
        assert!(message.child(&Ns::PING, "body").is_none());
        assert!(message.child(&Ns::from("urn:example"), "x").is_some());
        assert_eq!(message.text(), "onetwo");
        assert_eq!(message.children().count(), 2);
    }

    #[test]
    fn attributes_are_replaced() {
        let mut message = message();
        message.set_attribute("to", "c");
        message.set_lang("de");
        assert_eq!(message.attribute("to"), Some("c"));
        assert_eq!(
            (message.lang(), message.attribute("lang")),
            (Some("de"), None)
        );
    }

    #[test]
    fn removing_a_child_joins_the_text_around_it() {
        let mut message = message();
        message.retain_children(|child| child.name() != "x");
        assert_eq!(message.nodes().count(), 2);
        assert_eq!(message.nodes().last(), Some(&Node::Text("onetwo".into())));
    }

    #[test]
    fn usual_names_stand_at_their_length() {
        for (length, names) in USUAL.iter().enumerate() {
            for name in *names {
                assert_eq!(name.len(), length, "{name}");
                assert!(matches!(owned_name(name), Cow::Borrowed(_)));
            }
        }
        assert_eq!(owned_name("unusual"), "unusual");
        assert_eq!(owned_name("message"), "message");
    }

    #[test]
    fn the_order_of_attributes_and_declarations_do_not_count() {
        let one = Element::new(Ns::NONE, "a")
            .with_attribute("b", "1")
            .with_attribute("c", "2");
        let mut two = Element::new(Ns::NONE, "a")
            .with_attribute("c", "2")
            .with_attribute("b", "1");
        two.declare("p", Ns::PING);
        assert_eq!(one, two);
        assert_ne!(one, two.with_attribute("d", ""));
    }
}
