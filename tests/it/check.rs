//! `xmpp-edge check`, and through it everything that a configuration can have wrong.

mod hints;
mod keys;
mod meaning;
mod mistakes;
mod running;
mod screens;
mod terms;

use crate::lab::{EDGE, Lab, PARTNERS};
use mistakes::{COMBINATIONS, DOUBTS, FILES, FORM, Mistake, TOGETHER, VALUES};
use xmpp_edge::config::{Place, Severity, report};

#[test]
fn a_sound_configuration_has_no_problems() {
    let examination = Lab::new().examine();
    assert_eq!(examination.problems, []);
    assert!(examination.config.is_some());
}

const SAMPLE: &str = include_str!("../../config/edge.toml");

/// Whoever has one domain and a gateway on this host takes the sample as it is.
#[test]
fn the_samples_are_sound() {
    let files = [
        ("tls/fullchain.pem", "edge.pem"),
        ("tls/privkey.pem", "edge.key"),
    ];
    sample_is_sound(SAMPLE, &files);
}

/// What stands behind a `#` is taken for more than that, and is to be as good.
#[test]
fn what_the_samples_leave_out_is_sound() {
    let example = |line: &str| {
        let text = line.strip_prefix("# ")?;
        let (key, _) = text.split_once(" = ").unwrap_or_default();
        let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        (is_key || text.starts_with('[')).then(|| text.to_owned())
    };
    let lines: Vec<_> = SAMPLE
        .lines()
        .map(|line| example(line).unwrap_or_else(|| line.to_owned()))
        .collect();
    let all = lines
        .join("\n")
        .replace("domains = [\"contoso.example\"]", DOMAINS)
        .replace("plaintext = true", "plaintext = false");
    for section in ["\n[[identity]]\n", "\n[gateway.tls]\n"] {
        assert!(all.contains(section), "{all}");
    }
    let files = [
        ("tls/fullchain.pem", "edge.pem"),
        ("tls/privkey.pem", "edge.key"),
        ("tls/eu.pem", "eu.pem"),
        ("tls/eu.key", "eu.key"),
        ("tls/internal.pem", "internal.pem"),
        ("tls/internal.key", "internal.key"),
        ("tls/internal-ca.pem", "ca.pem"),
        ("dialback.secret", "gateway.secret"),
    ];
    sample_is_sound(&all, &files);
}

const DOMAINS: &str = "domains = [\"contoso.example\", \"eu.contoso.example\"]";

/// `files` are those that the sample names, and what to take for each.
fn sample_is_sound(edge: &str, files: &[(&str, &str)]) {
    let lab = Lab::with(edge, include_str!("../../config/partners.toml"));
    for (name, from) in files {
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
fn mistakes_in_the_terms_of_a_partner() {
    all_are(terms::TERMS, Severity::Error);
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
            && examination
                .problems
                .iter()
                .all(|problem| lab.fits_the_screen(problem))
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

/// However a file is spoilt: no panic, each place lies in its file, and a configuration comes out
/// exactly when there is no error.
#[test]
fn any_character_may_be_wrong() {
    let lab = Lab::new();
    for (name, text) in [("edge.toml", EDGE), ("partners.toml", PARTNERS)] {
        for (at, old) in text.char_indices() {
            for new in ["", "\"", "é"] {
                let rest = &text[at + old.len_utf8()..];
                lab.write(name, &format!("{}{new}{rest}", &text[..at]), 0o644);
                let examination = lab.examine();
                let problems = &examination.problems;
                let refused = problems.iter().any(|it| it.severity == Severity::Error);
                assert_eq!(examination.config.is_none(), refused, "{name} {at} {new:?}");
                for problem in problems {
                    let Place { source, span } = &problem.place;
                    assert!(source.text.get(span.clone()).is_some(), "{problem}");
                    assert!(report::render(problem, true).contains(problem.code));
                }
            }
        }
        lab.write(name, text, 0o644);
    }
}
