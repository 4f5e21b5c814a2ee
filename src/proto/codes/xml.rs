//! What is wrong with received XML.
//!
//! The limits have the stanza error of a stanza that is refused alone, because only it is too much.

use super::{Code, TIMEOUT, VIOLATION, rows};

rows! {
    UNSUPPORTED_ENCODING = "unsupported-encoding", Peer, Stream, [],
        "The bytes are not UTF-8, or the stream says that they are something else.",
        "The partner must repair its server: streams are in UTF-8.",
        stream: Some("unsupported-encoding"), stanza: Some(TIMEOUT);
    RESTRICTED_XML = "restricted-xml", Peer, Stream, [],
        "A comment, a processing instruction, a document type or an entity came, which XMPP \
         forbids.",
        "The partner must repair its server.",
        stream: Some("restricted-xml"), stanza: Some(TIMEOUT);
    NOT_WELL_FORMED = "not-well-formed", Peer, Stream, [],
        "What came is not well-formed XML with namespaces; `detail` says where it breaks the rules.",
        "The partner must repair its server, or whatever is between the two and changes bytes.",
        stream: Some("not-well-formed"), stanza: Some(TIMEOUT);
    BAD_FORMAT = "bad-format", Peer, Stream, [],
        "Text between stanzas, or a second stream header inside the stream.",
        "The partner must repair its server.",
        stream: Some("bad-format"), stanza: Some(TIMEOUT);
    BAD_NAMESPACE_PREFIX = "bad-namespace-prefix", Peer, Stream, [],
        "A stanza has a prefix, which XMPP does not allow for the content namespace.",
        "The partner must repair its server.",
        stream: Some("bad-namespace-prefix"), stanza: Some(TIMEOUT);
    POLICY_VIOLATION = "policy-violation", Peer, Stream, [],
        "A name or a character reference that not every XML parser takes: it would break other \
         servers.",
        "The partner must keep such names from being sent; as a rule a client of a user made one \
         up.",
        stream: Some("policy-violation"), stanza: Some(TIMEOUT);
    TLS_HELLO = "tls-hello", Peer, Header, [],
        "The other side began with TLS, where a stream header must stand.",
        "A partner must use STARTTLS, not direct TLS; a gateway and `[gateway]` must agree about \
         TLS.",
        stream: Some("not-well-formed"), stanza: Some(TIMEOUT);
    HTTP_REQUEST = "http-request", Peer, Header, [],
        "The other side speaks HTTP.",
        "Nothing: it is a scanner, or a browser at the wrong port.",
        stream: Some("not-well-formed"), stanza: Some(TIMEOUT);
    SSH_HELLO = "ssh-hello", Peer, Header, [],
        "The other side speaks SSH.",
        "Nothing: it is a scanner, or a client at the wrong port.",
        stream: Some("not-well-formed"), stanza: Some(TIMEOUT);
    HEADER_TOO_BIG = "header-too-big", Peer, Header, [Limit],
        "The stream header is longer than it may be.",
        "If it is a partner, raise `header-bytes` under `[admission.stream]`.",
        stream: Some("policy-violation"), stanza: Some(VIOLATION);
    STANZA_TOO_BIG = "stanza-too-big", Peer, Stanza, [Limit],
        "A stanza is longer than `max-stanza-bytes`, and refused alone; one of 16 times that, or one before \
         anything is proven, ends the stream.",
        "The sender must send less at once; or raise `max-stanza-bytes` for the partner.",
        stream: Some("policy-violation"), stanza: Some(VIOLATION);
    TOO_DEEP = "too-deep", Peer, Stanza, [Limit],
        "Elements of a stanza are nested deeper than they may be.",
        "The sender must send less at once; or raise `max-stanza-depth` under `[s2s]`.",
        stream: Some("policy-violation"), stanza: Some(VIOLATION);
    TOO_MANY_ELEMENTS = "too-many-elements", Peer, Stanza, [Limit],
        "A stanza has more elements than it may have.",
        "The sender must send less at once.",
        stream: Some("policy-violation"), stanza: Some(VIOLATION);
    TOO_MANY_ATTRIBUTES = "too-many-attributes", Peer, Stanza, [Limit],
        "An element has more attributes than it may have.",
        "The sender must send less at once.",
        stream: Some("policy-violation"), stanza: Some(VIOLATION);
    NAME_TOO_LONG = "name-too-long", Peer, Stanza, [Limit],
        "The name of an element or of an attribute is longer than it may be.",
        "The partner must see what makes such names: no extension has them.",
        stream: Some("policy-violation"), stanza: Some(VIOLATION);
    TOO_MANY_NAMESPACES = "too-many-namespaces", Peer, Stanza, [Limit],
        "More namespaces are declared in one stanza than may be.",
        "The sender must send less at once.",
        stream: Some("policy-violation"), stanza: Some(VIOLATION);
    NAMESPACE_TOO_LONG = "namespace-too-long", Peer, Stanza, [Limit],
        "The name of a namespace is longer than it may be.",
        "The partner must see what makes such names: no extension has them.",
        stream: Some("policy-violation"), stanza: Some(VIOLATION);
    TOO_MUCH_WHITE_SPACE = "too-much-white-space", Peer, Stream, [Limit],
        "More white space came between two elements than may.",
        "The partner must repair its server: a keep-alive is one character now and then.",
        stream: Some("policy-violation"), stanza: Some(VIOLATION);
}
