//! `docs/partners.md` is complete and true: its keys are those that are read, its defaults are
//! those that hold, its examples are accepted.

use std::collections::BTreeSet;

use xmpp_edge::proto::codes::Code;
use xmpp_edge::proto::jid::Domain;
use xmpp_edge::proto::policy::Reason;

use crate::lab::{EDGE, Lab, PARTNERS};
use crate::tree;

fn guide() -> String {
    tree::read("docs/partners.md")
}

/// The rows of the table of keys: key and default, both without backticks.
fn keys() -> Vec<(String, String)> {
    let guide = guide();
    let rows = guide
        .lines()
        .skip_while(|line| !line.starts_with("| key | default | meaning | protects"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<_> = row
            .split('|')
            .map(|cell| cell.trim().replace('`', ""))
            .collect();
        (cells[1].clone(), cells[2].clone())
    })
    .collect()
}

/// The keys that are read: the reader lists them where it meets one that is none of them.
fn read_in(partners: &str) -> BTreeSet<String> {
    let lab = Lab::with(EDGE, partners);
    let problems = lab.examine().problems;
    let unknown = problems.iter().find(|it| it.code == "unknown-key").unwrap();
    let (_, list) = unknown.hint.split_once("the keys here are").unwrap();
    list.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_key_is_in_the_guide_and_no_other() {
    let documented: BTreeSet<_> = keys().into_iter().map(|(key, _)| key).collect();
    assert_eq!(
        read_in(&format!("{PARTNERS}qqqqqqqqqqqqqqqq = 1\n")),
        documented
    );
    let without = ["primary-domain", "additional-domains", "route"];
    let general: BTreeSet<_> = documented
        .into_iter()
        .filter(|key| !without.contains(&key.as_str()))
        .collect();
    let default = "[default-partner]\ntype = \"public-unverified\"\nqqqqqqqqqqqqqqqq = 1\n";
    assert_eq!(read_in(default), general);
}

/// Each reason in the guide, with the error that the sender of a stanza gets.
#[test]
fn what_is_said_of_wrong_servers_is_what_is_answered() {
    let reasons = [
        Reason::NotServed {
            domain: Domain::parse("fabrikam.example").unwrap(),
            address: None,
        },
        Reason::ClientPort,
        Reason::LeadsBack {
            domain: Domain::parse("fabrikam.example").unwrap(),
            address: None,
            answers_as: None,
        },
    ];
    let want = reasons.map(|reason| {
        let (_, condition) = reason.stanza_condition();
        (reason.code().to_string(), condition.to_owned())
    });
    let guide = guide();
    let rows = guide
        .lines()
        .skip_while(|line| !line.starts_with("| reason | what was met | error |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let found: Vec<_> = rows
        .map(|row| {
            let cell = |number| row.split('|').nth(number).unwrap().trim().replace('`', "");
            (cell(1), cell(3))
        })
        .collect();
    assert_eq!(found, want);
}

/// Whoever writes down what the guide says changes nothing.
#[test]
fn the_defaults_are_those_of_the_guide() {
    let rules = |partners: &str| {
        let examination = Lab::with(EDGE, partners).examine();
        assert_eq!(examination.problems, [], "{partners}");
        examination.config.unwrap().rules
    };
    let mut written = PARTNERS.to_owned();
    for (key, default) in keys() {
        if !["required", "global"].contains(&default.as_str()) {
            written += &format!("{key} = {default}\n");
        }
    }
    assert!(written.contains("stanza-rate = "), "{written}");
    assert_eq!(rules(PARTNERS).changes(&rules(&written)).to_string(), "");
    // The comparison sees what it should.
    let other = written.replace("stanza-rate = ", "stanza-rate = 1");
    assert_eq!(
        rules(PARTNERS).changes(&rules(&other)).to_string(),
        "~fabrikam.example (stanza-rate)"
    );
}

#[test]
fn the_examples_are_accepted() {
    let guide = guide();
    let examples: Vec<_> = guide
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(examples.len() >= 4);
    let all = examples.join("\n");
    let lab = Lab::with(EDGE, &all);
    let authority = std::fs::read_to_string(lab.path("ca.pem")).unwrap();
    lab.write("northwind-ca.pem", &authority, 0o600);
    assert_eq!(lab.examine().problems, []);
}

#[test]
fn every_reason_in_the_guide_is_one() {
    let guide = guide();
    let (_, rest) = guide
        .split_once("under the reason that the log shows:")
        .unwrap();
    let sentence = rest.split(". Of one").next().unwrap();
    let named: Vec<_> = sentence.split('`').skip(1).step_by(2).collect();
    assert_eq!(named.len(), 7);
    for code in named {
        assert!(Code::all().any(|known| known == code), "{code}");
    }
}
