use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;
use crate::ops::events::{Event, Line};

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
    let (subscriber, logging) = assemble(
        stream_layer(format, move || sink.clone()),
        filter.parse().unwrap(),
    );
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
            .reason("unknown-partner")
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
            .reason("unknown-partner")
            .log();
    });
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (name, want) in [
        ("level", "INFO"),
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
        "info,rustls=debug",
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
fn the_journal_is_recognised_by_device_and_inode() {
    let file = tempfile::tempfile().unwrap();
    let found = file.metadata().unwrap();
    let right = format!("{}:{}", found.dev(), found.ino());
    let wrong = format!("{}:{}", found.dev(), found.ino() + 1);
    assert!(is_journal(Some(&right), file.as_fd()));
    for other in [None, Some(wrong.as_str()), Some(""), Some("1"), Some("a:b")] {
        assert!(!is_journal(other, file.as_fd()), "{other:?}");
    }
}
