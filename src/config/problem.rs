//! What is wrong with a configuration: one [`Problem`] each, with its place and what to do about it.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::proto::jid::Domain;

/// A file as it was read: what places point into.
#[derive(PartialEq, Eq)]
pub struct Source {
    /// The path as it was reached from the command line.
    pub path: PathBuf,
    /// The whole text; empty where the file could not be read.
    pub text: String,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

/// A stretch of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// Offsets in bytes; empty at the start where the whole file is meant.
    pub span: Range<usize>,
}

impl Place {
    /// The start of a file: where something that is absent would stand.
    #[must_use]
    pub fn start(source: &Arc<Source>) -> Self {
        Self {
            source: Arc::clone(source),
            span: 0..0,
        }
    }

    /// The path of the file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.source.path
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.before().matches('\n').count() + 1
    }

    /// The column, counted from 1, in characters.
    #[must_use]
    pub fn column(&self) -> usize {
        let line = self.before().rsplit('\n').next().unwrap_or_default();
        line.chars().count() + 1
    }

    fn before(&self) -> &str {
        self.source.text.get(..self.span.start).unwrap_or_default()
    }
}

/// Whether the configuration can be used all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The configuration is used, and may not do what it looks like.
    Warning,
}

/// One thing that is wrong, in words an administrator can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A stable name in kebab-case, for scripts and for the documentation.
    pub code: &'static str,
    /// Whether the configuration is refused for it.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Place,
    /// A word under the caret; may be empty.
    pub label: String,
    /// Other places that matter, each with its label.
    pub related: Vec<(Place, String)>,
    /// What to do.
    pub hint: String,
    /// The partner whose settings these are, if it is about one.
    pub partner: Option<Domain>,
}

impl Problem {
    pub(super) fn error(
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            place: place.clone(),
            label: String::new(),
            related: Vec::new(),
            hint: hint.into(),
            partner: None,
        }
    }

    pub(super) fn warning(
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, place, message, hint)
        }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(super) fn related(mut self, place: &Place, label: impl Into<String>) -> Self {
        self.related.push((place.clone(), label.into()));
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {} ({}); {}",
            self.place.file().display(),
            self.place.line(),
            self.place.column(),
            self.message,
            self.code,
            self.hint
        )
    }
}

/// Why a configuration was refused: every problem of both files at once, warnings included.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

/// Where the checks put what they find, so that none of them ends the others.
#[derive(Default)]
pub(super) struct Findings {
    problems: RefCell<Vec<Problem>>,
    files: RefCell<Vec<(PathBuf, Place)>>,
}

impl Findings {
    pub(super) fn add(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Whether an error was added since `mark`.
    pub(super) fn has_error_since(&self, mark: usize) -> bool {
        let findings = self.problems.borrow();
        let mut since = findings.iter().skip(mark);
        since.any(|problem| problem.severity == Severity::Error)
    }

    /// How many there are: a mark for [`Findings::attribute`].
    pub(super) fn len(&self) -> usize {
        self.problems.borrow().len()
    }

    /// Says of all that were added since `mark` that they are about a partner.
    pub(super) fn attribute(&self, mark: usize, partner: &Domain) {
        for problem in self.problems.borrow_mut().iter_mut().skip(mark) {
            problem.partner = Some(partner.clone());
        }
    }

    /// Notes a file that was read, and where it is named.
    pub(super) fn was_read(&self, path: &Path, place: &Place) {
        self.files
            .borrow_mut()
            .push((path.to_owned(), place.clone()));
    }

    /// The problems in the order of the files, then of the lines; and the files that were read.
    pub(super) fn into_sorted(self, first: &Path) -> (Vec<Problem>, Vec<(PathBuf, Place)>) {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| (problem.place.file() != first, problem.place.span.start));
        (problems, self.files.into_inner())
    }
}
