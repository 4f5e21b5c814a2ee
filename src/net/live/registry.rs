//! The connections that live now: counted, held to the limits, and told to end.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::net::live::mailbox::Mailbox;
use crate::proto::jid::Domain;
use crate::proto::policy::{Reason, Rules};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A partner opened it.
    Inbound,
    /// We opened it.
    Outbound,
    /// A gateway opened it.
    Link,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Inbound, Self::Outbound, Self::Link];
}

/// All live connections.
#[derive(Debug, Default)]
pub struct Registry {
    next: AtomicU64,
    live: Mutex<HashMap<u64, Live>>,
    changed: Notify,
}

#[derive(Debug)]
struct Live {
    kind: Kind,
    mailbox: Mailbox,
    /// The partners' domains that the stream was proven for, or was opened to.
    remotes: Vec<Domain>,
}

impl Live {
    fn is_of(&self, account: &Domain, rules: &Rules) -> bool {
        self.remotes
            .iter()
            .any(|remote| rules.account_of(remote) == *account)
    }
}

/// A place in the registry, given up when dropped.
#[derive(Debug)]
pub struct Registered {
    registry: Arc<Registry>,
    id: u64,
}

impl Registry {
    /// Takes a connection in.
    #[must_use]
    pub fn register(self: &Arc<Self>, kind: Kind, mailbox: Mailbox) -> Registered {
        self.register_as(self.number(), kind, mailbox)
    }

    /// A number of its own for an attempt to connect, which may or may not lead to a connection.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Takes a connection in to which an attempt with this number has led.
    #[must_use]
    pub fn register_as(self: &Arc<Self>, id: u64, kind: Kind, mailbox: Mailbox) -> Registered {
        let live = Live {
            kind,
            mailbox,
            remotes: Vec::new(),
        };
        self.lock().insert(id, live);
        Registered {
            registry: Arc::clone(self),
            id,
        }
    }

    /// How many connections of some kinds live.
    #[must_use]
    pub fn count(&self, kinds: &[Kind]) -> usize {
        self.lock()
            .values()
            .filter(|live| kinds.contains(&live.kind))
            .count()
    }

    /// Tells all connections of a kind to end.
    pub fn end_all(&self, kind: Kind, reason: &Reason) {
        for live in self.lock().values().filter(|live| live.kind == kind) {
            live.mailbox.end(reason.clone());
        }
    }

    /// Tells all connections to end without a goodbye.
    pub fn abort_all(&self) {
        for live in self.lock().values() {
            live.mailbox.abort();
        }
    }

    /// Whether one more stream with the partner of `remote` may live.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn has_room(&self, remote: &Domain, rules: &Rules, limit: usize) -> Result<(), Reason> {
        room(&self.lock(), remote, rules, limit)
    }

    /// After a reload: tells the newest streams to end that the new limits leave no room for.
    pub fn enforce(&self, rules: &Rules) {
        let live = self.lock();
        let mut newest_last: Vec<_> = live.iter().collect();
        newest_last.sort_by_key(|(id, _)| **id);
        let mut counts: HashMap<Domain, usize> = HashMap::new();
        for (_, stream) in newest_last {
            let accounts: BTreeSet<_> = stream
                .remotes
                .iter()
                .map(|remote| rules.account_of(remote))
                .collect();
            for account in accounts {
                let Some(partner) = rules.partner_of(&account) else {
                    continue;
                };
                let limit = partner.terms.connection_limit;
                let count = counts.entry(account).or_default();
                *count += 1;
                if *count > limit {
                    let reason = Reason::TooManyPartnerStreams(limit);
                    let reason = Reason::PolicyChanged(Box::new(reason));
                    stream.mailbox.end(reason);
                    break;
                }
            }
        }
    }

    /// Resolves when no connection of a kind lives.
    pub async fn none_left(&self, kind: Kind) {
        loop {
            let changed = self.changed.notified();
            if self.count(&[kind]) == 0 {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Live>> {
        #[cfg(test)]
        crate::ops::counted::shared_lock();
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered {
    /// The number of this connection in this process: the same in all log lines about it.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }
}

impl Registered {
    /// Counts the connection as a stream with the partner of `remote`.
    ///
    /// # Errors
    /// The limit that is reached; then it is not counted.
    pub fn claim(&self, remote: &Domain, rules: &Rules, limit: usize) -> Result<(), Reason> {
        let mut live = self.registry.lock();
        let account = rules.account_of(remote);
        if !live
            .get(&self.id)
            .is_some_and(|own| own.is_of(&account, rules))
        {
            room(&live, remote, rules, limit)?;
        }
        if let Some(own) = live.get_mut(&self.id) {
            own.remotes.push(remote.clone());
        }
        Ok(())
    }
}

impl Registered {
    /// A partner has proven itself anew: its server may have restarted, and the streams that we
    /// opened to it before may be dead. They find out now.
    pub fn probe_older(&self, remote: &Domain, rules: &Rules) {
        let account = rules.account_of(remote);
        for (id, live) in self.registry.lock().iter() {
            if *id < self.id && live.kind == Kind::Outbound && live.is_of(&account, rules) {
                live.mailbox.probe();
            }
        }
    }
}

/// Streams that have proven nothing are not counted, or strangers could use up a partner's room.
fn room(
    live: &HashMap<u64, Live>,
    remote: &Domain,
    rules: &Rules,
    limit: usize,
) -> Result<(), Reason> {
    if live.values().filter(|it| !it.remotes.is_empty()).count() >= limit {
        return Err(Reason::TooManyStreams);
    }
    let Some(partner) = rules.partner_of(remote) else {
        return Ok(());
    };
    let account = rules.account_of(remote);
    let own = live.values().filter(|it| it.is_of(&account, rules)).count();
    if own >= partner.terms.connection_limit {
        return Err(Reason::TooManyPartnerStreams(
            partner.terms.connection_limit,
        ));
    }
    Ok(())
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.id);
        self.registry.changed.notify_waiters();
    }
}
