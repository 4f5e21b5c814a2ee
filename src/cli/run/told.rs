//! What a configuration has wrong, as lines of the log.

use crate::config::{Problem, Severity};
use crate::ops::events::{Event, Line};

/// Writes one line for each problem: errors as ERROR, warnings as WARN.
pub(super) fn log(problems: &[Problem]) {
    for problem in problems {
        line(problem).log();
    }
}

fn line(problem: &Problem) -> Line {
    let event = match problem.severity {
        Severity::Error => Event::ConfigurationError,
        Severity::Warning => Event::ConfigurationWarning,
    };
    let place = &problem.place;
    let detail = format!(
        "{}:{}:{}: {}; hint: {}",
        place.file().display(),
        place.line(),
        place.column(),
        problem.message,
        problem.hint
    );
    let line = Line::new(event).problem(problem.code).detail(detail);
    match &problem.partner {
        Some(partner) => line.partner(partner),
        None => line,
    }
}
