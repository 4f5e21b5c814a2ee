//! Is a partner's certificate like those that it has shown before?
//!
//! A chain can be good and still not be the partner's: an authority that errs, or is made to err,
//! issues a certificate to whoever sits on the way. So a good chain is compared with those that
//! were seen lately: of another issuer (an alarm), or with another key (a renewal, most likely).

use sha2::{Digest as _, Sha256};

use super::certificate::CertFacts;
use super::pin::{PathCert, Pin};

/// What of a good chain is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Names the issuer: a digest of its organisation (of its whole name, where it has none) and of
    /// the key of the anchor above it. Authorities change the certificates that they sign with
    /// every few months; an alarm about that would soon be overheard.
    pub issuer: [u8; 32],
    /// The names of issuer and anchor, fit for a log line.
    pub issuer_name: String,
    /// The partner's own key.
    pub key: Pin,
}

impl Shown {
    /// Of a chain that was verified: the partner's own certificate, and the whole way up from it.
    pub(super) fn of(leaf: &CertFacts, path: &[PathCert]) -> Self {
        let anchor = path.last().filter(|_| path.len() > 1);
        let mut digest = Sha256::new().chain_update(leaf.issuing_organisation());
        let mut issuer_name = leaf.issuer.clone();
        if let Some(anchor) = anchor {
            digest.update(anchor.key.0);
            if anchor.subject != leaf.issuer {
                issuer_name.push_str(" under ");
                issuer_name.push_str(&anchor.subject);
            }
        }
        Self {
            issuer: digest.finalize().into(),
            issuer_name,
            key: Pin(leaf.spki_sha256),
        }
    }
}

/// How a chain that is shown now compares with those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// There is nothing to compare with.
    First,
    /// It was seen before.
    Same,
    /// The issuer was seen before, and the key was not.
    NewKey {
        /// The key last seen with this issuer.
        before: Pin,
    },
    /// The issuer was not seen before.
    NewIssuer {
        /// The name of the issuer last seen.
        before: String,
    },
}

/// A chain that was shown, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What is compared of it.
    pub shown: Shown,
    /// When it was last seen, within a day, in Unix time.
    pub last: u64,
}

/// The chains that were seen of one partner's domain, the last one first; at most
/// [`History::MOST`], so that hosts with certificates of their own may take turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History(Vec<Seen>);

impl History {
    /// How many chains are remembered.
    pub const MOST: usize = 4;
    /// For how long a chain is remembered that is not seen any more, in seconds; the last one is for
    /// as long as there is no other.
    pub const MEMORY: u64 = 90 * DAY;

    /// What was kept, the last one first.
    #[must_use]
    pub fn new(mut seen: Vec<Seen>) -> Self {
        seen.truncate(Self::MOST);
        Self(seen)
    }

    /// What is remembered, the last one first.
    #[must_use]
    pub fn seen(&self) -> &[Seen] {
        &self.0
    }

    /// Compares a chain with those before it; `now` is in Unix time, in seconds.
    #[must_use]
    pub fn compare(&self, shown: &Shown, now: u64) -> Continuity {
        let Some(last) = self.0.first() else {
            return Continuity::First;
        };
        let fresh = |seen: &&Seen| now.saturating_sub(seen.last) <= Self::MEMORY;
        let counting = || std::iter::once(last).chain(self.0.iter().skip(1).filter(fresh));
        let mut of_issuer = counting().filter(|seen| seen.shown.issuer == shown.issuer);
        if counting().any(|seen| seen.is(shown)) {
            return Continuity::Same;
        }
        match of_issuer.next() {
            Some(seen) => Continuity::NewKey {
                before: seen.shown.key,
            },
            None => Continuity::NewIssuer {
                before: last.shown.issuer_name.clone(),
            },
        }
    }

    /// Remembers a chain, and tells whether that changes anything worth keeping: a chain that was
    /// seen within the last day does not.
    #[must_use]
    pub fn note(&mut self, shown: &Shown, now: u64) -> bool {
        let index = self.0.iter().position(|seen| seen.is(shown));
        if let Some(index) = index {
            let known = self.0.get(index);
            if known.is_some_and(|seen| now.abs_diff(seen.last) < DAY) {
                return false;
            }
            self.0.remove(index);
        }
        let seen = Seen {
            shown: shown.clone(),
            last: now,
        };
        self.0.insert(0, seen);
        if self.0.len() > Self::MOST {
            let index = self.superfluous();
            self.0.remove(index);
        }
        true
    }

    /// Which one to forget: the oldest of those whose issuer is known by another one, too, so that
    /// many keys do not push an issuer out; else the oldest.
    fn superfluous(&self) -> usize {
        let has_another = |(index, seen): &(usize, &Seen)| {
            let mut others = self.0.iter().take(*index);
            others.any(|other| other.shown.issuer == seen.shown.issuer)
        };
        let double = self.0.iter().enumerate().rev().find(has_another);
        double.map_or_else(|| self.0.len().saturating_sub(1), |(index, _)| index)
    }
}

impl Seen {
    fn is(&self, shown: &Shown) -> bool {
        self.shown.issuer == shown.issuer && self.shown.key == shown.key
    }
}

const DAY: u64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_800_000_000;

    /// `A1`: the issuer A, the first of the keys.
    fn shown(text: &str) -> Shown {
        let (issuer, key) = text.split_at(1);
        Shown {
            issuer: [issuer.as_bytes()[0]; 32],
            issuer_name: issuer.to_owned(),
            key: pin(key),
        }
    }

    fn pin(text: &str) -> Pin {
        Pin([text.parse().unwrap(); 32])
    }

    /// Says what each of the chains is, shown one after the other, a day apart.
    fn told(chains: &str) -> String {
        let mut history = History::default();
        let mut told = Vec::new();
        for (day, text) in (0..).zip(chains.split(' ')) {
            let now = NOW + day * DAY;
            told.push(match history.compare(&shown(text), now) {
                Continuity::First => "first".to_owned(),
                Continuity::Same => "same".to_owned(),
                Continuity::NewKey { before } => format!("key({})", before.0[0]),
                Continuity::NewIssuer { before } => format!("issuer({before})"),
            });
            assert!(history.note(&shown(text), now));
            assert!(history.seen().len() <= History::MOST);
        }
        told.join(" ")
    }

    #[test]
    fn what_was_not_seen_before_is_new_once() {
        for (chains, want) in [
            ("A1 A1 A1", "first same same"),
            ("A1 A2 A2 A3", "first key(1) same key(2)"),
            ("A1 B1 B1", "first issuer(A) same"),
            // Hosts that take turns.
            ("A1 B2 A1 B2 A1", "first issuer(A) same same same"),
            ("A1 A2 A3 A4 A1", "first key(1) key(2) key(3) same"),
            // The key last seen with this issuer, not with another one.
            ("A1 B2 A3", "first issuer(A) key(1)"),
            // Four issuers fit, however often one of them renews.
            (
                "A1 B1 C1 D1 D2 D3 D4 A1 B1 C1",
                "first issuer(A) issuer(B) issuer(C) key(1) key(2) key(3) same same same",
            ),
            // The fifth pushes out the oldest.
            (
                "A1 B1 C1 D1 E1 A1",
                "first issuer(A) issuer(B) issuer(C) issuer(D) issuer(E)",
            ),
        ] {
            assert_eq!(told(chains), want, "{chains}");
        }
    }

    #[test]
    fn what_has_not_been_seen_for_long_counts_no_more_unless_it_was_the_last() {
        let mut history = History::default();
        assert!(history.note(&shown("A1"), NOW));
        let later = NOW + 10 * History::MEMORY;
        assert_eq!(history.compare(&shown("A1"), later), Continuity::Same);
        let alarm = |before: &str| Continuity::NewIssuer {
            before: before.to_owned(),
        };
        assert_eq!(history.compare(&shown("B1"), later), alarm("A"));
        assert!(history.note(&shown("B1"), later));
        // A was left for B long ago: who comes back with it is not the partner of today.
        assert_eq!(history.compare(&shown("A1"), later), alarm("B"));
        assert_eq!(history.compare(&shown("A2"), later), alarm("B"));
    }

    #[test]
    fn a_chain_is_kept_anew_once_a_day_whichever_way_the_clock_goes() {
        let mut history = History::default();
        for (now, kept) in [
            (NOW, true),
            (NOW, false),
            (NOW + DAY - 1, false),
            (NOW + DAY, true),
            (NOW + DAY + 1, false),
            (NOW, true),
        ] {
            assert_eq!(history.note(&shown("A1"), now), kept, "{now}");
            assert_eq!(history.seen().len(), 1);
        }
    }

    proptest! {
        /// What was just noted is known, and nothing that was not shown is.
        #[test]
        fn what_was_noted_is_the_same_and_the_set_is_small(
            steps in prop::collection::vec(("[A-F]", 0..4_u8, 0..200_u64), 1..40)
        ) {
            let mut history = History::default();
            let mut now = NOW;
            for (issuer, key, days) in steps {
                now += days * DAY;
                let shown = shown(&format!("{issuer}{key}"));
                let known = history.seen().iter().any(|seen| seen.shown == shown);
                let same = history.compare(&shown, now) == Continuity::Same;
                prop_assert!(known || !same);
                let before = history.clone();
                if !history.note(&shown, now) {
                    prop_assert_eq!(&history, &before);
                }
                prop_assert_eq!(history.compare(&shown, now), Continuity::Same);
                prop_assert!(history.seen().len() <= History::MOST);
            }
        }
    }
}
