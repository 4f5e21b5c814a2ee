//! The core alone, with nothing but the crates that it needs, for a machine that has no operating
//! system: `cargo check --manifest-path tests/pure/Cargo.toml --target wasm32-unknown-unknown`.
//! There are no sockets, no clock and no randomness there, so whoever adds one finds out here.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "who uses the core is not here"
)]

#[path = "../../../src/proto/mod.rs"]
pub mod proto;
