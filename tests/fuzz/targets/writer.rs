//! Whatever is written is read back as it was, by us, by rxml and by expat.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xmpp_edge::proto::xml::{Element, Limits, Ns, StreamKind};
use xmpp_edge_fuzz::xml::{Trees, hold_spans, readable, round_trip};

fuzz_target!(|trees: Trees| {
    round_trip(StreamKind::Server, &trees.top);
    round_trip(StreamKind::Component, &trees.top);
    let message = Element::new(Ns::CONTENT, "message").with_child(trees.inside);
    let bytes = readable(StreamKind::Server, &message);
    let limits = Limits::authenticated(64 * 1024);
    hold_spans(StreamKind::Server, limits, &bytes, bytes.len());
});
