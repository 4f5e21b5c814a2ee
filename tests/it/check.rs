//! `xmpp-edge check`, and through it everything that a configuration can have wrong.

mod lab;
mod mistakes;
mod screens;

use lab::{EDGE, Lab, PARTNERS};
use mistakes::{COMBINATIONS, DOUBTS, FILES, FORM, Mistake, TOGETHER, VALUES};
use xmpp_edge::config::{Problem, Severity, report};

#[test]
fn a_sound_configuration_has_no_problems() {
    let examination = Lab::new().examine();
    assert_eq!(examination.problems, []);
    assert!(examination.config.is_some());
}

#[test]
fn the_samples_are_sound() {
    let lab = Lab::with(
        include_str!("../../config/edge.toml"),
        include_str!("../../config/partners.toml"),
    );
    for (name, from) in [
        ("tls/fullchain.pem", "edge.pem"),
        ("tls/privkey.pem", "edge.key"),
        ("tls/eu.pem", "eu.pem"),
        ("tls/eu.key", "eu.key"),
        ("tls/internal.pem", "internal.pem"),
        ("tls/internal.key", "internal.key"),
        ("tls/internal-ca.pem", "ca.pem"),
    ] {
        let text = std::fs::read_to_string(lab.path(from)).unwrap();
        lab.write(name, &text, 0o600);
    }
    let (status, output, _) = lab.run(&["check", "--config", "edge.toml"]);
    assert_eq!(status, 0, "{output}");
    let end = "The configuration can be used: 2 partners, no errors, no warnings.\n";
    assert!(output.ends_with(end), "{output}");
}

#[test]
fn combinations_without_a_method_are_refused() {
    all_are(COMBINATIONS, Severity::Error);
}

#[test]
fn doubtful_combinations_are_accepted_with_a_warning() {
    all_are(DOUBTS, Severity::Warning);
}

#[test]
fn mistakes_of_form() {
    all_are(FORM, Severity::Error);
}

#[test]
fn mistakes_of_values() {
    all_are(VALUES, Severity::Error);
}

#[test]
fn settings_that_do_not_go_together() {
    all_are(TOGETHER, Severity::Error);
}

#[test]
fn mistakes_of_files() {
    all_are(FILES, Severity::Error);
}

fn all_are(mistakes: &[Mistake], severity: Severity) {
    let mut wrong = Vec::new();
    for Mistake { from, to, want } in mistakes {
        assert!(EDGE.contains(from) != PARTNERS.contains(from), "{from:?}");
        let lab = Lab::with(&EDGE.replace(from, to), &PARTNERS.replace(from, to));
        let examination = lab.examine();
        let found: Vec<_> = examination
            .problems
            .iter()
            .map(|problem| {
                let place = &problem.place;
                let file = place.file().file_name().unwrap().to_str().unwrap();
                let (line, column) = (place.line(), place.column());
                format!("{file}:{line}:{column} {}", problem.code)
            })
            .collect();
        let refused = severity == Severity::Error;
        let sound = found == *want
            && examination.config.is_none() == refused
            && examination.problems.iter().all(fits_the_screen)
            && examination
                .problems
                .iter()
                .all(|problem| problem.severity == severity && !problem.hint.is_empty());
        if !sound {
            wrong.push(format!("{to}\n    want {want:?}\n   found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn fits_the_screen(problem: &Problem) -> bool {
    let text = report::render(problem, false);
    text.lines()
        .all(|line| line.chars().count() <= report::WIDTH)
}
