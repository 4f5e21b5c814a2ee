//! Why a partner's certificate does not prove its domain, and what was noticed of a good one.

use super::{Code, TIMEOUT, rows};

rows! {
    NO_CERTIFICATE = "no-certificate", Peer, Tls, [],
        "The partner presented no certificate.",
        "The partner must set its server to present its certificate, on connections it opens, too.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    X509_VERSION_1 = "x509-version-1", Peer, Tls, [],
        "The certificate is X.509 version 1, which cannot name a domain.",
        "The partner must get a certificate of version 3.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    MALFORMED = "malformed", Peer, Tls, [],
        "The certificate cannot be read.",
        "The partner must have its certificate issued anew.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    SELF_SIGNED = "self-signed", Peer, Tls, [],
        "The certificate is signed with its own key, and is not a trust anchor.",
        "The partner must get a certificate from a certification authority; or put this very certificate into `trust-anchors` of its entry.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    EXPIRED = "expired", Peer, Tls, [],
        "The certificate, or that of an authority above it, has expired.",
        "The partner must renew it, and reload the server; if the time that is shown is wrong, set the clock of this host.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    NOT_YET_VALID = "not-yet-valid", Peer, Tls, [],
        "The certificate, or that of an authority above it, is not valid yet.",
        "The partner must use its previous certificate until then; if the time that is shown is wrong, set the clock of this host.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    CLOCK_SKEW = "clock-skew", Us, Tls, [],
        "The certificate becomes valid within a day: a clock is wrong, and as a rule it is this host's.",
        "Compare the clock of this host with the true time, and set it; if it is right, the partner must wait, and tell \
         its authority.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    CLIENT_AUTH_ONLY = "client-auth-only", Peer, Tls, [],
        "The certificate may be used for TLS clients only.",
        "The partner must get a certificate with serverAuth, or without extended key usages.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    NOT_FOR_SERVERS = "not-for-servers", Peer, Tls, [],
        "The certificate, or an authority above it, may not be used for TLS servers.",
        "The partner must get a certificate with serverAuth.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    AUTHORITY_AS_SERVER = "authority-as-server", Peer, Tls, [],
        "The certificate is that of an authority and not of a server.",
        "The partner must present a server's certificate.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    UNKNOWN_ISSUER = "unknown-issuer", Peer, Tls, [],
        "The chain ends at an authority that is not among the trust anchors.",
        "The partner must get a certificate from an authority that you know; or add that one to `trust-anchors`, if you trust it.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    ISSUER_NOT_SENT = "issuer-not-sent", Peer, Tls, [],
        "The issuer at which the chain ends was not sent, and is not a trust anchor.",
        "The partner must send its intermediate certificates, too; or add that authority to `trust-anchors`, if it is \
         a root that you trust.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    BAD_SIGNATURE = "bad-signature", Peer, Tls, [],
        "A signature in the chain is wrong.",
        "The partner must install the chain that came with its certificate.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    UNSUPPORTED_ALGORITHM = "unsupported-algorithm", Peer, Tls, [],
        "The chain is signed with an algorithm that is not supported: SHA-1, a short key, an \
         unusual curve.",
        "The partner must get a certificate with a current algorithm.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    NAME_CONSTRAINT = "name-constraint", Peer, Tls, [],
        "An authority in the chain may not vouch for such names.",
        "The partner must get a certificate from another authority.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    CHAIN_TOO_DEEP = "chain-too-deep", Peer, Tls, [],
        "The chain of certificates is too long or too winding to follow.",
        "The partner must send its own certificate and the intermediate ones, and nothing else.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    TOO_MANY_CERTIFICATES = "too-many-certificates", Peer, Tls, [],
        "More certificates were sent than any chain needs.",
        "The partner must send its own certificate and the intermediate ones, and nothing else.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    KEY_MAY_NOT_SIGN = "key-may-not-sign", Peer, Tls, [],
        "The certificate's key usage leaves out what TLS signs with it.",
        "The partner must get a certificate with digitalSignature in its key usage.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    AUTHORITY_MAY_NOT_SIGN = "authority-may-not-sign", Peer, Tls, [],
        "The key usage of an authority in the chain leaves out certificates.",
        "The partner must get a certificate from another authority.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    INVALID_CHAIN = "invalid-chain", Peer, Tls, [],
        "The chain is not valid in another way; `detail` says in which.",
        "The partner must have its certificate issued anew.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    WRONG_NAME = "wrong-name", Peer, Tls, [],
        "The certificate is good, and names other domains.",
        "The partner must get a certificate with its domain as a subject alternative name.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    UNCONSTRAINED_NAME = "unconstrained-name", Peer, Tls, [],
        "The domain stands only in a kind of name that an authority with name constraints was not \
         held to.",
        "The partner must get a certificate with its domain as a dNSName.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    NOT_PINNED = "not-pinned", Peer, Tls, [],
        "The certificate is good, and none of the partner's `certificate-pins` is in its chain.",
        "The partner must say, by another way than XMPP, whether it has changed its key or its authority; if so, add the new pin to `certificate-pins`.",
        stream: Some("not-authorized"), stanza: Some(TIMEOUT);
    CERTIFICATE_NOT_PINNED = "certificate-not-pinned", Peer, Tls, [],
        "The same, and `certificate-pins-enforced = false` let the stream go on.",
        "Ask the partner by another way than XMPP; if it has changed its key or authority, add the \
         new pin.";
    CERTIFICATE_ISSUER_CHANGED = "certificate-issuer-changed", Neither, Tls, [],
        "A partner showed a good certificate of an issuer that was not seen before.",
        "Ask the partner, by another way than XMPP, whether it has changed its authority.";
    CERTIFICATE_KEY_CHANGED = "certificate-key-changed", Neither, Tls, [],
        "A partner showed a good certificate with a key that was not seen before.",
        "Nothing as a rule: it is a renewal.";
}
