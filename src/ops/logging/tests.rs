use crate::proto::codes::Code;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use super::*;

/// What a log wrote.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(format: Format, filter: &str, act: impl FnOnce(&Logging)) -> String {
    let written = Written::default();
    let sink = written.clone();
    let (subscriber, filter) = assemble(
        stream_layer(format, move || sink.clone()),
        filter.parse().unwrap(),
    );
    let queue = Arc::new(Queue::new(CAPACITY));
    let logging = Logging {
        filter,
        queue,
        form: Form::Text,
    };
    tracing::subscriber::with_default(subscriber, || act(&logging));
    written.text()
}

const HOSTILE: &str = "evil\u{1b}[2J\r\n2026-01-01T00:00:00Z INFO forged \u{202e}\" partner=x";

#[test]
fn a_text_line_is_time_level_message_fields() {
    let text = logged(Format::Text, "info", |_| {
        tracing::warn!(size = 5, name = "a b", "certificate expires soon");
    });
    let (time, rest) = text.split_once(' ').unwrap();
    assert!(
        time.ends_with('Z') && time.len() == "2026-01-31T09:00:00.000000Z".len(),
        "{time}"
    );
    assert_eq!(rest, "WARN  certificate expires soon size=5 name=\"a b\"\n");
}

#[test]
fn a_decision_is_not_written_twice_in_text() {
    let text = logged(Format::Text, "info", |_| {
        Line::new(Event::StreamRefused)
            .reason(Code::UNKNOWN_PARTNER)
            .log();
    });
    assert_eq!(text.matches("unknown-partner").count(), 1, "{text}");
    assert!(
        text.contains("stream refused event=stream-refused reason=unknown-partner\n"),
        "{text}"
    );
}

#[test]
fn hostile_text_never_makes_a_second_line() {
    for format in [Format::Text, Format::Json] {
        let text = logged(format, "trace", |_| {
            Line::new(Event::StreamRefused)
                .claimed(HOSTILE)
                .detail(HOSTILE.repeat(20_000))
                .log();
            tracing::info!(target: "careless_library", value = %HOSTILE, "{HOSTILE}");
            tracing::info!(target: "careless_library", value = HOSTILE, other = ?HOSTILE, "x");
        });
        assert_eq!(text.lines().count(), 3, "{format:?} {text}");
        assert!(!text.contains(['\u{1b}', '\r']), "{format:?} {text:?}");
        let decision = text.lines().next().unwrap();
        assert!(
            !decision.contains('\u{202e}') && decision.len() < 4096,
            "{decision}"
        );
        if format == Format::Text {
            assert!(!text.contains('\u{202e}'), "{text}");
        }
    }
}

#[test]
fn json_is_one_object_a_line_with_stable_names() {
    let text = logged(Format::Json, "info", |_| {
        Line::new(Event::StreamRefused)
            .claimed("evil.example")
            .reason(Code::UNKNOWN_PARTNER)
            .log();
    });
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (name, want) in [
        ("level", "INFO"),
        ("message", "stream refused"),
        ("event", "stream-refused"),
        ("claimed", "evil.example"),
        ("reason", "unknown-partner"),
    ] {
        assert_eq!(value[name], want, "{text}");
    }
    assert!(value.get("partner").is_none(), "{text}");
}

#[test]
fn the_filter_changes_while_running() {
    let text = logged(Format::Text, "warn", |logging| {
        tracing::info!("first");
        logging.set_filter("info".parse().unwrap()).unwrap();
        tracing::info!("second");
        logging.set_filter("off".parse().unwrap()).unwrap();
        tracing::error!("third");
    });
    assert!(
        text.contains("second") && text.lines().count() == 1,
        "{text}"
    );
}

#[test]
fn filters_and_formats_are_checked() {
    for good in [
        "info",
        "debug",
        "off",
        "info,hickory_resolver=debug",
        "xmpp_edge::ops=trace",
    ] {
        assert!(good.parse::<Filter>().is_ok(), "{good}");
    }
    for bad in ["info,rustls=loud", "a=b=c"] {
        assert!(bad.parse::<Filter>().is_err(), "{bad}");
    }
    assert!("yaml".parse::<Format>().is_err());
    assert_eq!("json".parse::<Format>().unwrap(), Format::Json);
}

#[test]
fn the_lines_of_the_log_itself_look_like_all_others() {
    let line = Line::new(Event::LogLinesLost).detail("12 lines, \"so\"");
    let after_time = |text: &str| text.split_once(' ').unwrap().1.to_owned();
    let formatted = logged(Format::Text, "info", |_| line.log());
    let own = String::from_utf8(Form::Text.bytes(&line)).unwrap();
    assert_eq!(after_time(&own), after_time(&formatted));

    let formatted = logged(Format::Json, "info", |_| line.log());
    let own = String::from_utf8(Form::Json.bytes(&line)).unwrap();
    let [own, formatted] = [own, formatted].map(|text| {
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value["timestamp"].take().as_str().map(str::len).unwrap();
        (value, text.lines().count())
    });
    assert_eq!(own, formatted);
}

/// Says how the child of the tests below is to end.
const END: &str = "XMPP_EDGE_TEST_END";

/// The child: nothing but in a process that the tests below have started.
#[test]
fn an_end() {
    let Ok(end) = std::env::var(END) else {
        return;
    };
    let logging = Logging::init(Format::Json, "info".parse().unwrap()).unwrap();
    let count = if end == "stalled" { 20_000 } else { 1000 };
    (0..count).for_each(|number| tracing::info!(number, "a line"));
    match end.as_str() {
        "panic" => {
            thread::spawn(|| panic!("something\nelse"))
                .join()
                .unwrap_err();
        }
        _ => drop(logging),
    }
    // Nothing is written from here on, and no destructor runs.
    std::process::abort();
}

fn begin(end: &str) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ops::logging::tests::an_end", "--nocapture"])
        .env(END, end)
        .env_remove("RUST_BACKTRACE")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_reader_who_reads_gets_all_of_it_whatever_the_end() {
    for end in ["drop", "panic"] {
        let output = begin(end).wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let mut lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        if end == "panic" {
            let last = lines.pop().unwrap();
            assert_eq!(
                (&last["event"], &last["level"]),
                (&"panicked".into(), &"ERROR".into())
            );
            let detail = last["detail"].as_str().unwrap();
            assert!(
                detail.contains("tests.rs") && detail.ends_with("something\\u{a}else"),
                "{detail}"
            );
        }
        let numbers: Vec<_> = lines.iter().map(|line| line["number"].as_u64()).collect();
        assert_eq!(numbers, (0..1000).map(Some).collect::<Vec<_>>());
    }
}

#[test]
fn the_end_does_not_wait_for_a_reader_who_does_not_read() {
    let begun = Instant::now();
    let mut child = begin("stalled");
    const TOO_LONG: Duration = Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() && begun.elapsed() < TOO_LONG {
        thread::sleep(Duration::from_millis(10));
    }
    let took = begun.elapsed();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(took >= PATIENCE, "the pipe has taken it all");
    assert!(took < TOO_LONG / 2, "{took:?}");
}
