//! What we accept, rxml and expat accept, and for the same; and what we write of it, too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xmpp_edge::proto::xml::StreamKind;
use xmpp_edge_fuzz::xml::{HEADER, agree};

fuzz_target!(|bytes: &[u8]| {
    agree(StreamKind::Component, bytes);
    agree(StreamKind::Server, &[HEADER, bytes].concat());
});
