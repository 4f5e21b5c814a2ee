//! What a stream does next: one lifecycle, three negotiations, one machine for traffic.
//!
//! ```text
//!             handle(now, Input)                     poll_output()
//!   shell ───────────────────────►  Machine  ──────────────────────►  shell
//!         bytes, TLS facts, ticks,            send, start TLS, ask the authority,
//!         stanzas, answers, rules             stanzas, records, close
//! ```
//!
//! A machine is a `lifecycle::Stream` of one of three negotiations: [`Inbound`] receives a partner's
//! stream, [`Outbound`] opens one, [`Component`] receives a gateway's link.
//!
//! ```text
//!                   one more step               stanzas, pings, further pairs
//!                       ┌──┐                            ┌──┐
//!                       │  ▼                            │  ▼
//!   connection ─► Negotiating ──── what proves ───► Established
//!                   │     ▲                             │
//!        <proceed/> ▼     │ TLS is up                   │
//!                 Handshake                             │
//!                   │                                   │
//!   from each: any fault, idle, shutdown ──► Closing ◄──┘
//!                                               └─ the other side closes, or the grace is over ─► Closed
//!
//!   A fault in Handshake leads to Closed at once: no XML can be written there.
//! ```
//!
//! The lifecycle is written once: reading, the answer to a closing tag, errors and the header before
//! them, the grace, the deadlines. What differs is a `negotiation::Negotiation`: which states it has,
//! what a header or element leads to in each, and what proves. Its last step returns an
//! `established::Established`, which is the same for all three: it takes stanzas, gives stanzas, pings,
//! and ends what is idle. It carries stanzas in the `directions` that something was proven for, each
//! by a proof of its own. Every stanza that is read or written passes it. A partner's stream may prove
//! more pairs beside the traffic, by dialback.
//!
//! `Security` belongs to the stream, not to a state: the chain is judged as soon as it is known whose
//! it should be, and where TLS is up before the header, that is when the header comes.
//!
//! The output is one queue, because order is the property that matters: `<proceed/>` leaves before
//! TLS starts, and nothing read before it survives.

pub mod acks;
mod close;
mod component;
mod context;
mod cx;
mod directions;
mod established;
mod expiry;
mod features;
mod header;
mod id;
mod inbound;
mod lifecycle;
mod machine;
mod negotiation;
mod outbound;
mod record;
mod security;
mod timing;
mod wire;

pub use acks::{Serial, Settled};
pub use component::Component;
pub use context::{Context, Now, Unproven};
pub use features::Offered;
pub use id::IdSource;
pub use inbound::Inbound;
pub use machine::{AckChange, Input, Machine, Output};
pub use outbound::{Endpoint, Outbound, Purpose};
pub use record::{Milestone, Pong, Record};
pub use timing::Timing;

#[cfg(test)]
mod tests {
    use super::*;

    /// There may be ten thousand of them before anybody has proven anything.
    #[test]
    fn a_machine_without_its_buffers_is_small() {
        for (name, bytes) in [
            ("inbound", size_of::<Inbound>()),
            ("outbound", size_of::<Outbound>()),
            ("component", size_of::<Component>()),
        ] {
            assert!(bytes <= 1024, "{name}: {bytes}");
        }
        assert!(size_of::<Output>() <= 256, "{}", size_of::<Output>());
    }
}
