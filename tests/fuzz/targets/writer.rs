//! Whatever is written is read back as it was, by us, by rxml and by expat.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xmpp_edge::proto::xml::{Element, Limits, Ns, StreamKind};
use xmpp_edge_fuzz::xml::{Tree, hold_spans, readable, round_trip};

fuzz_target!(|tree: Tree| {
    round_trip(StreamKind::Server, &tree.0);
    round_trip(StreamKind::Component, &tree.0);
    let message = Element::new(Ns::CONTENT, "message").with_child(tree.0);
    let bytes = readable(StreamKind::Server, &message);
    let limits = Limits::authenticated(64 * 1024);
    hold_spans(StreamKind::Server, limits, &bytes, bytes.len());
});
