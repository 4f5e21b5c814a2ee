//! What an administrator sees, on 80 columns, and what a script reads.

use serde_json::{Value, json};

use crate::lab::{EDGE, Lab, PARTNERS};
use crate::pki::{self, Authority};

const CHECK: [&str; 3] = ["check", "--config", "edge.toml"];
const CHECK_JSON: [&str; 5] = ["check", "--config", "edge.toml", "--format", "json"];

#[test]
fn a_configuration_that_can_be_used() {
    let (status, output, errors) = sound().run(&CHECK);
    assert_eq!((status, errors.as_str()), (0, ""));
    let (before, rest) = output.split_once("Memory that is held, at most: ").unwrap();
    let (memory, after) = rest.split_once("\n\n").unwrap();
    assert!(
        memory
            .lines()
            .nth(4)
            .is_some_and(|line| line.ends_with(" MiB")),
        "{memory}"
    );
    assert_eq!(
        before.to_owned() + after,
        r#"Local domain     Certificate
contoso.example  valid until 2100-01-01T00:00:00Z

Trust anchors: 1 authority

Partner           Methods, strongest first
fabrikam.example  sasl-external
litware.example   sasl-external, tls-dialback, tcp-dialback  warning
  *.rooms.litware.example
chat.a-long-name.northwind.example
                  sasl-external, tls-dialback

Chat rooms have a domain of their own (conference., rooms., muc., chat.). None
is listed, so none is reached, for these; if they have rooms, add it to
additional-domains:
  fabrikam.example

warning[clear-text-admitted]: sasl = "required" does not protect this partner:
                              dialback in the clear is admitted
 --> partners.toml:9:7
  |
9 | tls = "optional"
  |       ^^^^^^^^^^
  |
  = hint: whoever can strip TLS or forge DNS can read this partner's messages
          and speak for it; set tls = "required", or dialback = false

The configuration can be used: 3 partners, no errors, 1 warning.
"#
    );
}

#[test]
fn every_problem_of_both_files_at_once() {
    let (status, output, errors) = spoilt().run(&CHECK);
    assert_eq!((status, errors.as_str()), (78, ""));
    assert_eq!(
        output,
        r#"Partner          Methods, strongest first
contoso.example  none                                       error
litware.example  sasl-external, tls-dialback, tcp-dialback  warning
  *.rooms.litware.example
chat.a-long-name.northwind.example
                 sasl-external, tls-dialback

error[missing-key]: `private-key` is missing from [tls]
 --> edge.toml:4:1
  |
4 | [tls]
  | ^^^^^ in this section
  |
  = hint: add: private-key = "tls/privkey.pem"

error[unknown-key]: `private_key` is not a known key in [tls]
 --> edge.toml:6:1
  |
6 | private_key = "edge.key"
  | ^^^^^^^^^^^
  |
  = hint: did you mean `private-key`?

error[plaintext-not-loopback]: plaintext = true, but 192.0.2.1:23456 is not
                               loopback
  --> edge.toml:10:11
   |
10 | listen = ["192.0.2.1:23456"]
   |           ^^^^^^^^^^^^^^^^^
11 | secret-file = "loose.secret"
12 | plaintext = true
   |             ---- the link would not be encrypted
   |
   = hint: listen on 127.0.0.1 or [::1] only, or set plaintext = false and use
           [gateway.tls]

error[exposed-file]: other users can read or write loose.secret (mode 0640)
  --> edge.toml:11:15
   |
11 | secret-file = "loose.secret"
   |               ^^^^^^^^^^^^^^
   |
   = hint: give it to the daemon's user alone: chown xmpp-edge loose.secret &&
           chmod 600 loose.secret; or leave it as it is for others, and hand
           the daemon a copy: LoadCredential= in its unit

error[partner-is-local]: contoso.example is one of the edge's own domains
 --> partners.toml:2:18
  |
2 | primary-domain = "contoso.example"
  |                  ^^^^^^^^^^^^^^^^^
  |
 ::: edge.toml:1:12
  |
1 | domains = ["contoso.example"]
  |            ----------------- the edge speaks for it
  |
  = hint: remove it here, or from `domains` in edge.toml

error[no-method]: tls = "not-supported", sasl = "required", dialback = false
                  leave no method
 --> partners.toml:4:7
  |
4 | tls = "not-supported"
  |       ^^^^^^^^^^^^^^^
  |
  = hint: SASL EXTERNAL needs a certificate, so TLS: set tls = "required"; or
          set dialback = true to accept dialback on streams in the clear

warning[clear-text-admitted]: sasl = "required" does not protect this partner:
                              dialback in the clear is admitted
  --> partners.toml:10:7
   |
10 | tls = "optional"
   |       ^^^^^^^^^^
   |
   = hint: whoever can strip TLS or forge DNS can read this partner's messages
           and speak for it; set tls = "required", or dialback = false

The configuration is refused: 3 partners, 6 errors, 1 warning.
"#
    );
}

#[test]
fn a_file_that_is_not_there() {
    let (status, output, errors) = Lab::new().run(&["check", "--config", "absent.toml"]);
    assert_eq!((status, errors.as_str()), (78, ""));
    assert_eq!(
        output,
        "\
error[unreadable-file]: cannot read absent.toml: no such file
--> absent.toml
 = hint: name the file with --config (without it, /etc/xmpp-edge/edge.toml is
         read); config/edge.toml in the source is one to begin with

The configuration is refused: no partners, 1 error, no warnings.
"
    );
}

#[test]
fn the_partner_file_is_judged_even_where_the_other_cannot_be_parsed() {
    let lab = Lab::with("domains = [", &format!("{PARTNERS}typ = 1\n"));
    let (status, output, _) = lab.run(&CHECK);
    assert_eq!(status, 78);
    for part in [
        "error[syntax]",
        "edge.toml:1:11",
        "error[unknown-key]",
        "did you mean `type`?",
    ] {
        assert!(output.contains(part), "{output}");
    }
}

#[test]
fn scripts_read_json() {
    let (status, output, errors) = sound().run(&CHECK_JSON);
    assert_eq!((status, errors.as_str()), (0, ""));
    let report: Value = serde_json::from_str(&output).unwrap();
    let partners = report["partners"].as_array().unwrap();
    assert_eq!(
        partners[1],
        json!({
            "primary-domain": "litware.example",
            "description": "",
            "additional-domains": ["*.rooms.litware.example"],
            "type": "federated",
            "methods": ["sasl-external", "tls-dialback", "tcp-dialback"],
            "rooms-covered": true,
            "warnings": [{
                "code": "clear-text-admitted",
                "message": "sasl = \"required\" does not protect this partner: dialback in the \
                            clear is admitted",
                "file": "partners.toml",
                "line": 9,
                "column": 7,
                "hint": "whoever can strip TLS or forge DNS can read this partner's messages and \
                         speak for it; set tls = \"required\", or dialback = false",
            }],
        })
    );
    assert_eq!(
        (&report["warnings"], &report["errors"]),
        (&json!([]), &json!([]))
    );
}

#[test]
fn open_federation_is_shown_as_a_partner() {
    let lab = Lab::with(EDGE, "[default-partner]\ntype = \"public-unverified\"\n");
    let (status, output, _) = lab.run(&CHECK);
    assert_eq!(status, 0);
    assert!(
        output.contains("\ndefault-partner  sasl-external\n\nThe configuration can be used"),
        "{output}"
    );
}

#[test]
fn scripts_read_every_error_in_json() {
    let (status, output, errors) = spoilt().run(&CHECK_JSON);
    assert_eq!((status, errors.as_str()), (78, ""));
    let report: Value = serde_json::from_str(&output).unwrap();
    let keys: Vec<_> = report.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["errors", "partners", "warnings"]);
    assert_eq!(report["partners"][0]["methods"], json!([]));
    let errors = report["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 6);
    assert_eq!(
        errors[1],
        json!({
            "code": "unknown-key",
            "message": "`private_key` is not a known key in [tls]",
            "file": "edge.toml",
            "line": 6,
            "column": 1,
            "hint": "did you mean `private-key`?",
        })
    );
}

#[test]
fn wrong_usage_has_its_own_status() {
    for arguments in [
        &["chekc"][..],
        &["check", "--format", "xml"],
        &["check", "x"],
        &[],
    ] {
        let (status, output, errors) = Lab::new().run(arguments);
        assert_eq!((status, output.as_str()), (64, ""), "{arguments:?}");
        assert!(errors.contains("--help"), "{errors}");
    }
}

#[test]
fn help_teaches_on_80_columns() {
    for arguments in [&["--help"][..], &["help", "check"], &["check", "--help"]] {
        let (status, output, errors) = Lab::new().run(arguments);
        assert_eq!((status, errors.as_str()), (0, ""), "{arguments:?}");
        for part in ["Examples:", "Exit status:", "64", "78"] {
            assert!(output.contains(part), "{arguments:?}: {part}");
        }
        assert!(
            output.lines().all(|line| line.chars().count() <= 80),
            "{output}"
        );
    }
}

const TWO_MORE: &str = r#"
[[partner]]
primary-domain = "litware.example"
additional-domains = ["*.rooms.litware.example"]
type = "federated"
tls = "optional"
dialback = true

[[partner]]
primary-domain = "chat.a-long-name.northwind.example"
type = "federated"
sasl = "optional"
dialback = true
"#;

fn sound() -> Lab {
    Lab::with(EDGE, &format!("{PARTNERS}{TWO_MORE}"))
}

/// Several mistakes in each file.
fn spoilt() -> Lab {
    let edge = EDGE
        .replace("\"127.0.0.1:23456\"", "\"192.0.2.1:23456\"")
        .replace("private-key", "private_key")
        .replace("gateway.secret", "loose.secret");
    let partners = PARTNERS
        .replace("fabrikam.example", "contoso.example")
        .replace("\"federated\"", "\"federated\"\ntls = \"not-supported\"");
    Lab::with(&edge, &format!("{partners}{TWO_MORE}"))
}

#[test]
fn anchors_are_told_apart() {
    let lab = sound();
    let old = Authority::root_with("Old Authority", |params| {
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    let read = |name| std::fs::read_to_string(lab.path(name)).unwrap();
    let all = read("ca.pem") + &read("self.pem") + &pki::pem(&old.certificate);
    let edge = read("edge.toml").replace("\"ca.pem\"", "\"anchors.pem\"");
    lab.write("anchors.pem", &all, 0o644);
    lab.write("edge.toml", &edge, 0o644);
    let (status, text, _) = lab.run(&["check", "--config", "edge.toml"]);
    assert_eq!(status, 0, "{text}");
    for part in [
        "Trust anchors: 2 authorities\n  CN=leaf is no authority: it counts only where a partner shows it as its own\n    certificate\n",
        "warning[anchor-expired]: the authority CN=Old Authority expired on",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn what_the_system_says_comes_without_its_number() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let edge = EDGE.replace("127.0.0.1:23456", &address);
    let edge = edge.replace("[tls]", "[s2s]\nlisten = [\"127.0.0.1:0\"]\n\n[tls]");
    let (_, _, errors) = Lab::with(&edge, PARTNERS).run(&["run", "--config", "edge.toml"]);
    assert!(errors.contains(&address), "{errors}");
    assert!(errors.contains("ddress already in use"), "{errors}");
    assert!(!errors.contains("os error"), "{errors}");
}

#[test]
fn what_others_can_make_the_edge_hold_is_computed_and_stands_in_the_docs() {
    let lab = sound();
    let report = || -> Value {
        let (status, output, _) = lab.run(&CHECK_JSON);
        assert_eq!(status, 0, "{output}");
        serde_json::from_str(&output).unwrap()
    };
    let memory = report()["memory"].take();
    let rows = memory["rows"].as_array().unwrap();
    let sum: u64 = rows.iter().map(|row| row["bytes"].as_u64().unwrap()).sum();
    assert_eq!(memory["total-bytes"], sum);
    let text = crate::tree::read("docs/security.md");
    let (_, section) = text.split_once("\n## What can be held, by whom\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    for row in rows {
        let (who, what) = (row["who"].as_str().unwrap(), row["what"].as_str().unwrap());
        let start = format!("\n| {who} | {what} |");
        assert!(section.contains(&start), "{start}");
    }
    let documented = section.lines().filter(|line| line.starts_with("| "));
    assert_eq!(
        documented.count(),
        rows.len() + 1,
        "a row too many, or too few"
    );
    // What the configuration says counts.
    let edge = std::fs::read_to_string(lab.path("edge.toml")).unwrap();
    let half = format!("{edge}\n[admission]\nunauthenticated-limit = 2500\n");
    lab.write("edge.toml", &half, 0o644);
    let bytes = |memory: &Value, at: usize| memory["rows"][at]["bytes"].as_u64().unwrap();
    let halved = report()["memory"].take();
    assert_eq!(bytes(&halved, 0) * 2, bytes(&memory, 0));
    let without = half.replace("= 2500", "= 0");
    lab.write("edge.toml", &without, 0o644);
    assert_eq!(report()["memory"]["total-bytes"], Value::Null);
    let (_, output, _) = lab.run(&CHECK);
    assert!(
        output.contains("at most: no limit\n  strangers         no limit\n"),
        "{output}"
    );
}

#[test]
fn domains_beyond_ascii_are_shown_in_both_forms() {
    let partners = PARTNERS.replace("fabrikam.example", "BÜCHER.example");
    let lab = Lab::with(EDGE, &partners);
    let (status, text, _) = lab.run(&CHECK);
    assert_eq!(status, 0, "{text}");
    let row = "\nbücher.example (xn--bcher-kva.example)\n";
    assert!(text.contains(row), "{text}");
}

/// What is meant is no warning, and is told all the same.
#[test]
fn partners_that_may_come_in_the_clear_are_named() {
    let entry = |name: &str, tls: &str| {
        format!(
            "[[partner]]\nprimary-domain = \"{name}\"\ntype = \"federated\"\ntls = \"{tls}\"\n\
             sasl = \"not-supported\"\ndialback = true\n"
        )
    };
    let partners = entry("old.example", "not-supported") + &entry("mixed.example", "optional");
    let (status, text, _) = Lab::with(EDGE, &partners).run(&CHECK);
    assert_eq!(status, 0, "{text}");
    for part in [
        "\nNever encrypted, and only DNS says who it is (tcp-dialback, and no other\nmethod):\n  \
         old.example\n\n",
        "\nNot encrypted where TLS fails or is stripped on the way (tcp-dialback is left):\n  \
         mixed.example\n\n",
        "2 partners, no errors, no warnings.",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let (_, text, _) = Lab::new().run(&CHECK);
    assert!(!text.contains("tcp-dialback"), "{text}");
}

#[test]
fn a_file_that_is_named_without_its_option_is_told_with_it() {
    let (status, _, errors) = Lab::new().run(&["check", "edge.toml"]);
    assert_eq!(status, 64);
    let hint = "hint: name the configuration by its option: --config edge.toml\n";
    assert!(errors.contains(hint), "{errors}");
    let (status, _, errors) = Lab::new().run(&["check", "now"]);
    assert_eq!(status, 64);
    assert!(!errors.contains("hint:"), "{errors}");
}
