//! Events and faults depend on the bytes alone, never on how they were cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xmpp_edge::proto::xml::{Limits, StreamKind};
use xmpp_edge_fuzz::xml::{hold_spans, read};

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let small = Limits {
        element_bytes: 128,
        depth: 3,
        elements: 6,
        attributes: 2,
        overrun: 3,
        ..Limits::authenticated(1024)
    };
    for (stream_kind, limits) in [
        (StreamKind::Server, small),
        (StreamKind::Server, Limits::authenticated(1024)),
        (StreamKind::Component, Limits::UNAUTHENTICATED),
    ] {
        let whole = read(stream_kind, limits, bytes, bytes.len());
        for size in [1, usize::from(size)] {
            assert_eq!(read(stream_kind, limits, bytes, size), whole);
            hold_spans(stream_kind, limits, bytes, size);
        }
    }
});
