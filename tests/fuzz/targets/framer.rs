//! Events and faults depend on the bytes alone, never on how they were cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xmpp_edge::proto::xml::{Dialect, Limits};
use xmpp_edge_fuzz::xml::read;

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
    for (dialect, limits) in [
        (Dialect::Server, small),
        (Dialect::Server, Limits::authenticated(1024)),
        (Dialect::Component, Limits::UNAUTHENTICATED),
    ] {
        let whole = read(dialect, limits, bytes, bytes.len());
        for size in [1, usize::from(size)] {
            assert_eq!(read(dialect, limits, bytes, size), whole);
        }
    }
});
