//! What is wrong with one stanza, or with the way it goes.

use super::{BAD_ADDRESS, BAD_REQUEST, CONSTRAINT, Code, NOT_FOUND, UNAVAILABLE, VIOLATION, rows};

rows! {
    JID_MALFORMED = "jid-malformed", Peer, Stanza, [],
        "The `from` or `to` of a stanza is not an address.",
        "The server or gateway that sent it must write addresses as RFC 7622 has them; `detail` \
         quotes the one it wrote.",
        stream: Some("improper-addressing"), stanza: Some(BAD_ADDRESS);
    TOO_MANY_BAD_ADDRESSES = "too-many-bad-addresses", Peer, Stream, [],
        "Too many stanzas with malformed addresses came on one stream within a minute.",
        "The partner must repair its server; the lines with `jid-malformed` before it quote what it \
         wrote.",
        stream: Some("policy-violation"), stanza: Some(VIOLATION);
    IMPROPER_ADDRESSING = "improper-addressing", Peer, Stanza, [],
        "The `from` or `to` of a stanza, or of a dialback element, is missing or is not a domain's.",
        "The server or gateway that sent it must be mended.",
        stream: Some("improper-addressing"), stanza: Some(BAD_ADDRESS);
    INVALID_FROM = "invalid-from", Peer, Stanza, [],
        "A stanza is from a domain that its sender has not proven, or, of a gateway, does not \
         serve.",
        "The partner must prove the domain first, or the gateway must send from its own domain.",
        stream: Some("invalid-from"), stanza: Some(BAD_REQUEST);
    HOST_UNKNOWN = "host-unknown", Peer, Stanza, [],
        "A stanza is to a domain that is not behind this edge, or was not agreed on for the \
         stream.",
        "If the domain is yours, add it to `domains` in `edge.toml`; else the partner must correct its \
         routing.",
        stream: Some("host-unknown"), stanza: Some(NOT_FOUND);
    MALFORMED_STANZA = "malformed-stanza", Peer, Stanza, [],
        "An iq, or the type of a stanza, breaks the rules of RFC 6120 §8 and RFC 6121.",
        "Whoever wrote the client or server that sent it must repair it; `detail` says which rule.",
        stream: Some("bad-format"), stanza: Some(BAD_REQUEST);
    QUEUE_FULL = "queue-full", Us, Relay, [],
        "The queue for this gateway or partner is full.",
        "See why it takes nothing; only where it is merely slow, raise `queue-bytes`.",
        stanza: Some(CONSTRAINT);
    NO_GATEWAY = "no-gateway", Us, Relay, [],
        "No gateway was connected for the local domain within `reconnect-grace`.",
        "Start the gateway of that domain, or see in its log why it cannot connect.",
        stanza: Some(UNAVAILABLE);
    LINK_LOST = "link-lost", Us, Relay, [],
        "A gateway's link ended while a stanza was being written: nobody knows whether it arrived.",
        "Look at `link-down` in the log, and at the gateway's own log, for why the link ended.",
        stanza: Some(UNAVAILABLE);
    SENT_AGAIN = "sent-again", Neither, Relay, [],
        "A stanza was written, and not acknowledged when its connection was lost: it is sent again, and \
         may arrive twice (XEP-0198).",
        "Nothing as a rule; where there are many, see why connections are lost.";
    PERHAPS_LOST = "perhaps-lost", Network, Relay, [],
        "A stanza was among the last 64 to 128 KiB that were written when their connection broke, and \
         nobody acknowledges there: it is counted as delivered, and may be lost.",
        "See why connections break; where none of it may be lost, let both sides acknowledge (XEP-0198).";
    LOST = "lost", Us, Relay, [],
        "A stanza was forgotten by the edge.",
        "This is a fault of the edge: please report it.";
    PACED_ELEMENTS = "paced-elements", Neither, Stream, [],
        "The partner sent something that is no stanza, and that is held to `stanza-rate` as stanzas \
         are.",
        "Nothing as a rule; much of it is a partner's server that asks or answers without need.";
}
