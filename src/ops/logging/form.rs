//! A decision in the form of the log, without the formatter: for the lines that the log writes of
//! its own accord. No filter leaves them out, and they can be written while something panics.

use super::journal::Entry;
use crate::ops::events::{Line, TARGET};
use crate::ops::text::now;

/// The three forms of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As [`TextFormat`](crate::ops::text::TextFormat) has it.
    Text,
    /// One object.
    Json,
    /// One datagram of the journal's.
    Journal,
}

impl Form {
    /// The line as it is written; its time is now.
    pub(super) fn bytes(self, line: &Line) -> Vec<u8> {
        let level = line.level();
        match self {
            Self::Text => {
                let text = format!("{} {:<5} {}\n", now(), level.as_str(), line.message());
                text.into_bytes()
            }
            Self::Json => {
                let mut object = serde_json::Map::new();
                for (name, value) in [
                    ("timestamp", now()),
                    ("level", level.to_string()),
                    // The fields stand beside it.
                    ("message", line.description().to_owned()),
                    ("target", TARGET.to_owned()),
                ] {
                    object.insert(name.to_owned(), value.into());
                }
                for (name, value) in line.fields() {
                    object.insert(name.to_owned(), value.into());
                }
                let mut text = serde_json::Value::Object(object).to_string();
                text.push('\n');
                text.into_bytes()
            }
            Self::Journal => {
                let mut entry = Entry::new(level, TARGET);
                entry.field("message", &line.message());
                for (name, value) in line.fields() {
                    entry.field(name, &value);
                }
                entry.into_bytes()
            }
        }
    }
}
