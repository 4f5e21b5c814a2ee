//! The report for programs.

use serde::Serialize;

use crate::config::{Config, Examination, Problem, Severity};
use crate::net::bounds;
use crate::proto::policy::Method;

/// The contract of `--format json`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'e> {
    partners: Vec<ReportedPartner<'e>>,
    /// Those that are not about one partner.
    warnings: Vec<ReportedProblem<'e>>,
    errors: Vec<ReportedProblem<'e>>,
    /// What others can make the edge hold; absent where there are errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<ReportedMemory>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ReportedMemory {
    /// In bytes; null where the configuration sets no limit.
    total_bytes: Option<usize>,
    rows: Vec<ReportedRow>,
}

#[derive(Serialize)]
struct ReportedRow {
    who: &'static str,
    what: &'static str,
    bytes: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ReportedPartner<'e> {
    primary_domain: &'e str,
    description: &'e str,
    additional_domains: Vec<String>,
    r#type: &'static str,
    methods: Vec<&'static str>,
    /// Whether any domain that rooms commonly have is covered.
    rooms_covered: bool,
    warnings: Vec<ReportedProblem<'e>>,
}

#[derive(Serialize)]
struct ReportedProblem<'e> {
    code: &'static str,
    message: &'e str,
    file: String,
    line: usize,
    column: usize,
    hint: &'e str,
}

/// The report as JSON.
pub(super) fn render(examination: &Examination) -> String {
    let select = |wanted: &dyn Fn(&Problem) -> bool| -> Vec<_> {
        let problems = examination.problems.iter();
        problems.filter(|it| wanted(it)).map(reported).collect()
    };
    let report = Report {
        partners: examination
            .partners
            .iter()
            .map(|partner| ReportedPartner {
                primary_domain: partner.primary.as_str(),
                description: &partner.description,
                additional_domains: partner.additional.iter().map(ToString::to_string).collect(),
                r#type: partner.partner_type.as_str(),
                methods: partner.methods.iter().map(Method::as_str).collect(),
                rooms_covered: partner.has_rooms,
                warnings: select(&|it| {
                    it.severity == Severity::Warning
                        && it.partner.as_ref() == Some(&partner.primary)
                }),
            })
            .collect(),
        warnings: select(&|it| it.severity == Severity::Warning && it.partner.is_none()),
        errors: select(&|it| it.severity == Severity::Error),
        memory: examination.config.as_ref().map(memory),
    };
    let mut text = serde_json::to_string_pretty(&report).unwrap_or_default();
    text.push('\n');
    text
}

fn memory(config: &Config) -> ReportedMemory {
    let rows = bounds::rows(config, bounds::processors());
    ReportedMemory {
        total_bytes: bounds::total(&rows),
        rows: rows
            .iter()
            .map(|row| ReportedRow {
                who: row.who.as_str(),
                what: row.what,
                bytes: row.bytes(),
            })
            .collect(),
    }
}

fn reported(problem: &Problem) -> ReportedProblem<'_> {
    ReportedProblem {
        code: problem.code,
        message: &problem.message,
        file: problem.place.file().display().to_string(),
        line: problem.place.line(),
        column: problem.place.column(),
        hint: &problem.hint,
    }
}
