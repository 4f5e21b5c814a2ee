//! `xmpp-edge trace` against the process: what it shows, what it writes, and what the log says of it.

use std::os::unix::fs::PermissionsExt as _;

use super::recording::Recording;
use crate::daemon::process::Daemon;
use crate::daemon::{converse, lab};

const HEADER: &str = "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
                      from='stranger.example' to='contoso.example' version='1.0'>";

#[test]
fn a_trace_is_announced_shown_and_written() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let path = lab.path("stranger.trace");
    let (exit, text, errors) = std::thread::scope(|scope| {
        let watched = scope.spawn(|| {
            lab.run(&[
                "trace",
                "stranger.example",
                "--for",
                "3s",
                "--output",
                "stranger.trace",
                "--config",
                "edge.toml",
            ])
        });
        daemon.log_line("trace-begun");
        let stranger = std::net::TcpStream::connect(daemon.s2s).unwrap();
        converse(&stranger, HEADER, "</stream:stream>");
        watched.join().unwrap()
    });
    assert_eq!(exit, 0, "{errors}");
    daemon.log_line("trace-ended");
    assert!(
        errors.starts_with("Watching stranger.example for 3s; Ctrl-C ends it.\n"),
        "{errors}"
    );
    assert!(errors.contains("The time is over: "), "{errors}");
    assert!(errors.contains("nothing was left out."), "{errors}");
    for part in [
        " * a stream from 127.0.0.1:",
        " < <stream:stream ",
        " > <?xml ",
        " ! the end: unknown-partner: ",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}\n{text}");
    }
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let (exit, replayed, errors) = lab.run(&["replay", "stranger.trace"]);
    assert_eq!((exit, errors.as_str()), (0, ""), "{replayed}");
    assert!(replayed.contains(&text), "{replayed}\n{text}");

    // What is there is not written over.
    let again = [
        "trace",
        "stranger.example",
        "--output",
        "stranger.trace",
        "--config",
        "edge.toml",
    ];
    let (exit, _, errors) = lab.run(&again);
    assert_eq!(exit, 64, "{errors}");
    assert!(
        errors.contains("stranger.trace cannot be written: File exists"),
        "{errors}"
    );
}

/// With a local domain it is about the gateway, and says so in each place.
#[test]
fn a_local_domain_has_the_links_of_its_gateway() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let command = "trace contoso.example --for 2s --output link.trace --config edge.toml";
    let command: Vec<_> = command.split(' ').collect();
    let (exit, text, errors) = std::thread::scope(|scope| {
        let watched = scope.spawn(|| lab.run(&command));
        let line = daemon.log_line("trace-begun");
        assert!(line.contains("\"local\":\"contoso.example\""), "{line}");
        let gateway = std::net::TcpStream::connect(daemon.gateway).unwrap();
        let header = HEADER.replace("jabber:server", "jabber:component:accept");
        converse(&gateway, &header, " id='");
        converse(&gateway, "<handshake>0123</handshake>", "</stream:stream>");
        watched.join().unwrap()
    });
    assert_eq!(exit, 0, "{errors}");
    let watching = "Watching the gateway's links for contoso.example for 2s; Ctrl-C ends it.\n";
    assert!(errors.starts_with(watching), "{errors}");
    for part in [
        " * a gateway's link from 127.0.0.1:",
        " < <handshake>xxxx</handshake>",
        " ! the end: link-secret: ",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let (exit, replayed, _) = lab.run(&["replay", "link.trace"]);
    assert_eq!(exit, 0, "{replayed}");
    assert!(
        replayed.starts_with("The gateway's links for contoso.example, from "),
        "{replayed}"
    );
}

#[test]
fn what_cannot_be_traced_is_said() {
    let lab = lab();
    for (arguments, exit, says) in [
        (vec!["not a domain"], 64, "is no domain"),
        (
            vec!["a.example", "--for", "2h"],
            64,
            "no time from 1s to 1h",
        ),
        (
            vec!["a.example", "--for", "soon"],
            64,
            "no time from 1s to 1h",
        ),
        (vec!["a.example"], 69, "there is no socket"),
        (
            vec!["a.example", "--output", "a.trace"],
            69,
            "there is no socket",
        ),
    ] {
        refused(&lab, &arguments, exit, says);
    }
    let (_, _, errors) = lab.run(&["trace", "a.example", "--config", "edge.toml"]);
    let hint = "\nhint: is the daemon running (systemctl status xmpp-edge)? `socket` ";
    assert!(errors.contains(hint), "{errors}");
    // No file is left that would stand in the way of the next try.
    assert!(!lab.path("a.trace").exists());
    let daemon = Daemon::start(&lab);
    let socket = lab.path("admin.sock");
    let one = Recording::begin(&socket, "fabrikam.example");
    let again = ["fabrikam.example", "--output", "none.trace"];
    refused(&lab, &again, 69, "is running already");
    assert!(!lab.path("none.trace").exists());
    let _more = ["b", "c", "d"].map(|it| Recording::begin(&socket, &format!("{it}.example")));
    refused(&lab, &["e.example"], 69, "4 traces are running already");
    assert!(one.end().contains("\"why\":\"stopped\""));
    let _last = Recording::begin(&socket, "e.example");
    drop(daemon);
}

fn refused(lab: &crate::lab::Lab, arguments: &[&str], want: i32, says: &str) {
    let command = [&["trace"], arguments, &["--config", "edge.toml"]].concat();
    let (exit, text, errors) = lab.run(&command);
    assert_eq!((exit, text.as_str()), (want, ""), "{errors}");
    let words = errors.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(says), "{errors}");
}

#[test]
fn a_file_that_is_no_trace_does_nothing_to_the_terminal() {
    let lab = lab();
    let head = r#"{"xmpp-edge-trace":1,"program":"","domain":"","began":"","seconds":1}"#;
    let evil = r#"{"stream":1,"at":0,"in":{"\u001b[2J\u202e\u009b":1}}"#;
    lab.write("evil.trace", &format!("{head}\n{evil}\n"), 0o644);
    let (exit, _, errors) = lab.run(&["replay", "evil.trace"]);
    assert_eq!(exit, 64, "{errors}");
    assert!(errors.contains("u{1b}[2J"), "{errors}");
    let is_odd = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!errors.contains(is_odd), "{errors:?}");
}
