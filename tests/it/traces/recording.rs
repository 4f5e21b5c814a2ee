//! Whoever asks a daemon for a trace, and reads it to its end.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use xmpp_edge::net::admin::protocol::{Request, TRACE_LINE};

const PATIENCE: Duration = Duration::from_secs(60);

/// A trace under way.
pub(crate) struct Recording {
    stream: UnixStream,
    text: Arc<(Mutex<String>, Condvar)>,
    /// What is not read yet, or whoever reads it.
    lines: Option<Lines<BufReader<UnixStream>>>,
    reader: Option<JoinHandle<()>>,
}

impl Recording {
    /// Asks for a trace, waits until it has begun, and reads it.
    pub(crate) fn begin(socket: &Path, domain: &str) -> Self {
        let mut recording = Self::begin_without_reading(socket, domain);
        recording.read();
        recording
    }

    /// The same, but reads nothing until the end.
    pub(crate) fn begin_without_reading(socket: &Path, domain: &str) -> Self {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = Request::Trace {
            domain: domain.to_owned(),
            seconds: 600,
        };
        let mut line = serde_json::to_vec(&request).unwrap();
        line.push(b'\n');
        stream.write_all(&line).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let greeting = lines.next().unwrap().unwrap();
        assert!(greeting.starts_with("{\"xmpp-edge\""), "{greeting}");
        let first = bare(&lines.next().unwrap().unwrap());
        assert!(first.contains("xmpp-edge-trace"), "{first}");
        Self {
            stream,
            text: Arc::new((Mutex::new(first), Condvar::new())),
            lines: Some(lines),
            reader: None,
        }
    }

    fn read(&mut self) {
        let Some(lines) = self.lines.take() else {
            return;
        };
        let text = Arc::clone(&self.text);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let line = bare(&line);
                text.0.lock().unwrap().push_str(&line);
                text.1.notify_all();
                if line.starts_with("{\"end\":") {
                    break;
                }
            }
        });
        self.reader = Some(reader);
    }

    /// Waits until this stands in it.
    pub(crate) fn wait_for(&self, part: &str) {
        let text = self.text.0.lock().unwrap();
        let is_missing = |text: &mut String| !text.contains(part);
        let waited = self.text.1.wait_timeout_while(text, PATIENCE, is_missing);
        let (text, outcome) = waited.unwrap();
        assert!(!outcome.timed_out(), "no {part} in {text}");
    }

    /// Ends it, and returns the file.
    pub(crate) fn end(mut self) -> String {
        // Whoever says something else wants no more of it.
        let said = self.stream.write_all(b"{\"contacts\":{\"list\":{}}}\n");
        self.read();
        self.reader.take().unwrap().join().unwrap();
        let text = self.text.0.lock().unwrap().clone();
        assert!(said.is_ok() || !text.contains("\"end\""));
        text
    }
}

/// A line as it stands in the file.
fn bare(line: &str) -> String {
    let (before, after) = TRACE_LINE;
    let bare = line.strip_prefix(before);
    let bare = bare.and_then(|line| line.strip_suffix(after.trim_end()));
    format!(
        "{}\n",
        bare.unwrap_or_else(|| panic!("no line of a trace: {line}"))
    )
}
