//! Prefixes that are declared once, at the top, for namespaces that would be declared in many places.

use std::collections::{BTreeMap, BTreeSet};

use crate::proto::xml::{Element, Ns, StreamKind};

/// Prefixes, by their namespaces.
#[derive(Debug, Default)]
pub(super) struct Shared<'e>(BTreeMap<&'e str, Prefix>);

/// A prefix, and as it stands before a name.
#[derive(Debug)]
struct Prefix {
    alone: String,
    with_colon: String,
}

/// How many there are at most: an element may have only so many attributes.
const MOST: usize = 16;
/// How many bytes one saves at least.
const WORTH: usize = 64;
/// ` xmlns=''`.
const DECLARATION: usize = 9;

impl<'e> Shared<'e> {
    /// Prefixes for those namespaces of an element that would take most bytes without.
    pub(super) fn of(stream_kind: StreamKind, root: &'e Element) -> Self {
        let (changes, taken) = look_at(stream_kind, root);
        let saved = |(ns, count): (&'e str, usize)| {
            let bytes = (count - 1) * (ns.len() + DECLARATION);
            (bytes >= WORTH && may_have_prefix(ns)).then_some((bytes, ns))
        };
        let mut best: Vec<_> = changes.into_iter().filter_map(saved).collect();
        best.sort_unstable_by(|one, other| other.cmp(one));
        let fresh = (0..)
            .map(|number| format!("ns{number}"))
            .filter(|prefix| !taken.contains(prefix.as_str()));
        let named = best.into_iter().take(MOST).zip(fresh);
        Self(
            named
                .map(|((_, ns), alone)| {
                    let with_colon = format!("{alone}:");
                    (ns, Prefix { alone, with_colon })
                })
                .collect(),
        )
    }

    /// What stands before the name of an element of a namespace.
    pub(super) fn prefix(&self, ns: &str) -> &str {
        // Most have none at all.
        if self.0.is_empty() {
            return "";
        }
        self.0.get(ns).map_or("", |prefix| &prefix.with_colon)
    }

    /// Namespaces and their prefixes.
    pub(super) fn declarations(&self) -> impl Iterator<Item = (&'e str, &str)> {
        let prefixes = self.0.iter();
        prefixes.map(|(ns, prefix)| (*ns, prefix.alone.as_str()))
    }
}

/// How often each namespace is another one than around it, and which prefixes are declared anywhere.
fn look_at(stream_kind: StreamKind, root: &Element) -> (BTreeMap<&str, usize>, BTreeSet<&str>) {
    let mut changes = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let mut left = vec![root];
    while let Some(element) = left.pop() {
        taken.extend(element.declarations().map(|(prefix, _)| prefix));
        let around = element.ns().written(stream_kind);
        for child in element.children() {
            let ns = child.ns().written(stream_kind);
            if ns != around {
                *changes.entry(ns).or_default() += 1;
            }
            left.push(child);
        }
    }
    (changes, taken)
}

/// RFC 6120 §4.8.5: what is of the content namespace has no prefix. Namespaces in XML §3, §5: the
/// `xml` prefix is declared nowhere, and no prefix stands for no namespace.
fn may_have_prefix(ns: &str) -> bool {
    let barred = [Ns::NONE, Ns::XML, Ns::CLIENT, Ns::SERVER, Ns::COMPONENT];
    !barred.iter().any(|barred| barred.as_str() == ns)
}
