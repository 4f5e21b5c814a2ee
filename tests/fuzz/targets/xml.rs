//! What we accept, rxml and expat accept, and for the same; and what we write of it, too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xmpp_edge::proto::xml::{Limits, StreamKind};
use xmpp_edge_fuzz::xml::{HEADER, agree, hold_spans};

fuzz_target!(|bytes: &[u8]| {
    agree(StreamKind::Component, bytes);
    let bytes = [HEADER, bytes].concat();
    agree(StreamKind::Server, &bytes);
    let limits = Limits::authenticated(64 * 1024);
    hold_spans(StreamKind::Server, limits, &bytes, bytes.len());
});
