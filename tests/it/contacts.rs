//! `xmpp-edge contacts`: what an administrator sees and a script reads, with a daemon and without.

mod killed;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::daemon::lab;
use crate::daemon::process::Daemon;
use crate::lab::Lab;

fn contacts(lab: &Lab, arguments: &[&str]) -> (i32, String, String) {
    lab.run(&[&["contacts"], arguments, &["--config", "edge.toml"]].concat())
}

/// What goes well, and what it prints.
fn prints(lab: &Lab, arguments: &[&str]) -> String {
    let (status, output, errors) = contacts(lab, arguments);
    assert_eq!((status, errors.as_str()), (0, ""), "{arguments:?}");
    output
}

/// A directory in which a daemon has run once.
fn used() -> Lab {
    let lab = lab();
    fs::create_dir(lab.path("state")).unwrap();
    lab
}

const ANNE: &str = "Anne@Contoso.example";
const BOB: &str = "bob@chat.fabrikam.example/phone";

#[test]
fn editing_is_the_same_with_a_daemon_and_without() {
    for running in [false, true] {
        let lab = used();
        let _daemon = running.then(|| Daemon::start(&lab));
        assert_eq!(prints(&lab, &["list"]), "No contacts.\n");
        for (action, want) in [
            (
                "add",
                "anne@contoso.example now has dora@fabrikam.example as a contact.\n",
            ),
            (
                "add",
                "anne@contoso.example had dora@fabrikam.example as a contact already.\n",
            ),
            (
                "remove",
                "anne@contoso.example no longer has dora@fabrikam.example as a contact.\n",
            ),
            (
                "remove",
                "anne@contoso.example does not have dora@fabrikam.example as a contact.\n",
            ),
        ] {
            assert_eq!(
                prints(&lab, &[action, ANNE, "dora@fabrikam.example/phone"]),
                want,
                "{running}"
            );
        }
    }
}

#[test]
fn a_contact_at_a_domain_that_is_no_partner_is_added_with_a_note() {
    let lab = used();
    for (remote, note) in [
        (
            "dora@fabrikan.example",
            "note: no entry of the partner file covers fabrikan.example: nothing passes to it\n\
             or from it until one does; did you mean fabrikam.example?\n",
        ),
        (
            "dora@adatum.example",
            "note: no entry of the partner file covers adatum.example: nothing passes to it\n\
             or from it until one does.\n",
        ),
    ] {
        let added = format!("anne@contoso.example now has {remote} as a contact.\n");
        assert_eq!(prints(&lab, &["add", ANNE, remote]), added + note);
    }
}

#[test]
fn the_list_fits_the_screen() {
    let lab = used();
    let long = "a.person.with.a.very.long.name@contoso.example";
    for (local, remote) in [
        (ANNE, BOB),
        (long, BOB),
        ("änne@contoso.example", "dora@fabrikam.example"),
    ] {
        prints(&lab, &["add", local, remote]);
    }
    let list = prints(&lab, &["list"]);
    assert_eq!(
        list,
        "\
Local user            Contact
a.person.with.a.very.long.name@contoso.example
                      bob@chat.fabrikam.example
anne@contoso.example  bob@chat.fabrikam.example
änne@contoso.example  dora@fabrikam.example

3 contacts.
"
    );
    assert!(list.lines().all(|line| line.chars().count() <= 80));
    let (_, help, _) = lab.run(&["contacts", "--help"]);
    assert!(
        help.lines().all(|line| line.chars().count() <= 80),
        "{help}"
    );
}

#[test]
fn a_script_reads_json() {
    let lab = used();
    prints(&lab, &["add", ANNE, BOB]);
    let list: serde_json::Value =
        serde_json::from_str(&prints(&lab, &["list", "--format", "json"])).unwrap();
    let entry = json!({"local": "anne@contoso.example", "remote": "bob@chat.fabrikam.example"});
    assert_eq!(list, json!({"contacts": [entry]}));
}

#[test]
fn what_is_no_pair_of_users_is_wrong_usage() {
    let lab = used();
    for (local, remote, why) in [
        (
            "anne@",
            BOB,
            "error: `anne@` is no address (user@domain): the domain is empty\n",
        ),
        (
            ANNE,
            "@b",
            "error: `@b` is no address (user@domain): the local part is empty or has a\nforbidden character\n",
        ),
        (
            BOB,
            ANNE,
            "error: chat.fabrikam.example is not a local domain: the local user comes first,\nat contoso.example\n",
        ),
        (
            "anne",
            "bob",
            "error: `anne` is no address (user@domain): there is no user before an `@`\n",
        ),
        (
            "contoso.example",
            BOB,
            "error: `contoso.example` is no address (user@domain): there is no user before an\n`@`\n",
        ),
        (
            ANNE,
            "bob",
            "error: `bob` is no address (user@domain): there is no user before an `@`\n",
        ),
    ] {
        let (status, output, errors) = contacts(&lab, &["add", local, remote]);
        assert_eq!((status, output.as_str(), errors.as_str()), (64, "", why));
    }
    assert_eq!(contacts(&lab, &["add", ANNE]).0, 64);
    // A service is a contact without a user.
    prints(&lab, &["add", ANNE, "chat.fabrikam.example"]);
    lab.write("edge.toml", "", 0o644);
    assert_eq!(contacts(&lab, &["list"]).0, 78);
}

#[test]
fn what_cannot_be_reached_is_told() {
    let lab = lab();
    let (status, _, errors) = contacts(&lab, &["list"]);
    assert_eq!(status, 69);
    assert!(
        errors.contains("state is not there: the daemon makes it when it starts"),
        "{errors}"
    );

    // A daemon that takes connections and says nothing.
    fs::create_dir(lab.path("state")).unwrap();
    let listener = UnixListener::bind(lab.path("admin.sock")).unwrap();
    let silent = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let (status, _, errors) = contacts(&lab, &["list"]);
    assert_eq!(status, 69);
    assert!(
        errors.starts_with("error: the daemon has ended the conversation"),
        "{errors}"
    );
    silent.join().unwrap();

    // The socket is now of one that has ended; the lock is held.
    let held = xmpp_edge::store::Contacts::open(&lab.path("state")).unwrap();
    let (status, _, errors) = contacts(&lab, &["list"]);
    assert_eq!(status, 69);
    assert!(errors.contains("is held by another process"), "{errors}");
    drop(held);
    prints(&lab, &["list"]);
}

#[test]
fn a_damaged_file_is_left_to_the_daemon_which_sets_it_aside() {
    let lab = used();
    lab.write("state/contacts.redb", "damaged", 0o600);
    let (status, output, errors) = contacts(&lab, &["list"]);
    assert_eq!((status, output.as_str()), (69, ""));
    assert!(
        errors.ends_with("the daemon sets it aside when it starts\n"),
        "{errors}"
    );
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_xmpp-edge"))
        .args(["run", "--config"])
        .arg(lab.path("edge.toml"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(daemon.stderr.take().unwrap()).lines();
    let line = log.find_map(|line| line.ok().filter(|line| line.contains("contacts-set-aside")));
    let line = line.unwrap();
    assert!(log.any(|line| line.unwrap().contains("\"started\"")));
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "ERROR", "{line}");
    assert!(
        line.to_string().contains("contacts.redb.damaged-1"),
        "{line}"
    );
    let aside = fs::read_to_string(lab.path("state/contacts.redb.damaged-1")).unwrap();
    assert_eq!(aside, "damaged");
    prints(&lab, &["add", ANNE, BOB]);
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

#[test]
fn the_socket_is_for_its_owner_and_answers_every_line() {
    let lab = used();
    let _daemon = Daemon::start(&lab);
    let path = lab.path("admin.sock");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let stream = UnixStream::connect(&path).unwrap();
    let mut replies = BufReader::new(&stream).lines();
    let greeting = replies.next().unwrap().unwrap();
    assert!(greeting.contains(r#""protocol":1"#), "{greeting}");
    for (request, want) in [
        (
            r#"{"add":{"local":"anne@contoso.example","remote":"bob@chat.example"}}"#,
            vec![r#"{"changed":true}"#],
        ),
        (
            r#"{"list":{}}"#,
            vec![
                r#"{"contact":{"local":"anne@contoso.example","remote":"bob@chat.example"}}"#,
                r#"{"end":1}"#,
            ],
        ),
        (
            r#"{"remove":{"local":"ANNE@contoso.example","remote":"bob@chat.example"}}"#,
            vec![r#"{"changed":true}"#],
        ),
        (
            r#"{"remove":{"local":"anne@contoso.example","remote":""}}"#,
            vec![
                r#"{"error":{"code":"not-an-address","text":"`` is no address: the domain is empty"}}"#,
            ],
        ),
    ] {
        writeln!(&stream, r#"{{"contacts":{request}}}"#).unwrap();
        for want in want {
            assert_eq!(replies.next().unwrap().unwrap(), want);
        }
    }
    for nonsense in ["", "{}", "[1]", "\u{0}", r#"{"add":{"local":"a@b"}}"#] {
        writeln!(&stream, "{nonsense}").unwrap();
        let reply = replies.next().unwrap().unwrap();
        assert!(
            reply.starts_with(r#"{"error":{"code":"not-a-request""#),
            "{reply}"
        );
    }
    // A line without an end ends the conversation, and nothing else.
    (&stream).write_all(&vec![b' '; 40_000]).unwrap_or_default();
    let reply = replies.next().unwrap().unwrap();
    assert!(reply.starts_with(r#"{"error""#), "{reply}");
    prints(&lab, &["list"]);
}
