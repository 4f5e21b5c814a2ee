//! What is said of files that hold another thing than a key or a certificate in PEM form. Each hint
//! names the command that mends it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::lab::{EDGE, Lab, PARTNERS};
use crate::pki::{self, Authority, Leaf};

/// Of a file put in the place of the chain or of the key: code, message and hint of each problem.
fn said(key: &str, name: &str, content: &[u8]) -> Vec<[String; 3]> {
    let old = match key {
        "certificate-chain" => "edge.pem",
        "private-key" => "edge.key",
        _ => "ca.pem",
    };
    let line = |name: &str| format!("{key} = \"{name}\"");
    assert!(EDGE.contains(&line(old)));
    let lab = Lab::with(&EDGE.replace(&line(old), &line(name)), PARTNERS);
    put(&lab, name, content);
    spoken(&lab)
}

fn put(lab: &Lab, name: &str, content: &[u8]) {
    fs::write(lab.path(name), content).unwrap();
    fs::set_permissions(lab.path(name), fs::Permissions::from_mode(0o600)).unwrap();
}

fn spoken(lab: &Lab) -> Vec<[String; 3]> {
    let directory = format!("{}/", lab.path("").display());
    let directory = directory.replace("//", "/");
    let problems = lab.examine().problems;
    for problem in &problems {
        let text = format!("{} {}", problem.message, problem.hint);
        for word in ["(os error", "https://", "Error(", "Invalid", "Other("] {
            assert!(!text.contains(word), "{text}");
        }
    }
    let said = problems.into_iter().map(|it| {
        [
            it.code.to_owned(),
            it.message.replace(&directory, ""),
            it.hint.replace(&directory, ""),
        ]
    });
    said.collect()
}

fn one(key: &str, name: &str, content: &[u8], want: [&str; 3]) {
    assert_eq!(said(key, name, content), [want.map(str::to_owned)]);
}

/// Sound PEM; what is in it does not matter.
fn block(label: &str, head: &str) -> String {
    format!("-----BEGIN {label}-----\n{head}MAoCAQECAQE=\n-----END {label}-----\n")
}

#[test]
fn an_encrypted_key_is_called_so() {
    let legacy = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0123456789ABCDEF\n\n";
    for content in [
        block("ENCRYPTED PRIVATE KEY", ""),
        block("RSA PRIVATE KEY", legacy),
        block("EC PRIVATE KEY", legacy).replace('\n', "\r\n"),
    ] {
        one(
            "private-key",
            "locked.key",
            content.as_bytes(),
            [
                "encrypted-key",
                "the private key in locked.key is encrypted",
                "decrypt it: openssl pkey -in locked.key -out locked.key.plain, and name that file \
                 here",
            ],
        );
    }
}

#[test]
fn key_and_certificate_that_are_swapped_are_told() {
    let edge = EDGE
        .replace("certificate-chain = \"edge.pem\"", "certificate-chain = X")
        .replace("private-key = \"edge.key\"", "private-key = \"edge.pem\"")
        .replace("certificate-chain = X", "certificate-chain = \"edge.key\"");
    let want = [
        [
            "no-certificates",
            "edge.key holds no certificate, but a private key",
            "name the file with the certificates here, and this one in `private-key`: the two may \
             be swapped",
        ],
        [
            "no-private-key",
            "edge.pem holds no private key, but certificates",
            "name the file with the key here, and this one in `certificate-chain`: the two may be \
             swapped",
        ],
    ];
    assert_eq!(
        spoken(&Lab::with(&edge, PARTNERS)),
        want.map(|it| it.map(str::to_owned))
    );
}

#[test]
fn a_chain_in_the_wrong_order_is_told_from_a_foreign_key() {
    let root = Authority::root("Order Root");
    let leaf = Leaf::new(&["contoso.example"]).common_name("Contoso");
    let identity = root.intermediate("Order Intermediate").issue(leaf);
    let lab = Lab::with(
        &EDGE
            .replace("edge.pem", "turned.pem")
            .replace("edge.key", "turned.key"),
        PARTNERS,
    );
    let turned: String = identity.chain.iter().rev().map(pki::pem).collect();
    put(&lab, "turned.pem", turned.as_bytes());
    put(&lab, "turned.key", identity.key_pem().as_bytes());
    let want = [
        "chain-order",
        "the chain is in the wrong order: the key belongs to certificate 2 of 2, CN=Contoso",
        "put that certificate first, then its issuer's, and so on upwards",
    ];
    assert_eq!(spoken(&lab), [want.map(str::to_owned)]);
}

#[test]
fn a_file_in_binary_form_comes_with_its_conversion() {
    let lab = Lab::new();
    let certificate = CertificateDer::from_pem_file(lab.path("edge.pem")).unwrap();
    let key = PrivatePkcs8KeyDer::from_pem_file(lab.path("edge.key")).unwrap();
    let pkcs12 = [0x30, 5, 2, 1, 3, 0x30, 0];
    let pkcs7 = [
        0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 7, 2, 0xa0, 0,
    ];
    let encrypted = [0x30, 4, 0x30, 0, 4, 0];
    for (setting, content, thing, command) in [
        (
            "certificate-chain",
            certificate.as_ref(),
            "a certificate",
            "openssl x509 -inform DER -in f.der -out f.der.pem",
        ),
        (
            "trust-anchors",
            certificate.as_ref(),
            "a certificate",
            "openssl x509 -inform DER -in f.der -out f.der.pem",
        ),
        (
            "certificate-chain",
            &pkcs7,
            "a PKCS#7 bundle of certificates",
            "openssl pkcs7 -inform DER -in f.der -print_certs -out f.der.pem",
        ),
        (
            "certificate-chain",
            &pkcs12,
            "a PKCS#12 bundle of certificates and their key",
            "openssl pkcs12 -in f.der -nokeys -out f.der.pem",
        ),
        (
            "private-key",
            &pkcs12,
            "a PKCS#12 bundle of certificates and their key",
            "openssl pkcs12 -in f.der -nocerts -nodes -out f.der.key",
        ),
        (
            "private-key",
            key.secret_pkcs8_der(),
            "a private key",
            "openssl pkey -inform DER -in f.der -out f.der.pem",
        ),
        (
            "private-key",
            &encrypted,
            "a private key",
            "openssl pkey -inform DER -in f.der -out f.der.pem",
        ),
    ] {
        let message = format!("f.der holds {thing} in binary form, and PEM text is needed");
        let hint = format!("convert it: {command}, and name the new file");
        one(setting, "f.der", content, ["not-pem", &message, &hint]);
    }
}

#[test]
fn what_else_a_file_may_hold_is_named() {
    const KEY: &str = "private-key";
    const CHAIN: &str = "certificate-chain";
    for (setting, content, message) in [
        (
            CHAIN,
            block("CERTIFICATE REQUEST", ""),
            "f holds no certificate, but a request for one",
        ),
        (
            CHAIN,
            block("PKCS7", ""),
            "f holds no certificate, but a PKCS#7 bundle",
        ),
        (
            CHAIN,
            block("TRUSTED CERTIFICATE", ""),
            "f holds no certificate in the common form",
        ),
        (CHAIN, "\n".to_owned(), "f holds no certificate"),
        (
            KEY,
            block("PUBLIC KEY", ""),
            "f holds no private key, but a public one",
        ),
        (
            KEY,
            block("OPENSSH PRIVATE KEY", ""),
            "f holds no private key for TLS, but one for SSH",
        ),
        (KEY, "\n".to_owned(), "f holds no private key"),
        (
            KEY,
            "a\n-----BEGIN PRIVATE KEY-----\nMAoCAQEC-AQE=\n-----END PRIVATE KEY-----\n".to_owned(),
            "f is not a sound PEM file: line 3 is not base64 text",
        ),
        (
            KEY,
            "-----BEGIN PRIVATE KEY-----\nMAoCA\n-----END PRIVATE KEY-----\n".to_owned(),
            "f is not a sound PEM file: the block that begins in line 1 is not base64 text",
        ),
        (
            CHAIN,
            "\n-----BEGIN CERTIFICATE-----\nMAoC\n".to_owned(),
            "f is not a sound PEM file: the block that begins in line 2 has no end",
        ),
        (
            CHAIN,
            "\n-----BEGIN CERTIFICATE---\nMAoC\n".to_owned(),
            "f is not a sound PEM file: line 2 begins a block and does not end with five hyphens",
        ),
        (
            KEY,
            block("PRIVATE KEY", ""),
            "the private key cannot be used: it is damaged",
        ),
        // An RSA key of nine bits, and an algorithm nobody knows: read, and not supported.
        (
            KEY,
            "-----BEGIN RSA PRIVATE KEY-----\nMAcCAQACAgEB\n-----END RSA PRIVATE KEY-----\n"
                .to_owned(),
            "the private key cannot be used: it is an RSA key of 9 bits, or damaged",
        ),
        (
            KEY,
            "-----BEGIN PRIVATE KEY-----\nMAwCAQAwBQYDK2VxBAA=\n-----END PRIVATE KEY-----\n"
                .to_owned(),
            "the private key cannot be used: it is an Ed448 key, or damaged",
        ),
    ] {
        let said = said(setting, "f", content.as_bytes());
        let messages: Vec<_> = said.iter().map(|[_, message, _]| message).collect();
        assert_eq!(messages, [message]);
    }
    let wide: Vec<u8> = "\u{feff}-----BEGIN"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let [said] = &said(KEY, "f", &wide)[..] else {
        panic!("one problem");
    };
    assert!(said[1].ends_with("it is in UTF-16, and must be plain ASCII text"));
}

#[test]
fn a_mark_before_the_text_does_no_harm() {
    let lab = Lab::new();
    for name in ["edge.pem", "edge.key"] {
        let marked = format!("\u{feff}{}", fs::read_to_string(lab.path(name)).unwrap());
        put(&lab, name, marked.as_bytes());
    }
    assert_eq!(lab.examine().problems, []);
}

#[test]
fn a_certificate_of_version_one_is_called_so() {
    let identity = Authority::root("Old").issue_version_one();
    let lab = Lab::new();
    put(&lab, "edge.pem", identity.chain_pem().as_bytes());
    put(&lab, "edge.key", identity.key_pem().as_bytes());
    let want = [
        "bad-certificate",
        "the certificate is X.509 version 1, which cannot carry a domain name",
        "get a certificate of version 3",
    ];
    assert_eq!(spoken(&lab), [want.map(str::to_owned)]);
}

/// What the clock says is named beside the certificate's dates: perhaps it is the clock that is wrong.
#[test]
fn dates_that_do_not_fit_mention_the_clock() {
    let of = |name: &str| {
        let edge = EDGE.replace("\"edge.", &format!("\"{name}."));
        let lab = Lab::with(&edge, PARTNERS);
        let age = |path: &str, seconds: u64| {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            let file = fs::File::options().write(true).open(lab.path(path));
            file.unwrap().set_modified(time).unwrap();
        };
        let path = format!("{name}.pem");
        age(&path, pki::NOW - 1);
        let before = spoken(&lab);
        age(&path, pki::NOW + 7 * 86400);
        [before, spoken(&lab)].concat()
    };
    let late = [
        "certificate-expired",
        "the certificate expired on 2026-12-31T00:00:00Z; this host's clock says \
         2027-01-15T08:00:00Z",
        "renew it, and put the new one into expired.pem; or set the clock, if it is ahead",
    ]
    .map(str::to_owned);
    assert_eq!(of("expired"), [late.clone(), late]);
    let early = |hint: &str| {
        [
            "certificate-not-yet-valid",
            "the certificate is valid only from 2027-02-01T00:00:00Z; this host's clock says \
             2027-01-15T08:00:00Z",
            hint,
        ]
        .map(str::to_owned)
    };
    assert_eq!(
        of("early"),
        [
            early("set the clock, if it is behind; else use a certificate that is valid now"),
            early("set the clock: it is behind, for the file was written on 2027-01-22T08:00:00Z"),
        ]
    );
}
