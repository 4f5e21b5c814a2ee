//! Traces: recorded from a running daemon, kept in `tests/traces`, replayed by this version and the next.

mod command;
mod damaged;
mod kept;
mod links;
mod recorded;
mod recording;
