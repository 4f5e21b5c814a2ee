//! Namespace bindings in scope, and the constraints of Namespaces in XML 1.0.

use super::{Fault, Limits, Ns};

/// A prefix (empty: the default namespace) and what it is bound to.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    prefix: Box<str>,
    ns: Ns,
}

/// What the stream header declared: in scope for everything on the stream.
#[derive(Clone, Debug, Default)]
pub(super) struct HeaderScope(Vec<Binding>);

impl HeaderScope {
    /// Nothing but a default namespace.
    pub(super) fn with_default(ns: Ns) -> Self {
        Self(vec![Binding {
            prefix: Box::default(),
            ns,
        }])
    }

    /// How many bindings there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The same, and the prefix `stream` is bound as if the header had declared it.
    pub(super) fn with_stream_prefix(&self) -> Self {
        let mut bindings = self.0.clone();
        bindings.push(Binding {
            prefix: STREAM_PREFIX.into(),
            ns: Ns::STREAM,
        });
        Self(bindings)
    }

    /// The default namespace of the stream.
    pub(super) fn default_namespace(&self) -> &Ns {
        find(&self.0, "").map_or(&NONE, |ns| ns)
    }
}

/// The bindings in scope while one frame is parsed.
pub(super) struct Scope<'h> {
    header: &'h [Binding],
    inner: Vec<Binding>,
    limits: &'h Limits,
}

/// The usual prefix of the stream namespace.
const STREAM_PREFIX: &str = "stream";

static NONE: Ns = Ns::NONE;
static XML: Ns = Ns::XML;

impl<'h> Scope<'h> {
    pub(super) fn new(header: &'h HeaderScope, limits: &'h Limits) -> Self {
        Self {
            header: &header.0,
            inner: Vec::new(),
            limits,
        }
    }

    /// Where the scope stands, to be given back to [`Scope::leave`].
    pub(super) fn mark(&self) -> usize {
        self.inner.len()
    }

    /// Leaves the element whose [`Scope::mark`] this was.
    pub(super) fn leave(&mut self, mark: usize) {
        self.inner.truncate(mark);
    }

    /// Binds a prefix (empty: the default namespace), if that is allowed.
    pub(super) fn bind(&mut self, prefix: &str, name: &str) -> Result<Ns, Fault> {
        if name.len() > self.limits.namespace_bytes {
            return Err(Fault::NamespaceTooLong(self.limits.namespace_bytes));
        }
        let ns = Ns::from(name);
        not_reserved(prefix, &ns)?;
        not_empty(prefix, &ns)?;
        if self.header.len() + self.inner.len() >= self.limits.bindings {
            return Err(Fault::TooManyBindings(self.limits.bindings));
        }
        self.inner.push(Binding {
            prefix: prefix.into(),
            ns: ns.clone(),
        });
        Ok(ns)
    }

    /// The namespace of an element: without a prefix, the default one.
    pub(super) fn of_element(&self, prefix: Option<&str>) -> Result<&Ns, Fault> {
        match prefix {
            Some(prefix) => self.of_prefix(prefix),
            None => Ok(self.look_up("").unwrap_or(&NONE)),
        }
    }

    /// The namespace of an attribute: without a prefix, none (Namespaces in XML §6.2).
    pub(super) fn of_attribute(&self, prefix: Option<&str>) -> Result<&Ns, Fault> {
        prefix.map_or(Ok(&NONE), |prefix| self.of_prefix(prefix))
    }

    /// Whether a fault is that the usual prefix of the stream namespace is used, and not declared.
    pub(super) fn lacks_stream_prefix(fault: &Fault) -> bool {
        *fault == Fault::UnboundPrefix(STREAM_PREFIX.into())
    }

    /// Whether a prefix is bound by the stream header and by nothing since.
    pub(super) fn is_from_header(&self, prefix: &str) -> bool {
        find(&self.inner, prefix).is_none() && find(self.header, prefix).is_some()
    }

    /// What was bound, for everything that follows on the stream.
    pub(super) fn into_header(self) -> HeaderScope {
        HeaderScope(self.inner)
    }

    fn of_prefix(&self, prefix: &str) -> Result<&Ns, Fault> {
        match prefix {
            // Namespaces in XML §3: bound by definition, declared or not.
            "xml" => Ok(&XML),
            // Namespaces in XML §3: element names must not have it, and only declarations use it.
            "xmlns" => Err(Fault::ReservedNamespace(prefix.into())),
            _ => self
                .look_up(prefix)
                .ok_or_else(|| Fault::UnboundPrefix(prefix.into())),
        }
    }

    fn look_up(&self, prefix: &str) -> Option<&Ns> {
        find(&self.inner, prefix).or_else(|| find(self.header, prefix))
    }
}

/// The innermost binding of a prefix.
fn find<'b>(bindings: &'b [Binding], prefix: &str) -> Option<&'b Ns> {
    bindings
        .iter()
        .rev()
        .find(|binding| *binding.prefix == *prefix)
        .map(|binding| &binding.ns)
}

/// Namespaces in XML §3: `xml` and its namespace belong together, `xmlns` is never declared, and
/// neither namespace may be the default one.
fn not_reserved(prefix: &str, ns: &Ns) -> Result<(), Fault> {
    let bad = match prefix {
        "xml" => *ns != Ns::XML,
        "xmlns" => true,
        _ => *ns == Ns::XML || *ns == Ns::XMLNS,
    };
    if bad {
        let what = if prefix.is_empty() {
            ns.as_str()
        } else {
            prefix
        };
        return Err(Fault::ReservedNamespace(what.into()));
    }
    Ok(())
}

/// Namespaces in XML §5: only the default namespace can be undeclared.
fn not_empty(prefix: &str, ns: &Ns) -> Result<(), Fault> {
    if *ns == Ns::NONE && !prefix.is_empty() {
        return Err(Fault::EmptyPrefixBinding(prefix.into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        bindings: 8,
        namespace_bytes: 60,
        ..Limits::UNAUTHENTICATED
    };

    fn scope(header: &HeaderScope) -> Scope<'_> {
        Scope::new(header, &LIMITS)
    }

    #[test]
    fn inner_bindings_hide_outer_ones_until_left() {
        let none = HeaderScope::default();
        let mut outer = scope(&none);
        outer.bind("", "urn:a").unwrap();
        outer.bind("p", "urn:p").unwrap();
        let header = outer.into_header();
        let mut inner = scope(&header);
        let mark = inner.mark();
        inner.bind("", "").unwrap();
        inner.bind("p", "urn:q").unwrap();
        assert_eq!(inner.of_element(None), Ok(&Ns::NONE));
        assert_eq!(inner.of_element(Some("p")), Ok(&Ns::from("urn:q")));
        assert!(!inner.is_from_header("p"));
        inner.leave(mark);
        assert_eq!(inner.of_element(None), Ok(&Ns::from("urn:a")));
        assert_eq!(inner.of_attribute(None), Ok(&Ns::NONE));
        assert!(inner.is_from_header("p"));
    }

    #[test]
    fn unbound_prefixes_are_refused() {
        let none = HeaderScope::default();
        let unbound = Err(Fault::UnboundPrefix("p".into()));
        assert_eq!(scope(&none).of_element(Some("p")), unbound);
        assert_eq!(scope(&none).of_attribute(Some("p")), unbound);
        assert_eq!(scope(&none).of_attribute(Some("xml")), Ok(&Ns::XML));
    }

    #[test]
    fn a_prefix_cannot_be_undeclared() {
        let none = HeaderScope::default();
        let empty = Err(Fault::EmptyPrefixBinding("p".into()));
        assert_eq!(scope(&none).bind("p", ""), empty);
        assert_eq!(scope(&none).bind("", ""), Ok(Ns::NONE));
    }

    #[test]
    fn the_reserved_prefixes_and_namespaces_stay_as_they_are() {
        let none = HeaderScope::default();
        for (prefix, name) in [
            ("xml", "urn:other"),
            ("p", Ns::XML.as_str()),
            ("", Ns::XML.as_str()),
            ("xmlns", "urn:other"),
            ("xmlns", Ns::XMLNS.as_str()),
            ("p", Ns::XMLNS.as_str()),
            ("", Ns::XMLNS.as_str()),
        ] {
            let got = scope(&none).bind(prefix, name);
            assert!(
                matches!(got, Err(Fault::ReservedNamespace(_))),
                "{prefix} {name}"
            );
        }
        assert_eq!(scope(&none).bind("xml", Ns::XML.as_str()), Ok(Ns::XML));
        assert!(scope(&none).of_element(Some("xmlns")).is_err());
    }

    #[test]
    fn bindings_are_capped() {
        let none = HeaderScope::default();
        let mut scope = scope(&none);
        for index in 0..8 {
            scope.bind(&format!("p{index}"), "urn:p").unwrap();
        }
        assert_eq!(scope.bind("q", "urn:p"), Err(Fault::TooManyBindings(8)));
    }

    #[test]
    fn names_of_namespaces_are_capped() {
        let none = HeaderScope::default();
        for prefix in ["", "p"] {
            assert!(scope(&none).bind(prefix, &"u".repeat(60)).is_ok());
            let long = scope(&none).bind(prefix, &"u".repeat(61));
            assert_eq!(long, Err(Fault::NamespaceTooLong(60)));
        }
    }
}
