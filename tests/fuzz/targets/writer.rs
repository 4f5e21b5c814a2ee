//! Whatever is written is read back as it was, by us, by rxml and by expat.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xmpp_edge::proto::xml::StreamKind;
use xmpp_edge_fuzz::xml::{Tree, round_trip};

fuzz_target!(|tree: Tree| {
    round_trip(StreamKind::Server, &tree.0);
    round_trip(StreamKind::Component, &tree.0);
});
