//! The connections that live now: counted, and told to end when the edge stops.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::driver::{Command, Mailbox};
use crate::proto::policy::Reason;

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

/// All live connections.
#[derive(Debug, Default)]
pub struct Registry {
    next: AtomicU64,
    live: Mutex<HashMap<u64, (Kind, Mailbox)>>,
    changed: Notify,
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
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        self.lock().insert(id, (kind, mailbox));
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
            .filter(|(kind, _)| kinds.contains(kind))
            .count()
    }

    /// Tells all connections of a kind to end.
    pub fn end_all(&self, kind: Kind, reason: &Reason) {
        for (_, mailbox) in self.lock().values().filter(|(of, _)| *of == kind) {
            // A connection that is gone already needs no telling.
            mailbox
                .send(Command::End(Box::new(reason.clone())))
                .unwrap_or_default();
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

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (Kind, Mailbox)>> {
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

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.id);
        self.registry.changed.notify_waiters();
    }
}
