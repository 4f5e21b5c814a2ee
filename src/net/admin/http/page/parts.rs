//! Numbers in words, and lines.

use std::fmt::{Display, Write as _};

use maud::{Markup, html};

use crate::net::admin::http::trends::{KEPT, STEP};

/// How long something has lasted: the two largest units.
pub(super) fn since(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let mut left = seconds;
    let mut text = String::new();
    for (size, unit) in UNITS {
        let count = left / size;
        left %= size;
        if count > 0 {
            let gap = if text.is_empty() { "" } else { " " };
            // Writing to a String does not fail.
            write!(text, "{gap}{count} {unit}").unwrap_or_default();
            if !gap.is_empty() {
                return text;
            }
        } else if !text.is_empty() {
            return text;
        }
    }
    if text.is_empty() {
        "0 s".to_owned()
    } else {
        text
    }
}

/// A number whose digits stand in threes.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of something.
pub(super) fn plural(count: impl Display, one: &str, many: &str) -> String {
    let count = count.to_string();
    let word = if count == "1" { one } else { many };
    format!("{count} {word}")
}

/// An amount of memory.
pub(super) fn bytes(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

const WIDTH: usize = 78;
const HEIGHT: u64 = 18;

/// A small line of what passed in each step, with its most and its last in words.
pub(super) fn trend(what: &str, steps: &[u64], most: usize) -> Markup {
    let highest = steps.iter().max().copied().unwrap_or_default();
    let (Some(last), true) = (steps.last(), steps.len() > 1) else {
        return html! {};
    };
    let mut points = String::new();
    for (index, step) in steps.iter().enumerate() {
        // The last one stands at the right edge, whether there are many or few.
        let x = 1 + (most - steps.len() + index) * WIDTH / (most - 1);
        let down = (u128::from(*step) * u128::from(HEIGHT)) / u128::from(highest.max(1));
        let y = 1 + u128::from(HEIGHT) - down;
        write!(points, "{x},{y} ").unwrap_or_default();
    }
    let step = STEP.as_secs();
    let words = format!(
        "{what} in steps of {step} seconds: {} at most, {} in the last one",
        number(highest),
        number(*last)
    );
    html! {
        svg.trend viewBox="0 0 80 20" width="80" height="20" role="img" aria-label=(words) {
            path d="M1 19H79" {}
            polyline points=(points.trim_end()) {}
        }
        // Who hears the line has heard it.
        span.peak aria-hidden="true" { "most: " (number(highest)) " in " (step) " s" }
    }
}

/// What the lines are, for who sees them.
pub(super) fn what_lines_are() -> Markup {
    let step = STEP.as_secs();
    html! {
        p.note {
            "A line shows how many stanzas were accepted in each " (step) " seconds of the last "
            (since(step * KEPT as u64)) ". It is drawn to its own most, which stands beside it."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_words() {
        for (seconds, want) in [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (3600, "1 h"),
            (90_061, "1 d 1 h"),
            (86_401, "1 d"),
        ] {
            assert_eq!(since(seconds), want);
        }
        for (count, want) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(number(count), want);
        }
        assert_eq!(plural(1, "time", "times"), "1 time");
        assert_eq!(plural(0, "time", "times"), "0 times");
        assert_eq!([0, 2048, 64 << 20].map(bytes), ["0 B", "2 KiB", "64 MiB"]);
    }

    #[test]
    fn a_line_stays_within_its_frame_whatever_passed() {
        for steps in [
            vec![0, 0],
            vec![1, u64::MAX],
            vec![5; 40],
            (0..40).collect(),
        ] {
            let svg = trend("Stanzas", &steps, 40).into_string();
            let (_, points) = svg.split_once("points=\"").unwrap();
            let (points, _) = points.split_once('"').unwrap();
            let points: Vec<(u64, u64)> = points
                .split(' ')
                .map(|point| {
                    let (x, y) = point.split_once(',').unwrap();
                    (x.parse().unwrap(), y.parse().unwrap())
                })
                .collect();
            assert_eq!(points.len(), steps.len());
            assert!(
                points.iter().all(|(x, y)| *x < 80 && (1..20).contains(y)),
                "{svg}"
            );
            assert_eq!(points.last().map(|(x, _)| *x), Some(79));
        }
        assert_eq!(trend("Stanzas", &[7], 40).into_string(), "");
    }

    #[test]
    fn a_line_says_what_it_counts_to_who_sees_it() {
        let line = trend("Stanzas", &[1200, 7], 40).into_string();
        assert!(line.ends_with(">most: 1,200 in 15 s</span>"), "{line}");
        let note = what_lines_are().into_string();
        assert!(
            note.contains("each 15 seconds of the last 10 min."),
            "{note}"
        );
    }
}
