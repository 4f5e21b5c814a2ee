//! `xmpp-edge explain`: of each broken set-up it names the step, the side and the remedy, to people
//! on 80 columns and to programs; and it says so where nothing is broken.

mod certificates;
mod inward;
mod limits;
mod names;
mod peer;
mod routes;
mod setups;
mod sound;
mod streams;

use std::net::{SocketAddr, TcpListener};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use xmpp_edge::proto::codes::{Code, Side};

use crate::lab::Lab;
use crate::pki::{self, Authority, Leaf};

const OURS: i32 = 78;
const THEIRS: i32 = 76;
const NETWORK: i32 = 69;

/// What must be found wrong.
struct Wrong {
    exit: i32,
    reason: &'static str,
    /// The row that has the side and the remedy.
    cause: &'static str,
    step: &'static str,
    side: &'static str,
    /// Part of what is wrong, and part of what to change.
    says: [&'static str; 2],
}

/// Nothing takes long here: what is silent is given up after three seconds, and no name server is asked
/// that a test does not have.
static EDGE: LazyLock<String> = LazyLock::new(|| {
    let edge = crate::lab::EDGE
        .replace(
            "[\"contoso.example\"]",
            "[\"contoso.example\", \"eu.contoso.example\"]",
        )
        .replace("127.0.0.1:23456", "127.0.0.1:2");
    let s2s = "listen = [\"127.0.0.1:1\"]\nstream-establishment-timeout = \"3s\"";
    let dns = "nameservers = [\"127.0.0.1:3\"]";
    crate::lab::with(&edge, &[("s2s", s2s), ("dns", dns)])
});

const ENTRY: &str = "[[partner]]\nprimary-domain = \"fabrikam.example\"\ntype = \"federated\"\n";

/// Our edge's files, and the authority that both sides trust.
fn lab() -> (Lab, Authority) {
    let authority = Authority::root("Test Authority");
    let lab = Lab::with(&EDGE, ENTRY);
    let own = Leaf::new(&["contoso.example", "eu.contoso.example"]);
    let own = authority.issue(own.server_only());
    lab.write("ca.pem", &pki::pem(&authority.certificate), 0o600);
    lab.write("edge.pem", &own.chain_pem(), 0o600);
    lab.write("edge.key", own.key_pem(), 0o600);
    (lab, authority)
}

/// The partner is at this place, and these are the other lines of its entry.
fn route(lab: &Lab, place: SocketAddr, lines: &str) {
    let entry = format!("{ENTRY}route = [\"{place}\"]\n{lines}");
    lab.write("partners.toml", &entry, 0o644);
}

/// The text on the screen, each line of which fits, and the report for programs.
fn explain(lab: &Lab, domain: &str, exit: i32) -> (String, Value) {
    let command = ["explain", domain, "--config", "edge.toml"];
    let (status, text, errors) = lab.run(&command);
    assert_eq!((status, errors.as_str()), (exit, ""), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(
            !line.contains('\u{1b}'),
            "colour without a terminal: {line}"
        );
    }
    let json = [&command[..], &["--format", "json"]].concat();
    let (status, output, errors) = lab.run(&json);
    assert_eq!((status, errors.as_str()), (exit, ""), "{output}");
    (text, serde_json::from_str(&output).unwrap())
}

/// Runs it, and looks for what is wrong in both reports.
fn finds(lab: &Lab, domain: &str, wrong: &Wrong) -> String {
    let (text, json) = explain(lab, domain, wrong.exit);
    let verdict = &json["verdict"];
    for (key, want) in [
        ("reason", wrong.reason),
        ("step", wrong.step),
        ("side", wrong.side),
    ] {
        assert_eq!(verdict[key], want, "{json:#}\n{text}");
    }
    assert_eq!(json["works"], false, "{json:#}");
    let what = verdict["what"].as_str().unwrap();
    assert!(what.contains(wrong.says[0]), "{what}");
    let remedy = verdict["remedy"].as_str().unwrap();
    assert!(remedy.contains(wrong.says[1]), "{remedy}");
    // The one sentence, and each step before it, is what people read as well.
    let words = timeless(&text);
    let summary = json["summary"].as_str().unwrap();
    assert!(
        summary.contains(what) && summary.contains(remedy),
        "{summary}"
    );
    assert!(words.contains(&timeless(summary)), "{summary}\n{text}");
    let mut steps = json["steps"].as_array().unwrap().iter().rev();
    let last = steps.find(|step| step["step"] != "without-route").unwrap();
    assert_eq!(last["step"], "failed", "{json:#}");
    assert_eq!(verdict["cause"], wrong.cause, "{json:#}\n{text}");
    // The side and the remedy are those of the row that has them.
    let row = Code::all().find(|code| *code == wrong.cause).unwrap();
    assert!(remedy.starts_with(row.remedy()), "{remedy}");
    if row.side() != Side::Neither {
        assert_eq!(wrong.side, row.side().as_str());
    }
    let letter = verdict["to-the-partner"].as_str();
    assert_eq!(letter.is_some(), wrong.side == "peer", "{json:#}");
    if let Some(letter) = letter {
        assert!(words.contains(&timeless(letter)), "{letter}\n{text}");
        let what = what.replace("this host's clock", "our clock");
        let what = what.replace("the partner", "your server");
        let what = what.replace("its entry requires", "we require");
        // A setting of ours is nothing to the partner.
        let what = what.replace(", and allow-private-addresses under [dns] is false", "");
        for part in ["contoso.example", "fabrikam.example", &what, "Please "] {
            assert!(letter.contains(part), "{part}: {letter}");
        }
    }
    text
}

/// On one line, and without what the clock said: the two reports are not of one second.
fn timeless(text: &str) -> String {
    let is_time = |word: &&str| word.contains("T") && word.trim_end_matches('.').ends_with('Z');
    let words = text.split_whitespace().filter(|word| !is_time(word));
    words.collect::<Vec<_>>().join(" ")
}

/// In two hours.
fn soon() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now + Duration::from_secs(7200)
}

/// A port at which nothing listens.
fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[test]
fn help_fits_the_screen() {
    let (lab, _) = lab();
    let (status, text, _) = lab.run(&["explain", "--help"]);
    assert_eq!(status, 0);
    assert!(text.lines().count() <= 50, "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn what_is_no_domain_or_no_domain_of_ours_is_wrong_usage() {
    let (lab, _) = lab();
    for (arguments, hint) in [
        (&["bob@fabrikam.example"][..], "try fabrikam.example"),
        (&["-x"], "unexpected argument"),
        (
            &["fabrikam.example", "--from", "fabrikam.example"],
            "contoso.example,\neu.contoso.example",
        ),
    ] {
        let command = [&["explain", "--config", "edge.toml"], arguments].concat();
        let (status, output, errors) = lab.run(&command);
        assert_eq!((status, output.as_str()), (64, ""), "{arguments:?}");
        assert!(errors.contains(hint), "{errors}");
    }
}

#[test]
fn a_configuration_that_is_refused_is_told_as_by_check() {
    let (lab, _) = lab();
    lab.write("partners.toml", "[[partner]]\ntsl = true\n", 0o644);
    let (status, output, errors) = lab.run(&["explain", "a.example", "--config", "edge.toml"]);
    assert_eq!((status, output.as_str()), (OURS, ""));
    assert!(errors.contains("error[unknown-key]"), "{errors}");
}
