//! What the settings refuse.

use super::{CONSTRAINT, Code, INTERNAL, Mark, NOT_ALLOWED, Phase, ROW, Row, VIOLATION, rows};

impl Code {
    /// A reload has changed what a stream was admitted by. It is counted under the code of what the
    /// new settings refuse, so this label is never seen, and the reference does not have it.
    pub const POLICY_CHANGED: Self = Self(&Row {
        label: "policy-changed",
        phase: Phase::Policy,
        stream: Some("policy-violation"),
        stanza: Some(NOT_ALLOWED),
        marks: &[Mark::OwnDecision, Mark::EndsWell],
        ..ROW
    });
}

rows! {
    UNKNOWN_LOCAL_DOMAIN = "unknown-local-domain", Peer, Policy, [OwnDecision],
        "The other side asks for a domain that the edge does not speak for.",
        "If the domain is yours, add it to `domains` in `edge.toml`; else correct the gateway that \
         asks for it, or have the DNS records corrected that led the partner here.",
        stream: Some("host-unknown"), stanza: Some(NOT_ALLOWED);
    UNKNOWN_PARTNER = "unknown-partner", Neither, Policy, [OwnDecision],
        "No entry of `partners.toml` covers the domain of the other side.",
        "If it is to be a partner, write an entry for it, or add it to `additional-domains` of one.",
        stream: Some("policy-violation"), stanza: Some(NOT_ALLOWED);
    METHOD_NOT_ALLOWED = "method-not-allowed", Neither, Policy, [],
        "The partner proved itself, or was to be proven, by a method that its entry does not \
         leave.",
        "Ask the partner for a certificate that does, or loosen `tls`, `sasl` and `dialback` in its \
         entry.",
        stream: Some("policy-violation"), stanza: Some(NOT_ALLOWED);
    SHARING_OFF = "sharing-off", Us, Policy, [OwnDecision],
        "Several pairs of domains share a stream to a partner, and its entry does not let them any more.",
        "Nothing as a rule: each pair gets a stream of its own; else say `share-streams = true` in the \
         partner's entry.",
        stream: Some("policy-violation"), stanza: Some(NOT_ALLOWED);
    BOTH_LOCAL = "both-local", Us, Policy, [],
        "A gateway handed over a stanza from one local domain to another.",
        "Let your servers deliver between local domains themselves; the edge carries only to and \
         from partners.",
        stream: Some("policy-violation"), stanza: Some(NOT_ALLOWED);
    TLS_TOO_OLD = "tls-too-old", Peer, Policy, [],
        "The stream runs on an older TLS than the partner's `minimum-tls-version`.",
        "The partner must offer a newer TLS; or lower `minimum-tls-version` in its entry.",
        stream: Some("policy-violation"), stanza: Some(NOT_ALLOWED);
    KIND_NOT_ALLOWED = "kind-not-allowed", Neither, Stanza, [StanzaPolicy],
        "The partner's `kinds` leave out this kind of stanza.",
        "If it is to pass, add the kind to `kinds` in the partner's entry.",
        stanza: Some(VIOLATION);
    NAMESPACE_NOT_ALLOWED = "namespace-not-allowed", Neither, Stanza, [StanzaPolicy],
        "The partner's `allow-namespaces` or `deny-namespaces` keep out something in the stanza.",
        "If it is to pass, change `allow-namespaces` or `deny-namespaces` in the partner's entry.",
        stanza: Some(VIOLATION);
    NOT_A_CONTACT = "not-a-contact", Neither, Stanza, [StanzaPolicy],
        "A user of a `public-unverified` partner turns to a local user who has not added them.",
        "The local user may add the contact; or change `type` in the partner's entry, if all its \
         users are welcome.",
        stanza: Some(VIOLATION);
    UNASKED_ANSWER = "unasked-answer", Neither, Stanza, [StanzaPolicy],
        "An answer came to nothing that the local user has sent lately.",
        "Nothing as a rule: late answers, and answers after a restart of the edge, end like this.",
        stanza: Some(VIOLATION);
    CONVERSATION_NOT_ALLOWED = "conversation-not-allowed", Neither, Stanza, [StanzaPolicy],
        "The partner's `direction` leaves it to the other side to open conversations.",
        "If both sides may begin, set `direction = \"both\"` in the partner's entry.",
        stanza: Some(VIOLATION);
    ACCESS_DENIED = "access-denied", Neither, Stanza, [StanzaPolicy],
        "`[access]` keeps the local user out of federation.",
        "If the user may take part, change `default` or `exceptions` under `[access]` in `edge.toml`.",
        stanza: Some(VIOLATION);
    CONTACT_NOT_KEPT = "contact-not-kept", Us, Relay, [],
        "A contact that a local user added or removed could not be written to the disk.",
        "Look at the disk under `state-directory`: it is full, read-only, slow or failing; the user \
         may try again.",
        stanza: Some(INTERNAL);
    TOO_MANY_CONTACTS = "too-many-contacts", Us, Relay, [],
        "The local user has as many contacts as `contact-limit` allows.",
        "The user, or `xmpp-edge contacts`, must remove some; or raise `contact-limit` under \
         `[access]`.",
        stanza: Some(CONSTRAINT);
}
