//! Shows problems to an administrator: file, line, column, caret, and what to do.

use annotate_snippets::{Annotation, AnnotationKind, Level, Origin, Renderer, Snippet};

use super::problem::{Place, Problem, Severity};

/// How wide a screen the report is made for.
pub const WIDTH: usize = 80;

/// Renders one problem; `styled` adds colours, which never carry meaning of their own.
#[must_use]
pub fn render(problem: &Problem, styled: bool) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let lead = match problem.severity {
        Severity::Error => "error[]: ".len(),
        Severity::Warning => "warning[]: ".len(),
    } + problem.code.len();
    let message = wrap(&problem.message, WIDTH - lead.min(WIDTH / 2));
    let digits = all(problem)
        .map(|(place, _)| place.line().to_string().len())
        .max()
        .unwrap_or(1);
    let margin = digits + " = hint: ".len() + 1;
    let title = level.primary_title(message).id(problem.code);
    // Something absent has no line to show.
    let mut group = if problem.place.span.is_empty() {
        title.element(Origin::path(problem.place.file().to_string_lossy()))
    } else {
        title.elements(snippets(problem, digits))
    };
    for (place, label) in all(problem).filter(|(place, label)| !fits(place, label, digits)) {
        let note = format!("line {}: {label}", place.line());
        group = group.element(Level::NOTE.message(wrap(&note, WIDTH - margin)));
    }
    let hint = wrap(&problem.hint, WIDTH - margin);
    group = group.element(Level::HELP.with_name("hint").message(hint));
    let renderer = if styled {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let report = renderer.term_width(WIDTH).render(&[group]);
    // The library shows other control characters as signs. Some terminals obey these.
    report.replace(|letter| matches!(letter, '\u{80}'..='\u{9f}'), "\u{fffd}")
}

/// The problem's own place first, each with its label.
fn all(problem: &Problem) -> impl Iterator<Item = (&Place, &str)> {
    let related = problem.related.iter();
    std::iter::once((&problem.place, problem.label.as_str()))
        .chain(related.map(|(place, label)| (place, label.as_str())))
}

/// Whether a label has room behind its caret; where it has not, it becomes a note.
fn fits(place: &Place, label: &str, digits: usize) -> bool {
    let text = place.source.text.get(place.span.clone());
    let marked = text.unwrap_or_default().chars().count();
    let end = digits + " | ".len() + place.column() - 1 + marked + 1 + label.chars().count();
    label.is_empty() || end <= WIDTH
}

/// One snippet a file: places of one file share it.
fn snippets(problem: &Problem, digits: usize) -> Vec<Snippet<'_, Annotation<'_>>> {
    let mut snippets: Vec<(&Place, Snippet<'_, Annotation<'_>>)> = Vec::new();
    for (place, label) in all(problem) {
        let kind = if snippets.is_empty() {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        let mut annotation = kind.span(place.span.clone());
        if fits(place, label, digits) && !label.is_empty() {
            annotation = annotation.label(label);
        }
        let same = snippets
            .iter()
            .position(|(first, _)| first.source == place.source);
        let snippet = match same {
            Some(index) => snippets.remove(index).1,
            None => Snippet::source(&place.source.text).path(place.source.path.to_string_lossy()),
        };
        snippets.insert(
            same.unwrap_or(snippets.len()),
            (place, snippet.annotation(annotation)),
        );
    }
    snippets.into_iter().map(|(_, snippet)| snippet).collect()
}

/// Breaks a text at spaces so that no line is longer than `width`, where words allow. A setting
/// such as `tls = "required"` stays together.
#[must_use]
pub fn wrap(text: &str, width: usize) -> String {
    let joined = text.replace(" = ", "\u{a0}=\u{a0}");
    let mut lines = vec![String::new()];
    for word in joined.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n").replace('\u{a0}', " ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Source;

    #[test]
    fn lines_break_at_spaces_and_not_within_a_setting() {
        assert_eq!(wrap("one two three", 7), "one two\nthree");
        assert_eq!(
            wrap("set tls = \"required\" now", 12),
            "set\ntls = \"required\"\nnow"
        );
        assert_eq!(wrap("longer-than-the-width", 5), "longer-than-the-width");
    }

    #[test]
    fn what_is_quoted_does_nothing_to_the_terminal() {
        let text = "domains = [\"\u{9b}31m\u{202e}\"]\n".to_owned();
        let source = Arc::new(Source {
            path: "edge.toml".into(),
            text,
        });
        let place = Place {
            source,
            span: 11..21,
        };
        let report = render(&Problem::error("code", &place, "message", "hint"), false);
        assert!(report.contains("31m"), "{report}");
        let obeyed = |letter: char| letter.is_control() && letter != '\n' || letter == '\u{202e}';
        assert!(!report.contains(obeyed), "{report:?}");
    }

    #[test]
    fn a_label_without_room_becomes_a_note() {
        let text = format!("domains = [\"{}.example\"]\n", "x".repeat(50));
        let source = Arc::new(Source {
            path: "edge.toml".into(),
            text,
        });
        let place = Place {
            source,
            span: 11..71,
        };
        let problem = Problem::error("code", &place, "message", "hint").label("a long label");
        let want = format!(
            "error[code]: message\n --> edge.toml:1:12\n  |\n1 | domains = [\"{}.example\"]\n  \
             |            {}\n  |\n  = note: line 1: a long label\n  = hint: hint",
            "x".repeat(50),
            "^".repeat(60)
        );
        assert_eq!(render(&problem, false), want);
    }
}
