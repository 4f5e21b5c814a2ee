//! How contacts are learned: what subscriptions that pass outward say about whom a user has added.

use std::collections::HashMap;

use super::user_pair::PairDigest;
use crate::proto::stanza::{Kind, Stanza};

pub use super::user_pair::UserPair;

/// What an outbound stanza says about a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// `subscribe`: the local user wants to see the other.
    Subscribe,
    /// `subscribed`: the other may see the local user.
    Subscribed,
    /// `unsubscribe`: the first is taken back.
    Unsubscribe,
    /// `unsubscribed`: the second is taken back, or was never given.
    Unsubscribed,
}

impl Subscription {
    /// What a stanza says, if it is about a subscription at all.
    #[must_use]
    pub fn of(stanza: &Stanza) -> Option<Self> {
        // RFC 6121 §3: the four types of presence that manage subscriptions.
        match (stanza.kind, stanza.stanza_type()?) {
            (Kind::Presence, "subscribe") => Some(Self::Subscribe),
            (Kind::Presence, "subscribed") => Some(Self::Subscribed),
            (Kind::Presence, "unsubscribe") => Some(Self::Unsubscribe),
            (Kind::Presence, "unsubscribed") => Some(Self::Unsubscribed),
            _ => None,
        }
    }
}

/// What is to be done about what is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The local user has added the contact.
    Add,
    /// The local user has nothing to do with the contact any more.
    Remove,
}

/// Tells when a contact ends: when the last of its two halves is taken back.
///
/// A subscription in either direction makes a contact. A user who stops watching somebody, and
/// still lets them watch, keeps them as a contact; so does one who declines a request of somebody
/// they watch. What is remembered for good is only that there is a contact. Of those that were
/// there before this process began it is not known which halves they have, so both must be taken
/// back.
#[derive(Debug, Default)]
pub struct Halves(HashMap<PairDigest, Known>);

/// Whether each half is there, where it is known.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    watching: Option<bool>,
    watched: Option<bool>,
}

/// Beyond so many user pairs all is forgotten: then both halves must be taken back.
const MAX_USER_PAIRS: usize = 65_536;

impl Halves {
    /// What they take in memory at most, in bytes.
    pub const BYTES: usize = MAX_USER_PAIRS * 64;

    /// Takes in what passed outward; `is_contact` is what was remembered before.
    pub fn observe(
        &mut self,
        user_pair: &UserPair,
        said: Subscription,
        is_contact: bool,
    ) -> Option<Change> {
        let user_pair = PairDigest::of(user_pair);
        if self.0.len() >= MAX_USER_PAIRS && !self.0.contains_key(&user_pair) {
            self.0.clear();
        }
        // Where there was no contact, neither half was there.
        let before = if is_contact {
            self.0.get(&user_pair).copied().unwrap_or_default()
        } else {
            Known {
                watching: Some(false),
                watched: Some(false),
            }
        };
        let now = match said {
            Subscription::Subscribe => Known {
                watching: Some(true),
                ..before
            },
            Subscription::Subscribed => Known {
                watched: Some(true),
                ..before
            },
            Subscription::Unsubscribe => Known {
                watching: Some(false),
                ..before
            },
            Subscription::Unsubscribed => Known {
                watched: Some(false),
                ..before
            },
        };
        let gone = now.watching == Some(false) && now.watched == Some(false);
        if gone {
            self.0.remove(&user_pair);
        } else {
            self.0.insert(user_pair, now);
        }
        match (is_contact, gone) {
            (false, false) => Some(Change::Add),
            (true, true) => Some(Change::Remove),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Subscription::{Subscribe, Subscribed, Unsubscribe, Unsubscribed};
    use super::*;
    use crate::proto::jid::BareJid;

    #[test]
    fn a_contact_lasts_as_long_as_either_half() {
        // What was remembered at the start, what passes, what is remembered at the end.
        let table: [(bool, &[Subscription], bool); 12] = [
            (false, &[Subscribe], true),
            (false, &[Subscribed], true),
            (false, &[Unsubscribed], false),
            (false, &[Unsubscribe, Unsubscribed], false),
            (false, &[Subscribe, Unsubscribe], false),
            (false, &[Subscribe, Subscribed, Unsubscribe], true),
            (false, &[Subscribe, Subscribed, Unsubscribed], true),
            (
                false,
                &[Subscribe, Subscribed, Unsubscribed, Unsubscribe],
                false,
            ),
            (false, &[Subscribe, Unsubscribed], true),
            // From before the process began: which halves there are is not known.
            (true, &[Unsubscribe], true),
            (true, &[Unsubscribe, Unsubscribed], false),
            (true, &[Unsubscribe, Subscribe, Unsubscribed], true),
        ];
        for (mut contact, passes, want) in table {
            let start = contact;
            let mut halves = Halves::default();
            let user_pair = || {
                let bare = |text| BareJid::parse(text).unwrap();
                (bare("a@contoso.example"), bare("b@fabrikam.example"))
            };
            for said in passes {
                match halves.observe(&user_pair(), *said, contact) {
                    Some(Change::Add) => contact = true,
                    Some(Change::Remove) => contact = false,
                    None => {}
                }
            }
            assert_eq!(contact, want, "{start} {passes:?}");
        }
    }
}
