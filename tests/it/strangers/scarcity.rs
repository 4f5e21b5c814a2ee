//! A host that runs out of something: the edge says so, serves on where it can, and recovers.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use super::crowd::NO_LIMITS;
use super::honest::Honest;
use super::{header, lab};
use crate::daemon::process::Daemon;
use crate::daemon::{converse, link};
use crate::hostile::authority::Authority;
use crate::lab::Lab;

/// A partner cannot be dialled and a gateway not taken in, until there are descriptors again.
#[test]
fn without_descriptors_stanzas_are_bounced_and_links_wait() {
    let authority = Authority::start();
    let lab = lab(authority.address, "", "", "");
    let daemon = Daemon::start_limited(&lab, 40);
    let mut honest = Honest::new(&daemon);
    // The stream on which the partner's key was asked about must not leave a place later.
    daemon.log_lines(1, |line| line.contains("\"finished\""));
    let crowd: Vec<_> = (0..49)
        .map(|_| TcpStream::connect(daemon.s2s).unwrap())
        .collect();
    daemon.log_line("accept-error");
    // What lives already is not touched.
    assert!(honest.exchange() < Duration::from_secs(3));
    let message = |id: &str| {
        format!(
            "<message from='b@contoso.example' to='a@fabrikam.example' id='{id}'><body/></message>"
        )
    };
    honest.say(&message("first"));
    let bounce = honest.hear("</message>");
    assert!(
        bounce.contains("id='first'") && bounce.contains("remote-server-timeout"),
        "{bounce}"
    );
    let line = daemon.log_line("dial-failed");
    assert!(line.contains("\"connect-failed\""), "{line}");

    // The kernel has this one; the edge takes it when it can.
    let waiting = TcpStream::connect(daemon.gateway).unwrap();
    drop(crowd);
    let header = "<stream:stream xmlns='jabber:component:accept' \
                  xmlns:stream='http://etherx.jabber.org/streams' to='contoso.example'>";
    assert!(converse(&waiting, header, "id='").contains("id='"));
    drop(waiting);
    drop(link(&daemon));
    // A reload forgets that the partner could not be reached.
    daemon.signal("HUP");
    daemon.log_line("reload-done");
    honest.say(&message("second"));
    let authenticated = daemon.log_lines(1, |line| {
        line.contains("\"stream-authenticated\"") && line.contains("\"outbound\"")
    });
    assert!(authenticated[0].contains("fabrikam.example"));
    assert!(honest.exchange() < Duration::from_secs(3));
    drop(honest);
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// Files may not grow at all, or not much: what a full disk looks like to a process.
#[test]
fn a_full_disk_at_the_start_is_told_and_ends_it() {
    let authority = Authority::start();
    for (room, what) in [("0", "secret"), ("4096", "contacts")] {
        let lab = lab(authority.address, "", "", "");
        let output = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", "prlimit"])
            .arg(format!("--fsize={room}"))
            .arg(env!("CARGO_BIN_EXE_xmpp-edge"))
            .args(["run", "--config"])
            .arg(lab.path("edge.toml"))
            .output()
            .unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(73), "{complaint}");
        assert!(
            complaint.contains(what) && complaint.contains("too large"),
            "{complaint}"
        );
        assert!(!complaint.contains("panicked"), "{complaint}");
    }
}

#[test]
fn a_disk_that_fills_up_stops_nothing_but_what_must_be_kept() {
    let authority = Authority::start();
    let lab = lab(authority.address, "", "", "");
    let daemon = Daemon::start_by(&lab, "sh", &["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    let mut honest = Honest::new(&daemon);
    let add = |who: &str| contacts(&lab, who);
    assert_eq!(add("one@fabrikam.example").0, 0);
    let room = |room: &str| {
        let status = Command::new("prlimit")
            .args(["--pid", &daemon.pid().to_string()])
            .arg(format!("--fsize={room}:"))
            .status()
            .unwrap();
        assert!(status.success());
    };
    room("4096");
    let (status, complaint) = add("two@fabrikam.example");
    assert_ne!(status, 0, "{complaint}");
    assert!(complaint.contains("contacts"), "{complaint}");
    assert!(honest.exchange() < Duration::from_secs(3));
    room("unlimited");
    let (status, complaint) = add("two@fabrikam.example");
    assert_eq!(status, 0, "{complaint}");
    assert!(honest.exchange() < Duration::from_secs(3));
    drop(honest);
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// Memory that is not there ends a process, at once and with a word, and not with a wait: its service
/// manager starts it anew. The limits of `[admission]` are there to keep it from getting so far.
#[test]
fn without_memory_it_says_so_and_ends() {
    let authority = Authority::start();
    let lab = lab(authority.address, "", NO_LIMITS, "");
    let daemon = Daemon::start(&lab);
    let mut honest = Honest::new(&daemon);
    honest.exchange();
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let size = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:")?.strip_suffix("kB"))
        .unwrap();
    let room = (size.trim().parse::<u64>().unwrap() << 10) + (4 << 20);
    let limited = Command::new("prlimit")
        .args(["--pid", &daemon.pid().to_string()])
        .arg(format!("--as={room}:"))
        .status()
        .unwrap();
    assert!(limited.success());
    let half = header("fabrikam.example") + "<db:result from='" + &"k".repeat(8000);
    let mut crowd = Vec::new();
    while daemon.is_running() {
        assert!(crowd.len() < 4000, "it has found memory somewhere");
        // It may end at any moment.
        let Ok(mut stranger) = TcpStream::connect(daemon.s2s) else {
            break;
        };
        let _it_may_be_gone = stranger.write_all(half.as_bytes());
        crowd.push(stranger);
    }
    assert_eq!(daemon.status(), None, "it ends, and not by itself");
    daemon.log_lines(1, |line| line.contains("memory allocation of"));
}

fn contacts(lab: &Lab, who: &str) -> (i32, String) {
    let arguments = [
        "contacts",
        "add",
        "--config",
        "edge.toml",
        "b@contoso.example",
        who,
    ];
    let (status, said, complaint) = lab.run(&arguments);
    (status, said + &complaint)
}
