//! How streams fail, and how they end.

use super::{CONSTRAINT, Code, TIMEOUT, rows};

rows! {
    INVALID_NAMESPACE = "invalid-namespace", Peer, Header, [],
        "The root element is not a stream's, or the content namespace is not that of the port.",
        "Whoever connects is at the wrong port: a partner's server belongs to that of `[s2s] listen`, a \
         gateway to that of `[gateway] listen`, a client to its server.",
        stream: Some("invalid-namespace"), stanza: Some(TIMEOUT);
    UNSUPPORTED_VERSION = "unsupported-version", Peer, Header, [],
        "The stream header has no version, or one below 1.0.",
        "The partner must run a server that speaks XMPP 1.0.",
        stream: Some("unsupported-version"), stanza: Some(TIMEOUT);
    HEADER_ADDRESS = "header-address", Peer, Header, [],
        "The stream header has no usable `to` or `from`.",
        "The partner's server, or the gateway, must name both domains in its header.",
        stream: Some("improper-addressing"), stanza: Some(TIMEOUT);
    HEADER_CHANGED = "header-changed", Peer, Header, [],
        "A stream header names other domains than the one before it on the same connection.",
        "The partner must repair its server: TLS and proof belong to one pair of domains.",
        stream: Some("invalid-from"), stanza: Some(TIMEOUT);
    MISSING_STREAM_ID = "missing-stream-id", Peer, Header, [],
        "The response header has no stream id.",
        "The partner must repair its server: dialback needs the id.",
        stream: Some("bad-format"), stanza: Some(TIMEOUT);
    HEADER_TIMEOUT = "header-timeout", Peer, Header, [],
        "The connection is there, and the partner's server sent no stream header in time.",
        "The partner must see why its server is silent: too busy, or no XMPP server at all on that \
         port.",
        stream: Some("connection-timeout"), stanza: Some(TIMEOUT);
    ESTABLISHMENT_TIMEOUT = "establishment-timeout", Peer, Authentication, [],
        "The stream was not ready within `stream-establishment-timeout`; `detail` says what was \
         awaited.",
        "The partner must see why its server does not go on; if a gateway is slow, look there; or raise `stream-establishment-timeout` under `[s2s]`.",
        stream: Some("connection-timeout"), stanza: Some(TIMEOUT);
    NOT_AUTHORIZED = "not-authorized", Peer, Authentication, [],
        "A stanza, or a proof that was not asked for, came before the pair of domains was proven.",
        "The partner's server must authenticate first; where it means to, `method-failed` says what \
         went wrong.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    LINK_SECRET = "link-secret", Us, Authentication, [],
        "A gateway did not prove that it knows the secret of the link.",
        "Give the gateway the secret that stands in `secret-file` under `[gateway]`.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    UNEXPECTED_ELEMENT = "unexpected-element", Peer, Stream, [],
        "An element came that has no place in this state of the stream.",
        "The partner's server sends what was never offered; where the stream lives on, nothing \
         needs to be done.",
        stream: Some("unsupported-stanza-type"), stanza: Some(TIMEOUT);
    PLAINTEXT_INJECTION = "plaintext-injection", Peer, Tls, [],
        "Bytes in the clear stood behind the switch to TLS.",
        "The partner must repair its server; if it says that it sent none, somebody on the way did.",
        stream: Some("policy-violation"), stanza: Some(TIMEOUT);
    TLS_NOT_OFFERED = "tls-not-offered", Peer, Header, [],
        "The other side asked for TLS where it was not offered.",
        "The partner's server must read the features; or the partner's `tls` is `\"not-supported\"`: \
         change it.",
        stanza: Some(TIMEOUT);
    TLS_MISSING = "tls-missing", Peer, Header, [],
        "Policy wants TLS and the partner does not offer it.",
        "The partner must switch TLS on for connections between servers; only if it cannot, loosen `tls` in its entry.",
        stream: Some("policy-violation"), stanza: Some(TIMEOUT);
    TLS_DEMANDED = "tls-demanded", Us, Header, [],
        "The partner demands TLS, and `tls = \"not-supported\"` in its entry switches it off.",
        "Set `tls` to `\"required\"` or `\"optional\"` in the partner's entry.",
        stream: Some("policy-violation"), stanza: Some(TIMEOUT);
    TLS_REFUSED = "tls-refused", Peer, Header, [],
        "The partner offered TLS and then refused to start it.",
        "The partner must see in its server's log why TLS cannot start: its certificate or key, most often.",
        stanza: Some(TIMEOUT);
    EXTERNAL_MISSING = "external-missing", Peer, Authentication, [],
        "The partner does not offer SASL EXTERNAL, and no other method is allowed.",
        "The partner must accept our certificate, and switch SASL EXTERNAL on; or allow dialback in its entry.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    EXTERNAL_REFUSED = "external-refused", Peer, Authentication, [],
        "The partner refused SASL EXTERNAL, and no other method is left.",
        "The partner must accept our certificate: know its authority, and admit our domain; or allow dialback in its entry.",
        stanza: Some(TIMEOUT);
    // What is known besides, where ours is not accepted: only `explain` looks.
    OUR_CERTIFICATE_EXPIRED = "our-certificate-expired", Us, Authentication, [],
        "The partner does not accept our certificate, and it has expired.",
        "Renew it, and reload the edge.";
    OUR_PURPOSE_REFUSED = "our-purpose-refused", Peer, Authentication, [],
        "The partner does not accept our certificate, which is for servers only: it may want one for clients.",
        "The partner must accept certificates with serverAuth alone: public authorities issue no others; or allow \
         dialback in its entry.";
    SASL_FAILED = "sasl-failed", Peer, Authentication, [],
        "The partner's own attempt at SASL failed.",
        "The partner must set its server to ask for a mechanism that was offered, and for the domain of its header.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    DIALBACK_INVALID = "dialback-invalid", Peer, Authentication, [],
        "The authoritative server says that the dialback key is not its own.",
        "The partner must give its servers one dialback secret; else somebody poses as the partner.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    DIALBACK_REFUSED = "dialback-refused", Peer, Authentication, [],
        "The partner refused our dialback key for a reason of its own.",
        "The partner must admit our domain in the settings of its server, or accept our certificate.",
        stanza: Some(TIMEOUT);
    DIALBACK_DENIED = "dialback-denied", Us, Authentication, [],
        "The partner asked about our dialback key, and was told that it is invalid.",
        "Give all edges of the domain one `secret-file` under `[dialback]`; and run `explain` as the daemon's user.",
        stanza: Some(TIMEOUT);
    DIALBACK_UNREACHABLE = "dialback-unreachable", Us, Authentication, [],
        "The partner could not reach the authoritative server of our domain, to ask about our dialback key.",
        "Publish SRV records of the local domain that lead to this edge, let its port in, and have the daemon running.",
        stanza: Some(TIMEOUT);
    DIALBACK_UNANSWERED = "dialback-unanswered", Peer, Authentication, [],
        "The authoritative server of the partner's domain could not be asked about the partner's dialback key.",
        "The partner must publish SRV records that lead to a server which answers; `dial-failed` says what was met there.",
        stanza: Some(TIMEOUT);
    TOO_MANY_ATTEMPTS = "too-many-attempts", Peer, Authentication, [Limit],
        "The other side failed to authenticate too often on one stream.",
        "The partner must see why its proof fails: `method-failed` before it has the reason.",
        stream: Some("policy-violation"), stanza: Some(TIMEOUT);
    TOO_MUCH_UNPROVEN = "too-much-unproven", Peer, Authentication, [Limit],
        "The other side sent more than a stream may before it is authenticated.",
        "If it is a partner, raise `bytes` under `[admission.stream]`.",
        stream: Some("policy-violation"), stanza: Some(TIMEOUT);
    TOO_MANY_PENDING = "too-many-pending", Peer, Authentication, [],
        "Too many dialback requests wait for an answer, on the stream or in all.",
        "Nothing as a rule: the partner asks again; if it goes on, raise `questions-at-once` under \
         `[admission]`.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT),
        dialback: "resource-constraint";
    TOO_MANY_PAIRS = "too-many-pairs", Neither, Authentication, [],
        "As many pairs of domains are proven on one stream, or asked about, as may be.",
        "Nothing as a rule: the partner opens another stream; else raise `pairs-per-stream` under \
         `[s2s]`.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT);
    TOO_MANY_STREAMS = "too-many-streams", Us, Authentication, [OwnDecision],
        "As many streams live as `connection-limit` under `[s2s]` allows.",
        "Raise `connection-limit`, and the descriptors that the service may have.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT);
    TOO_MANY_PARTNER_STREAMS = "too-many-partner-streams", Neither, Authentication, [OwnDecision, Limit],
        "As many streams live with the partner as its `connection-limit` allows.",
        "If the partner has so many domains or servers, raise `connection-limit` in its entry.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT);
    TOO_MANY_LINKS = "too-many-links", Neither, Authentication, [],
        "As many gateways have a link for the domain as `links-per-domain` under `[gateway]` allows.",
        "If so many gateways are to share the domain, raise it; else see in `link-up` who they are.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT);
    TOO_MANY_DIALS = "too-many-dials", Us, Connect, [OwnDecision],
        "As many partners are being dialled as may be, and no place came free in time.",
        "See in `dial-failed` which partners do not answer; else raise `dials-at-once` or `dials-at-once-per-partner`.",
        stanza: Some(CONSTRAINT);
    STANZA_UNFINISHED = "stanza-unfinished", Peer, Stream, [],
        "A stanza was begun and not finished in time.",
        "The partner must see whether its server hangs; or the line between the two is broken.",
        stream: Some("connection-timeout"), stanza: Some(TIMEOUT);
    PING_TIMEOUT = "ping-timeout", Peer, Stream, [],
        "The partner did not answer a ping.",
        "Nothing as a rule: a new stream is opened; for a server that answers no pings set `keep-alive = false`.",
        stream: Some("connection-timeout"), stanza: Some(TIMEOUT);
    ACKNOWLEDGEMENT_TIMEOUT = "acknowledgement-timeout", Peer, Stream, [],
        "The other side did not say in time which stanzas it has taken on (XEP-0198).",
        "Nothing as a rule: what is not acknowledged is sent again on the next stream.",
        stream: Some("connection-timeout"), stanza: Some(TIMEOUT);
    ACKNOWLEDGED_TOO_MUCH = "acknowledged-too-much", Peer, Stream, [],
        "The other side acknowledged more stanzas than it was sent (XEP-0198).",
        "The partner, or the author of the gateway, must repair how it counts.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    IDLE = "idle", Neither, Stream, [TakesTheRest, EndsWell],
        "No stanza passed for `stream-inactivity-timeout`.",
        "Nothing: a stream is opened again when it is needed.",
        stanza: Some(TIMEOUT);
    FINISHED = "finished", Neither, Stream, [EndsWell, NoRefusal],
        "The stream has served its purpose.",
        "Nothing.",
        stanza: Some(TIMEOUT);
    REPLACED = "replaced", Neither, Stream, [TakesTheRest],
        "A newer stream for the same purpose took over.",
        "Nothing.",
        stream: Some("conflict"), stanza: Some(TIMEOUT);
    // RFC 6120 §13.7.2.3: the stream is reset, and the next one proves itself anew.
    CERTIFICATE_EXPIRED = "certificate-expired", Peer, Stream, [TakesTheRest, EndsWell],
        "A certificate that proved the stream has expired since.",
        "The partner must renew its certificate and reload its server, if it has not yet.",
        stream: Some("reset"), stanza: Some(TIMEOUT);
    // RFC 6120 §4.9.3.16: keys that must be agreed anew are what the condition is for.
    KEY_USED_UP = "key-used-up", Neither, Stream, [TakesTheRest, EndsWell],
        "As many records of TLS 1.2 were sent on the stream as its key is good for.",
        "Nothing: a new stream has a new key. TLS 1.3 renews its keys without that.",
        stream: Some("reset"), stanza: Some(TIMEOUT);
    PEER_ERROR = "peer-error", Peer, Stream, [],
        "The other side ended the stream with an error of its own; `detail` has its condition and \
         text.",
        "The partner must see in its server's log why it ended the stream: the log says more than the error.",
        stanza: Some(TIMEOUT);
    PEER_CLOSED = "peer-closed", Neither, Stream, [EndsWell, NoRefusal],
        "The other side ended the stream, or the connection, without an error.",
        "Nothing as a rule; if streams never become ready, the partner's log may say why it hangs \
         up.",
        stanza: Some(TIMEOUT);
    PEER_REFUSED = "peer-refused", Peer, Stream, [],
        "The other side ended the stream by a policy of its own.",
        "The partner must admit our domain in the settings of its server: the server's log says which rule it was.";
    PEER_HUNG_UP = "peer-hung-up", Peer, Stream, [],
        "The other side closed the connection before the stream was open, without a word.",
        "The partner must see in its server's log why it closes connections of ours.";
    PARTNER_LIMIT = "partner-limit", Peer, Header, [],
        "The partner takes shorter stanzas than those that gateways may send.",
        "The partner must raise its limit; or lower `max-stanza-bytes` in its entry, so that the edge tells senders.";
    TRANSPORT = "transport", Network, Stream, [Cut],
        "Reading from the connection, or writing to it, failed.",
        "Nothing if it is rare; else look at the line, at firewalls that forget, and at the other \
         host.",
        stanza: Some(TIMEOUT);
    SHUTDOWN = "shutdown", Us, Shutdown, [TakesTheRest],
        "The edge is stopping.",
        "Nothing: other servers try again when it is back.",
        stream: Some("system-shutdown"), stanza: Some(TIMEOUT);
}
