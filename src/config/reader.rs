//! Reads TOML tables key by key, so that one wrong key never hides the next.
//!
//! serde stops at the first error of a file. Here each key is asked for by name and kind; what is
//! asked for is known, and [`Section::finish`] reports every key that nobody asked for.

mod kinds;

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Findings, Place, Problem, Source};
use super::value;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Item<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// One table of a file.
pub(super) struct Section<'t> {
    pub(super) source: &'t Arc<Source>,
    pub(super) findings: &'t Findings,
    name: String,
    header: Range<usize>,
    table: Option<&'t DeTable<'t>>,
    known: RefCell<Vec<&'static str>>,
}

impl<'t> Section<'t> {
    /// The file's top level.
    pub(super) fn root(
        source: &'t Arc<Source>,
        findings: &'t Findings,
        table: &'t DeTable<'t>,
    ) -> Self {
        Self {
            source,
            findings,
            name: String::new(),
            header: 0..0,
            table: Some(table),
            known: RefCell::default(),
        }
    }

    /// The section `[key]`; an absent one reads as empty.
    pub(super) fn section(&self, key: &'static str) -> Self {
        let name = if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        };
        let spanned = self.get(key);
        let table = spanned.and_then(|spanned| {
            let table = spanned.get_ref().as_table();
            if table.is_none() {
                self.wrong_type(key, spanned, &format!("a section: write [{name}]"));
            }
            table
        });
        Self {
            source: self.source,
            findings: self.findings,
            header: spanned.map_or(0..0, |spanned| self.trim(spanned.span())),
            name,
            table,
            known: RefCell::default(),
        }
    }

    /// The sections `[[key]]`, in their order.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Self> {
        let Some(spanned) = self.get(key) else {
            return Vec::new();
        };
        let wanted = format!("a list of sections: write [[{key}]]");
        let Some(array) = spanned.get_ref().as_array() else {
            self.wrong_type(key, spanned, &wanted);
            return Vec::new();
        };
        array
            .iter()
            .filter_map(|element| {
                let table = element.get_ref().as_table();
                if table.is_none() {
                    self.wrong_type(key, element, &wanted);
                }
                Some(Self {
                    source: self.source,
                    findings: self.findings,
                    name: format!("[{key}]"),
                    header: self.trim(element.span()),
                    table: Some(table?),
                    known: RefCell::default(),
                })
            })
            .collect()
    }

    /// Whether the section stands in the file.
    pub(super) fn is_present(&self) -> bool {
        self.table.is_some()
    }

    /// Where the section begins.
    pub(super) fn place(&self) -> Place {
        self.at(self.header.clone())
    }

    /// Reports a key that must be there and is not.
    pub(super) fn require(&self, key: &'static str, example: &str) {
        self.require_as(key, format!("add: {key} = {example}"));
    }

    /// The same for a key that has one of a few words.
    pub(super) fn require_choice(&self, key: &'static str, words: &[&str]) {
        let words = value::list_or(words.iter().map(|word| format!("{key} = \"{word}\"")));
        self.require_as(key, format!("add one of: {words}"));
    }

    fn require_as(&self, key: &'static str, hint: String) {
        if self.get(key).is_none() {
            let of = match self.name.as_str() {
                "" => format!("`{key}` is missing"),
                name => format!("`{key}` is missing from [{name}]"),
            };
            self.findings.add(
                Problem::error("missing-key", &self.place(), of, hint).label(
                    if self.header.is_empty() {
                        ""
                    } else {
                        "in this section"
                    },
                ),
            );
        }
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(&self) {
        let known = self.known.borrow();
        for (key, _) in self.table.into_iter().flatten() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let of = match self.name.as_str() {
                "" => String::new(),
                section => format!(" in [{section}]"),
            };
            let hint = match value::nearest(name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "remove it; the keys here are {}",
                    value::list_and(known.iter().map(|key| format!("`{key}`")))
                ),
            };
            self.findings.add(Problem::error(
                "unknown-key",
                &self.at(key.span()),
                format!("`{}` is not a known key{of}", name.escape_debug()),
                hint,
            ));
        }
    }

    /// A path of the file, which is relative to the file's directory.
    pub(super) fn resolve(&self, path: &str) -> std::path::PathBuf {
        let directory = self.source.path.parent().unwrap_or_else(|| Path::new(""));
        directory.join(path)
    }

    fn get(&self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        self.table?.get(key)
    }

    fn at(&self, span: Range<usize>) -> Place {
        Place {
            source: Arc::clone(self.source),
            span,
        }
    }

    /// A section's span is cut to its first line: the header.
    fn trim(&self, span: Range<usize>) -> Range<usize> {
        let text = self.source.text.get(span.clone()).unwrap_or_default();
        let length = text.find('\n').unwrap_or(text.len());
        span.start..span.start + length
    }

    fn wrong_type(&self, key: &str, found: &Spanned<DeValue<'_>>, wanted: &str) {
        self.findings.add(
            Problem::error(
                "wrong-type",
                &self.at(self.trim(found.span())),
                format!("`{key}` is of the wrong type"),
                format!("`{key}` is {wanted}"),
            )
            .label(format!("this is of type {}", found.get_ref().type_str())),
        );
    }
}
