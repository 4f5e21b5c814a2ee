//! Sessions whose connection was lost, and which their opener may resume on another one (XEP-0198 §5).
//!
//! What is kept is small: two counters, and which stanzas are in hand. The stanzas themselves wait
//! in the queues, or are on their way; so nothing here holds up anybody, and what is forgotten costs a
//! duplicate at most.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::ops::receipts::Receipts;
use crate::proto::auth::Pair;
use crate::proto::jid::Domain;
use crate::proto::stream::acks::{Agreed, RESUME_WITHIN};

/// For how long a session may be resumed after its connection was lost: as long as we say.
const TIME: Duration = Duration::from_secs(RESUME_WITHIN as u64);
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

/// All sessions without a connection.
#[derive(Debug, Default)]
pub struct Sessions {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_id: HashMap<String, Waiting>,
    /// Ids in the order in which they were kept; some are gone already.
    order: VecDeque<String>,
    of_owner: HashMap<Owner, usize>,
}

#[derive(Debug)]
struct Waiting {
    owner: Owner,
    session: Session,
    until: Instant,
}

impl Sessions {
    /// What all of them take at most, in bytes: of each its id twice, its owner, the counters and the places in the
    /// tables. What stands behind a stanza in hand takes a byte more.
    pub const BYTES: usize = IN_ALL << 11;

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
