//! How many stanzas passed lately, by partner: what the lines on the page are drawn from.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::net::admin::desk::NOBODY;
use crate::ops::counters::PartnerSnapshot;

/// How often it is counted.
pub(super) const STEP: Duration = Duration::from_secs(15);
/// How many counts are kept: those of ten minutes.
pub(super) const KEPT: usize = 40;

/// What passed in each step, the oldest first.
#[derive(Debug, Default)]
pub struct Trends(Mutex<HashMap<String, Past>>);

#[derive(Debug)]
struct Past {
    /// What was accepted so far: from the partner, and to it.
    before: [u64; 2],
    steps: VecDeque<[u64; 2]>,
}

/// Stanzas from the partner, and to it, in each step.
pub(super) type Trend = [Vec<u64>; 2];

impl Trends {
    /// What is kept of one entry, in bytes at most.
    pub const BYTES_EACH: usize = KEPT * 16 + 512;

    /// Another step is over. Entries that are not there any more are forgotten.
    pub fn note(&self, counted: &[(String, PartnerSnapshot)]) {
        let mut all = self.lock();
        all.retain(|name, _| counted.iter().any(|(known, _)| known == name));
        for (name, snapshot) in counted.iter().filter(|(name, _)| name != NOBODY) {
            let flows = [&snapshot.inbound, &snapshot.outbound];
            let now = flows.map(|flow| flow.counts.accepted);
            let Some(past) = all.get_mut(name) else {
                let past = Past {
                    before: now,
                    steps: VecDeque::new(),
                };
                all.insert(name.clone(), past);
                continue;
            };
            let [inward, outward] = now;
            let [inward_before, outward_before] = std::mem::replace(&mut past.before, now);
            if past.steps.len() >= KEPT {
                past.steps.pop_front();
            }
            past.steps.push_back([
                inward.saturating_sub(inward_before),
                outward.saturating_sub(outward_before),
            ]);
        }
    }

    /// What is known of an entry, by its name in reports.
    pub(super) fn of(&self, name: &str) -> Trend {
        let all = self.lock();
        let steps = all.get(name).map(|past| &past.steps);
        let steps = || steps.into_iter().flatten();
        [
            steps().map(|[inward, _]| *inward).collect(),
            steps().map(|[_, outward]| *outward).collect(),
        ]
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Past>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(accepted: u64) -> Vec<(String, PartnerSnapshot)> {
        let mut snapshot = PartnerSnapshot::default();
        snapshot.inbound.counts.accepted = accepted;
        vec![
            ("a.example".to_owned(), snapshot),
            (NOBODY.to_owned(), PartnerSnapshot::default()),
        ]
    }

    #[test]
    fn of_each_entry_the_last_steps_are_kept() {
        let trends = Trends::default();
        for step in 0..=2 * KEPT as u64 {
            trends.note(&counted(step * step));
        }
        let [inward, outward] = trends.of("a.example");
        assert_eq!((inward.len(), outward.len()), (KEPT, KEPT));
        // Of squares, the differences are the odd numbers.
        assert_eq!(inward.last(), Some(&(4 * KEPT as u64 - 1)));
        assert!(outward.iter().all(|count| *count == 0));
        assert_eq!(trends.of(NOBODY), Trend::default());
        trends.note(&[]);
        assert_eq!(trends.of("a.example"), Trend::default());
    }
}
