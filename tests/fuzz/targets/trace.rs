//! Traces, whatever stands in them: a file is refused, or replayed to its end.
#![no_main]

use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use xmpp_edge::proto::trace::{Trace, replay};

/// What a line may begin with: with these, and the lines of the input, a file is soon one that is replayed.
const HEAD: &str = r#"{"xmpp-edge-trace":1,"program":"","domain":"","began":"","seconds":0}"#;

fuzz_target!(|text: &[u8]| {
    let file = [HEAD.as_bytes(), b"\n", text].concat();
    if let Ok(trace) = Trace::read(&file) {
        let replayed = replay(&trace, Instant::now());
        assert!(replayed.streams.len() <= trace.lines.len());
    }
});
