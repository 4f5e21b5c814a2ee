//! What a running daemon says of itself: `xmpp-edge status`, the admin socket behind it, and what is
//! documented of both.

mod documented;
mod hostile;
mod live;

use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::daemon::process::Daemon;
use crate::daemon::{converse, lab, link};
use crate::lab::{FREE_PORTS, Lab, PARTNERS};
use crate::schemas;

/// What is printed, each line of which fits, and the report for programs, which is as its schema says.
pub(crate) fn status(lab: &Lab, domain: &[&str]) -> (String, Value) {
    let command = [&["status"], domain, &["--config", "edge.toml"]].concat();
    let (exit, text, errors) = lab.run(&command);
    assert_eq!((exit, errors.as_str()), (0, ""), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}\n{text}");
        assert!(
            !line.contains('\u{1b}'),
            "colour without a terminal: {line}"
        );
    }
    let (exit, json, errors) = lab.run(&[&command[..], &["--format", "json"]].concat());
    assert_eq!((exit, errors.as_str()), (0, ""), "{json}");
    let json = serde_json::from_str(&json).unwrap();
    let schema = match domain.is_empty() {
        true => "status",
        false => "status-domain",
    };
    schemas::holds(schema, &json);
    (text, json)
}

#[test]
fn an_edge_without_gateway_says_so_first() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let (text, json) = status(&lab, &[]);
    for part in [
        "xmpp-edge 0.1.0 is up: ",
        "  contoso.example            NOT CONNECTED\n",
        "Partners: 0 connected, 1 without a stream, none failing\n",
        "Streams: 0 inbound, 0 outbound, 0 links\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let gateway = text.find("NOT CONNECTED").unwrap();
    assert!(text[..gateway].lines().count() <= 10, "{text}");
    assert_eq!(json["process"], daemon.pid());
    assert_eq!(json["listeners"]["partners"][0], daemon.s2s.to_string());

    // One that comes with the wrong secret says why there is none.
    let wrong = std::net::TcpStream::connect(daemon.gateway).unwrap();
    let header = "<stream:stream xmlns='jabber:component:accept' \
                  xmlns:stream='http://etherx.jabber.org/streams' to='contoso.example'>\
                  <handshake>wrong</handshake>";
    converse(&wrong, header, "</stream:stream>");
    drop(wrong);
    daemon.log_line("link-refused");
    let (text, json) = status(&lab, &[]);
    assert_eq!(json["refused-link"]["reason"], "link-secret", "{json:#}");
    assert_eq!(json["refused-link"]["domain"], "contoso.example");
    assert!(text.contains(" was refused: link-secret, "), "{text}");

    let _link = link(&daemon);
    daemon.log_line("link-up");
    let (text, json) = status(&lab, &[]);
    assert!(
        text.contains("  contoso.example            connected for "),
        "{text}"
    );
    assert_eq!(json["connections"]["links"], 1);
    assert!(!text.contains("was refused"), "{text}");
}

#[test]
fn where_no_daemon_is_a_hint_says_what_to_look_at() {
    let lab = lab();
    for (errors_have, hint_has) in [
        ("there is no socket at ", "systemctl status xmpp-edge"),
        ("nobody listens at ", "systemctl start xmpp-edge"),
        ("it is no domain", ""),
    ] {
        let mut command = vec!["status", "--config", "edge.toml"];
        let exit = match hint_has.is_empty() {
            true => {
                command.push("bob@fabrikam.example");
                64
            }
            false => 69,
        };
        let (status, output, errors) = lab.run(&command);
        assert_eq!((status, output.as_str()), (exit, ""), "{errors}");
        let words = errors.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains(errors_have) || exit == 64 && words.contains("is no domain"),
            "{errors}"
        );
        assert!(words.contains(hint_has), "{errors}");
        // From here on one of a daemon that was killed.
        if !lab.path("admin.sock").exists() {
            drop(UnixListener::bind(lab.path("admin.sock")).unwrap());
        }
    }
    // Who names a file that is not there gets no answer from another daemon.
    for command in [
        vec!["status"],
        vec!["check", "--running"],
        vec!["trace", "a.example"],
    ] {
        let (status, _, errors) = lab.run(&[&command[..], &["--config", "edg.toml"]].concat());
        assert_eq!(status, 64, "{command:?} {errors}");
        assert!(errors.contains("there is no file edg.toml"), "{errors}");
    }
    // A daemon takes its place, and takes it away at its end.
    let daemon = Daemon::start(&lab);
    status(&lab, &[]);
    daemon.signal("TERM");
    daemon.ends_with(0);
    assert!(!lab.path("admin.sock").exists());
}

#[test]
fn a_second_daemon_leaves_the_socket_to_the_first() {
    let (first, second) = (lab(), lab());
    let edge = FREE_PORTS.replace(
        "socket = \"admin.sock\"",
        &format!("socket = \"{}\"", first.path("admin.sock").display()),
    );
    second.write("edge.toml", &edge, 0o644);
    let daemon = Daemon::start(&first);
    let other = Daemon::start(&second);
    let log = other.whole_log();
    let log = log.lock().unwrap().join("\n");
    assert!(log.contains("admin-unserved"), "{log}");
    let (_, json) = status(&first, &[]);
    assert_eq!(json["process"], daemon.pid());
    other.signal("TERM");
    other.ends_with(0);
    status(&first, &[]);
}

#[test]
fn an_edge_that_stops_says_so_until_it_has() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    // A gateway that does not close its side keeps it for some seconds.
    let _link = link(&daemon);
    daemon.log_line("link-up");
    daemon.signal("TERM");
    daemon.log_line("stopping");
    let (text, json) = status(&lab, &[]);
    assert_eq!(json["state"], "stopping", "{json:#}");
    assert!(text.starts_with("xmpp-edge 0.1.0 is STOPPING: "), "{text}");
    daemon.ends_with(0);
}

#[test]
fn a_watch_ends_with_the_daemon() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let mut watch = Command::new(env!("CARGO_BIN_EXE_xmpp-edge"))
        .args(["status", "--watch", "--format", "json", "--config"])
        .arg(lab.path("edge.toml"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(watch.stdout.take().unwrap());
    let mut lines = std::io::BufRead::lines(output);
    for _ in 0..2 {
        let report: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(report["state"], "running");
    }
    drop(daemon);
    assert_eq!(watch.wait().unwrap().code(), Some(69));
}

#[test]
fn a_path_that_no_socket_can_have_is_refused_before_the_start() {
    for (length, is_refused) in [(107, false), (108, true)] {
        let path = format!("/{}", "x".repeat(length - 1));
        let edge = format!("{}[admin]\nsocket = \"{path}\"\n", crate::lab::EDGE);
        let problems = Lab::with(&edge, PARTNERS).examine().problems;
        let codes: Vec<_> = problems.iter().map(|it| it.code).collect();
        assert_eq!(
            codes.contains(&"socket-path-too-long"),
            is_refused,
            "{codes:?}"
        );
    }
}

#[test]
fn help_fits_one_screen() {
    let lab = lab();
    let (exit, text, _) = lab.run(&["status", "--help"]);
    assert_eq!(exit, 0);
    assert!(text.lines().count() <= 24, "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

/// The word for a configuration says whether two edges decide alike, and nothing of where they are.
#[test]
fn the_hash_is_of_policy_and_not_of_paths() {
    let hash = |edge: &str, partners: &str| {
        let examination = Lab::with(edge, partners).examine();
        let config = examination.config;
        config
            .unwrap_or_else(|| panic!("{:#?}", examination.problems))
            .fingerprint()
    };
    let edge = crate::lab::EDGE;
    let two =
        format!("{PARTNERS}\n[[partner]]\nprimary-domain = \"a.example\"\ntype = \"federated\"\n");
    let turned = format!(
        "[[partner]]\nprimary-domain = \"A.example.\"\ntype = \"federated\"\ndescription = \"A\"\n{PARTNERS}"
    );
    let one = hash(edge, &two);
    for (edge, partners) in [
        (edge.to_owned(), turned),
        (edge.replace("\"state\"", "\"elsewhere\""), two.clone()),
        (edge.replace("23456", "23457"), two.clone()),
        (
            edge.replace("edge.pem", "ending.pem")
                .replace("edge.key", "ending.key"),
            two.clone(),
        ),
        (
            format!("{edge}[log]\nfilter = \"debug\"\n[admin]\nsocket = \"x\"\n"),
            two.clone(),
        ),
        (
            format!("{edge}[s2s]\nconnection-limit = 1000\n"),
            two.clone(),
        ),
    ] {
        assert_eq!(hash(&edge, &partners), one, "{edge}{partners}");
    }
    for (edge, partners) in [
        (edge.to_owned(), PARTNERS.to_owned()),
        (edge.to_owned(), two.replace("federated", "public-verified")),
        (edge.to_owned(), format!("{two}keep-alive = false\n")),
        (
            edge.to_owned(),
            format!("{two}additional-domains = [\"b.a.example\"]\n"),
        ),
        (
            edge.to_owned(),
            format!("{two}[default-partner]\ntype = \"public-unverified\"\n"),
        ),
        (
            format!("{edge}[s2s]\nconnection-limit = 999\n"),
            two.clone(),
        ),
        (format!("{edge}[access]\ndefault = \"deny\"\n"), two.clone()),
        (
            format!("{edge}[dns]\nallow-private-addresses = true\n"),
            two.clone(),
        ),
        (
            edge.replace("[\"contoso.example\"]", "[\"eu.contoso.example\"]")
                .replace("edge.pem", "eu.pem")
                .replace("edge.key", "eu.key"),
            two.clone(),
        ),
    ] {
        assert_ne!(hash(&edge, &partners), one, "{edge}{partners}");
    }
}
