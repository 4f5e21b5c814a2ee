//! The text format: time, level, message, fields; one clean line an event, whatever is in it.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::peer_text::is_unclean;

/// `2026-01-31T09:00:00.000000Z INFO  stream authenticated partner=fabrikam.com …`
///
/// Escaping is done here once more, for every value, so that a line of a library that forgot it
/// is one line too.
pub(super) struct TextFormat;

impl<S, N> FormatEvent<S, N> for TextFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        SystemTime.format_time(&mut writer)?;
        let metadata = event.metadata();
        write!(writer, " {:<5} ", metadata.level().as_str())?;
        writer.write_str(&in_words(event))?;
        if !metadata.target().starts_with("xmpp_edge") {
            write!(writer, " target={}", metadata.target())?;
        }
        writeln!(writer)
    }
}

/// The message and all fields of an event, as a line of text has them.
pub(crate) fn in_words(event: &Event<'_>) -> String {
    let mut values = Values::default();
    event.record(&mut values);
    values.message + &values.fields
}

/// Writes ` name=value`, the value in quotes where it could be misread without them.
///
/// A backslash stays as it is: most values were made clean before, and then it is an escape.
pub(super) fn write_field(to: &mut String, name: &str, value: &str) {
    let plain = |c: char| !(is_unclean(c) || matches!(c, ' ' | '"' | '='));
    to.push(' ');
    to.push_str(name);
    to.push('=');
    if !value.is_empty() && value.chars().all(plain) {
        to.push_str(value);
        return;
    }
    to.push('"');
    for (index, part) in value.split('"').enumerate() {
        if index > 0 {
            to.push_str("\\\"");
        }
        push_clean(to, part);
    }
    to.push('"');
}

#[derive(Default)]
struct Values {
    message: String,
    fields: String,
}

impl Visit for Values {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            push_clean(&mut self.message, value);
        } else {
            write_field(&mut self.fields, field.name(), value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Escapes what could break, reorder or hide part of the line.
fn push_clean(to: &mut String, text: &str) {
    for character in text.chars() {
        if is_unclean(character) {
            to.extend(character.escape_unicode());
        } else {
            to.push(character);
        }
    }
}

/// The time of day, as it stands in every line.
pub(super) fn now() -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    SystemTime
        .format_time(&mut Writer::new(&mut text))
        .unwrap_or_default();
    text
}
