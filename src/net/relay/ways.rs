//! What a stream carries for its stanzas, so that nothing on their way is looked up by name.

use std::collections::HashMap;
use std::sync::Arc;

use crate::net::relay::partners::Standing;
use crate::net::relay::queue::Queue;
use crate::net::relay::stock::Share;
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

/// The domains that a link has sent to lately, and the users who did: the link's own memory, asked by
/// nobody else.
#[derive(Debug, Default)]
pub struct WaysOut {
    ways: HashMap<Domain, WayOut>,
    users: HashMap<Box<str>, Arc<Share>>,
    /// With so many users, those for whom nothing waits are forgotten.
    sweep_at: usize,
}

impl WaysOut {
    /// With so many domains, all are forgotten: they are found again.
    const MOST: usize = 1024;
    /// A local user's stanzas that wait may take one such part of the room.
    const PART_OF_USER: usize = 4;
    /// What they take in memory at most, in bytes; without users for whom stanzas wait, which are
    /// as many as these.
    pub const BYTES: usize =
        Self::MOST * (2 * size_of::<(Domain, WayOut)>() + 768) + Self::MOST * 1200;

    /// The way to a domain, made by `standing` where none is remembered.
    pub fn of(
        &mut self,
        remote: &Domain,
        standing: impl FnOnce(&Domain) -> Standing,
    ) -> &mut WayOut {
        if self.ways.len() >= Self::MOST && !self.ways.contains_key(remote) {
            self.ways.clear();
        }
        self.ways.entry(remote.clone()).or_insert_with(|| WayOut {
            standing: standing(remote),
            queue: None,
        })
    }

    /// On whose account a local user's stanza waits.
    pub fn share_of(&mut self, user: &str) -> Arc<Share> {
        if let Some(share) = self.users.get(user) {
            return Arc::clone(share);
        }
        if self.users.len() >= Self::MOST.max(self.sweep_at) {
            self.users.retain(|_, share| !share.is_idle());
            self.sweep_at = 2 * self.users.len();
        }
        let share = Arc::new(Share::one_of(Self::PART_OF_USER));
        self.users.insert(user.into(), Arc::clone(&share));
        share
    }
}
