//! The kinds of value a key may have. What is wrong is reported; what can be read is given.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeInteger;

use super::{Item, Section};
use crate::config::problem::Problem;
use crate::config::value;

impl Section<'_> {
    /// A text.
    pub(in crate::config) fn text(&self, key: &'static str) -> Option<Item<String>> {
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
    pub(in crate::config) fn required_text(
        &self,
        key: &'static str,
        example: &str,
    ) -> Option<Item<String>> {
        self.require(key, &format!("\"{example}\""));
        self.text(key)
    }

    /// `true` or `false`.
    pub(in crate::config) fn flag(&self, key: &'static str, default: bool) -> Item<bool> {
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
    pub(in crate::config) fn number(
        &self,
        key: &'static str,
        default: usize,
        bounds: RangeInclusive<usize>,
    ) -> usize {
        let Some(spanned) = self.get(key) else {
            return default;
        };
        let Some(integer) = spanned.get_ref().as_integer() else {
            let meant = spanned.get_ref().as_str().and_then(value::bytes);
            let meant = meant.map_or_else(String::new, |number| format!(": {number}"));
            let wanted = format!("a whole number, without quotes{meant}");
            self.wrong_type(key, spanned, &wanted);
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
    pub(in crate::config) fn duration(
        &self,
        key: &'static str,
        default: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(spanned) = self.get(key) else {
            return default;
        };
        let place = self.at(spanned.span());
        let written = spanned.get_ref();
        let text = written.as_str();
        match text.and_then(value::duration) {
            Some(duration) if bounds.contains(&duration) => return duration,
            Some(_) => self.findings.add(Problem::error(
                "out-of-range",
                &place,
                format!("`{key}` is out of range"),
                format!(
                    "use a duration from {:?} to {:?}; the default is {default:?}",
                    bounds.start(),
                    bounds.end()
                ),
            )),
            None => {
                let number = written.as_integer().map(DeInteger::as_str);
                let meant = text.or(number);
                let meant = meant.and_then(|meant| value::meant_duration(meant, &bounds));
                let hint = match meant {
                    Some(meant) => format!("write \"{meant}\", in quotes and with its unit"),
                    None => "write a whole number and a unit, in quotes: \"250ms\", \"30s\", \
                             \"5m\" or \"1h\""
                        .to_owned(),
                };
                let message = format!("`{key}` is not a duration");
                let problem = Problem::error("bad-duration", &place, message, hint);
                let found = format!("this is of type {}", written.type_str());
                self.findings.add(match text {
                    Some(_) => problem,
                    None => problem.label(found),
                });
            }
        }
        default
    }

    /// One of a few words.
    pub(in crate::config) fn choice<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&'static str, T)],
    ) -> Option<Item<T>> {
        let spanned = self.get(key)?;
        if spanned.get_ref().as_str().is_none() {
            let list = value::list_or(choices.iter().map(|(word, _)| format!("\"{word}\"")));
            // Whoever writes `tls = true` means one of these.
            let meant = match spanned.get_ref().as_bool() {
                Some(true) => "required",
                Some(false) => "not-supported",
                None => "",
            };
            let meant = { choices.iter() }.find(|(word, _)| *word == meant);
            let wanted = match meant {
                Some((word, _)) => format!("{list}; did you mean \"{word}\"?"),
                None => format!("{list}, in quotes"),
            };
            self.wrong_type(key, spanned, &wanted);
        }
        let text = Item {
            value: spanned.get_ref().as_str()?.to_owned(),
            place: self.at(spanned.span()),
        };
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
    pub(in crate::config) fn texts(&self, key: &'static str) -> Option<Item<Vec<Item<String>>>> {
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

    /// A list of texts that is not empty.
    pub(in crate::config) fn some_texts(
        &self,
        key: &'static str,
        example: &str,
    ) -> Option<Item<Vec<Item<String>>>> {
        let texts = self.texts(key)?;
        let empty = self.get(key)?.get_ref().as_array()?.is_empty();
        if empty {
            self.findings.add(Problem::error(
                "empty-list",
                &texts.place,
                format!("`{key}` is an empty list"),
                format!("list at least one, as [\"{example}\"]"),
            ));
        }
        Some(texts)
    }

    /// What `parse` makes of each text; a finding for each that it does not accept.
    pub(in crate::config) fn parse_each<T>(
        &self,
        texts: Option<Item<Vec<Item<String>>>>,
        code: &'static str,
        hint: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<Item<T>> {
        let texts = texts.map(|texts| texts.value).unwrap_or_default();
        let items = texts.into_iter().filter_map(|text| {
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
        items.collect()
    }
}
