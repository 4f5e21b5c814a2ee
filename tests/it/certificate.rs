//! `xmpp-edge certificate`: a request that others can read, a key that nobody else can, and the truth
//! about a certificate.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use serde_json::{Value, json};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::request::{CertReq, ExtensionReq};
use xmpp_edge::proto::auth::pin::Pin;

use crate::lab::{EDGE, Lab, PARTNERS};
use crate::pki::{self, Authority, Leaf};
use crate::schemas;

const REQUEST: [&str; 8] = [
    "certificate",
    "request",
    "--config",
    "edge.toml",
    "--out-key",
    "new.key",
    "--out",
    "new.csr",
];
const INSPECT: [&str; 2] = ["certificate", "inspect"];

/// A lab whose certificate is still to be asked for, with two identities and a domain in Unicode.
fn without_files() -> Lab {
    let domains = "[\"contoso.example\", \"bücher.example\", \"eu.contoso.example\"]";
    let edge = EDGE
        .replace("[\"contoso.example\"]", domains)
        .replace("edge.pem", "tls/fullchain.pem")
        .replace("edge.key", "tls/privkey.pem");
    let identity = "[[identity]]\ndomains = [\"eu.contoso.example\"]\n\
                    certificate-chain = \"tls/eu.pem\"\nprivate-key = \"tls/eu.key\"\n";
    Lab::with(&format!("{edge}\n{identity}"), PARTNERS)
}

fn run(lab: &Lab, command: &[&str], more: &[&str]) -> (i32, String) {
    let (status, output, errors) = lab.run(&[command, more].concat());
    assert_eq!(errors, "", "{more:?} {output}");
    for line in output.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    (status, output)
}

fn report(lab: &Lab, schema: &str, command: &[&str], more: &[&str]) -> (i32, Value) {
    let (status, output, errors) = lab.run(&[command, more, &["--format", "json"]].concat());
    let report = serde_json::from_str(&output).unwrap_or_else(|_| panic!("{output}{errors}"));
    schemas::holds(schema, &report);
    (status, report)
}

/// The names of a request, as another reader of it understands them.
fn names(lab: &Lab, file: &str) -> Vec<String> {
    let der = CertificateSigningRequestDer::from_pem_file(lab.path(file)).unwrap();
    let request = CertReq::from_der(&der).unwrap();
    let mut names = Vec::new();
    for attribute in request.info.attributes.iter() {
        let value = attribute.values.get(0).unwrap();
        let extensions = ExtensionReq::from_der(&value.to_der().unwrap()).unwrap();
        for extension in extensions.0 {
            assert_eq!(extension.extn_id.to_string(), "2.5.29.17");
            let found = SubjectAltName::from_der(extension.extn_value.as_bytes()).unwrap();
            names.extend(found.0.iter().map(|name| match name {
                GeneralName::DnsName(name) => name.to_string(),
                GeneralName::OtherName(other) => {
                    assert_eq!(other.type_id.to_string(), "1.3.6.1.5.5.7.8.7");
                    format!("SRVName {}", String::from_utf8_lossy(other.value.value()))
                }
                other => panic!("{other:?}"),
            }));
        }
    }
    names
}

#[test]
fn a_request_names_each_domain_of_its_certificate_and_openssl_agrees() {
    for (more, want) in [
        (&[][..], &["contoso.example", "xn--bcher-kva.example"][..]),
        (
            &["--identity", "EU.contoso.example"],
            &["eu.contoso.example"],
        ),
        (
            &["--identity", "contoso.example", "--key-type", "ecdsa-p384"],
            &["contoso.example", "xn--bcher-kva.example"],
        ),
        (
            &[
                "--identity",
                "eu.contoso.example",
                "--srv-names",
                "--key-type",
                "rsa-3072",
            ],
            &[
                "eu.contoso.example",
                "SRVName _xmpp-server.eu.contoso.example",
            ],
        ),
        (
            &[
                "--domain",
                "a.example",
                "--domain",
                "A.example.",
                "--domain",
                "b.example",
            ],
            &["a.example", "b.example"],
        ),
    ] {
        let lab = without_files();
        let (status, output) = run(&lab, &REQUEST, more);
        assert_eq!(status, 0, "{output}");
        assert_eq!(names(&lab, "new.csr"), want, "{more:?}");
        for part in want.iter().chain(&["new.key (mode 0600)", "new.csr"]) {
            assert!(output.contains(part), "{part}: {output}");
        }
        let mode = fs::metadata(lab.path("new.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        openssl_agrees(&lab, want);
    }
}

/// Where there is an openssl, it finds the request signed by its own key, and shows the names.
fn openssl_agrees(lab: &Lab, want: &[&str]) {
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(lab.path(""));
        command.output().map(|output| {
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        })
    };
    let request = [
        "req", "-verify", "-noout", "-text", "-pubkey", "-in", "new.csr",
    ];
    let Ok(shown) = openssl(&request) else {
        return;
    };
    for name in want {
        let name = name.replace("SRVName ", "SRVName::");
        assert!(shown.contains(&name), "{name}: {shown}");
    }
    let key = openssl(&["pkey", "-in", "new.key", "-pubout"]).unwrap();
    assert!(shown.contains(&key), "the key is another one");
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    for name in ["new.key", "new.csr"] {
        let lab = without_files();
        lab.write(name, "mine", 0o644);
        let (status, output, errors) = lab.run(&REQUEST);
        assert_eq!((status, output.as_str()), (73, ""));
        assert!(errors.contains("is there already"), "{errors}");
        assert_eq!(fs::read_to_string(lab.path(name)).unwrap(), "mine");
        let other = if name == "new.key" {
            "new.csr"
        } else {
            "new.key"
        };
        assert!(!lab.path(other).exists(), "{other}");
    }
    // A key without its request is not left behind.
    let lab = without_files();
    let nowhere = [&REQUEST[..6], &["--out", "nowhere/new.csr"]].concat();
    let (status, _, errors) = lab.run(&nowhere);
    assert_eq!(status, 73);
    assert!(
        errors.contains("cannot write nowhere/new.csr: "),
        "{errors}"
    );
    assert!(!lab.path("new.key").exists());
}

#[test]
fn domains_that_cannot_be_told_are_not_asked_for() {
    let lab = without_files();
    let (status, _, errors) = lab.run(&[&REQUEST[..], &["--identity", "b.example"]].concat());
    assert_eq!(status, 64);
    assert!(
        errors.contains("b.example: no local domain of edge.toml has this name"),
        "{errors}"
    );
    for domains in ["[\"contoso.example\", \"exa mple\"]", "\"contoso.example\""] {
        let edge = EDGE.replace("[\"contoso.example\"]", domains);
        lab.write("edge.toml", &edge, 0o644);
        let (status, output, errors) = lab.run(&REQUEST);
        assert_eq!((status, output.as_str()), (78, ""), "{errors}");
        assert!(errors.contains("edge.toml:1:"), "{errors}");
        assert!(!lab.path("new.key").exists());
    }
}

/// From the request to a certificate that does, as an administrator goes.
#[test]
fn the_request_becomes_a_certificate_that_is_found_good() {
    let lab = Lab::new();
    let (_, asked) = report(&lab, "certificate-request", &REQUEST, &[]);
    let (status, found) = report(
        &lab,
        "certificate-inspect",
        &INSPECT,
        &["--config", "edge.toml"],
    );
    let found = &found["certificates"][0];
    assert_eq!(status, 0, "{found:#}");
    for (key, want) in [
        ("section", json!("[tls]")),
        ("reaches-an-anchor", json!(true)),
        ("key-matches", json!(true)),
        ("problems", json!([])),
        (
            "domains",
            json!([{"domain": "contoso.example", "covered": true}]),
        ),
    ] {
        assert_eq!(found[key], want, "{found:#}");
    }
    // The pins are those that partners.toml takes, of this key and of that.
    let leaf = CertificateDer::from_pem_file(lab.path("edge.pem")).unwrap();
    let facts = xmpp_edge::proto::auth::certificate::CertFacts::of(&leaf).unwrap();
    let own = Pin(facts.spki_sha256).to_string();
    assert_eq!(found["chain"][0]["pin"], own);
    let asked = asked["pin"].as_str().unwrap();
    assert!(Pin::parse(asked).is_some() && asked != own, "{asked}");
    let pins = format!("{PARTNERS}certificate-pins = [\"{own}\"]\n");
    lab.write("partners.toml", &pins, 0o644);
    let (status, text) = run(&lab, &INSPECT, &["--config", "edge.toml"]);
    assert_eq!(status, 0);
    assert!(
        text.contains(&format!("\n  certificate-pins = [\"{own}\"]\n")),
        "{text}"
    );
    assert!(text.ends_with("\nNothing is wrong.\n"), "{text}");
    assert_eq!(lab.examine().problems, []);
}

/// Each fault is named by the code that `check` has for it.
#[test]
fn what_is_wrong_with_a_certificate_is_said() {
    let lab = Lab::new();
    let past = Leaf::new(&["contoso.example"]).valid((2020, 1, 1), (2021, 1, 1));
    let past = past.self_signed();
    lab.write("past.pem", &past.chain_pem(), 0o600);
    lab.write("past.key", past.key_pem(), 0o600);
    let here = ["--config", "edge.toml"];
    for (chain, key, more, exit, want) in [
        (
            "past.pem",
            "past.key",
            &[][..],
            78,
            &["certificate-expired", "certificate-not-trusted"][..],
        ),
        ("eu.pem", "edge.key", &[], 78, &["key-mismatch"]),
        (
            "client.pem",
            "client.key",
            &[],
            78,
            &["certificate-not-for-servers"],
        ),
        ("self.pem", "self.key", &[], 0, &["certificate-not-trusted"]),
        (
            "short.pem",
            "short.key",
            &[],
            0,
            &["certificate-not-trusted"],
        ),
        ("edge.pem", "loose.secret", &[], 78, &["exposed-file"]),
        (
            "edge.key",
            "edge.pem",
            &[],
            78,
            &["no-certificates", "no-private-key"],
        ),
        ("absent.pem", "edge.key", &[], 78, &["unreadable-file"]),
        (
            "edge.pem",
            "edge.key",
            &["--domain", "b.example"],
            78,
            &["certificate-lacks-domain"],
        ),
        ("eu.pem", "eu.key", &here, 78, &["certificate-lacks-domain"]),
        ("edge.pem", "edge.key", &here, 0, &[]),
    ] {
        let arguments = [&[chain, "--key", key], more].concat();
        let (status, found) = report(&lab, "certificate-inspect", &INSPECT, &arguments);
        let found = &found["certificates"][0];
        let problems = found["problems"].as_array().unwrap();
        let codes: Vec<_> = problems
            .iter()
            .map(|it| it["code"].as_str().unwrap())
            .collect();
        assert_eq!(codes, want, "{chain}: {found:#}");
        assert_eq!(status, exit, "{chain}: {found:#}");
        let (_, text) = run(&lab, &INSPECT, &arguments);
        for code in want {
            assert!(text.contains(&format!("[{code}]: ")), "{code}: {text}");
        }
    }
}

/// What has to be sent beside the certificate is what the chain lacks.
#[test]
fn a_missing_intermediate_is_named() {
    let lab = Lab::new();
    let (_, text) = run(&lab, &INSPECT, &["short.pem"]);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "CN=Test Intermediate is neither in the file nor trusted",
        "chain does not lead to a trusted authority",
    ] {
        assert!(words.contains(part), "{part}: {text}");
    }
    let authority = Authority::root("Another Authority");
    let intermediate = authority.intermediate("Another Intermediate");
    let whole = intermediate.issue(Leaf::new(&["*.contoso.example"]).server_only());
    lab.write("ca.pem", &pki::pem(&authority.certificate), 0o600);
    lab.write("whole.pem", &whole.chain_pem(), 0o600);
    let (status, found) = report(&lab, "certificate-inspect", &INSPECT, &["whole.pem"]);
    let found = &found["certificates"][0];
    assert_eq!(
        (status, &found["reaches-an-anchor"]),
        (0, &json!(true)),
        "{found:#}"
    );
    let chain = found["chain"].as_array().unwrap();
    assert_eq!(chain.len(), 2);
    assert_eq!(chain[0]["names"], json!(["*.contoso.example"]));
    for (key, want) in [("authority", [false, true]), ("client-auth", [false, true])] {
        assert_eq!([&chain[0][key], &chain[1][key]], want, "{key}");
    }
}

/// Where edge.toml names a certificate that is not there yet, that is what is wrong, and no more.
#[test]
fn the_configuration_may_be_refused_for_what_is_looked_at() {
    let lab = without_files();
    let (status, found) = report(
        &lab,
        "certificate-inspect",
        &INSPECT,
        &["--config", "edge.toml"],
    );
    assert_eq!(status, 78);
    let certificates = found["certificates"].as_array().unwrap();
    let sections: Vec<_> = certificates
        .iter()
        .map(|it| it["section"].clone())
        .collect();
    assert_eq!(sections, ["[tls]", "[[identity]]"], "{found:#}");
    for certificate in certificates {
        let problems = certificate["problems"].as_array().unwrap();
        assert!(
            problems.iter().all(|it| it["code"] == "unreadable-file"),
            "{found:#}"
        );
        assert_eq!(problems.len(), 2);
    }
}
