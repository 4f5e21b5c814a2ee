//! `xmpp-edge partner-sheet`: fit for a mail, true, and without a secret.

use serde_json::{Value, json};

use crate::lab::{EDGE, Lab, PARTNERS};
use crate::schemas;

fn text(lab: &Lab, more: &[&str]) -> String {
    let arguments = [&["partner-sheet", "--config", "edge.toml"], more].concat();
    let (status, output, errors) = lab.run(&arguments);
    assert_eq!(status, 0, "{errors}");
    // Who sends the sheet must know that its host was guessed.
    let is_guessed = !more.contains(&"--host");
    let words = errors.split_whitespace().collect::<Vec<_>>().join(" ");
    let notes = words
        .matches("the sheet names xmpp.contoso.example.")
        .count();
    assert_eq!(
        (notes == 1, errors.is_empty()),
        (is_guessed, !is_guessed),
        "{errors}"
    );
    for line in output.lines() {
        assert!(
            line.chars().count() <= 72 && line.trim_end() == line,
            "{line}"
        );
        assert!(!line.contains('\t'), "{line}");
    }
    output
}

fn report(lab: &Lab, more: &[&str]) -> Value {
    let json = [
        &["partner-sheet", "--config", "edge.toml", "--format", "json"],
        more,
    ]
    .concat();
    let (status, output, errors) = lab.run(&json);
    assert_eq!((status, errors.as_str()), (0, ""));
    let report = serde_json::from_str(&output).unwrap();
    schemas::holds("partner-sheet", &report);
    report
}

const HOST: [&str; 2] = ["--host", "xmpp.contoso.example=192.0.2.10"];

#[test]
fn a_sheet_has_all_that_a_partner_needs() {
    let lab = Lab::new();
    let sheet = text(&lab, &HOST);
    let words = sheet.split_whitespace().collect::<Vec<_>>().join(" ");
    let report = report(&lab, &HOST);
    let certificate = &report["certificates"][0];
    for part in [
        "XMPP federation with contoso.example",
        "_xmpp-server._tcp.contoso.example. SRV 10 0 5269 xmpp.contoso.example.",
        "out: TCP, to port 5269 of xmpp.contoso.example (192.0.2.10)",
        "CN=Test Authority",
        certificate["pin"].as_str().unwrap(),
        "TLS 1.2 or newer is required.",
        "SASL EXTERNAL",
        "Server dialback alone is not accepted.",
        "serverAuth, without clientAuth",
        "A stanza may have 262144 bytes",
        "openssl s_client -connect xmpp.contoso.example:5269",
        "xmpp-edge explain",
        "prosodyctl check",
    ] {
        assert!(words.contains(part), "{part}\n{sheet}");
    }
    let fingerprint = certificate["sha256"].as_str().unwrap();
    assert!(words.replace(": ", ":").contains(fingerprint), "{sheet}");
    assert_eq!(report["terms"]["methods"], json!(["sasl-external"]));
    assert_eq!(report["servers"][0]["addresses"], json!(["192.0.2.10"]));
    assert_eq!(report["partner"], Value::Null);
    // Keys, secrets and what stands inside are nobody's business.
    for secret in [
        "0123456789abcdef",
        "gateway",
        "23456",
        "edge.key",
        "PRIVATE",
    ] {
        assert!(
            !sheet.contains(secret) && !report.to_string().contains(secret),
            "{secret}"
        );
    }
}

#[test]
fn the_terms_are_those_of_the_entry() {
    let entry = "sasl = \"optional\"\ndialback = true\nminimum-tls-version = \"1.3\"\n\
                 stanza-rate = 7\nmax-stanza-bytes = 20000\n\
                 additional-domains = [\"*.rooms.fabrikam.example\"]\n";
    let lab = Lab::with(EDGE, &format!("{PARTNERS}{entry}"));
    let partner = ["--for", "fabrikam.example"];
    let sheet = text(&lab, &partner);
    let words = sheet.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "TLS 1.3 or newer",
        "server dialback over TLS",
        "20000 bytes",
        "Beyond 7 stanzas a second",
        "included: fabrikam.example, *.rooms.fabrikam.example",
    ] {
        assert!(words.contains(part), "{part}\n{sheet}");
    }
    assert!(!sheet.contains("dialback alone"), "{sheet}");
    let methods = json!(["sasl-external", "tls-dialback"]);
    assert_eq!(report(&lab, &partner)["terms"]["methods"], methods);
    // In the clear: then nothing is said of TLS being required.
    let lab = Lab::with(
        EDGE,
        &format!("{PARTNERS}tls = \"not-supported\"\nsasl = \"not-supported\"\ndialback = true\n"),
    );
    let sheet = text(&lab, &partner);
    assert!(
        sheet.contains("without TLS") && !sheet.contains("is required"),
        "{sheet}"
    );
    let command = [
        "partner-sheet",
        "--config",
        "edge.toml",
        "--for",
        "stranger.example",
    ];
    let (status, _, errors) = lab.run(&command);
    assert_eq!(status, 64);
    assert!(
        errors.contains("no entry of partners.toml covers it"),
        "{errors}"
    );
}
