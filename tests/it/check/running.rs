//! `xmpp-edge check --running` foretells what a reload does: the same streams end that it names.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xmpp_edge::net::live::facts::{Kind, StreamFacts};

use crate::daemon::process::Daemon;
use crate::daemon::{converse, link};
use crate::federation::stage::Stage;
use crate::lab::{FREE_PORTS, Lab, PARTNERS, with};
use crate::schemas;

const TWO: [&str; 2] = ["fabrikam.example", "litware.example"];
const PATIENCE: Duration = Duration::from_secs(20);

/// What is printed for people and for programs, and the exit status.
fn preview(lab: &Lab) -> (i32, String, Value) {
    let command = ["check", "--running", "--config", "edge.toml"];
    let (exit, text, errors) = lab.run(&command);
    assert_eq!(errors, "", "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}\n{text}");
    }
    let (again, report, errors) = lab.run(&[&command[..], &["--format", "json"]].concat());
    assert_eq!((again, errors.as_str()), (exit, ""), "{report}");
    let report = serde_json::from_str(&report).unwrap();
    schemas::holds("check-running", &report);
    (exit, text, report)
}

fn entry(domain: &str, terms: &str) -> String {
    format!("[[partner]]\nprimary-domain = \"{domain}\"\ntype = \"federated\"\nROUTE\n{terms}\n")
}

fn message(from: &str, to: &str, id: &str) -> String {
    format!("<message from='a@{from}' to='b@{to}' id='{id}'><body/></message>")
}

/// The numbers of the connections that live.
fn live(stage: &Stage) -> BTreeSet<u64> {
    let facts = stage.daemon.edge().registry.facts();
    facts.iter().map(|it| it.id).collect()
}

fn named(report: &Value, list: &str) -> BTreeSet<u64> {
    let those = report[list].as_array().unwrap().iter();
    those.map(|it| it["stream"].as_u64().unwrap()).collect()
}

/// Waits for the streams that are to end.
async fn left_are(stage: &Stage, want: &BTreeSet<u64>, why: &str) {
    let deadline = Instant::now() + PATIENCE;
    let mut look = tokio::time::interval(Duration::from_millis(10));
    while live(stage) != *want {
        assert!(
            Instant::now() < deadline,
            "{why}: {:?}, not {want:?}",
            live(stage)
        );
        look.tick().await;
    }
}

struct Case {
    why: &'static str,
    /// The entry of the first partner; the second one's stays.
    after: String,
    /// How many streams of the first partner end: it has two of its own, one of them on TLS 1.2, and
    /// one of ours.
    ends: usize,
    reason: &'static str,
    change: &'static str,
    keys: &'static [&'static str],
}

fn cases() -> Vec<Case> {
    let case = |why, terms: &str, ends, reason, keys| Case {
        why,
        after: entry(TWO[0], terms),
        ends,
        reason,
        change: "changed",
        keys,
    };
    vec![
        Case {
            why: "the partner is gone",
            after: String::new(),
            ends: 3,
            reason: "unknown-partner",
            change: "removed",
            keys: &[],
        },
        case(
            "the method is not allowed any more",
            "sasl = \"not-supported\"\ndialback = true",
            3,
            "method-not-allowed",
            &["sasl", "dialback"],
        ),
        case(
            "another authority is trusted",
            "trust-anchors = \"ca.pem\"",
            3,
            "issuer-not-sent",
            &["trust-anchors"],
        ),
        case(
            "another key is wanted",
            "certificate-pins = [\"sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"]",
            3,
            "not-pinned",
            &["certificate-pins"],
        ),
        case(
            "a newer TLS is wanted",
            "minimum-tls-version = \"1.3\"",
            1,
            "tls-too-old",
            &["minimum-tls-version"],
        ),
        case(
            "fewer streams may live",
            "connection-limit = 1",
            2,
            "too-many-partner-streams",
            &["connection-limit"],
        ),
        case(
            "other terms hold for stanzas",
            "kinds = [\"message\"]\nmax-stanza-bytes = 10000",
            0,
            "",
            &["max-stanza-bytes", "kinds"],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_streams_end_that_it_names() {
    let other = entry(TWO[1], "");
    for case in cases() {
        let why = case.why;
        let before = entry(TWO[0], "") + &other;
        let stage = Stage::new(&TWO, &before).await;
        let mut wires = vec![
            (TWO[0], stage.enter(TWO[0]).await.unwrap().0),
            (TWO[0], stage.enter_with_tls12(TWO[0]).await.unwrap().0),
            (TWO[1], stage.enter(TWO[1]).await.unwrap().0),
        ];
        for domain in TWO {
            stage.send(&message("contoso.example", domain, "o1"));
            stage.outside.find(&[domain, "id='o1'"]).await;
        }
        let all = live(&stage);
        assert_eq!(
            all.len(),
            6,
            "{why}: three came, two are ours, one is a link"
        );

        let facts = stage.daemon.edge().registry.facts();
        let of = |kind| facts.iter().filter(move |it| it.kind == kind);
        let remote = |it: &StreamFacts| it.learned().about.unwrap().remote.to_string();
        let came: Vec<_> = of(Kind::Inbound).map(|it| it.id).collect();
        let ours: Vec<_> = of(Kind::Outbound).map(|it| (it.id, remote(it))).collect();

        stage.write(&(case.after.clone() + &other));
        let (exit, text, report) = tokio::task::block_in_place(|| preview(stage.lab()));
        assert_eq!(exit, 0, "{why}: {text}");
        assert_eq!(live(&stage), all, "{why}: to ask ends nothing");
        let ends = named(&report, "ends");
        assert_eq!(ends.len(), case.ends, "{why}: {report:#}");
        assert_eq!(report["unknown"], json!([]), "{why}: {report:#}");
        assert_eq!(report["stays"], all.len() - case.ends, "{why}");
        for end in report["ends"].as_array().unwrap() {
            assert_eq!(end["remote"], TWO[0], "{why}: {end:#}");
            let reason = end["reason"].as_str().unwrap();
            assert_eq!(reason, case.reason, "{why}: {end:#}");
            assert!(text.contains(reason), "{why}: {text}");
        }
        let change = &report["partners"][0];
        assert_eq!(report["partners"].as_array().unwrap().len(), 1, "{why}");
        assert_eq!(change["partner"], TWO[0], "{why}");
        assert_eq!(change["change"], case.change, "{why}");
        assert_eq!(change["keys"], json!(case.keys), "{why}");
        assert_eq!(report["certificates"], json!([]), "{why}");

        // And it is as it says.
        stage.reload(&(case.after + &other));
        let stay: BTreeSet<u64> = all.difference(&ends).copied().collect();
        left_are(&stage, &stay, why).await;
        // What comes through has been judged, and admitted.
        for (id, (domain, wire)) in came.iter().zip(&mut wires) {
            if stay.contains(id) {
                let mark = format!("in{id}");
                wire.send(&message(domain, "contoso.example", &mark)).await;
                stage.inside.find(&[domain, &format!("id='{mark}'")]).await;
            }
        }
        for (id, domain) in &ours {
            if stay.contains(id) {
                stage.send(&message("contoso.example", domain, "o2"));
                stage.outside.find(&[domain, "id='o2'"]).await;
            }
        }
        assert_eq!(live(&stage), stay, "{why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_changes_is_named_and_ends_nothing() {
    let entries = entry(TWO[0], "");
    let stage = Stage::new(&TWO, &entries).await;
    let _wire = stage.enter(TWO[0]).await.unwrap();
    let all = live(&stage);
    let (_, text, report) = tokio::task::block_in_place(|| preview(stage.lab()));
    assert!(
        text.contains("Entries and settings are as they were."),
        "{text}"
    );
    for list in ["partners", "settings", "restart", "certificates", "ends"] {
        assert_eq!(report[list], json!([]), "{report:#}");
    }
    stage.renew_certificate();
    let (exit, text, report) = tokio::task::block_in_place(|| preview(stage.lab()));
    assert_eq!(exit, 0);
    assert_eq!(report["settings"], json!(["certificates"]));
    let domains: Vec<_> = { report["certificates"].as_array().unwrap().iter() }
        .map(|it| it["domain"].clone())
        .collect();
    assert_eq!(domains, [Value::Null, json!("contoso.example")]);
    let change = &report["certificates"][1];
    assert_ne!(
        change["before"]["pin"], change["after"]["pin"],
        "{change:#}"
    );
    assert!(text.contains("Certificates that change:\n"), "{text}");
    assert_eq!(report["ends"], json!([]));
    stage.reload(&entries);
    assert_eq!(live(&stage), all);
    let (_, _, report) = tokio::task::block_in_place(|| preview(stage.lab()));
    assert_eq!(report["certificates"], json!([]));
}

/// A stream that does not answer is neither kept nor ended in the report.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_busy_with_a_handshake_is_listed_as_unknown() {
    let stage = Stage::new(&TWO, &entry(TWO[0], "")).await;
    let silent = TcpStream::connect(stage.daemon.s2s[0]).unwrap();
    tokio::task::block_in_place(|| {
        let header = "<stream:stream xmlns='jabber:server' from='fabrikam.example' \
                      xmlns:stream='http://etherx.jabber.org/streams' to='contoso.example' \
                      version='1.0'>";
        converse(&silent, header, "features>");
        let starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
        converse(&silent, starttls, "<proceed");
    });
    stage.write("");
    let begun = Instant::now();
    let (exit, text, report) = tokio::task::block_in_place(|| preview(stage.lab()));
    assert_eq!(exit, 0);
    assert_eq!(named(&report, "unknown").len(), 1, "{report:#}");
    assert_eq!(report["unknown"][0]["remote"], TWO[0], "{report:#}");
    assert!(text.contains("Did not say within a second"), "{text}");
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn a_refused_reload_is_foretold_with_its_errors() {
    let lab = Lab::with(&FREE_PORTS, PARTNERS);
    let daemon = Daemon::start(&lab);
    let broken = format!("{PARTNERS}tsl = \"required\"\n");
    lab.write("partners.toml", &broken, 0o644);
    let (exit, text, report) = preview(&lab);
    assert_eq!((exit, &report["refused"]), (78, &json!(true)), "{text}");
    assert_eq!(report["errors"][0]["code"], "unknown-key");
    assert_eq!(report["errors"][0]["line"], 4);
    for part in [
        "REFUSED: 1 error.",
        "error[unknown-key]",
        "partners.toml:4:1",
        "hint: ",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    // The log says nothing of it, before the reload is asked for.
    daemon.signal("HUP");
    let line = daemon.log_line("configuration-error");
    assert!(line.contains("unknown-key"), "{line}");
    daemon.log_line("reload-failed");
    let whole = daemon.whole_log().lock().unwrap().join("\n");
    assert_eq!(whole.matches("unknown-key").count(), 1, "{whole}");
}

#[test]
fn a_link_whose_domain_goes_and_what_needs_a_restart_are_named() {
    let identity = "\n[[identity]]\ndomains = [\"eu.contoso.example\"]\n\
                    certificate-chain = \"eu.pem\"\nprivate-key = \"eu.key\"\n";
    let two = "[\"contoso.example\", \"eu.contoso.example\"]";
    let before = FREE_PORTS.replace("[\"contoso.example\"]", two) + identity;
    let lab = Lab::with(&before, PARTNERS);
    let daemon = Daemon::start(&lab);
    let gateway = link(&daemon);
    daemon.log_line("link-up");
    let (_, text, report) = preview(&lab);
    assert_eq!(
        (&report["ends"], &report["stays"]),
        (&json!([]), &json!(1)),
        "{text}"
    );

    let after = before.replace(two, "[\"eu.contoso.example\"]");
    let after = with(&after, &[("log", "addresses = false")]);
    let after = after.replace("socket = \"admin.sock\"", "socket = \"other.sock\"");
    lab.write("edge.toml", &after, 0o644);
    // The daemon is where it was: the file says already where it will be.
    let (exit, _, errors) = lab.run(&["check", "--running", "--config", "edge.toml"]);
    assert_eq!(exit, 69, "{errors}");
    std::os::unix::fs::symlink(lab.path("admin.sock"), lab.path("other.sock")).unwrap();
    let (exit, text, report) = preview(&lab);
    assert_eq!(exit, 0, "{text}");
    assert_eq!(report["restart"], json!(["[admin] socket"]), "{report:#}");
    assert!(
        text.contains("Only with a restart: [admin] socket\n"),
        "{text}"
    );
    let end = &report["ends"][0];
    assert_eq!(end["direction"], "link", "{report:#}");
    assert_eq!(end["reason"], "unknown-local-domain", "{report:#}");
    assert_eq!(end["local"], "contoso.example", "{report:#}");
    assert_eq!(report["stays"], 0);
    daemon.signal("HUP");
    daemon.log_line("reload-done");
    let rest = converse(&gateway, "", "</stream:stream>");
    assert!(rest.contains("host-unknown"), "{rest}");
}

#[test]
fn without_a_daemon_it_says_so() {
    let lab = Lab::with(&FREE_PORTS, PARTNERS);
    let (exit, output, errors) = lab.run(&["check", "--running", "--config", "edge.toml"]);
    assert_eq!((exit, output.as_str()), (69, ""), "{errors}");
    assert!(errors.contains("hint: "), "{errors}");
    let both = ["check", "--running", "--user", "root"];
    assert_eq!(lab.run(&both).0, 64);
}
