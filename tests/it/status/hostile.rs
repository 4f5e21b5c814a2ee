//! Whoever may ask can hold up neither the relay nor others who ask.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use xmpp_edge::net::admin::serve::PLACES;

use super::status;
use crate::daemon::lab;
use crate::daemon::process::Daemon;

const PATIENCE: Duration = Duration::from_secs(20);

fn connect(lab: &crate::lab::Lab) -> UnixStream {
    let stream = UnixStream::connect(lab.path("admin.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn greeted(stream: &UnixStream) -> BufReader<&UnixStream> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("\"protocol\":1"), "{line}");
    reader
}

#[test]
fn a_line_without_end_ends_the_conversation_and_nothing_else() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let before = daemon.resident();
    let stream = connect(&lab);
    let mut reader = greeted(&stream);
    // It hangs up in the middle of it.
    let junk = vec![b'x'; 64 << 20];
    (&stream).write_all(&junk).unwrap_err();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap_or_default();
    assert!(
        rest.is_empty() || rest.starts_with("{\"error\":{\"code\":\"too-long\""),
        "{rest}"
    );
    let grown = daemon.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown}");
    status(&lab, &[]);
}

#[test]
fn a_hundred_that_say_nothing_keep_nobody_waiting() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let silent: Vec<_> = (0..100).map(|_| connect(&lab)).collect();
    status(&lab, &[]);
    // All but the last few were hung up on.
    let mut ended = 0;
    for stream in silent.iter().take(100 - PLACES) {
        let mut rest = String::new();
        ended += usize::from((&*stream).read_to_string(&mut rest).is_ok());
    }
    assert_eq!(ended, 100 - PLACES);
    let few = daemon.descriptors();
    assert!(few < 60, "{few}");
}

#[test]
fn who_asks_and_does_not_read_holds_up_nobody_else() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let before = daemon.resident();
    // Each has asked more than any buffer holds the answers to.
    let slow: Vec<_> = (0..PLACES - 1).map(|_| connect(&lab)).collect();
    for stream in &slow {
        stream.set_nonblocking(true).unwrap();
        let many = "{\"status\":{}}\n".repeat(2000);
        (&*stream).write_all(many.as_bytes()).unwrap();
    }
    for _ in 0..5 {
        status(&lab, &[]);
    }
    let grown = daemon.resident().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown}");
}

#[test]
fn nonsense_is_answered_and_the_conversation_goes_on() {
    let lab = lab();
    let _daemon = Daemon::start(&lab);
    let stream = connect(&lab);
    let mut reader = greeted(&stream);
    for (request, code) in [
        ("", "not-a-request"),
        ("{}", "not-a-request"),
        ("[1]", "not-a-request"),
        ("\u{0}", "not-a-request"),
        (r#"{"status":{"domain":"a.example"}}"#, "not-a-request"),
        (r#"{"explain":{}}"#, "not-a-request"),
        (r#"{"explain":{"domain":"@"}}"#, "not-an-address"),
        (r#"{"shutdown":{}}"#, "not-a-request"),
    ] {
        writeln!(&stream, "{request}").unwrap();
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let reply: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(reply["error"]["code"], code, "{request}");
    }
    writeln!(&stream, "{{\"status\":{{}}}}").unwrap();
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("{\"status\":{"), "{line}");
}
