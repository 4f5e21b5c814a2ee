//! The race itself: which address is tried when. Lookups and connecting are given from outside.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::failure::{Attempt, AttemptFault, ConnectFailure, Family};
use super::{Addresses, LookupFault};
use crate::proto::discover::{Target, Turns};

/// RFC 8305 §8, "Resolution Delay": how long IPv4 addresses wait for the IPv6 answer.
pub(super) const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// RFC 8305 §8, "Connection Attempt Delay": how long one attempt has before the next joins it.
pub(super) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// RFC 8305 §5: however fast attempts fail, they are never closer together than this.
pub(super) const LEAST_DELAY: Duration = Duration::from_millis(10);

/// One target's race.
pub(super) struct Race<S, A, C> {
    port: u16,
    /// How many attempts may still be begun.
    left: usize,
    admit: A,
    attempt: C,
    waiting: Turns,
    /// How many addresses came for which there was none left.
    untried: usize,
    /// Dropped with the race, which ends the losers.
    running: JoinSet<(SocketAddr, Result<S, AttemptFault>)>,
    under_way: Vec<SocketAddr>,
    lookups: Vec<(Family, LookupFault)>,
    attempts: Vec<Attempt>,
}

impl<S, A, C, F> Race<S, A, C>
where
    S: Send + 'static,
    A: Fn(IpAddr) -> Option<&'static str>,
    C: Fn(SocketAddr) -> F,
    F: Future<Output = Result<S, AttemptFault>> + Send + 'static,
{
    pub(super) fn new(port: u16, most: usize, admit: A, attempt: C) -> Self {
        Self {
            port,
            left: most,
            admit,
            attempt,
            waiting: Turns::default(),
            untried: 0,
            running: JoinSet::new(),
            under_way: Vec::new(),
            lookups: Vec::new(),
            attempts: Vec::new(),
        }
    }

    /// Runs until one address has connected, or all have failed.
    pub(super) async fn run(
        &mut self,
        ipv6: impl Future<Output = Addresses>,
        ipv4: impl Future<Output = Addresses>,
    ) -> Option<(S, SocketAddr)> {
        let (mut ipv6, mut ipv4) = (pin!(ipv6), pin!(ipv4));
        let (mut asking_v6, mut asking_v4) = (true, true);
        // When the next attempt may begin.
        let mut not_before = Instant::now();
        let mut began: Option<Instant> = None;
        loop {
            let waiting = !self.waiting.is_empty();
            if !asking_v6 && !asking_v4 && !waiting && self.running.is_empty() {
                return None;
            }
            tokio::select! {
                // In this order: an answer that is there counts before time that has passed.
                biased;
                Some(ended) = self.running.join_next() => {
                    if let Some(won) = self.ended(ended) {
                        return Some(won);
                    }
                    // RFC 8305 §5: nothing is left to wait for, save the least distance.
                    let earliest = began.map_or(not_before, |began| began + LEAST_DELAY);
                    not_before = not_before.min(earliest);
                }
                answer = &mut ipv6, if asking_v6 => {
                    asking_v6 = false;
                    self.answered(Family::V6, answer);
                    if began.is_none() {
                        not_before = Instant::now();
                    }
                }
                answer = &mut ipv4, if asking_v4 => {
                    asking_v4 = false;
                    self.answered(Family::V4, answer);
                    // RFC 8305 §3: give the IPv6 answer a short time to arrive.
                    if asking_v6 && began.is_none() {
                        not_before = Instant::now() + RESOLUTION_DELAY;
                    }
                }
                () = sleep_until(not_before), if waiting => {
                    if self.begin_next() {
                        let now = Instant::now();
                        began = Some(now);
                        not_before = now + ATTEMPT_DELAY;
                    }
                }
            }
        }
    }

    /// What there is to report when nobody has won.
    pub(super) fn lost(self, target: &Target, out_of_time: bool) -> ConnectFailure {
        let mut attempts = self.attempts;
        // Those still under way when the time was over have not answered in time.
        attempts.extend(self.under_way.into_iter().map(|address| Attempt {
            address,
            fault: AttemptFault::TimedOut,
        }));
        ConnectFailure {
            target: target.clone(),
            lookups: self.lookups,
            attempts,
            untried: self.untried,
            out_of_time,
        }
    }

    fn answered(&mut self, family: Family, answer: Addresses) {
        match answer {
            Ok(addresses) if self.left == 0 => self.untried += addresses.len(),
            Ok(addresses) => addresses.into_iter().for_each(|one| self.waiting.add(one)),
            Err(fault) => self.lookups.push((family, fault)),
        }
    }

    /// Begins the next admissible attempt; `false` when none was left.
    fn begin_next(&mut self) -> bool {
        while let Some(address) = self.waiting.take() {
            let place = SocketAddr::new(address, self.port);
            if let Some(kind) = (self.admit)(address) {
                self.attempts.push(Attempt {
                    address: place,
                    fault: AttemptFault::NotPublic { kind },
                });
                continue;
            }
            let attempt = (self.attempt)(place);
            self.under_way.push(place);
            self.running.spawn(async move { (place, attempt.await) });
            self.left -= 1;
            if self.left == 0 {
                while self.waiting.take().is_some() {
                    self.untried += 1;
                }
            }
            return true;
        }
        false
    }

    fn ended(
        &mut self,
        ended: Result<(SocketAddr, Result<S, AttemptFault>), JoinError>,
    ) -> Option<(S, SocketAddr)> {
        // An attempt's task neither panics nor is cancelled while the race lasts.
        let (address, result) = ended.ok()?;
        self.under_way.retain(|one| *one != address);
        match result {
            Ok(stream) => Some((stream, address)),
            Err(fault) => {
                self.attempts.push(Attempt { address, fault });
                None
            }
        }
    }
}
