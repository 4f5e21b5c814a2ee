//! The last attempts of each partner, in both directions: what each met, step by step.
//!
//! Bounded whoever comes, and however often: a few attempts for each entry of the partner file and each
//! direction, a few steps of each. Attempts that end alike count as one, so a partner that is tried
//! every minute does not push out how it was before.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::net::live::trail::{Fact, Step};
use crate::proto::codes::Code;
use crate::proto::jid::Domain;
use crate::proto::policy::{Direction, Method, Network, Reason};

/// How many attempts are kept of each partner and direction.
pub const KEPT: usize = 5;
/// How many steps are kept of an attempt: the first ones, and the last ones.
const FIRST_STEPS: usize = 8;
const LAST_STEPS: usize = 16;
/// How many places, addresses and certificates are kept in one step.
const IN_A_STEP: usize = 4;

/// What is remembered, by the primary domain of each entry.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<Domain, Memory>>);

/// One attempt, or several in a row that ended alike.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Under this number the log has the last one, if it has it.
    pub stream: Option<u64>,
    /// Which way the stream was opened.
    pub direction: Direction,
    /// The domain on this side, where it is known.
    pub local: Option<Domain>,
    /// The partner's domain.
    pub remote: Domain,
    /// Where the last one came from, or led to.
    pub address: Option<SocketAddr>,
    /// Whether it was the partner for all that is known: it has proven itself from that address lately,
    /// or has shown its certificate, or we have reached it in that network. Else somebody has come in
    /// its name, and that may be anybody.
    pub is_familiar: bool,
    /// When the first of them ended, in Unix time.
    pub first: u64,
    /// When the last one ended, in Unix time.
    pub last: u64,
    /// How many they are.
    pub times: u64,
    /// How long the last one took.
    pub took: Duration,
    /// How it was proven, or why it was not.
    pub outcome: Result<Method, Reason>,
    /// What the last one met.
    pub steps: Vec<Step>,
}

impl Attempt {
    /// Whether two ended alike, on the same way.
    fn is_like(&self, other: &Self) -> bool {
        let network = |attempt: &Self| attempt.address.map(|address| Network::of(address.ip()));
        self.remote == other.remote
            && self.code() == other.code()
            && (self.direction == Direction::Outbound || network(self) == network(other))
    }

    /// The code of the reason, where it failed.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.outcome.as_ref().err().map(Reason::code)
    }
}

/// The newest come last.
#[derive(Debug, Default)]
struct Memory {
    inbound: VecDeque<Attempt>,
    outbound: VecDeque<Attempt>,
}

impl Memory {
    /// See [`Attempt::is_familiar`]: a partner that has never proven itself may still come from where it
    /// is reached.
    fn is_familiar(&self, attempt: &Attempt) -> bool {
        let network = |it: &Attempt| it.address.map(|address| Network::of(address.ip()));
        let comes_from = network(attempt);
        let is_there = |it: &Attempt| comes_from.is_some() && network(it) == comes_from;
        attempt.is_familiar || self.outbound.iter().any(is_there)
    }
}

impl Attempts {
    /// What the attempts of one partner take in memory at most, in bytes. A step takes no more than two
    /// of its longest names and texts.
    pub const BYTES_EACH: usize = 2 * KEPT * ((FIRST_STEPS + LAST_STEPS) * (1 << 10) + (2 << 10));

    /// Remembers an attempt of a partner, which is named by its primary domain. Returns whether it was the
    /// partner's for all that is known.
    pub fn note(&self, partner: &Domain, mut attempt: Attempt) -> bool {
        trim(&mut attempt.steps);
        let mut memory = self.lock();
        let memory = memory.entry(partner.clone()).or_default();
        let is_familiar = memory.is_familiar(&attempt);
        let kept = match attempt.direction {
            Direction::Inbound => &mut memory.inbound,
            Direction::Outbound => &mut memory.outbound,
        };
        if let Some(index) = kept.iter().position(|before| before.is_like(&attempt))
            && let Some(before) = kept.remove(index)
        {
            attempt.first = before.first;
            attempt.times = before.times.saturating_add(1);
        }
        while kept.len() >= KEPT {
            // Who comes from where nobody was proven before may be anybody: such make room for each
            // other first.
            let stranger = kept.iter().position(|before| !before.is_familiar);
            if stranger.is_none() && !attempt.is_familiar {
                return is_familiar;
            }
            drop(kept.remove(stranger.unwrap_or_default()));
        }
        kept.push_back(attempt);
        is_familiar
    }

    /// What is remembered of a partner, the newest first.
    #[must_use]
    pub fn of(&self, partner: &Domain) -> Vec<Attempt> {
        let memory = self.lock();
        let Some(memory) = memory.get(partner) else {
            return Vec::new();
        };
        let mut all: Vec<_> = memory.inbound.iter().chain(&memory.outbound).collect();
        all.sort_by_key(|attempt| std::cmp::Reverse((attempt.last, attempt.stream)));
        let judged = all.into_iter().cloned().map(|attempt| Attempt {
            is_familiar: memory.is_familiar(&attempt),
            ..attempt
        });
        judged.collect()
    }

    /// The newest attempts of each partner, without their steps: ours, its own, and one of somebody who
    /// came in its name and has shown nothing of it.
    #[must_use]
    pub fn newest(&self) -> HashMap<Domain, Vec<Attempt>> {
        let memory = self.lock();
        let newest = memory.iter().map(|(partner, memory)| {
            let mut inbound = memory.inbound.iter().rev();
            let last = [
                inbound.clone().find(|it| memory.is_familiar(it)),
                inbound.find(|it| !memory.is_familiar(it)),
                memory.outbound.back(),
            ];
            let last = last.into_iter().flatten().map(|attempt| Attempt {
                is_familiar: memory.is_familiar(attempt),
                ..attempt.without_steps()
            });
            (partner.clone(), last.collect())
        });
        newest.collect()
    }

    /// Forgets partners that are none any more.
    pub fn retain(&self, is_partner: impl Fn(&Domain) -> bool) {
        self.lock().retain(|partner, _| is_partner(partner));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Domain, Memory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    fn without_steps(&self) -> Self {
        Self {
            stream: self.stream,
            direction: self.direction,
            local: self.local.clone(),
            remote: self.remote.clone(),
            address: self.address,
            is_familiar: self.is_familiar,
            first: self.first,
            last: self.last,
            times: self.times,
            took: self.took,
            outcome: self.outcome.clone(),
            steps: Vec::new(),
        }
    }
}

/// Keeps the first steps and the last ones, and of each no more than a screen shows.
fn trim(steps: &mut Vec<Step>) {
    if steps.len() > FIRST_STEPS + LAST_STEPS {
        let end = steps.len() - LAST_STEPS;
        steps.drain(FIRST_STEPS..end);
    }
    for step in steps.iter_mut() {
        match &mut step.fact {
            Fact::Places { targets, .. } => targets.truncate(IN_A_STEP),
            Fact::Addresses {
                answer: Ok(found), ..
            } => found.truncate(IN_A_STEP),
            Fact::Tls { chain, .. } => chain.truncate(IN_A_STEP),
            _ => {}
        }
    }
    steps.shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn attempt(number: u64, address: &str, outcome: Result<Method, Reason>) -> Attempt {
        Attempt {
            stream: Some(number),
            direction: Direction::Inbound,
            local: None,
            remote: domain("fabrikam.example"),
            address: Some(address.parse().unwrap()),
            is_familiar: false,
            first: number,
            last: number,
            times: 1,
            took: Duration::ZERO,
            outcome,
            steps: Vec::new(),
        }
    }

    #[test]
    fn attempts_that_end_alike_count_as_one() {
        let (attempts, partner) = (Attempts::default(), domain("fabrikam.example"));
        for number in 1..=1000 {
            let refused = attempt(number, "192.0.2.7:1", Err(Reason::TlsMissing));
            attempts.note(&partner, refused);
        }
        attempts.note(
            &partner,
            attempt(1001, "192.0.2.9:1", Ok(Method::SaslExternal)),
        );
        let kept = attempts.of(&partner);
        let times: Vec<_> = kept
            .iter()
            .map(|it| (it.times, it.first, it.last))
            .collect();
        assert_eq!(times, [(1, 1001, 1001), (1000, 1, 1000)]);
    }

    #[test]
    fn strangers_do_not_push_out_whoever_comes_from_where_the_partner_was_proven() {
        let (attempts, partner) = (Attempts::default(), domain("fabrikam.example"));
        let familiar = Attempt {
            is_familiar: true,
            ..attempt(1, "198.51.100.1:1", Err(Reason::ExternalMissing))
        };
        attempts.note(&partner, familiar);
        for number in 2..=3000 {
            let from = format!("10.{}.{}.1:1", number / 256, number % 256);
            attempts.note(&partner, attempt(number, &from, Err(Reason::TlsMissing)));
        }
        let kept = attempts.of(&partner);
        assert_eq!(kept.len(), KEPT);
        assert_eq!(kept.first().map(|it| it.stream), Some(Some(3000)));
        assert_eq!(kept.last().map(|it| it.stream), Some(Some(1)));
        // Nor where all that are kept are such.
        for number in 3001..3010 {
            let from = format!("10.{}.{}.1:1", number / 256, number % 256);
            let familiar = Attempt {
                is_familiar: true,
                ..attempt(number, &from, Err(Reason::ExternalMissing))
            };
            attempts.note(&partner, familiar);
        }
        let stranger = attempt(4000, "203.0.113.1:1", Err(Reason::TlsMissing));
        attempts.note(&partner, stranger);
        assert!(attempts.of(&partner).iter().all(|it| it.is_familiar));
    }

    #[test]
    fn whoever_comes_in_a_partners_name_is_told_from_the_partner() {
        let (attempts, partner) = (Attempts::default(), domain("fabrikam.example"));
        let kinds = |attempts: &Attempts| {
            let newest = attempts.newest().remove(&domain("fabrikam.example"));
            let newest = newest.unwrap();
            let mut kinds: Vec<_> = { newest.iter() }
                .map(|it| (it.direction, it.is_familiar, it.stream))
                .collect();
            kinds.sort_by_key(|it| it.2);
            kinds
        };
        let (inbound, outbound) = (Direction::Inbound, Direction::Outbound);
        let familiar = Attempt {
            is_familiar: true,
            ..attempt(1, "198.51.100.1:1", Err(Reason::ExternalMissing))
        };
        attempts.note(&partner, familiar);
        attempts.note(&partner, attempt(2, "192.0.2.7:1", Err(Reason::TlsMissing)));
        // Both are told of, though the stranger's is the newer one.
        let want = [(inbound, true, Some(1)), (inbound, false, Some(2))];
        assert_eq!(kinds(&attempts), want);
        // It was the partner after all: we reach it next to where that came from.
        let reached = Attempt {
            direction: outbound,
            is_familiar: true,
            ..attempt(3, "192.0.2.9:5269", Err(Reason::ExternalMissing))
        };
        attempts.note(&partner, reached);
        let want = [(inbound, true, Some(2)), (outbound, true, Some(3))];
        assert_eq!(kinds(&attempts), want);
        assert!(attempts.of(&partner).iter().all(|it| it.is_familiar));
    }

    #[test]
    fn of_a_long_attempt_the_beginning_and_the_end_are_kept() {
        let (attempts, partner) = (Attempts::default(), domain("fabrikam.example"));
        let step = |second| Step {
            at: Duration::from_secs(second),
            fact: Fact::Header,
        };
        let long = Attempt {
            steps: (0..100).map(step).collect(),
            ..attempt(1, "192.0.2.7:1", Err(Reason::TlsMissing))
        };
        attempts.note(&partner, long);
        let kept = attempts.of(&partner).remove(0).steps;
        let at = |index: usize| kept.get(index).map(|step| step.at.as_secs());
        assert_eq!(kept.len(), FIRST_STEPS + LAST_STEPS);
        assert_eq!((at(0), at(FIRST_STEPS - 1)), (Some(0), Some(7)));
        assert_eq!(at(kept.len() - 1), Some(99));
    }

    #[test]
    fn who_is_no_partner_any_more_is_forgotten() {
        let (attempts, partner) = (Attempts::default(), domain("fabrikam.example"));
        attempts.note(&partner, attempt(1, "192.0.2.7:1", Err(Reason::TlsMissing)));
        attempts.retain(|known| *known != partner);
        assert!(attempts.of(&partner).is_empty());
        assert!(attempts.newest().is_empty());
    }
}
