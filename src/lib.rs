//! `xmpp-edge`: the one process of an organisation's messaging that faces the Internet.
//!
//! ```text
//!                 net: sockets, tasks, timers, TLS, DNS                net
//!  partner ══5269══► listen ─► driver ─┐              ┌─ driver ◄─ listen ◄══23456══ gateway
//!          ◄═══════  dial  ◄─ driver ◄─┤     hub      ├─► driver
//!                                │     └── queues ────┘     │
//!                                ▼                          ▼
//!                proto: xml ─► stream ─► auth ─► policy ─► stanza      (pure: bytes, facts, now)
//! ```
//!
//! Read first: [`proto`] (the vocabulary and the contract of a machine), then
//! `proto::stream::inbound` (what happens on the wire), then `net::session::driver` (how it is pumped).
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
