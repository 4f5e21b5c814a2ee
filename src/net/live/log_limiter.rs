//! Keeps the log readable: of one thing that happens over and over, some lines a minute.
//!
//! The counters count everything all the same.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::proto::jid::Domain;
use crate::proto::policy::Network;

/// Lines that are written of one thing in one window: of one partner, or of one network.
const LINES: u64 = 10;
/// Lines that are written of all strangers together who fail in one way in one partner's name.
const STRANGERS: u64 = 60;
/// How long a window is.
const WINDOW: Duration = Duration::from_secs(60);
/// How many things are told apart. Beyond that all windows begin anew: that is a few lines more.
const MOST: usize = 4096;

/// What was written lately.
#[derive(Debug, Default)]
pub struct LogLimiter(Mutex<Windows>);

#[derive(Debug, Default)]
struct Windows {
    /// All domains that are no partner's are one thing, or each would have lines of its own.
    partners: HashMap<(Option<Domain>, &'static str), Window>,
    /// By the partner that is claimed, where it is one.
    strangers: HashMap<(Option<Domain>, &'static str), Window>,
    networks: HashMap<(Network, Option<Domain>, &'static str), Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    lines: u64,
    left_out: u64,
}

impl LogLimiter {
    /// What it takes in memory at most, in bytes: three tables, with a name in each entry.
    pub const BYTES: usize = 3 * MOST * 512;

    /// Whether a line about a partner and a reason is to be written now; if so, how many were left
    /// out since the last one.
    pub fn admit(&self, partner: Option<&Domain>, code: &'static str, now: Instant) -> Option<u64> {
        self.with(|windows| {
            let window = open(&mut windows.partners, (partner.cloned(), code), now);
            window.take(LINES)
        })
    }

    /// The same about a peer that has proven nothing. It may claim to be a partner: then its lines
    /// are counted apart, so that no flood of others hides why this partner fails; and no network
    /// can use up what is there for all.
    pub fn admit_stranger(
        &self,
        claimed: Option<&Domain>,
        address: IpAddr,
        code: &'static str,
        now: Instant,
    ) -> Option<u64> {
        self.with(|windows| {
            let all = open(&mut windows.strangers, (claimed.cloned(), code), now);
            let network = (Network::of(address), claimed.cloned(), code);
            let of_network = open(&mut windows.networks, network, now);
            if of_network.lines >= LINES {
                all.left_out += 1;
                return None;
            }
            let left_out = all.take(STRANGERS)?;
            of_network.lines += 1;
            Some(left_out)
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Windows) -> T) -> T {
        #[cfg(test)]
        crate::ops::counted::shared_lock();
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Window {
    /// Takes a line, if there is one left.
    fn take(&mut self, lines: u64) -> Option<u64> {
        if self.lines >= lines {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// The window of a thing, begun anew where its time is over.
fn open<K: Eq + Hash>(windows: &mut HashMap<K, Window>, key: K, now: Instant) -> &mut Window {
    if windows.len() >= MOST && !windows.contains_key(&key) {
        windows.retain(|_, window| !window.is_over(now));
        if windows.len() >= MOST {
            windows.clear();
        }
    }
    match windows.entry(key) {
        Entry::Occupied(found) => {
            let window = found.into_mut();
            if window.is_over(now) {
                window.began = now;
                window.lines = 0;
            }
            window
        }
        Entry::Vacant(place) => place.insert(Window {
            began: now,
            lines: 0,
            left_out: 0,
        }),
    }
}

impl Window {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= WINDOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    #[test]
    fn a_flood_is_ten_lines_a_minute_and_a_number() {
        let [one, other] = ["a.example", "b.example"].map(domain);
        let start = Instant::now();
        let log_limiter = LogLimiter::default();
        let written = (0..1000)
            .filter(|_| {
                log_limiter
                    .admit(Some(&one), "not-a-contact", start)
                    .is_some()
            })
            .count();
        assert_eq!(written, 10);
        assert_eq!(
            log_limiter.admit(Some(&other), "not-a-contact", start),
            Some(0)
        );
        assert_eq!(
            log_limiter.admit(Some(&one), "access-denied", start),
            Some(0)
        );
        let later = start + WINDOW;
        assert_eq!(
            log_limiter.admit(Some(&one), "not-a-contact", later),
            Some(990)
        );
        assert_eq!(
            log_limiter.admit(Some(&one), "not-a-contact", later),
            Some(0)
        );
    }

    #[test]
    fn a_flood_of_strangers_hides_no_partner() {
        let log_limiter = LogLimiter::default();
        let start = Instant::now();
        let partner = domain("fabrikam.example");
        let from = |net: u8, claimed: Option<&Domain>| {
            log_limiter.admit_stranger(claimed, [198, 51, net, 7].into(), "peer-closed", start)
        };
        let written = (0..1000).filter(|_| from(1, None).is_some()).count();
        assert_eq!(written, 10, "of one network");
        let written: usize = (2..=255).filter(|net| from(*net, None).is_some()).count();
        assert_eq!(written, 50, "of all the others");
        // That partner's own failure is seen, from wherever it comes.
        assert_eq!(from(1, Some(&partner)), Some(0));
        let later = start + WINDOW;
        let address = [203, 0, 113, 1].into();
        let line = log_limiter.admit_stranger(None, address, "peer-closed", later);
        // Those of the first network stood in the line of the second.
        assert_eq!(line, Some(204));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let log_limiter = LogLimiter::default();
        let start = Instant::now();
        for number in 0..3 * MOST {
            let bits = u32::try_from(number).unwrap() << 8;
            let name = domain(&format!("d{number}.example"));
            log_limiter.admit(Some(&name), "unknown-partner", start);
            log_limiter.admit_stranger(None, std::net::Ipv4Addr::from(bits).into(), "idle", start);
        }
        log_limiter.with(|windows| {
            assert!(windows.partners.len() <= MOST);
            assert!(windows.networks.len() <= MOST);
        });
    }
}
