//! Why a handshake, or an encrypted connection, ended.
//!
//! Nothing can be written any more: the stream error stands for form's sake.

use super::{Code, TIMEOUT, rows};

rows! {
    PEER_X509_VERSION_1 = "peer-x509-version-1", Peer, Tls, [Cut],
        "The partner's certificate is X.509 version 1, with which no handshake can be finished.",
        "The partner must get a certificate of version 3.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    PEER_CERTIFICATE_UNUSABLE = "peer-certificate-unusable", Peer, Tls, [Cut],
        "The partner's certificate cannot be read, or its key is of a kind that is not supported.",
        "The partner must have its certificate issued anew, with a current kind of key.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    PEER_SIGNATURE = "peer-signature", Peer, Tls, [Cut],
        "The partner did not prove to hold the key of its certificate.",
        "The partner must install the key that belongs to its certificate; else somebody is on the \
         way.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    OUR_CERTIFICATE_REJECTED = "our-certificate-rejected", Us, Tls, [Cut],
        "The other side refused our certificate.",
        "Check its chain, its names and its dates; the partner must know our certification \
         authority.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    NO_CERTIFICATE_IN_TLS = "gateway-certificate-missing", Us, Tls, [Cut],
        "A gateway presented no certificate where the link wants one.",
        "Give the gateway a certificate of an authority in `client-trust-anchors`.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    CERTIFICATE_REFUSED = "certificate-refused", Us, Tls, [Cut],
        "A gateway's certificate was refused.",
        "Give the gateway a valid certificate of an authority in `client-trust-anchors`; `detail` says \
         what is wrong.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    GATEWAY_NAME = "gateway-name", Us, Tls, [],
        "A gateway's certificate has none of the names in `client-names`.",
        "Add its name to `client-names` under `[gateway.tls]`, or give the gateway another \
         certificate.";
    ALERT = "alert", Peer, Tls, [Cut],
        "The other side ended TLS with an alert that says nothing of certificates or versions.",
        "The partner must see in its server's log why the handshake fails; `detail` names the alert.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    NO_SHARED_VERSION = "no-shared-version", Peer, Tls, [Cut],
        "There is no version of TLS that both sides allow.",
        "The partner must offer TLS 1.2 or 1.3; or lower `minimum-tls-version` in its entry, if it is \"1.3\".",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    NO_SHARED_ALGORITHM = "no-shared-algorithm", Peer, Tls, [Cut],
        "There are no TLS algorithms that both sides allow.",
        "The partner must bring its TLS library or its settings up to date.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    NOT_TLS = "not-tls", Peer, Tls, [Cut],
        "What the other side sent is not TLS.",
        "The partner must see what answers on that port; a gateway must use TLS where \
         `[gateway.tls]` is set.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    CLOSED = "closed", Peer, Tls, [Cut],
        "The other side closed the connection during the handshake without saying why.",
        "The partner must see in its server's log why it ends the handshake; as a rule it does not like our certificate.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    IO = "io", Network, Tls, [Cut],
        "The connection failed during the handshake.",
        "Nothing if it is rare; else look at the line and at firewalls.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    TIMED_OUT = "timed-out", Peer, Tls, [Cut],
        "The TLS handshake took too long.",
        "The partner must see why its server is slow; packets of more than 1400 bytes that vanish \
         look the same.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    HANDSHAKE_TOO_LONG = "handshake-too-long", Peer, Tls, [Cut],
        "The other side sends more than a handshake may take.",
        "The partner must send no more than its chain; or raise `handshake-bytes` under \
         `[admission.stream]`.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    SERVER_NAME = "server-name", Peer, Tls, [Cut],
        "The partner's domain cannot be named in a TLS handshake.",
        "The partner must use a domain that DNS can have; or correct its name in its entry.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
    PROTOCOL = "protocol", Peer, Tls, [Cut],
        "The other side broke the rules of TLS.",
        "The partner must repair its server, or whatever is between the two and changes bytes.",
        stream: Some("undefined-condition"), stanza: Some(TIMEOUT);
}
