//! How stanzas get from one side to the other: partners, policy, lanes, queues, ways.
//!
//! [`hub`] is where they meet. It finds a partner once, in [`partners`]; [`ways`] carry what was found;
//! [`stanza_policy`] asks policy; [`queue`] holds what waits, in room that [`stock`] gives.

pub mod backoff;
pub mod guests;
pub mod hub;
pub mod learning;
pub mod pair_queues;
pub mod partners;
pub mod queue;
pub mod stanza_policy;
pub mod stock;
pub mod ways;
