//! Reads TOML tables key by key, so that one wrong key never hides the next.
//!
//! serde stops at the first error of a file. Here each key is asked for by name and kind; what is
//! asked for is known, and [`Section::finish`] reports every key that nobody asked for.

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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
        let wanted = format!("sections: write [[{key}]]");
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

    /// A text.
    pub(super) fn text(&self, key: &'static str) -> Option<Item<String>> {
        let spanned = self.get(key)?;
        let text = spanned.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(key, spanned, "a text in quotes");
        }
        Some(Item {
            value: text?.to_owned(),
            place: self.at(spanned.span()),
        })
    }

    /// A text that must be there; `example` shows the administrator one.
    pub(super) fn required_text(&self, key: &'static str, example: &str) -> Option<Item<String>> {
        self.require(key, &format!("\"{example}\""));
        self.text(key)
    }

    /// Reports a key that must be there and is not.
    pub(super) fn require(&self, key: &'static str, example: &str) {
        if self.get(key).is_none() {
            let of = match self.name.as_str() {
                "" => format!("`{key}` is missing"),
                name => format!("`{key}` is missing from [{name}]"),
            };
            self.findings.add(
                Problem::error(
                    "missing-key",
                    &self.place(),
                    of,
                    format!("add: {key} = {example}"),
                )
                .label(if self.header.is_empty() {
                    ""
                } else {
                    "in this section"
                }),
            );
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &'static str, default: bool) -> Item<bool> {
        let absent = Item {
            value: default,
            place: self.place(),
        };
        let Some(spanned) = self.get(key) else {
            return absent;
        };
        match spanned.get_ref().as_bool() {
            Some(value) => Item {
                value,
                place: self.at(spanned.span()),
            },
            None => {
                self.wrong_type(key, spanned, "true or false, without quotes");
                absent
            }
        }
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &self,
        key: &'static str,
        default: usize,
        bounds: RangeInclusive<usize>,
    ) -> usize {
        let Some(spanned) = self.get(key) else {
            return default;
        };
        let Some(integer) = spanned.get_ref().as_integer() else {
            self.wrong_type(key, spanned, "a whole number, without quotes");
            return default;
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .and_then(|number| usize::try_from(number).ok())
            .filter(|number| bounds.contains(number));
        number.unwrap_or_else(|| {
            self.findings.add(Problem::error(
                "out-of-range",
                &self.at(spanned.span()),
                format!("`{key}` is out of range"),
                format!(
                    "use a number from {} to {}; the default is {default}",
                    bounds.start(),
                    bounds.end()
                ),
            ));
            default
        })
    }

    /// A duration within bounds, as `"30s"`.
    pub(super) fn duration(
        &self,
        key: &'static str,
        default: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(text) = self.text(key) else {
            return default;
        };
        let problem = match value::duration(&text.value) {
            Some(duration) if bounds.contains(&duration) => return duration,
            Some(_) => Problem::error(
                "out-of-range",
                &text.place,
                format!("`{key}` is out of range"),
                format!(
                    "use a duration from {:?} to {:?}; the default is {default:?}",
                    bounds.start(),
                    bounds.end()
                ),
            ),
            None => Problem::error(
                "bad-duration",
                &text.place,
                format!("`{key}` is not a duration"),
                "write a whole number and a unit: \"250ms\", \"30s\", \"5m\" or \"1h\"",
            ),
        };
        self.findings.add(problem);
        default
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&'static str, T)],
    ) -> Option<Item<T>> {
        let text = self.text(key)?;
        let found = choices.iter().find(|(word, _)| *word == text.value);
        if found.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            let list = value::list_or(words.iter().map(|word| format!("\"{word}\"")));
            let hint = match value::nearest(&text.value, &words) {
                Some(word) => format!("did you mean \"{word}\"? `{key}` is {list}"),
                None => format!("`{key}` is {list}"),
            };
            self.findings.add(Problem::error(
                "unknown-value",
                &text.place,
                format!("`{key}` cannot be \"{}\"", text.value.escape_debug()),
                hint,
            ));
        }
        Some(Item {
            value: found?.1,
            place: text.place,
        })
    }

    /// A list of texts.
    pub(super) fn texts(&self, key: &'static str) -> Option<Item<Vec<Item<String>>>> {
        let spanned = self.get(key)?;
        let wanted = "a list of texts, as [\"one\", \"two\"]";
        let Some(array) = spanned.get_ref().as_array() else {
            self.wrong_type(key, spanned, wanted);
            return None;
        };
        let value = array
            .iter()
            .filter_map(|element| {
                let text = element.get_ref().as_str();
                if text.is_none() {
                    self.wrong_type(key, element, wanted);
                }
                Some(Item {
                    value: text?.to_owned(),
                    place: self.at(element.span()),
                })
            })
            .collect();
        Some(Item {
            value,
            place: self.at(spanned.span()),
        })
    }

    /// A list of texts, each of which `parse` must accept.
    pub(super) fn parsed<T>(
        &self,
        key: &'static str,
        code: &'static str,
        hint: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<Item<T>>> {
        let texts = self.texts(key)?;
        let items = texts.value.into_iter().filter_map(|text| {
            let parsed = parse(&text.value);
            if parsed.is_none() {
                self.findings.add(Problem::error(
                    code,
                    &text.place,
                    format!("\"{}\" cannot be used here", text.value.escape_debug()),
                    hint,
                ));
            }
            Some(Item {
                value: parsed?,
                place: text.place,
            })
        });
        Some(items.collect())
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
