//! What the writer makes, and that reading it gives the same again.

use super::*;

/// What an element read on one kind of stream looks like on another.
fn relayed(from: Dialect, text: &str, to: Dialect) -> String {
    written(to, &element_on(from, text).unwrap())
}

#[test]
fn a_stanza_is_rescoped_without_being_touched() {
    let stanza = "<message to='a@b.example'><body>hi</body><x xmlns='urn:x'><y/></x></message>";
    assert_eq!(relayed(Dialect::Server, stanza, Dialect::Component), stanza);
    assert_eq!(relayed(Dialect::Component, stanza, Dialect::Server), stanza);
}

#[test]
fn elements_have_no_prefix_but_at_the_top_level() {
    for (read, want) in [
        ("<db:result>k</db:result>", "<db:result>k</db:result>"),
        (
            "<stream:error><a xmlns='urn:a'/></stream:error>",
            "<stream:error><a xmlns='urn:a'/></stream:error>",
        ),
        (
            "<d:result xmlns:d='jabber:server:dialback' xmlns:db='urn:other'/>",
            "<result xmlns='jabber:server:dialback' xmlns:d='jabber:server:dialback' xmlns:db='urn:other'/>",
        ),
        (
            "<iq><p:q xmlns:p='urn:p'><p:r/></p:q></iq>",
            "<iq><q xmlns='urn:p' xmlns:p='urn:p'><r/></q></iq>",
        ),
        (
            "<iq><q xmlns=''><r/></q></iq>",
            "<iq><q xmlns=''><r/></q></iq>",
        ),
        (
            "<iq><q xmlns='urn:q'><r xmlns=''/></q></iq>",
            "<iq><q xmlns='urn:q'><r xmlns=''/></q></iq>",
        ),
    ] {
        assert_eq!(
            relayed(Dialect::Server, read, Dialect::Server),
            want,
            "{read}"
        );
    }
}
