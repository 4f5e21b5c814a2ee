//! Which conversations are open: what a partner's `direction` needs to know.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::contact::Link;
use crate::proto::jid::Domain;

/// How long a conversation stays open after its last stanza.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Most conversations that are kept, of all partners together.
const MOST: usize = 65_536;

/// What stands for two users: 16 bytes, however long their addresses are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PairDigest([u8; 16]);

impl PairDigest {
    /// Of a local and a remote user. Nobody can find two pairs that have the same.
    #[must_use]
    pub fn of((local, remote): &Link) -> Self {
        let digest = Sha256::new()
            .chain_update(local.as_str())
            // No address has a control character in it.
            .chain_update([0])
            .chain_update(remote.as_str())
            .finalize();
        let mut short = [0; 16];
        short.copy_from_slice(digest.first_chunk::<16>().unwrap_or(&[0; 16]));
        Self(short)
    }
}

/// The conversations that the side which may open them has opened, and when each was last heard; by
/// the partner's account, so that whoever has most is the first to lose some.
#[derive(Debug, Default)]
pub struct Conversations {
    partners: HashMap<Domain, HashMap<PairDigest, Instant>>,
    count: usize,
}

impl Conversations {
    /// A stanza passed in a conversation that is open, or that it opens.
    pub fn heard(&mut self, partner: &Domain, pair: PairDigest, now: Instant) {
        if self.count >= MOST && !self.is_known(partner, &pair) {
            self.make_room(now);
        }
        let own = match self.partners.get_mut(partner) {
            Some(own) => own,
            None => self.partners.entry(partner.clone()).or_default(),
        };
        if own.insert(pair, now).is_none() {
            self.count += 1;
        }
    }

    /// Whether a conversation is open.
    #[must_use]
    pub fn is_open(&self, partner: &Domain, pair: &PairDigest, now: Instant) -> bool {
        self.partners
            .get(partner)
            .and_then(|own| own.get(pair))
            .is_some_and(|last| now.saturating_duration_since(*last) < LIFETIME)
    }

    fn is_known(&self, partner: &Domain, pair: &PairDigest) -> bool {
        let own = self.partners.get(partner);
        own.is_some_and(|own| own.contains_key(pair))
    }

    /// Forgets what is closed; then, of the partner that has most, the half that was quiet for longest.
    fn make_room(&mut self, now: Instant) {
        for own in self.partners.values_mut() {
            own.retain(|_, last| now.saturating_duration_since(*last) < LIFETIME);
        }
        self.partners.retain(|_, own| !own.is_empty());
        self.count = self.partners.values().map(HashMap::len).sum();
        if self.count < MOST {
            return;
        }
        let Some(largest) = self.partners.values_mut().max_by_key(|own| own.len()) else {
            return;
        };
        let mut times: Vec<_> = largest.values().copied().collect();
        times.sort_unstable();
        let mut surplus = largest.len().div_ceil(2);
        let middle = times.get(surplus.saturating_sub(1)).copied();
        largest.retain(|_, last| {
            let goes = surplus > 0 && middle.is_none_or(|middle| *last <= middle);
            surplus -= usize::from(goes);
            !goes
        });
        largest.shrink_to_fit();
        self.count = self.partners.values().map(HashMap::len).sum();
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant to start from"
    )]

    use super::*;
    use crate::proto::jid::BareJid;

    fn pair(number: usize) -> PairDigest {
        let bare = |text: &str| BareJid::parse(text).unwrap();
        PairDigest::of(&(
            bare("a@contoso.example"),
            bare(&format!("b{number}@fabrikam.example")),
        ))
    }

    fn partner(name: &str) -> Domain {
        Domain::parse(&format!("{name}.example")).unwrap()
    }

    #[test]
    fn a_conversation_ends_a_day_after_its_last_stanza() {
        let start = Instant::now();
        let fabrikam = partner("fabrikam");
        let mut open = Conversations::default();
        assert!(!open.is_open(&fabrikam, &pair(0), start));
        open.heard(&fabrikam, pair(0), start);
        let almost = start + LIFETIME - Duration::from_secs(1);
        assert!(open.is_open(&fabrikam, &pair(0), almost));
        assert!(!open.is_open(&fabrikam, &pair(1), almost));
        assert!(!open.is_open(&partner("other"), &pair(0), almost));
        open.heard(&fabrikam, pair(0), almost);
        assert!(open.is_open(&fabrikam, &pair(0), start + LIFETIME));
        assert!(!open.is_open(&fabrikam, &pair(0), almost + LIFETIME));
    }

    #[test]
    fn whoever_has_most_loses_its_own_quietest_and_nobody_elses() {
        let start = Instant::now();
        let (quiet, loud) = (partner("quiet"), partner("loud"));
        let mut open = Conversations::default();
        for number in 0..100 {
            open.heard(&quiet, pair(number), start);
        }
        let later = |number: usize| start + Duration::from_millis(u64::try_from(number).unwrap());
        for number in 0..2 * MOST {
            open.heard(&loud, pair(number), later(number));
        }
        let end = later(2 * MOST);
        let known: usize = open.partners.values().map(HashMap::len).sum();
        assert!(known <= MOST && known == open.count);
        assert!((0..100).all(|number| open.is_open(&quiet, &pair(number), end)));
        assert!(open.is_open(&loud, &pair(2 * MOST - 1), end));
        assert!(!open.is_open(&loud, &pair(0), end));
    }
}
