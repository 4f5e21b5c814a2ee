//! Where log lines go and which of them: standard error as text or JSON, or the journal.
//!
//! Lines are formatted where they arise, wait in `queue`, and are written by the one thread of
//! `writer`: nobody who relays stanzas ever waits for whoever reads the log.
//!
//! tracing-appender's `NonBlocking` was weighed for this. Its bound is in lines, not bytes; it does
//! not tell the reader of what was lost; and where its queue is full at the end, it prints to
//! standard output, which blocks if that is read by the same stalled reader.

mod form;
mod journal;
mod queue;
mod writer;

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::panic::{self, PanicHookInfo};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tracing::{Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use self::form::Form;
use self::journal::{Journal, JournalLayer, is_journal};
use self::queue::{CAPACITY, Lines, Queue};

/// How much of the log may wait for its reader, in bytes.
pub const QUEUE_BYTES: usize = CAPACITY;
use super::counters::Ledger;
use super::events::{Event, Line};
use super::text::TextFormat;
use crate::proto::words;

/// How long the end of the process waits for whoever reads the log.
const PATIENCE: Duration = Duration::from_secs(1);

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

/// Whether standard error goes to the journal.
#[must_use]
pub fn stderr_is_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").ok();
    is_journal(stream.as_deref(), io::stderr().as_fd())
}

/// Which lines are written: a level (`info`), or levels by target (`info,hickory_resolver=debug`).
#[derive(Clone, Debug, PartialEq)]
pub struct Filter(Targets);

/// What lines are logged under: this program's modules, and the libraries that log.
pub const TARGETS: [&str; 9] = [
    "xmpp_edge::decision",
    "xmpp_edge::cli::run",
    "xmpp_edge::net::session::driver::ending",
    "xmpp_edge::net::accept",
    "xmpp_edge::ops::systemd",
    "xmpp_edge::store::writer",
    "hickory_net",
    "hickory_proto",
    "hickory_resolver",
];

impl Filter {
    /// The targets in it that no line has.
    #[must_use]
    pub fn unknown_targets(&self) -> Vec<String> {
        let named = self.0.iter().map(|(target, _)| target);
        let unknown = named.filter(|named| {
            let of_library = |known: &str| {
                named
                    .strip_prefix(known)
                    .is_some_and(|rest| rest.starts_with("::"))
            };
            // The filter compares beginnings. Of libraries only the first word is known here.
            !TARGETS.iter().any(|known| {
                known.starts_with(named) || (!known.contains("::") && of_library(known))
            })
        });
        unknown.map(str::to_owned).collect()
    }
}

impl Default for Filter {
    /// What the default of the setting says: `info`.
    fn default() -> Self {
        Self(Targets::new().with_default(Level::INFO))
    }
}

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
///
/// When it is dropped, what is queued is written; a reader who does not read is waited for no
/// longer than a second.
#[derive(Debug)]
#[must_use = "what is queued is written when this is dropped"]
pub struct Logging {
    filter: reload::Handle<Targets, Registry>,
    queue: Arc<Queue>,
    form: Form,
}

impl Logging {
    /// Starts logging for the whole process, panics included.
    ///
    /// # Errors
    /// [`LoggingError::Running`] when it was started before; [`LoggingError::Thread`].
    pub fn init(format: Format, filter: Filter) -> Result<Self, LoggingError> {
        let queue = Arc::new(Queue::new(CAPACITY));
        let lines = Lines(Arc::clone(&queue));
        if format == Format::Auto && stderr_is_journal() {
            // Without the journal's own socket, its stream takes text.
            if let Ok(journal) = Journal::open(Path::new(journal::PATH)) {
                let layer = Box::new(JournalLayer(lines));
                return Self::install(layer, filter, queue, journal, Form::Journal);
            }
        }
        let form = match format {
            Format::Json => Form::Json,
            Format::Auto | Format::Text => Form::Text,
        };
        let layer = stream_layer(format, move || lines.clone());
        Self::install(layer, filter, queue, io::stderr(), form)
    }

    /// Whether the log is text on standard error, where people read.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.form == Form::Text
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

    /// Counts the lines that are lost, under `log-lines-lost`; those lost before included.
    pub fn count_losses(&self, ledger: Arc<Ledger>) {
        self.queue.count_in(ledger);
    }

    /// Writes what is queued; a reader who does not read is waited for no longer than a second.
    pub fn flush(&self) {
        self.queue.flush(PATIENCE);
    }

    fn install(
        layer: BoxedLayer<Filtered>,
        filter: Filter,
        queue: Arc<Queue>,
        sink: impl Write + Send + 'static,
        form: Form,
    ) -> Result<Self, LoggingError> {
        let (subscriber, handle) = assemble(layer, filter);
        subscriber.try_init().map_err(|_| LoggingError::Running)?;
        writer::start(Arc::clone(&queue), sink, form).map_err(LoggingError::Thread)?;
        let last_words = Arc::clone(&queue);
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            last_words.push(form.bytes(&panic_line(panicked)));
            // The process may end when this returns.
            let is_read = last_words.flush(PATIENCE);
            if is_read && std::env::var_os("RUST_BACKTRACE").is_some() {
                default(panicked);
            }
        }));
        Ok(Self {
            filter: handle,
            queue,
            form,
        })
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.flush();
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
        "`{text}` is not a log filter ({problem}): use a level such as `info`, or `info,hickory_resolver=debug`"
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
    /// The thread that writes cannot be started.
    #[error("the thread that writes the log: {}", words::of_error(.0))]
    Thread(io::Error),
    /// The process does not log any more.
    #[error("logging has stopped")]
    Stopped,
}

type BoxedLayer<S> = Box<dyn Layer<S> + Send + Sync>;
type Filtered = tracing_subscriber::layer::Layered<reload::Layer<Targets, Registry>, Registry>;

fn assemble(
    layer: BoxedLayer<Filtered>,
    filter: Filter,
) -> (
    impl Subscriber + Send + Sync + 'static,
    reload::Handle<Targets, Registry>,
) {
    let (filter, handle) = reload::Layer::new(filter.0);
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    (subscriber, handle)
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

fn panic_line(panicked: &PanicHookInfo<'_>) -> Line {
    let thread = thread::current();
    let place = panicked.location().map(ToString::to_string);
    Line::new(Event::Panicked).detail(format_args!(
        "{}, thread {}: {}",
        place.as_deref().unwrap_or("somewhere"),
        thread.name().unwrap_or("without a name"),
        panicked.payload_as_str().unwrap_or("no words"),
    ))
}

#[cfg(test)]
mod tests;
