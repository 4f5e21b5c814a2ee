//! What a stream carries for its stanzas, so that nothing on their way is looked up by name.

use std::collections::HashMap;
use std::sync::Arc;

use crate::net::relay::partners::Standing;
use crate::net::relay::queue::Queue;
use crate::proto::auth::Pair;
use crate::proto::jid::Domain;

/// The way of one proven pair's stanzas to the gateway.
#[derive(Debug)]
pub struct WayIn {
    /// The pair.
    pub pair: Pair,
    /// How the partner's domain stands.
    pub standing: Standing,
    /// Where the gateway takes from.
    pub inbox: Arc<Queue>,
}

/// The way of a link's stanzas to one domain.
#[derive(Debug)]
pub struct WayOut {
    /// How the domain stands.
    pub standing: Standing,
    /// Where the last stanza was put; it may be closed by now.
    pub queue: Option<Arc<Queue>>,
}

/// The domains that a link has sent to lately: the link's own memory, asked by nobody else.
#[derive(Debug, Default)]
pub struct WaysOut(HashMap<Domain, WayOut>);

impl WaysOut {
    /// With so many domains, all are forgotten: they are found again.
    const MOST: usize = 1024;
    /// What they take in memory at most, in bytes.
    pub const BYTES: usize = Self::MOST * (2 * size_of::<(Domain, WayOut)>() + 768);

    /// The way to a domain, made by `standing` where none is remembered.
    pub fn of(
        &mut self,
        remote: &Domain,
        standing: impl FnOnce(&Domain) -> Standing,
    ) -> &mut WayOut {
        if self.0.len() >= Self::MOST && !self.0.contains_key(remote) {
            self.0.clear();
        }
        self.0.entry(remote.clone()).or_insert_with(|| WayOut {
            standing: standing(remote),
            queue: None,
        })
    }
}
