//! What keeps the daemon from starting: said where it is read, with a status that says whether
//! another start may go better. And what a start and a reload say of a doubtful configuration.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::{Command, Output, Stdio};

use super::process::Daemon;
use super::{EDGE, PARTNERS, lab};
use crate::lab::{Lab, flat};

const RUN: [&str; 3] = ["run", "--config", "edge.toml"];
const DOUBTFUL: &str = "[[partner]]\nprimary-domain = \"fabrikam.example\"\ntype = \"federated\"\n\
                        tls = \"optional\"\ndialback = true\n";

fn as_text(edge: &str) -> String {
    edge.replace("\"json\"", "\"text\"")
}

/// Two ports that somebody else holds, and a configuration that wants both.
fn taken() -> (Lab, [TcpListener; 2], String) {
    let holders = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let mut edge = EDGE.clone();
    for holder in &holders {
        let address = holder.local_addr().unwrap().to_string();
        edge = edge.replacen("127.0.0.1:0", &address, 1);
    }
    (lab(), holders, edge)
}

/// `run` with a standard error that says of itself that it is the journal.
fn run_in_journal(lab: &Lab) -> String {
    let path = lab.path("journal");
    let file = fs::File::create(&path).unwrap();
    let found = file.metadata().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_xmpp-edge"))
        .args(["run", "--config"])
        .arg(lab.path("edge.toml"))
        .env("JOURNAL_STREAM", format!("{}:{}", found.dev(), found.ino()))
        .stderr(Stdio::from(file))
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(78));
    fs::read_to_string(path).unwrap()
}

#[test]
fn held_ports_may_pass_and_each_is_told_with_the_way_to_its_holder() {
    let (lab, holders, edge) = taken();
    lab.write("edge.toml", &as_text(&edge), 0o644);
    let (status, _, complaint) = lab.run(&RUN);
    assert_eq!(status, 71, "{complaint}");
    assert_eq!(complaint.lines().count(), 2, "{complaint}");
    for (line, holder) in complaint.lines().zip(&holders) {
        let address = holder.local_addr().unwrap();
        let way = format!("ss -ltnp 'sport = :{}'", address.port());
        assert!(line.contains(&address.to_string()), "{line}");
        assert!(line.starts_with("error: ") && line.contains(&way), "{line}");
        assert!(!line.contains("os error"), "{line}");
    }

    // A script reads objects, whatever goes wrong.
    lab.write("edge.toml", &edge, 0o644);
    let (status, _, complaint) = lab.run(&RUN);
    assert_eq!(status, 71, "{complaint}");
    let events: Vec<_> = complaint
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| (line["event"].clone(), line["level"].clone()))
        .collect();
    assert_eq!(events, vec![("start-failed".into(), "ERROR".into()); 2]);
}

/// Each line of a complaint as an object: its event, level, message and detail.
fn objects(complaint: &str) -> Vec<[String; 4]> {
    let lines = complaint.lines().map(|line| {
        let line: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        ["event", "level", "message", "detail"].map(|it| line[it].as_str().unwrap().to_owned())
    });
    lines.collect()
}

#[test]
fn where_the_log_is_json_everything_is_from_the_first_error_on() {
    let lab = lab();
    // What the service manager passes is looked at before the configuration is.
    let run = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" run --config \"$1\" 3</dev/null";
    let early = || {
        let output = Command::new("sh")
            .args(["-c", run, env!("CARGO_BIN_EXE_xmpp-edge")])
            .arg(lab.path("edge.toml"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(78));
        String::from_utf8(output.stderr).unwrap()
    };
    let complaint = early();
    let [[event, level, message, detail]] = objects(&complaint).try_into().unwrap();
    assert_eq!((&*event, &*level), ("start-failed", "ERROR"));
    // The fields stand beside it, and not in it.
    assert_eq!(message, "edge not started");
    assert!(
        detail.starts_with("the sockets of the service manager: "),
        "{detail}"
    );

    // A file that is broken says how it wants to be told of it.
    lab.write("edge.toml", &EDGE.replace("[s2s]", "[s2s"), 0o644);
    let (status, _, complaint) = lab.run(&RUN);
    assert_eq!(status, 78);
    let [syntax, failed] = objects(&complaint).try_into().unwrap();
    assert_eq!(syntax[0], "configuration-error");
    assert_eq!(syntax[2], "error in the configuration");
    assert!(syntax[3].contains("edge.toml:4:"), "{syntax:?}");
    assert_eq!(failed[0], "start-failed");

    lab.write("edge.toml", &as_text(&EDGE), 0o644);
    let complaint = early();
    assert!(
        complaint.starts_with("error: the sockets of the service manager: "),
        "{complaint}"
    );
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
}

#[test]
fn a_port_wanted_twice_is_for_a_human_to_change() {
    let lab = lab();
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap().to_string();
    drop(port);
    lab.write(
        "edge.toml",
        &as_text(&EDGE.replace("127.0.0.1:0", &address)),
        0o644,
    );
    let (status, _, complaint) = lab.run(&RUN);
    assert_eq!(status, 78, "{complaint}");
    assert!(
        complaint.contains("in the same configuration"),
        "{complaint}"
    );
}

/// At boot the address often comes after the service.
#[test]
fn an_address_that_is_not_there_yet_is_listened_on() {
    let lab = lab();
    // TEST-NET-1: no host has it (RFC 5737 §3).
    let early = EDGE.replacen("[\"127.0.0.1:0\"]", "[\"127.0.0.1:0\", \"192.0.2.1:0\"]", 1);
    lab.write("edge.toml", &early, 0o644);
    let daemon = Daemon::start(&lab);
    let log = daemon.whole_log().lock().unwrap().join("\n");
    assert!(
        log.contains("\"address-awaited\"") && log.contains("192.0.2.1:0 is no address"),
        "{log}"
    );
    daemon.signal("TERM");
    daemon.ends_with(0);
}

#[test]
fn run_prints_problems_as_check_prints_them() {
    let lab = lab();
    lab.write(
        "edge.toml",
        &format!("{}[nonsense]\n", as_text(&EDGE)),
        0o644,
    );
    lab.write(
        "partners.toml",
        &format!("{DOUBTFUL}tsl = 1\nsals = 2\n"),
        0o644,
    );
    let (status, _, complaint) = lab.run(&RUN);
    assert_eq!(status, 78, "{complaint}");
    let (_, report, _) = lab.run(&["check", "--config", "edge.toml"]);
    assert!(report.ends_with(&complaint), "{complaint}\n---\n{report}");
    assert!(
        complaint.starts_with("error[unknown-key]")
            && complaint.contains("\n\nerror[unknown-key]")
            && complaint.ends_with("3 errors, 1 warning.\n"),
        "{complaint}"
    );
}

#[test]
fn in_the_journal_errors_have_the_priority_of_errors() {
    let lab = lab();
    lab.write(
        "edge.toml",
        &format!("{}[nonsense]\n", as_text(&EDGE)),
        0o644,
    );
    let journal = run_in_journal(&lab);
    assert!(journal.contains("unknown-key"), "{journal}");
    assert!(
        journal.lines().all(|line| line.starts_with("<3>")),
        "{journal}"
    );
}

#[test]
fn warnings_are_told_with_place_and_hint_at_the_start_and_at_each_reload() {
    let lab = Lab::with(&EDGE, DOUBTFUL);
    let daemon = Daemon::start(&lab);
    let is_complete = |line: &str| {
        let parts = [
            "\"WARN\"",
            "clear-text-admitted",
            "partners.toml:4:7",
            "hint: ",
            "fabrikam",
        ];
        parts.iter().all(|part| line.contains(part))
    };
    let start = daemon.whole_log().lock().unwrap().join("\n");
    assert!(start.lines().any(is_complete), "{start}");

    daemon.signal("HUP");
    let line = daemon.log_line("configuration-warning");
    assert!(is_complete(&line), "{line}");
    daemon.log_line("reload-done");

    // Together with an error, it is still a warning.
    lab.write("partners.toml", &format!("{DOUBTFUL}tsl = 1\n"), 0o644);
    daemon.signal("HUP");
    let line = daemon.log_line("configuration-warning");
    assert!(is_complete(&line), "{line}");
    let line = daemon.log_line("configuration-error");
    assert!(
        line.contains("\"ERROR\"") && line.contains("hint: did you mean"),
        "{line}"
    );
    let line = daemon.log_line("reload-failed");
    assert!(
        line.contains("1 error, 1 warning. Nothing has changed; `xmpp-edge check"),
        "{line}"
    );
    daemon.signal("TERM");
    daemon.ends_with(0);
}

#[test]
fn a_default_partner_with_a_warning_is_in_force() {
    let entry = DOUBTFUL.replace("[[partner]]", "[default-partner]");
    let entry = entry.replace("primary-domain = \"fabrikam.example\"\n", "");
    let examination = Lab::with(&EDGE, &format!("{PARTNERS}{entry}")).examine();
    let codes: Vec<_> = examination.problems.iter().map(|it| it.code).collect();
    assert_eq!(codes, ["open-federation", "clear-text-admitted"]);
    let rules = examination.config.unwrap().rules;
    let stranger = xmpp_edge::proto::jid::Domain::parse("northwind.example").unwrap();
    assert!(rules.partner_of(&stranger).is_some());
}

#[test]
fn the_state_directory_is_its_owners_alone() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let mode = fs::metadata(lab.path("state"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    daemon.signal("TERM");
    daemon.ends_with(0);
    // There is no trace of the trial.
    let before = fs::read_dir(lab.path("state")).unwrap().count();
    let (status, report, _) = lab.run(&["check", "--config", "edge.toml"]);
    assert_eq!(status, 0, "{report}");
    assert_eq!(fs::read_dir(lab.path("state")).unwrap().count(), before);
}

#[test]
fn check_tries_to_write_to_the_state_directory() {
    let lab = lab();
    let code = "[state-directory-unwritable]: cannot write to ";
    lab.write("state", "", 0o600);
    let (status, report, _) = lab.run(&["check", "--config", "edge.toml"]);
    assert_eq!(status, 78, "{report}");
    assert!(report.contains(&format!("error{code}")), "{report}");

    fs::remove_file(lab.path("state")).unwrap();
    symlink("nowhere", lab.path("state")).unwrap();
    let (status, report, _) = lab.run(&["check", "--config", "edge.toml"]);
    assert_eq!(status, 78, "{report}");
    let code = "[state-directory-unwritable]: cannot ";
    assert!(report.contains(&format!("error{code}make ")), "{report}");

    fs::remove_file(lab.path("state")).unwrap();
    fs::create_dir(lab.path("state")).unwrap();
    let Output { status, stdout, .. } = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec prlimit --fsize=0 \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_xmpp-edge"))
        .args(["check", "--config"])
        .arg(lab.path("edge.toml"))
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    let report = String::from_utf8(stdout).unwrap();
    assert_eq!(status.code(), Some(0), "{report}");
    let warning = format!("warning{code}write to ");
    assert!(report.contains(&warning), "{report}");
}

/// As itself and as root without root's rights over files, neither makes what it must not.
#[test]
fn check_warns_of_a_state_directory_that_the_daemon_could_not_make() {
    let lab = lab();
    let edge = EDGE.replace("\"state\"", "\"closed/deep/state\"");
    assert_ne!(edge, *EDGE);
    lab.write("edge.toml", &edge, 0o644);
    fs::create_dir(lab.path("closed")).unwrap();
    let close = |mode| {
        fs::set_permissions(lab.path("closed"), fs::Permissions::from_mode(mode)).unwrap();
    };
    let run = |command| lab.run_with_mere_modes(&[command, "--config", "edge.toml"]);
    let (status, report) = run("check");
    assert_eq!(status, 0, "{report}");
    close(0o555);
    let (status, report) = run("check");
    // Another user's daemon may make it.
    assert_eq!(status, 0, "{report}");
    let report = flat(&report);
    for part in [
        "warning[state-directory-unwritable]: ",
        " cannot make closed/deep/state: the directory ",
        "/closed has mode 0555, owner ",
        "hint: run as root: install -d -m 700 -o ",
        " closed/deep/state; a unit that runs the daemon has to name it, too; if the daemon runs as another user than ",
    ] {
        assert!(report.contains(part), "{part}\n{report}");
    }
    // So the daemon finds it.
    let (status, complaint) = run("run");
    close(0o755);
    assert_eq!(status, 78, "{complaint}");
    let secret = "closed/deep/state/dialback.secret";
    let why = format!("\"cannot make the dialback secret {secret}: ");
    assert!(complaint.contains(&why), "{complaint}");
    // A file in the way is nobody's to make a directory of.
    fs::remove_dir(lab.path("closed")).unwrap();
    lab.write("closed", "", 0o600);
    let (status, report) = run("check");
    assert_eq!(status, 78, "{report}");
}

/// The allocator says itself what it was told, where `confirm_conf` is set.
#[test]
fn the_program_carries_the_settings_of_its_allocator() {
    let output = Command::new(env!("CARGO_BIN_EXE_xmpp-edge"))
        .arg("--version")
        .env("_RJEM_MALLOC_CONF", "confirm_conf:true")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let settings = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";
    assert!(said.contains(settings), "{said}");
    assert!(
        said.contains("Set conf value: dirty_decay_ms:1000"),
        "{said}"
    );
}
