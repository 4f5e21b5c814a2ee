//! `xmpp-edge`: the one process of an organisation's messaging that faces the Internet.
//!
//! ```text
//!                 net: sockets, tasks, timers, TLS, DNS                net
//!  partner ══5269══► accept ─► driver ─┐              ┌─ driver ◄─ accept ◄══23456══ gateway
//!          ◄═════ outbound ◄─ driver ◄─┤     hub      ├─► driver
//!                                │     └── queues ────┘     │
//!                                ▼                          ▼
//!                proto: xml ─► stream ─► auth ─► policy ─► stanza      (pure: bytes, facts, now)
//! ```
//!
//! Read first: [`proto`] (the vocabulary and the contract of a machine), then
//! `proto::stream` (what happens on the wire), then `net::session::driver` (how it is pumped).
//!
//! **The words.** Each has one meaning, in the source, the log and the documents:
//!
//! | word | is |
//! |---|---|
//! | partner | an organisation outside that an entry of `partners.toml` covers: one primary domain, any additional ones |
//! | entry | what `partners.toml` says of a partner, or `[default-partner]` of all others |
//! | account | whose budget, lane and places something takes: a listed partner's primary domain, else the domain itself |
//! | standing | what is known of a partner's domain under one configuration: entry, counters, budget, share |
//! | pair | a local domain and a partner's domain that want to talk; two users are a user pair |
//! | stream | one XML stream with a partner's server; it may be proven for several pairs |
//! | direction | inward: stanzas are taken from a stream; outward: they are written on it; each has a proof of its own |
//! | link | one XEP-0114 stream with a gateway, for one local domain |
//! | driver | the task that owns a connection: it pumps between socket and machine |
//! | session | what both sides have counted on one stream; with acknowledgements it may outlive the connection |
//! | receipt | what a sender is owed for a stanza: the word that it is settled, delivered, bounced or dropped |
//! | claim | what a peer says it is, before anything shows it |
//! | proof | a claim with evidence: [`Authenticated`](proto::auth::Authenticated), and nothing else |
//! | unauthenticated peer, stranger | whoever is connected and has proven nothing yet, a partner's server too |
//! | admission | what unauthenticated peers may hold and cost, by address, network and claim |
//! | question | one about a dialback key, to the authoritative server of a domain |
//! | verification | a question that has been sent, from its place to its end |
//! | contact | a remote user whom a local user has added: what open federation asks for |
//! | reason | why something was refused or not carried: one enum, from the wire to the operator's text |
//! | queue | what waits for one link or for one pair's stream |
//! | lane | one account's part of a queue, in order |
//! | stock, share | the room for all that waits in one direction, and how much of it one may take |
//! | way | what a stream or link carries for its stanzas, so that nothing is looked up by name |
//! | route | the hosts that an entry names to connect to, in place of what DNS says |
//! | trail | what one attempt to reach a partner met, step by step: facts, which `explain` shows |
//! | trace | what the machines of one partner's streams were given and have put out, blanked, as it happens; it can be replayed |
//! | attempt | one try to open a stream, by a partner or by us: what it came to, and its trail |
//! | knock | a stream header in the name of a domain that no entry covers |
//! | ledger | the count of every stanza: accepted = delivered + bounced + dropped + queued |
//! | event | a kind of line in the log |
//!
//! **The dependency rule.** Arrows run one way: `proto` uses nothing of ours; `ops` and
//! `store` use `proto`; `config` uses `proto` and `ops`; `net` uses these four; `cli` uses all. Decisions
//! are made in `proto` and nowhere else; sockets, clocks and randomness are in `net` and nowhere
//! else. Clippy (`.cargo/clippy.toml`) and `tests/it/purity.rs` keep it so.
#![cfg_attr(test, allow(missing_docs, reason = "test modules explain themselves"))]

pub mod cli;
pub mod config;
pub mod net;
pub mod ops;
pub mod proto;
pub mod store;
