//! Acknowledgements (XEP-0198): what the other side has taken on, and what we have.
//!
//! ```text
//!   we write      ├── acknowledged ──┤── unacknowledged ──┤          Sent
//!                                    ▲ h of the last <a/>  ▲ stanzas written
//!
//!   we receive    ├──── handled ─────┤───── in hand ──────┤          Received, Settled
//!                                    ▲ our h               ▲ stanzas received
//! ```
//!
//! A stanza that we received is *in hand* until it is delivered, bounced or dropped. Our `h` covers
//! only what stands before the first one in hand: so a stanza is acknowledged to its sender only
//! after the other side of the edge has it, unless very many stand behind one ([`Settled::MOST`]). Answers to `<r/>` are never withheld; they may be low,
//! and a second one follows when what was in hand is settled.
//!
//! All counters are modulo 2^32 (XEP-0198 §4), and begin at 0 with `<enable/>` and `<enabled/>`.
//!
//! A session goes on where its connection was lost (XEP-0198 §5). Whoever opened the stream asks, so there are two
//! sides of it, with the same counters:
//!
//! ```text
//!   opened by a partner or gateway   <resume previd h/> ─► Found     ─► we answer <resumed h/>
//!   opened by us                     Suspended ─► <resume previd h/> ─► <resumed h/>: on from there
//!                                                                    └► <failed h?/>: <enable/>, anew
//! ```

mod agreed;
mod nonza;
mod received;
mod sent;
mod settled;
mod suspended;

pub use agreed::{Agreed, Broken, Seen, Step};
pub use nonza::Nonza;
pub use received::Received;
pub use sent::{Due, Sent, TooHigh};
pub use settled::{Serial, Settled};
pub use suspended::Suspended;

/// For how long a session may be resumed after its connection was lost, in seconds.
pub const RESUME_WITHIN: u32 = 300;

/// The session that is to be resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What both sides had counted when its connection was lost.
    pub agreed: Agreed,
    /// How many of the stanzas that had come are settled by now.
    pub handled: u32,
}
