//! What watches the edge names only what there is, and what it says has a section with what to do.

use std::collections::BTreeSet;

use serde_json::Value;
use xmpp_edge::net::admin::http::metrics::{FAMILIES, Family, Kind};

use crate::tree;

/// The names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("xmpp_edge_"))
        .map(str::to_owned)
        .collect()
}

/// What may be queried.
fn queryable() -> BTreeSet<String> {
    let names = FAMILIES.iter().flat_map(|it| match it.kind {
        Kind::Histogram => ["_bucket", "_sum", "_count"]
            .map(|end| it.name() + end)
            .to_vec(),
        Kind::Counter | Kind::Gauge => vec![it.name()],
    });
    names.collect()
}

#[test]
fn alerts_and_dashboard_name_only_metrics_that_there_are() {
    let known = queryable();
    for file in [
        "config/alerts.yml",
        "config/dashboard.json",
        "tests/monitoring/alerts.yml",
    ] {
        let named = named(&tree::read(file));
        assert!(named.len() > 10, "{file}");
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
    let dashboard: Value = serde_json::from_str(&tree::read("config/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            assert!(!named(expression).is_empty(), "{panel:#}");
        }
    }
}

/// Labels that are compared or summed by are those of the metric.
#[test]
fn alerts_and_dashboard_select_by_labels_that_there_are() {
    let texts = tree::read("config/alerts.yml")
        + &tree::read("config/dashboard.json").replace("\\\"", "\"");
    let mut found = 0;
    for family in FAMILIES {
        for (at, _) in texts.match_indices(&family.name()) {
            let rest = &texts[at + family.name().len()..];
            let rest = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| rest.strip_prefix(end))
                .unwrap_or(rest);
            let Some(selector) = rest
                .strip_prefix('{')
                .and_then(|rest| rest.split('}').next())
            else {
                continue;
            };
            for part in selector.split(", ") {
                let label = part.split(['=', '!']).next().unwrap();
                let is_known = label == "instance" || family.labels.contains(&label);
                assert!(is_known, "{family:?} has no label {label}");
                found += 1;
            }
        }
    }
    assert!(found > 20, "{found}");
}

#[test]
fn each_alert_has_a_section_that_says_what_to_do() {
    let rules = tree::read("config/alerts.yml");
    let values = |key: &str| -> Vec<String> {
        let lines = rules
            .lines()
            .filter_map(|line| line.trim().strip_prefix(key));
        lines.map(str::to_owned).collect()
    };
    let (alerts, runbooks) = (values("- alert: "), values("runbook: "));
    assert!(
        alerts.len() >= 10 && alerts.len() == runbooks.len(),
        "{alerts:?}"
    );
    let tests = tree::read("tests/monitoring/alerts.yml");
    let mut sections = BTreeSet::new();
    for (alert, runbook) in alerts.iter().zip(&runbooks) {
        let (file, anchor) = runbook.split_once('#').unwrap();
        let page = tree::read(file);
        let mut lines = page.lines();
        let heading = lines.find(|line| {
            let title = line.strip_prefix("### ").unwrap_or_default();
            title.to_lowercase() == anchor
        });
        assert!(heading.is_some(), "{alert}: {runbook} leads nowhere");
        let text = lines.next().zip(lines.next()).map(|(_, text)| text.len());
        assert!(text > Some(20), "{alert}: {runbook} says nothing");
        assert!(page.contains(alert.as_str()), "{alert} is not in {file}");
        sections.insert(anchor.to_owned());
        let label = format!("alertname=\"{alert}\"");
        assert!(
            tests.contains(&label),
            "nothing raises {alert} in tests/monitoring/alerts.yml"
        );
    }
    // And no section is about an alert that there is not.
    let guide = tree::read("docs/operations.md");
    let about = guide
        .lines()
        .filter_map(|line| line.strip_prefix("### XmppEdge"));
    assert_eq!(about.count(), sections.len());
    let names: BTreeSet<_> = FAMILIES.iter().map(Family::name).collect();
    assert!(names.len() > 30);
}
