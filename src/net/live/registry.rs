//! The connections that live now: counted, held to the limits, and told to end.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::net::live::facts::StreamFacts;
use crate::net::live::mailbox::{Mailbox, Trial};
use crate::proto::jid::Domain;
use crate::proto::policy::{Reason, Rules};
use crate::proto::stream::Context;

pub use crate::net::live::facts::Kind;

/// All live connections.
#[derive(Debug, Default)]
pub struct Registry {
    next: AtomicU64,
    live: Mutex<State>,
    changed: Notify,
}

/// The connections, and how many of them count for whom: kept, not counted anew for each proof.
#[derive(Debug, Default)]
struct State {
    live: HashMap<u64, Live>,
    /// How many streams count for each account. A stream of several partners counts for each.
    streams: HashMap<Domain, usize>,
    /// How many count for anybody.
    proven: usize,
}

#[derive(Debug)]
struct Live {
    facts: Arc<StreamFacts>,
    mailbox: Mailbox,
    /// The partners' domains that the stream was proven for, or was opened to.
    remotes: Vec<Domain>,
    /// Whose these are, each once: see [`Rules::account_of`]. After a reload they are found out anew; a
    /// stream that is proven just then may count for whom it was before, until it ends.
    accounts: BTreeSet<Domain>,
}

impl State {
    /// Counts a connection as a stream with an account, once.
    fn count_in(&mut self, id: u64, account: Domain) {
        let Some(own) = self.live.get_mut(&id) else {
            return;
        };
        self.proven += usize::from(own.accounts.is_empty());
        if own.accounts.insert(account.clone()) {
            *self.streams.entry(account).or_default() += 1;
        }
    }

    /// Counts a connection for nobody any more.
    fn count_out(&mut self, accounts: &BTreeSet<Domain>) {
        self.proven -= usize::from(!accounts.is_empty());
        for account in accounts {
            if let Some(count) = self.streams.get_mut(account) {
                *count -= 1;
                if *count == 0 {
                    self.streams.remove(account);
                }
            }
        }
    }

    /// Counts anew, by other rules and the oldest first.
    fn recount(&self, rules: &Rules) -> Recount {
        let mut recount = Recount {
            accounts: HashMap::new(),
            streams: HashMap::new(),
            over: Vec::new(),
        };
        let mut oldest_first: Vec<_> = self.live.iter().collect();
        oldest_first.sort_unstable_by_key(|(id, _)| **id);
        for (id, stream) in oldest_first {
            let accounts = stream.remotes.iter().map(|it| rules.account_of(it));
            let accounts: BTreeSet<_> = accounts.collect();
            for account in &accounts {
                *recount.streams.entry(account.clone()).or_default() += 1;
            }
            let over = accounts.iter().find_map(|account| {
                let limit = rules.partner_of(account)?.terms.connection_limit;
                (recount.streams.get(account)? > &limit).then_some(limit)
            });
            if let Some(limit) = over {
                let reason = Reason::TooManyPartnerStreams(limit);
                let reason = Reason::PolicyChanged(Box::new(reason));
                recount.over.push((*id, reason));
            }
            recount.accounts.insert(*id, accounts);
        }
        recount
    }

    /// Whether one more stream may live with the partner that has this account. Streams that have
    /// proven nothing are not counted, or strangers could use up a partner's room.
    fn has_room(&self, account: &Domain, rules: &Rules, limit: usize) -> Result<(), Reason> {
        if self.proven >= limit {
            return Err(Reason::TooManyStreams);
        }
        let Some(partner) = rules.partner_of(account) else {
            return Ok(());
        };
        let limit = partner.terms.connection_limit;
        if self.streams.get(account).copied().unwrap_or_default() >= limit {
            return Err(Reason::TooManyPartnerStreams(limit));
        }
        Ok(())
    }
}

/// Whose each stream is by other rules.
struct Recount {
    /// By the number of the connection.
    accounts: HashMap<u64, BTreeSet<Domain>>,
    streams: HashMap<Domain, usize>,
    /// The newest streams for which there is no room.
    over: Vec<(u64, Reason)>,
}

/// A connection that was asked, and its word: why it would end. It gives none where it ends before.
pub type Asked = (Arc<StreamFacts>, oneshot::Receiver<Result<(), Reason>>);

/// A place in the registry, given up when dropped.
#[derive(Debug)]
pub struct Registered {
    registry: Arc<Registry>,
    facts: Arc<StreamFacts>,
}

impl Registry {
    /// Takes a connection in.
    #[must_use]
    pub fn register(
        self: &Arc<Self>,
        kind: Kind,
        address: SocketAddr,
        mailbox: Mailbox,
    ) -> Registered {
        self.register_as((self.number(), kind, address), mailbox)
    }

    /// A number of its own for an attempt to connect, which may or may not lead to a connection.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Takes a connection in to which an attempt with this number has led.
    #[must_use]
    pub fn register_as(
        self: &Arc<Self>,
        (id, kind, address): (u64, Kind, SocketAddr),
        mailbox: Mailbox,
    ) -> Registered {
        let facts = Arc::new(StreamFacts::new(id, kind, address));
        let live = Live {
            facts: Arc::clone(&facts),
            mailbox,
            remotes: Vec::new(),
            accounts: BTreeSet::new(),
        };
        self.lock().live.insert(id, live);
        Registered {
            registry: Arc::clone(self),
            facts,
        }
    }

    /// What is known of each connection, the oldest first.
    #[must_use]
    pub fn facts(&self) -> Vec<Arc<StreamFacts>> {
        let state = self.lock();
        let facts = state.live.values().map(|live| Arc::clone(&live.facts));
        let mut facts: Vec<_> = facts.collect();
        drop(state);
        facts.sort_unstable_by_key(|facts| facts.id);
        facts
    }

    /// How many connections of some kinds live.
    #[must_use]
    pub fn count(&self, kinds: &[Kind]) -> usize {
        self.lock()
            .live
            .values()
            .filter(|live| kinds.contains(&live.facts.kind))
            .count()
    }

    /// Tells all connections of a kind to end.
    pub fn end_all(&self, kind: Kind, reason: &Reason) {
        let state = self.lock();
        let of_kind = state.live.values().filter(|live| live.facts.kind == kind);
        for live in of_kind {
            live.mailbox.end(reason.clone());
        }
    }

    /// Tells all connections that there are new rules.
    pub fn renew_all(&self) {
        for live in self.lock().live.values() {
            live.mailbox.renew();
        }
    }

    /// Tells all connections that others have opened that the edge is stopping. Who is told again hears
    /// nothing new.
    pub fn settle_all(&self) {
        for live in self.lock().live.values() {
            if live.facts.kind != Kind::Outbound {
                live.mailbox.settle();
            }
        }
    }

    /// Whether all connections of a kind have come to an account since they were told.
    #[must_use]
    pub fn are_settled(&self, kind: Kind) -> bool {
        let state = self.lock();
        let mut of_kind = state.live.values().filter(|live| live.facts.kind == kind);
        of_kind.all(|live| live.mailbox.is_settled())
    }

    /// Tells all connections to end without a goodbye.
    pub fn abort_all(&self) {
        for live in self.lock().live.values() {
            live.mailbox.abort();
        }
    }

    /// Whether one more stream with the partner of `remote` may live.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn has_room(&self, remote: &Domain, rules: &Rules, limit: usize) -> Result<(), Reason> {
        let account = rules.account_of(remote);
        self.lock().has_room(&account, rules, limit)
    }

    /// After a reload: finds out anew whose each stream is, and tells the newest streams to end that the
    /// new limits leave no room for.
    pub fn enforce(&self, rules: &Rules) {
        let mut state = self.lock();
        let Recount {
            accounts,
            streams,
            over,
        } = state.recount(rules);
        state.streams = streams;
        state.proven = accounts.values().filter(|it| !it.is_empty()).count();
        for (id, accounts) in accounts {
            if let Some(stream) = state.live.get_mut(&id) {
                stream.accounts = accounts;
            }
        }
        for (id, reason) in over {
            if let Some(stream) = state.live.get(&id) {
                stream.mailbox.end(reason);
            }
        }
    }

    /// What [`enforce`](Self::enforce) would end by these rules, and why; nothing changes.
    #[must_use]
    pub fn would_end(&self, rules: &Rules) -> HashMap<u64, Reason> {
        self.lock().recount(rules).over.into_iter().collect()
    }

    /// Asks each connection whether it would live by other rules; the oldest comes first.
    #[must_use]
    pub fn try_all(&self, context: &Arc<Context>) -> Vec<Asked> {
        let state = self.lock();
        let live = state.live.values();
        let mut asked: Vec<_> = live
            .map(|live| (Arc::clone(&live.facts), live.mailbox.clone()))
            .collect();
        drop(state);
        asked.sort_unstable_by_key(|(facts, _)| facts.id);
        let asked = asked.into_iter().map(|(facts, mailbox)| {
            let (word, answer) = oneshot::channel();
            let context = Arc::downgrade(context);
            mailbox.try_by(Trial { context, word });
            (facts, answer)
        });
        asked.collect()
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

    fn lock(&self) -> MutexGuard<'_, State> {
        #[cfg(test)]
        crate::ops::counted::shared_lock();
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered {
    /// The number of this connection in this process: the same in all log lines about it.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.facts.id
    }

    /// What is known of this connection.
    #[must_use]
    pub fn facts(&self) -> &Arc<StreamFacts> {
        &self.facts
    }
}

impl Registered {
    /// Counts the connection as a stream with the partner of `remote`.
    ///
    /// # Errors
    /// The limit that is reached; then it is not counted.
    pub fn take_room(&self, remote: &Domain, rules: &Rules, limit: usize) -> Result<(), Reason> {
        let account = rules.account_of(remote);
        let mut state = self.registry.lock();
        let own = state.live.get(&self.facts.id);
        if !own.is_some_and(|own| own.accounts.contains(&account)) {
            state.has_room(&account, rules, limit)?;
        }
        if let Some(own) = state.live.get_mut(&self.facts.id) {
            own.remotes.push(remote.clone());
        }
        state.count_in(self.facts.id, account);
        Ok(())
    }
}

impl Registered {
    /// A partner has proven itself anew: its server may have restarted, and the streams that we
    /// opened to it before may be dead. They find out now.
    pub fn probe_older(&self, remote: &Domain, rules: &Rules) {
        let account = rules.account_of(remote);
        for (id, live) in &self.registry.lock().live {
            let is_older = *id < self.facts.id && live.facts.kind == Kind::Outbound;
            if is_older && live.accounts.contains(&account) {
                live.mailbox.probe();
            }
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut state = self.registry.lock();
        if let Some(own) = state.live.remove(&self.facts.id) {
            state.count_out(&own.accounts);
        }
        drop(state);
        self.registry.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
