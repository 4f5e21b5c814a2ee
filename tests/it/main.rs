//! The integration tests: one binary, one module a subject.
#![allow(
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too, and no peer fills its queues"
)]

mod certificate;
mod check;
mod contacts;
mod conversations;
mod cost;
mod daemon;
mod demo;
mod dns;
mod docs;
mod explain;
mod federation;
mod help;
mod hostile;
mod http;
mod lab;
mod licences;
mod lock_files;
mod partner_sheet;
mod partners_guide;
#[path = "../pki/mod.rs"]
mod pki;
mod proven;
mod purity;
mod reasons;
mod schemas;
mod security;
mod spellings;
mod status;
mod strangers;
mod traces;
mod tree;
mod words;
