//! A trace: all that the machines of one partner's streams were given and have put out, so that it can
//! be looked at, sent to somebody, and replayed.
//!
//! ```text
//!   shell ── Input ──► Machine ── Output ──► shell          as ever
//!              │                     │
//!              └────► Recorder ◄─────┘                      while a trace runs: what is blanked, and lines
//!                        │
//!                     the file ──► replay ──► Machine       the same inputs, and what comes of them now
//! ```
//!
//! A file is lines of JSON. The first is a [`Head`], the last a [`Tail`], and each between them a [`Line`]
//! of one stream:
//!
//! ```text
//! {"xmpp-edge-trace":1,"program":"0.1.0","domain":"fabrikam.example","began":"2026-…Z","seconds":300}
//! {"stream":7,"at":0,"open":{"direction":"inbound","address":"192.0.2.7:40000","context":{…},…}}
//! {"stream":7,"at":0,"in":{"connected":{}}}
//! {"stream":7,"at":812,"entry":{"partner":"fabrikam.example",…}}
//! {"stream":7,"at":812,"in":{"bytes":{"text":"<stream:stream …>"}}}
//! {"stream":7,"at":812,"named":"0a1b…"}
//! {"stream":7,"at":812,"out":{"send":"<?xml version='1.0'?><stream:stream …>"}}
//! {"end":{"why":"time","lines":6,"missed":0}}
//! ```
//!
//! `at` counts microseconds from the beginning of the stream. An `in` is an [`Input`](super::stream::Input)
//! of its machine, an `out` an [`Output`](super::stream::Output). The others are facts that the machine has
//! from elsewhere: what it was made from (`open`), the entries that cover the domains that were named
//! (`entry`), the ids that it drew (`named`), and that records are missing (`missed`): what follows then
//! can be looked at, and is not replayed.
//!
//! **What is blanked.** What people say, who they are, and what proves something by being secret: see
//! [`blank`]. All of it is replaced by as many bytes, so that every limit is met where it was met. That a
//! dialback key was ours is known to whoever has the secret alone; so it is written down as a fact, and
//! the replay puts a key of its own there.
//!
//! **The version** in the head rises when an old file would be read wrongly. What is added is a key of its
//! own, and whoever reads overlooks what it does not know.

pub mod blank;
mod clause;
mod context;
mod facts;
mod file;
mod line;
mod made;
mod mint;
mod opening;
mod prepare;
mod recorder;
mod replay;

pub use clause::clause;
pub use context::{ContextFact, EntryFact};
pub use facts::{EndFact, OpenFact, PurposeFact, SessionFact, TlsFact};
pub use file::{NoTrace, Trace};
pub use line::{Decided, Fed, Head, Line, Made, Tail, What, Why};
pub use opening::Opening;
pub use recorder::Recorder;
pub use replay::{Difference, Fate, Replayed, replay};

/// The version of the format.
pub const VERSION: u32 = 1;
/// No file is longer, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// No line of one is longer, in bytes: a read, each byte escaped, and the context of a stream.
pub const MAX_LINE: usize = 4 << 20;
