//! What is said about a mistake: the words, and what they tell the administrator to write or to run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use xmpp_edge::config::{Problem, Severity};
use xmpp_edge::ops::logging::TARGETS;

use crate::lab::{EDGE, Lab, PARTNERS, flat};
use crate::pki::{self, Authority};
use crate::tree;

/// The problems of a configuration: each as `file:line:column code`, its message, its hint.
fn said(lab: &Lab) -> Vec<[String; 3]> {
    let directory = format!("{}/", lab.path("").to_str().unwrap().trim_end_matches('/'));
    let problems = lab.examine().problems;
    let say = |problem: &Problem| {
        assert!(lab.fits_the_screen(problem), "{problem}");
        let place = &problem.place;
        let file = place.file().file_name().unwrap().to_str().unwrap();
        let (line, column) = (place.line(), place.column());
        [
            format!("{file}:{line}:{column} {}", problem.code),
            problem.message.replace(&directory, ""),
            problem.hint.replace(&directory, ""),
        ]
    };
    problems.iter().map(say).collect()
}

/// What is said when one thing is changed in the one file that has it.
fn changed(from: &str, to: &str) -> Vec<[String; 3]> {
    assert!(EDGE.contains(from) != PARTNERS.contains(from), "{from:?}");
    said(&Lab::with(
        &EDGE.replace(from, to),
        &PARTNERS.replace(from, to),
    ))
}

#[test]
fn a_missing_type_shows_all_that_there_are() {
    let want = [
        "partners.toml:1:1 missing-key",
        "`type` is missing from [[partner]]",
        "add one of: type = \"federated\", type = \"public-verified\" or type = \
         \"public-unverified\"",
    ];
    assert_eq!(changed("type = \"federated\"", ""), [want]);
}

#[test]
fn a_number_without_a_unit_is_written_as_it_was_meant() {
    for (key, value, meant) in [
        ("stream-inactivity-timeout", "60", "60s"),
        ("stream-inactivity-timeout", "\"60\"", "60s"),
        ("stream-inactivity-timeout", "\"10 minutes\"", "10m"),
        // Sixty thousand seconds would be too many.
        ("stream-establishment-timeout", "60000", "60000ms"),
    ] {
        let found = changed("[tls]", &format!("[s2s]\n{key} = {value}\n[tls]"));
        let column = key.len() + 4;
        let want = [
            format!("edge.toml:5:{column} bad-duration"),
            format!("`{key}` is not a duration"),
            format!("write \"{meant}\", in quotes and with its unit"),
        ];
        assert_eq!(found, [want], "{value}");
    }
    // Where nothing can be guessed, the form is shown.
    for value in ["true", "\"soon\"", "1.5", "0"] {
        let line = format!("[s2s]\nkeep-alive-interval = {value}\n[tls]");
        let [[code, _, hint]] = changed("[tls]", &line).try_into().unwrap();
        assert_eq!(code, "edge.toml:5:23 bad-duration", "{value}");
        assert!(hint.contains("\"250ms\", \"30s\""), "{hint}");
    }
}

fn utf16(text: &str) -> Vec<u8> {
    let marked = format!("\u{FEFF}{text}");
    marked.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn a_file_in_another_encoding_is_told_with_it_and_with_everything_else_in_it() {
    let convert = |charset: &str, name: &str| {
        format!(
            "save it as UTF-8 in the editor, or convert it: iconv -f {charset} -t UTF-8 {name} > \
             {name}.utf8, and put that file in its place"
        )
    };
    for name in ["edge.toml", "partners.toml"] {
        let lab = Lab::new();
        let text = fs::read_to_string(lab.path(name)).unwrap();
        fs::write(lab.path(name), utf16(&format!("{text}slip = 1\n"))).unwrap();
        let [encoding, slip] = said(&lab).try_into().unwrap();
        let want = [
            format!("{name}:1:1 wrong-encoding"),
            format!("{name} is in UTF-16, and must be in UTF-8"),
            convert("UTF-16LE", name),
        ];
        assert_eq!(encoding, want);
        assert!(slip[0].ends_with("unknown-key"), "{slip:?}");

        let comment = b"# B\xFCro\n";
        fs::write(lab.path(name), [&comment[..], text.as_bytes()].concat()).unwrap();
        let want = [
            format!("{name}:1:4 wrong-encoding"),
            format!("{name} is in Latin-1 (ISO 8859-1), and must be in UTF-8"),
            convert("LATIN1", name),
        ];
        assert_eq!(said(&lab), [want]);

        // The mark that some editors put before UTF-8 is no harm.
        fs::write(lab.path(name), format!("\u{FEFF}{text}")).unwrap();
        assert_eq!(said(&lab), [[""; 3]; 0], "{name}");
    }
}

#[test]
fn what_is_no_text_or_no_file_is_not_taken_for_an_empty_one() {
    for (place, name) in [
        ("edge.toml:1:1", "edge.toml"),
        ("edge.toml:1:1", "partners.toml"),
    ] {
        let lab = Lab::new();
        fs::write(lab.path(name), b"\x30\x82\x01\0\xff").unwrap();
        let want = [
            format!("{place} not-text"),
            format!("{name} is not a text file"),
            "name a text file in UTF-8".to_owned(),
        ];
        assert_eq!(said(&lab), [want]);
        fs::remove_file(lab.path(name)).unwrap();
        fs::create_dir(lab.path(name)).unwrap();
        let want = [
            format!("{place} unreadable-file"),
            format!("cannot read {name}: it is a directory"),
            "name a file that can be read".to_owned(),
        ];
        assert_eq!(said(&lab), [want]);
    }
}

#[test]
fn a_secret_that_no_gateway_could_use_is_told_before_the_start() {
    for bytes in [
        utf16("0123456789abcdef"),
        b"B\xFCro-0123456789abcdef".to_vec(),
    ] {
        let lab = Lab::new();
        fs::write(lab.path("gateway.secret"), bytes).unwrap();
        let want = [
            "edge.toml:11:15 secret-not-text",
            "the secret in gateway.secret is not one line of UTF-8 text",
            "save it as UTF-8; or make another: openssl rand -hex 32 > gateway.secret",
        ];
        assert_eq!(said(&lab), [want]);
    }
}

#[test]
fn a_log_target_that_does_not_exist_is_a_warning() {
    let filter = |filter: &str| changed("[tls]", &format!("[log]\nfilter = \"{filter}\"\n[tls]"));
    let want = [
        "edge.toml:5:16 unknown-log-target",
        "nothing is logged under the target `xmpp_edge::decisions`",
        "did you mean `xmpp_edge::decision`?",
    ];
    assert_eq!(filter("info,xmpp_edge::decisions=debug"), [want]);
    let [[code, message, hint]] = filter("info,rustls=debug").try_into().unwrap();
    assert_eq!(code, "edge.toml:5:16 unknown-log-target");
    assert_eq!(message, "nothing is logged under the target `rustls`");
    assert!(hint.contains("`xmpp_edge::decision`"), "{hint}");
    let none: [[&str; 3]; 0] = [];
    for sound in [
        "debug",
        "xmpp_edge=debug",
        "info,hickory_proto::udp=trace",
        "off,xmpp_edge::net=info",
    ] {
        assert_eq!(filter(sound), none, "{sound}");
    }
    let lab = Lab::with(
        &EDGE.replace("[tls]", "[log]\nfilter = \"info,y=debug\"\n[tls]"),
        PARTNERS,
    );
    let examination = lab.examine();
    assert_eq!(examination.problems[0].severity, Severity::Warning);
    assert!(examination.config.is_some());
}

/// What `TARGETS` says is what the sources do.
#[test]
fn every_target_that_is_logged_under_is_known() {
    let mut found: Vec<_> = tree::files("src", "rs")
        .into_iter()
        .filter(|file| !file.path.contains("tests") && !file.path.contains("demo"))
        .filter(|file| {
            let code = file.text.split("#[cfg(test)]").next().unwrap();
            let levels = ["error", "warn", "info", "debug", "trace"];
            levels
                .iter()
                .any(|level| code.contains(&format!("tracing::{level}!(")))
        })
        .map(|file| {
            let module = file.path.trim_start_matches("src/").trim_end_matches(".rs");
            format!("xmpp_edge::{}", module.replace('/', "::"))
        })
        .collect();
    found.push("xmpp_edge::decision".to_owned());
    let lock = tree::read("Cargo.lock");
    let packages = lock
        .split("[[package]]")
        .filter(|package| package.contains("\n \"tracing\","));
    let names = packages.filter_map(|package| package.split('"').nth(1));
    // The last of these is for the tests alone.
    let others = ["xmpp-edge", "tracing-subscriber", "hickory-server"];
    let libraries = names.filter(|name| !others.contains(name));
    found.extend(libraries.map(|name| name.replace('-', "_")));
    let mut known = TARGETS.map(str::to_owned).to_vec();
    found.sort();
    known.sort();
    assert_eq!(found, known);
}

#[test]
fn of_a_file_that_a_group_may_read_it_is_said_how_the_daemon_gets_it() {
    for (mode, hint) in [
        (0o604, "run: chmod 600 gateway.secret"),
        (
            0o640,
            "give it to the daemon's user alone: chown xmpp-edge gateway.secret && chmod 600 \
             gateway.secret; or leave it as it is for others, and hand the daemon a copy: \
             LoadCredential= in its unit",
        ),
    ] {
        let lab = Lab::new();
        let private = fs::Permissions::from_mode(mode);
        fs::set_permissions(lab.path("gateway.secret"), private).unwrap();
        let want = [
            "edge.toml:11:15 exposed-file".to_owned(),
            format!("other users can read or write gateway.secret (mode {mode:04o})"),
            hint.to_owned(),
        ];
        assert_eq!(said(&lab), [want]);
    }
}

#[test]
fn an_unreadable_secret_names_the_user_and_the_mode() {
    let lab = Lab::new();
    let me = Command::new("id").arg("-un").output().unwrap().stdout;
    let me = String::from_utf8(me).unwrap();
    let me = me.trim();
    let close = |name: &str, mode| {
        fs::set_permissions(lab.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    close("gateway.secret", 0o000);
    for command in ["run", "check"] {
        let (status, text) = lab.run_with_mere_modes(&[command, "--config", "edge.toml"]);
        assert_eq!(status, 78, "{text}");
        let text = flat(&text);
        for part in [
            &format!(
                "error[unreadable-file]: {me} cannot read gateway.secret: the file has mode 0000, owner {me}:"
            )[..],
            &format!(
                "hint: run: chown {me} gateway.secret; or hand over a copy: LoadCredential= in the unit; if the daemon runs as another user than {me}, run this as that one"
            ),
            "edge.toml:11:15",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
    // So does a directory that may not be entered.
    close("gateway.secret", 0o600);
    lab.write("keys/edge.key", "", 0o600);
    let edge = EDGE.replace("edge.key", "keys/edge.key");
    lab.write("edge.toml", &edge, 0o644);
    close("keys", 0o000);
    let (status, text) = lab.run_with_mere_modes(&["check", "--config", "edge.toml"]);
    close("keys", 0o700);
    assert_eq!(status, 78, "{text}");
    let text = flat(&text);
    let (_, obstacle) = text
        .split_once(&format!("{me} cannot read keys/edge.key: the directory "))
        .unwrap();
    let (directory, owners) = obstacle.split_once(" has ").unwrap();
    assert!(directory.ends_with("/keys"), "{text}");
    assert!(
        owners.starts_with(&format!("mode 0000, owner {me}:")),
        "{text}"
    );
}

#[test]
fn check_for_the_daemons_user_warns_of_what_that_user_must_not_read() {
    const USER: &str = "nobody";
    let lab = Lab::new();
    let check = || {
        let arguments = ["check", "--config", "edge.toml", "--user", USER];
        let (status, text, _) = lab.run(&arguments);
        (status, flat(&text))
    };
    let open = |name: &str, mode| {
        fs::set_permissions(lab.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    // All are in one directory, which others must not enter.
    open("", 0o700);
    let (status, text) = check();
    assert_eq!(status, 0, "{text}");
    let warning = "warning[not-for-the-daemon]: nobody cannot read edge.toml and 5 other files: the directory ";
    assert!(text.contains(warning), "{text}");
    // It is one thing to mend, and is said once.
    assert_eq!(text.matches("not-for-the-daemon").count(), 1, "{text}");

    open("", 0o755);
    for name in ["ca.pem", "edge.pem"] {
        open(name, 0o644);
    }
    fs::create_dir(lab.path("state")).unwrap();
    open("state", 0o755);
    let (status, text) = check();
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("no errors, 3 warnings."), "{text}");
    for part in [
        "nobody cannot read edge.key: the file has mode 0600, owner ",
        "nobody cannot read gateway.secret: the file has mode 0600, owner ",
        "/edge.key; or hand over a copy: LoadCredential= in the unit",
        "nobody cannot write to state: the directory ",
        "hint: run: chown -R nobody state",
        "edge.toml:6:15",
        "edge.toml:11:15",
        "edge.toml:2:19",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    // A copy of the contacts was put back by somebody else.
    open("state", 0o777);
    fs::write(lab.path("state/contacts.redb"), "").unwrap();
    open("state/contacts.redb", 0o600);
    let (status, text) = check();
    assert_eq!(status, 0, "{text}");
    for part in [
        "nobody cannot write to state/contacts.redb: the file has mode 0600, owner ",
        "hint: run: chown nobody state/contacts.redb",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    // Nor can it make what is not there.
    fs::remove_dir_all(lab.path("state")).unwrap();
    let (status, text) = check();
    assert_eq!(status, 0, "{text}");
    for part in [
        "warning[not-for-the-daemon]: nobody cannot make state: the directory ",
        "hint: run as root: install -d -m 700 -o nobody state; a unit that runs the daemon has to name it, too",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let (status, _, complaint) = lab.run(&["check", "--user", "nobody-at-all"]);
    assert_eq!(status, 64);
    assert_eq!(
        complaint,
        "error: there is no user nobody-at-all on this system\n"
    );
}

#[test]
fn true_and_false_are_written_as_the_words_that_were_meant() {
    for (key, value, meant) in [
        ("tls", "true", "; did you mean \"required\"?"),
        ("sasl", "false", "; did you mean \"not-supported\"?"),
        ("tls", "1", ", in quotes"),
    ] {
        let line = format!("type = \"federated\"\n{key} = {value}");
        let [[code, message, hint]] = changed("type = \"federated\"", &line).try_into().unwrap();
        let column = key.len() + 4;
        assert_eq!(code, format!("partners.toml:4:{column} wrong-type"));
        assert_eq!(message, format!("`{key}` is of the wrong type"));
        let words = "\"required\", \"optional\" or \"not-supported\"";
        assert_eq!(hint, format!("`{key}` is {words}{meant}"));
    }
}

#[test]
fn the_quotes_of_word_processors_are_named() {
    for value in ["\u{201c}federated\u{201d}", "\u{2018}federated\u{2019}"] {
        let found = changed("type = \"federated\"", &format!("type = {value}"));
        let want = [
            "partners.toml:3:8 syntax",
            "texts stand in straight quotes, and these are curly",
            "write \" in the place of each: word processors and web pages change them",
        ];
        assert_eq!(found, [want]);
    }
    // Within a text they are letters like others.
    let none: [[&str; 3]; 0] = [];
    let line = "type = \"federated\"\ndescription = \"\u{201c}Fabrikam\u{201d}\"";
    assert_eq!(changed("type = \"federated\"", line), none);
}

#[test]
fn an_authority_in_the_place_of_the_chain_is_named() {
    let lab = Lab::new();
    let text = fs::read_to_string(lab.path("ca.pem")).unwrap();
    fs::write(lab.path("edge.pem"), text).unwrap();
    let found = said(&lab);
    let [code, message, hint] = &found[0];
    assert_eq!(code, "edge.toml:5:21 key-mismatch", "{found:?}");
    let message_wanted = "the first certificate is that of an authority, CN=";
    assert!(message.starts_with(message_wanted), "{message}");
    assert!(
        hint.starts_with("put the edge's own certificate first"),
        "{hint}"
    );
}

#[test]
fn an_authority_of_our_own_is_to_be_put_among_the_anchors() {
    let lab = Lab::new();
    let other = Authority::root("Another Authority");
    fs::write(lab.path("ca.pem"), pki::pem(&other.certificate)).unwrap();
    let [[code, _, hint]] = said(&lab).try_into().unwrap();
    assert_eq!(code, "edge.toml:5:21 certificate-not-trusted");
    let of_our_own = "one of your own, add it to trust-anchors";
    assert!(hint.contains(of_our_own), "{hint}");
}

#[test]
fn the_address_of_a_host_is_no_domain() {
    let [[code, message, hint]] = changed("fabrikam.example", "192.0.2.7").try_into().unwrap();
    assert_eq!(code, "partners.toml:2:18 address-as-domain");
    assert_eq!(message, "192.0.2.7 is the address of a host, and no domain");
    assert!(hint.contains("goes into `route`"), "{hint}");
}
