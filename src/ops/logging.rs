//! Where log lines go and which of them: standard error as text or JSON, or the journal.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;

use tracing::Subscriber;
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use super::text::TextFormat;

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// To the journal where standard error is the journal's, else [`Format::Text`].
    #[default]
    Auto,
    /// One line an event on standard error: time, level, message, fields.
    Text,
    /// One JSON object a line on standard error.
    Json,
}

impl FromStr for Format {
    type Err = LoggingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(LoggingError::Format(other.to_owned())),
        }
    }
}

/// Which lines are written: a level (`info`), or levels by target (`info,rustls=debug`).
#[derive(Clone, Debug, PartialEq)]
pub struct Filter(Targets);

impl FromStr for Filter {
    type Err = LoggingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .map(Self)
            .map_err(|error| LoggingError::Filter {
                text: text.to_owned(),
                problem: format!("{error}"),
            })
    }
}

/// The running log; keep it to change the filter on reload.
#[derive(Clone, Debug)]
pub struct Logging {
    filter: reload::Handle<Targets, Registry>,
}

impl Logging {
    /// Starts logging for the whole process.
    ///
    /// # Errors
    /// [`LoggingError::Running`] when it was started before.
    pub fn init(format: Format, filter: Filter) -> Result<Self, LoggingError> {
        let journal = std::env::var("JOURNAL_STREAM").ok();
        if format == Format::Auto && is_journal(journal.as_deref(), io::stderr().as_fd()) {
            // Without the journal's own socket, its stream takes text.
            if let Ok(journal) = tracing_journald::layer() {
                let journal = journal
                    .with_priority_mappings(priorities())
                    .with_syslog_identifier("xmpp-edge".to_owned())
                    .with_field_prefix(Some("XMPP_EDGE".to_owned()));
                return Self::install(Box::new(journal), filter);
            }
        }
        Self::install(stream_layer(format, io::stderr), filter)
    }

    /// Changes which lines are written, from now on.
    ///
    /// # Errors
    /// [`LoggingError::Stopped`] when the process has lost its log.
    pub fn set_filter(&self, filter: Filter) -> Result<(), LoggingError> {
        self.filter
            .reload(filter.0)
            .map_err(|_| LoggingError::Stopped)
    }

    fn install(layer: BoxedLayer<Filtered>, filter: Filter) -> Result<Self, LoggingError> {
        let (subscriber, logging) = assemble(layer, filter);
        subscriber.try_init().map_err(|_| LoggingError::Running)?;
        Ok(logging)
    }
}

/// Why the log cannot be started or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoggingError {
    /// Not a format.
    #[error("`{0}` is not a log format: use `auto`, `text` or `json`")]
    Format(String),
    /// Not a filter.
    #[error(
        "`{text}` is not a log filter ({problem}): use a level such as `info`, or `info,rustls=debug`"
    )]
    Filter {
        /// What was written.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The process logs already.
    #[error("logging was started before")]
    Running,
    /// The process does not log any more.
    #[error("logging has stopped")]
    Stopped,
}

type BoxedLayer<S> = Box<dyn Layer<S> + Send + Sync>;
type Filtered = tracing_subscriber::layer::Layered<reload::Layer<Targets, Registry>, Registry>;

fn assemble(
    layer: BoxedLayer<Filtered>,
    filter: Filter,
) -> (impl Subscriber + Send + Sync + 'static, Logging) {
    let (filter, handle) = reload::Layer::new(filter.0);
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    (subscriber, Logging { filter: handle })
}

fn stream_layer<S, W>(format: Format, writer: W) -> BoxedLayer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(false);
    match format {
        Format::Json => Box::new(
            layer
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false),
        ),
        Format::Auto | Format::Text => Box::new(layer.event_format(TextFormat)),
    }
}

/// The journal's priorities of the same names; the library's own mapping makes `info` a notice.
fn priorities() -> PriorityMappings {
    PriorityMappings {
        info: Priority::Informational,
        debug: Priority::Debug,
        ..PriorityMappings::new()
    }
}

/// Whether a stream is the one the service manager connected to the journal.
///
/// `JOURNAL_STREAM` is inherited, so it alone proves nothing: its device and inode must be those
/// of the stream (systemd.exec(5)).
fn is_journal(journal_stream: Option<&str>, stream: BorrowedFd<'_>) -> bool {
    let Some((device, inode)) = journal_stream.and_then(|text| text.split_once(':')) else {
        return false;
    };
    let (Ok(device), Ok(inode)) = (device.parse(), inode.parse()) else {
        return false;
    };
    stream
        .try_clone_to_owned()
        .and_then(|stream| File::from(stream).metadata())
        .is_ok_and(|found| (found.dev(), found.ino()) == (device, inode))
}

#[cfg(test)]
mod tests;
