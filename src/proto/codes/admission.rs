//! The limits on who has proven nothing yet: each is a key under `[admission]`, and its label.

use super::{CONSTRAINT, Code, rows};

rows! {
    UNAUTHENTICATED_LIMIT = "unauthenticated-limit", Peer, Accept, [Limit],
        "As many unauthenticated connections are open, in all, as may be.",
        "If they are partners after an outage, wait or raise this limit under `[admission]`; if they are strangers, see \
         where they come from.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT),
        dialback: "resource-constraint";
    UNAUTHENTICATED_PER_ADDRESS = "unauthenticated-per-address", Peer, Accept, [Limit],
        "As many unauthenticated connections are open from one address as may be.",
        "If a partner has many domains behind that address, raise this limit under `[admission]`; else let a firewall \
         keep it out.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT),
        dialback: "resource-constraint";
    UNAUTHENTICATED_PER_PREFIX = "unauthenticated-per-prefix", Peer, Accept, [Limit],
        "As many unauthenticated connections are open from one network as may be.",
        "If it is a provider with many partners, raise this limit under `[admission]`; else let a firewall keep the \
         network out.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT),
        dialback: "resource-constraint";
    UNAUTHENTICATED_PER_DOMAIN = "unauthenticated-per-domain", Peer, Header, [Limit],
        "As many unauthenticated connections claim to be one partner as may be.",
        "Somebody may pose as the partner; who comes from its usual addresses is not held to it.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT),
        dialback: "resource-constraint";
    CONNECTIONS_PER_ADDRESS = "connections-per-address", Peer, Accept, [Limit],
        "As many connections are open from one address, authenticated or not, as may be.",
        "If it is a partner with many domains, or a proxy of yours, raise this limit under `[admission]`.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT),
        dialback: "resource-constraint";
    ATTEMPTS_PER_ADDRESS = "attempts-per-address", Peer, Header, [Limit],
        "Too many streams from one address claimed to be a partner within a minute, and proved \
         nothing.",
        "If it is a partner, see in `method-failed` why its proof fails; else let a firewall keep it \
         out.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT),
        dialback: "resource-constraint";
    ATTEMPTS_PER_PREFIX = "attempts-per-prefix", Peer, Header, [Limit],
        "Too many streams from one network claimed to be a partner within a minute, and proved \
         nothing.",
        "If it is a partner's network, see in `method-failed` why its proof fails; else let a \
         firewall keep it out.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT),
        dialback: "resource-constraint";
    ATTEMPTS_PER_DOMAIN = "attempts-per-domain", Peer, Header, [Limit],
        "Too many streams claimed to be one partner within a minute, and proved nothing.",
        "Somebody may pose as the partner; who comes from its usual addresses is not held to it.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT),
        dialback: "resource-constraint";
    QUESTIONS_PER_ADDRESS = "questions-per-address", Peer, Authentication, [Limit],
        "As many dialback keys from one address came to nothing within a minute as may.",
        "If it is a partner, see in `method-failed` why dialback fails; else let a firewall keep it \
         out.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT),
        dialback: "resource-constraint";
    QUESTIONS_PER_PREFIX = "questions-per-prefix", Peer, Authentication, [Limit],
        "As many dialback keys from one network came to nothing within a minute as may.",
        "If it is a partner's network, see in `method-failed` why dialback fails; else let a \
         firewall keep it out.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT),
        dialback: "resource-constraint";
    QUESTIONS_PER_DOMAIN = "questions-per-domain", Peer, Authentication, [Limit],
        "As many dialback keys in the name of one partner came to nothing within a minute as may.",
        "Somebody may pose as the partner; who comes from its usual addresses is not held to it.",
        stream: Some("resource-constraint"), stanza: Some(CONSTRAINT),
        dialback: "resource-constraint";
}
