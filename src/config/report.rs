//! Shows problems to an administrator: file, line, column, caret, and what to do.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

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
    let digits = places(problem)
        .map(|place| place.line().to_string().len())
        .max()
        .unwrap_or(1);
    let hint = wrap(&problem.hint, WIDTH - digits - " = hint: ".len() - 1);
    let mut group = level
        .primary_title(message)
        .id(problem.code)
        .elements(snippets(problem));
    if !problem.hint.is_empty() {
        group = group.element(Level::HELP.with_name("hint").message(hint));
    }
    let renderer = if styled {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.term_width(WIDTH).render(&[group])
}

fn places(problem: &Problem) -> impl Iterator<Item = &Place> {
    std::iter::once(&problem.place).chain(problem.related.iter().map(|(place, _)| place))
}

/// One snippet a file: places of one file share it.
fn snippets(problem: &Problem) -> Vec<Snippet<'_, annotate_snippets::Annotation<'_>>> {
    let mut snippets = vec![
        snippet(&problem.place).annotation(
            AnnotationKind::Primary
                .span(problem.place.span.clone())
                .label(&problem.label),
        ),
    ];
    for (place, label) in &problem.related {
        let annotation = AnnotationKind::Context
            .span(place.span.clone())
            .label(label);
        if place.source == problem.place.source {
            if let Some(first) = snippets.first_mut() {
                *first = first.clone().annotation(annotation);
            }
        } else {
            snippets.push(snippet(place).annotation(annotation));
        }
    }
    snippets
}

fn snippet(place: &Place) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    Snippet::source(&place.source.text).path(place.source.path.to_string_lossy())
}

/// Breaks a text at spaces so that no line is longer than `width`, where words allow.
#[must_use]
pub fn wrap(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
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
    lines.join("\n")
}
