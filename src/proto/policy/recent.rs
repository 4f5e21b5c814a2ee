//! What is remembered of each partner for a while, in bounded memory: [`Recent`].

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use super::user_pair::PairDigest;
use crate::proto::jid::Domain;

/// When each of some things was last heard of; by the partner's account, so that the partner that has
/// most is the first to lose some, and of its things those of the local user who has most.
#[derive(Debug)]
pub(super) struct Recent {
    partners: HashMap<Domain, HashMap<PairDigest, Heard>>,
    /// Things in all.
    count: usize,
    lifetime: Duration,
    /// Most places that are taken in all.
    most: usize,
}

/// When a thing was last heard of, and of which local user it is.
#[derive(Clone, Copy, Debug)]
struct Heard {
    last: Instant,
    /// A hash of its address.
    user: u32,
}

/// What one thing takes in memory at most, in bytes: 40, and its part of a table that is half empty.
const PLACE_BYTES: usize = 96;
/// What a partner takes besides, in places: its name, and an empty table.
const OF_PARTNER: usize = 8;

impl Recent {
    /// Nothing yet; each thing is forgotten after `lifetime`, and all together take no more than
    /// `bytes` of memory.
    #[must_use]
    pub(super) fn new(lifetime: Duration, bytes: usize) -> Self {
        Self {
            partners: HashMap::new(),
            count: 0,
            lifetime,
            most: bytes / PLACE_BYTES,
        }
    }

    /// Something of a local user was heard of.
    pub(super) fn heard(&mut self, partner: &Domain, user: &str, what: PairDigest, now: Instant) {
        if self.places() + OF_PARTNER >= self.most && !self.knows(partner, &what) {
            self.make_room(now);
        }
        let own = match self.partners.get_mut(partner) {
            Some(own) => own,
            None => self.partners.entry(partner.clone()).or_default(),
        };
        let heard = Heard {
            last: now,
            user: hash(user),
        };
        if own.insert(what, heard).is_none() {
            self.count += 1;
        }
    }

    /// Whether it was heard of lately.
    #[must_use]
    pub(super) fn is_recent(&self, partner: &Domain, what: &PairDigest, now: Instant) -> bool {
        self.partners
            .get(partner)
            .and_then(|own| own.get(what))
            .is_some_and(|heard| self.lives(heard.last, now))
    }

    /// Forgets one thing.
    pub(super) fn forget(&mut self, partner: &Domain, what: &PairDigest) {
        let Some(own) = self.partners.get_mut(partner) else {
            return;
        };
        if own.remove(what).is_some() {
            self.count = self.count.saturating_sub(1);
        }
        if own.is_empty() {
            self.partners.remove(partner);
        }
    }

    fn places(&self) -> usize {
        self.count + self.partners.len() * OF_PARTNER
    }

    fn knows(&self, partner: &Domain, what: &PairDigest) -> bool {
        let own = self.partners.get(partner);
        own.is_some_and(|own| own.contains_key(what))
    }

    fn lives(&self, last: Instant, now: Instant) -> bool {
        now.saturating_duration_since(last) < self.lifetime
    }

    /// Forgets what is over. Where an eighth is not free then, every partner with more than a common
    /// share loses some, down to that share; so this is not done again soon.
    fn make_room(&mut self, now: Instant) {
        let lifetime = self.lifetime;
        let target = self.most - self.most / 8;
        for own in self.partners.values_mut() {
            own.retain(|_, heard| now.saturating_duration_since(heard.last) < lifetime);
        }
        self.partners.retain(|_, own| !own.is_empty());
        // More partners than there is room for: those go that were heard of longest ago.
        let surplus = self
            .partners
            .len()
            .saturating_sub(target / (OF_PARTNER + 1));
        if surplus > 0 {
            let latest = |own: &HashMap<_, Heard>| own.values().map(|heard| heard.last).max();
            let mut times: Vec<_> = self.partners.values().filter_map(latest).collect();
            let limit = *times.select_nth_unstable(surplus - 1).1;
            let mut left = surplus;
            self.partners.retain(|_, own| {
                let goes = left > 0 && latest(own).is_none_or(|last| last <= limit);
                left -= usize::from(goes);
                !goes
            });
        }
        let sizes = self.partners.values().map(HashMap::len).collect();
        let share = common_share(sizes, target - self.partners.len() * OF_PARTNER);
        for own in self.partners.values_mut() {
            keep_fairly(own, share);
        }
        self.count = self.partners.values().map(HashMap::len).sum();
    }
}

/// The largest share with which partners of these sizes have no more than `target` in all.
fn common_share(mut sizes: Vec<usize>, target: usize) -> usize {
    sizes.sort_unstable();
    let (mut left, mut partners) = (target, sizes.len());
    for size in sizes {
        if size * partners > left {
            return left / partners;
        }
        left -= size;
        partners -= 1;
    }
    usize::MAX
}

/// Keeps so many: each local user who has more than a common share loses what was heard of longest
/// ago. Where there are more users than that, the latest of all are kept.
fn keep_fairly(own: &mut HashMap<PairDigest, Heard>, most: usize) {
    if own.len() <= most {
        return;
    }
    let mut users: HashMap<u32, Vec<Instant>> = HashMap::new();
    for heard in own.values() {
        users.entry(heard.user).or_default().push(heard.last);
    }
    let share = common_share(users.values().map(Vec::len).collect(), most);
    if share == 0 {
        let mut surplus = Surplus::of(own.values().map(|heard| heard.last).collect(), most);
        own.retain(|_, heard| !surplus.takes(heard.last));
    } else {
        let surplus = |(user, times)| (user, Surplus::of(times, share));
        let mut users: HashMap<_, _> = users.into_iter().map(surplus).collect();
        own.retain(|_, heard| {
            let surplus = users.get_mut(&heard.user);
            !surplus.is_some_and(|surplus| surplus.takes(heard.last))
        });
    }
    own.shrink_to_fit();
}

/// How many are to go, the oldest first.
struct Surplus {
    left: usize,
    until: Option<Instant>,
}

impl Surplus {
    fn of(mut times: Vec<Instant>, most: usize) -> Self {
        let left = times.len().saturating_sub(most);
        let until = left
            .checked_sub(1)
            .map(|last| *times.select_nth_unstable(last).1);
        Self { left, until }
    }

    fn takes(&mut self, time: Instant) -> bool {
        let goes = self.left > 0 && self.until.is_some_and(|until| time <= until);
        self.left -= usize::from(goes);
        goes
    }
}

fn hash(text: &str) -> u32 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let [a, b, c, d, ..] = hasher.finish().to_ne_bytes();
    u32::from_ne_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant to start from"
    )]

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);
    const MOST: usize = 4096;
    const BYTES: usize = MOST * PLACE_BYTES;

    fn what(number: usize) -> PairDigest {
        PairDigest::of_texts(&[&number.to_string()])
    }

    fn partner(name: &str) -> Domain {
        Domain::parse(&format!("{name}.example")).unwrap()
    }

    #[test]
    fn a_thing_is_known_for_its_time_and_to_its_partner_only() {
        let start = Instant::now();
        let fabrikam = partner("fabrikam");
        let mut recent = Recent::new(DAY, BYTES);
        assert!(!recent.is_recent(&fabrikam, &what(0), start));
        recent.heard(&fabrikam, "anne", what(0), start);
        let almost = start + DAY - Duration::from_secs(1);
        assert!(recent.is_recent(&fabrikam, &what(0), almost));
        assert!(!recent.is_recent(&fabrikam, &what(1), almost));
        assert!(!recent.is_recent(&partner("other"), &what(0), almost));
        recent.heard(&fabrikam, "anne", what(0), almost);
        assert!(recent.is_recent(&fabrikam, &what(0), start + DAY));
        assert!(!recent.is_recent(&fabrikam, &what(0), almost + DAY));
        recent.forget(&fabrikam, &what(0));
        assert!(!recent.is_recent(&fabrikam, &what(0), almost));
        assert!(recent.partners.is_empty() && recent.count == 0);
    }

    #[test]
    fn whoever_has_most_loses_its_own_oldest_and_nobody_elses() {
        let start = Instant::now();
        let (quiet, loud) = (partner("quiet"), partner("loud"));
        let mut recent = Recent::new(DAY, BYTES);
        for number in 0..100 {
            recent.heard(&quiet, "anne", what(number), start);
        }
        let later = |number: usize| start + Duration::from_millis(u64::try_from(number).unwrap());
        for number in 0..4 * MOST {
            recent.heard(&loud, "anne", what(number), later(number));
        }
        let end = later(4 * MOST);
        let known: usize = recent.partners.values().map(HashMap::len).sum();
        assert!(known == recent.count && recent.places() <= MOST);
        assert!((0..100).all(|number| recent.is_recent(&quiet, &what(number), end)));
        assert!(recent.is_recent(&loud, &what(4 * MOST - 1), end));
        assert!(!recent.is_recent(&loud, &what(0), end));
    }

    #[test]
    fn a_loud_user_pushes_out_nobody_but_itself() {
        let start = Instant::now();
        let fabrikam = partner("fabrikam");
        let mut recent = Recent::new(DAY, BYTES);
        let later = |number: usize| start + Duration::from_millis(u64::try_from(number).unwrap());
        for number in 0..100 {
            recent.heard(&fabrikam, "anne", what(number), start);
        }
        for number in 100..4 * MOST {
            recent.heard(&fabrikam, "eve", what(number), later(number));
        }
        let end = later(4 * MOST);
        assert!(recent.places() <= MOST);
        assert!((0..100).all(|number| recent.is_recent(&fabrikam, &what(number), end)));
        assert!(recent.is_recent(&fabrikam, &what(4 * MOST - 1), end));
        // With more users than places the latest are kept.
        for number in 0..4 * MOST {
            let user = format!("user{number}");
            recent.heard(&fabrikam, &user, what(5 * MOST + number), end);
            assert!(recent.places() <= MOST);
        }
        assert!(recent.is_recent(&fabrikam, &what(9 * MOST - 1), end));
    }

    /// Under `[default-partner]` one person may have any number of domains.
    #[test]
    fn many_partners_with_one_thing_each_push_out_the_oldest_of_them_and_cost_little() {
        let start = Instant::now();
        let mut recent = Recent::new(DAY, BYTES);
        let later = |number: usize| start + Duration::from_millis(u64::try_from(number).unwrap());
        let mut walks = 0;
        for number in 0..8 * MOST {
            let before = recent.count;
            recent.heard(
                &partner(&format!("p{number}")),
                "anne",
                what(0),
                later(number),
            );
            walks += usize::from(recent.count <= before);
            assert!(recent.places() <= MOST && recent.partners.len() == recent.count);
        }
        // Room is made for many at once.
        assert!((1..=8 * 9 * 9).contains(&walks), "{walks}");
        let last = partner(&format!("p{}", 8 * MOST - 1));
        assert!(recent.is_recent(&last, &what(0), later(8 * MOST)));
    }
}
