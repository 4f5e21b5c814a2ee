//! Keeps the log readable: of one thing that happens over and over, some lines a minute.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::proto::jid::Domain;

/// Lines that are written of one thing in one window.
const LINES: u64 = 10;
/// How long a window is.
const WINDOW: Duration = Duration::from_secs(60);

/// What was written lately, by partner and reason. The counters count everything all the same.
#[derive(Debug, Default)]
pub struct Quiet(HashMap<(Domain, &'static str), Window>);

#[derive(Debug)]
struct Window {
    began: Instant,
    seen: u64,
}

impl Quiet {
    /// Whether a line about a partner and a reason is to be written now; if so, how many were left
    /// out since the last one.
    pub fn admit(&mut self, partner: &Domain, code: &'static str, now: Instant) -> Option<u64> {
        let window = self.0.entry((partner.clone(), code)).or_insert(Window {
            began: now,
            seen: 0,
        });
        let mut left_out = 0;
        if now.saturating_duration_since(window.began) >= WINDOW {
            left_out = window.seen.saturating_sub(LINES);
            *window = Window {
                began: now,
                seen: 0,
            };
        }
        window.seen += 1;
        (window.seen <= LINES).then_some(left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_ten_lines_a_minute_and_a_number() {
        let (one, other) = ("a.example", "b.example");
        let [one, other] = [one, other].map(|text| Domain::parse(text).unwrap());
        let start = Instant::now();
        let mut quiet = Quiet::default();
        let written = (0..1000)
            .filter(|_| quiet.admit(&one, "not-a-contact", start).is_some())
            .count();
        assert_eq!(written, 10);
        assert_eq!(quiet.admit(&other, "not-a-contact", start), Some(0));
        assert_eq!(quiet.admit(&one, "access-denied", start), Some(0));
        let later = start + WINDOW;
        assert_eq!(quiet.admit(&one, "not-a-contact", later), Some(990));
        assert_eq!(quiet.admit(&one, "not-a-contact", later), Some(0));
    }
}
