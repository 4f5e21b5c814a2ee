//! The report for programs: `docs/reference/json.md` has the contract.

use serde::Serialize;

use super::compare::Difference;
use super::plan::{Data, Plan, Record};
use super::published::Published;
use crate::cli::report;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'p> {
    records: Vec<ReportedRecord>,
    /// Hosts whose addresses are to be filled in.
    hosts_without_address: Vec<&'p str>,
    /// Null without --verify.
    verified: Option<Verified<'p>>,
}

#[derive(Serialize)]
struct ReportedRecord {
    name: String,
    r#type: &'static str,
    ttl: u32,
    /// As in a zone file.
    data: String,
    #[serde(flatten)]
    parts: Parts,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Parts {
    Srv {
        priority: u16,
        weight: u16,
        port: u16,
        target: String,
    },
    Address {
        address: String,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Verified<'p> {
    name_servers: &'p str,
    equal: bool,
    differences: Vec<ReportedDifference<'p>>,
}

#[derive(Serialize)]
struct ReportedDifference<'p> {
    code: &'static str,
    name: &'p str,
    r#type: &'static str,
    wanted: Option<&'p str>,
    published: Option<&'p str>,
    message: &'p str,
    remedy: &'p str,
}

/// The report as JSON.
pub(super) fn render(plan: &Plan, verified: Option<(&Published, &Vec<Difference>)>) -> String {
    let srv = plan.domains.iter().flat_map(|domain| plan.srv(domain));
    let records = srv.chain(plan.addresses());
    report::json(&Report {
        records: records.map(|record| reported(record, plan.ttl)).collect(),
        hosts_without_address: plan.without_address().map(|it| it.name.as_str()).collect(),
        verified: verified.map(|(published, differences)| Verified {
            name_servers: &published.servers,
            equal: differences.is_empty(),
            differences: differences.iter().map(difference).collect(),
        }),
    })
}

fn reported(record: Record, ttl: u32) -> ReportedRecord {
    ReportedRecord {
        r#type: record.data.kind(),
        ttl,
        data: record.data.text(),
        name: record.name,
        parts: match record.data {
            Data::Srv {
                priority,
                weight,
                port,
                target,
            } => Parts::Srv {
                priority,
                weight,
                port,
                target,
            },
            Data::Address(address) => Parts::Address {
                address: address.to_string(),
            },
        },
    }
}

fn difference(one: &Difference) -> ReportedDifference<'_> {
    ReportedDifference {
        code: one.code,
        name: &one.name,
        r#type: one.kind,
        wanted: one.wanted.as_deref(),
        published: one.published.as_deref(),
        message: &one.message,
        remedy: &one.remedy,
    }
}
