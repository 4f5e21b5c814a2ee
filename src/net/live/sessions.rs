//! Sessions whose connection was lost, and which their opener may resume on another one (XEP-0198 §5).
//!
//! What is kept is small: two counters, and which stanzas are in hand. The stanzas themselves wait
//! in the queues, or are on their way; so nothing here holds up anybody, and what is forgotten costs a
//! duplicate at most.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout_at;

use crate::net::live::mailbox::Mailbox;
use crate::ops::receipts::Receipts;
use crate::proto::auth::Pair;
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::stream::acks::{Agreed, RESUME_WITHIN};

/// For how long a session may be resumed after its connection was lost: as long as we say.
const TIME: Duration = Duration::from_secs(RESUME_WITHIN as u64);
/// How long whoever resumes a session waits for the connection that has it still.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(1);
/// How many sessions of one owner are kept.
const OF_ONE: usize = 20;
/// How many are kept in all.
const IN_ALL: usize = 1000;

/// Who may resume a session: whoever has proven the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A partner's server, for the first pair that was proven.
    Partner(Pair),
    /// A gateway, for its domain.
    Gateway(Domain),
}

/// A session without a connection.
#[derive(Debug)]
pub struct Session {
    /// Under which number its stanzas are marked in the queue.
    pub number: u64,
    /// What was acknowledged and received when the connection was lost.
    pub agreed: Agreed,
    /// What is in hand, and settles meanwhile.
    pub receipts: Arc<Receipts>,
}

/// All sessions without a connection, and which connection each of the others has.
#[derive(Debug, Default)]
pub struct Sessions {
    kept: Mutex<Kept>,
    /// A connection has given its session up.
    given_up: Notify,
}

/// A connection has this session. Dropped, after the session was kept, it has it no more.
#[derive(Debug)]
pub struct Living {
    sessions: Arc<Sessions>,
    id: String,
    number: u64,
}

#[derive(Debug, Default)]
struct Kept {
    by_id: HashMap<String, Waiting>,
    /// Ids in the order in which they were kept; some are gone already.
    order: VecDeque<String>,
    of_owner: HashMap<Owner, usize>,
    /// Those that have a connection: whose they are, its number, and where it hears from us.
    living: HashMap<String, (Owner, u64, Mailbox)>,
    /// Local domains whose gateways have acknowledged.
    gateways: HashSet<Domain>,
}

#[derive(Debug)]
struct Waiting {
    owner: Owner,
    session: Session,
    until: Instant,
}

impl Sessions {
    /// What all of them take at most, in bytes: of each its id twice, its owner, the counters and the places in the
    /// tables. What stands behind a stanza in hand takes a
    /// byte more, up to `Settled::MOST`; that is not in here.
    pub const BYTES: usize = IN_ALL << 11;

    /// A connection has a session from here on: until the returned value is dropped, whoever resumes
    /// the session ends the connection.
    #[must_use]
    pub fn lives(
        self: &Arc<Self>,
        id: String,
        owner: Owner,
        (number, mailbox): (u64, &Mailbox),
    ) -> Living {
        let living = (owner, number, mailbox.clone());
        self.lock().living.insert(id.clone(), living);
        Living {
            sessions: Arc::clone(self),
            id,
            number,
        }
    }

    /// Takes a session out, as [`Sessions::resume`] does. A connection that has it still is ended, and
    /// waited for, but not for long: it may be dead, and only its opener knows.
    pub async fn take_over(&self, id: &str, owner: &Owner, now: Instant) -> Option<Session> {
        let until = tokio::time::Instant::now() + HANDED_OVER_WITHIN;
        loop {
            let given_up = self.given_up.notified();
            if let Some(session) = self.resume(id, owner, now) {
                return Some(session);
            }
            match self.lock().living.get(id) {
                // XEP-0198 §5: the older stream is ended with `<conflict/>`.
                Some((of, _, mailbox)) if of == owner => mailbox.end(Reason::Replaced),
                _ => return None,
            }
            timeout_at(until, given_up).await.ok()?;
        }
    }

    /// Keeps a session until it may not be resumed any more. Where there are too many, the oldest goes: of the same owner if
    /// that one has as many as each may have, else of all.
    pub fn keep(&self, id: String, owner: Owner, session: Session, now: Instant) {
        let mut kept = self.lock();
        kept.forget_old(now);
        if kept
            .of_owner
            .get(&owner)
            .is_some_and(|count| *count >= OF_ONE)
        {
            kept.forget_first(|waiting| waiting.owner == owner);
        } else if kept.by_id.len() >= IN_ALL {
            kept.forget_one_of_most();
        }
        kept.order.push_back(id.clone());
        *kept.of_owner.entry(owner.clone()).or_default() += 1;
        let until = now + TIME;
        kept.by_id.insert(
            id,
            Waiting {
                owner,
                session,
                until,
            },
        );
    }

    /// Takes a session out, for whoever has proven to be its owner; `None` if there is none of that
    /// id, it is too old, or it is somebody else's: nobody learns which.
    #[must_use]
    pub fn resume(&self, id: &str, owner: &Owner, now: Instant) -> Option<Session> {
        let mut kept = self.lock();
        kept.forget_old(now);
        // The id is random and long, and worth nothing to anybody but the owner: how long a look takes
        // tells a stranger nothing.
        if kept.by_id.get(id)?.owner != *owner {
            return None;
        }
        kept.remove(id).map(|waiting| waiting.session)
    }

    /// A local domain's gateway acknowledges what it is sent.
    pub fn know(&self, domain: &Domain) {
        self.lock().gateways.insert(domain.clone());
    }

    /// Whether a local domain's gateway has done so since the edge has begun.
    #[must_use]
    pub fn has_known(&self, domain: &Domain) -> bool {
        self.lock().gateways.contains(domain)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().by_id.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        let mut kept = self.sessions.lock();
        // Another connection may have it already.
        if (kept.living.get(&self.id)).is_some_and(|(_, number, _)| *number == self.number) {
            kept.living.remove(&self.id);
        }
        drop(kept);
        self.sessions.given_up.notify_waiters();
    }
}

impl Kept {
    fn remove(&mut self, id: &str) -> Option<Waiting> {
        let waiting = self.by_id.remove(id)?;
        if let Some(count) = self.of_owner.get_mut(&waiting.owner) {
            *count -= 1;
            if *count == 0 {
                self.of_owner.remove(&waiting.owner);
            }
        }
        // Few are resumed while the list grows; it is never longer than twice what is kept.
        if self.order.len() > 2 * IN_ALL {
            let by_id = &self.by_id;
            self.order.retain(|id| by_id.contains_key(id));
        }
        Some(waiting)
    }

    fn forget_first(&mut self, is_meant: impl Fn(&Waiting) -> bool) {
        let by_id = &self.by_id;
        let meant = |id: &&String| by_id.get(*id).is_some_and(&is_meant);
        let first = self.order.iter().find(meant).cloned();
        if let Some(id) = first {
            self.remove(&id);
        }
    }

    /// Whoever keeps most loses its oldest; a partner before a gateway, because partners may be many, and
    /// a gateway sends again to all of them.
    fn forget_one_of_most(&mut self) {
        let is_partner = |owner: &Owner| matches!(owner, Owner::Partner(_));
        let owners = self.of_owner.iter();
        let most = owners.max_by_key(|(owner, count)| (**count, is_partner(owner)));
        if let Some(most) = most.map(|(owner, _)| owner.clone()) {
            self.forget_first(|waiting| waiting.owner == most);
        }
    }

    fn forget_old(&mut self, now: Instant) {
        let is_old = |waiting: &Waiting| waiting.until <= now;
        let old = self.by_id.iter().filter(|(_, waiting)| is_old(waiting));
        let old: Vec<String> = old.map(|(id, _)| id.clone()).collect();
        for id in old {
            self.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::live::mailbox::mailbox;

    fn gateway(name: &str) -> Owner {
        Owner::Gateway(Domain::parse(name).unwrap())
    }

    fn session(number: u64) -> Session {
        Session {
            number,
            agreed: Agreed::default(),
            receipts: Arc::default(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_has_a_session_still_gives_it_up_to_its_owner_alone() {
        let (sessions, now) = (Arc::<Sessions>::default(), Instant::now());
        let (owner, other) = (gateway("a.example"), gateway("b.example"));
        let (mailbox, mut incoming) = mailbox();
        let id = || "x".to_owned();
        let living = sessions.lives(id(), owner.clone(), (1, &mailbox));
        assert!(sessions.take_over("x", &other, now).await.is_none());
        let older = async {
            assert!(matches!(incoming.end().await, Reason::Replaced));
            sessions.keep(id(), owner.clone(), session(1), now);
            drop(living);
        };
        let (session, ()) = tokio::join!(sessions.take_over("x", &owner, now), older);
        assert_eq!(session.unwrap().number, 1);
        // One that does not hear is not waited for, and has nothing that a newer one has.
        let living = sessions.lives(id(), owner.clone(), (2, &mailbox));
        assert!(sessions.take_over("x", &owner, now).await.is_none());
        let newer = sessions.lives(id(), owner, (3, &mailbox));
        drop(living);
        assert_eq!(sessions.lock().living.len(), 1);
        drop(newer);
        assert!(sessions.lock().living.is_empty());
    }

    #[test]
    fn a_session_is_resumed_once_by_its_owner_and_in_time() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let (owner, other) = (gateway("a.example"), gateway("b.example"));
        sessions.keep("x".to_owned(), owner.clone(), session(1), now);
        assert!(sessions.resume("x", &other, now).is_none());
        assert!(sessions.resume("y", &owner, now).is_none());
        let resumed = sessions.resume("x", &owner, now).unwrap();
        assert_eq!(resumed.number, 1);
        assert!(sessions.resume("x", &owner, now).is_none());
        sessions.keep("z".to_owned(), owner.clone(), session(2), now);
        assert!(sessions.resume("z", &owner, now + TIME).is_none());
        assert!(sessions.is_empty());
    }

    #[test]
    fn nobody_keeps_more_than_a_few_and_none_is_pushed_out_by_another() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let (quiet, busy) = (gateway("quiet.example"), gateway("busy.example"));
        sessions.keep("q".to_owned(), quiet.clone(), session(0), now);
        for number in 0..10_000 {
            let id = number.to_string();
            sessions.keep(id, busy.clone(), session(number), now);
        }
        assert_eq!(sessions.len(), OF_ONE + 1);
        assert!(sessions.lock().order.len() <= 2 * IN_ALL + 1);
        assert!(sessions.resume("q", &quiet, now).is_some());
        assert!(sessions.resume("9999", &busy, now).is_some());
        assert!(sessions.resume("9979", &busy, now).is_none());
    }

    #[test]
    fn many_pairs_of_partners_push_out_no_gateway() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let quiet = gateway("quiet.example");
        sessions.keep("q".to_owned(), quiet.clone(), session(0), now);
        for number in 0..1200 {
            let owner = Owner::Partner(Pair {
                local: Domain::parse("quiet.example").unwrap(),
                remote: Domain::parse(&format!("d{number}.hostile.example")).unwrap(),
            });
            sessions.keep(number.to_string(), owner, session(number), now);
        }
        assert_eq!(sessions.len(), IN_ALL);
        assert!(sessions.resume("q", &quiet, now).is_some());
    }

    #[test]
    fn there_are_never_more_than_a_thousand() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        for number in 0..3000 {
            let owner = gateway(&format!("d{number}.example"));
            sessions.keep(number.to_string(), owner, session(number), now);
        }
        assert_eq!(sessions.len(), IN_ALL);
        assert_eq!(sessions.lock().of_owner.len(), IN_ALL);
    }
}
