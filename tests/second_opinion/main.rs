//! Whose certificates are believed, judged a second time by `openssl verify`. Whatever it refuses, we
//! refuse; where we refuse more, the row says why.
//!
//! `cargo run --example second_opinion`; needs the openssl command. Ends with a panic where the two
//! disagree in another way than a row says.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

#[path = "../pki/mod.rs"]
mod pki;

use std::fs;
use std::process::Command;
use std::time::Duration;

use rcgen::{ExtendedKeyUsagePurpose, IsCa};
use rustls::pki_types::{CertificateDer, UnixTime};
use xmpp_edge::proto::auth::chain::{Anchors, judge};
use xmpp_edge::proto::auth::pin::Pins;
use xmpp_edge::proto::jid::Domain;

use crate::pki::{
    Authority, GeneralSubtree, Identity, KeyUsagePurpose, Leaf, NOW, NameConstraints, pem,
};

const DOMAIN: &str = "partner.example";

/// What both are to say of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Refused,
    /// We refuse what openssl takes, for this reason.
    Stricter(&'static str),
}

struct Row {
    name: &'static str,
    want: Verdict,
    anchor: CertificateDer<'static>,
    shown: Identity,
}

fn main() {
    let directory = tempfile::tempdir().unwrap();
    let (mut counts, mut wrong) = ((0, 0, 0), Vec::new());
    for row in anchors().into_iter().chain(uses()).chain(ways()) {
        let ours = ours(&row);
        let (theirs, words) = theirs(&row, directory.path());
        let want = match row.want {
            Verdict::Good => (true, true),
            Verdict::Refused => (false, false),
            Verdict::Stricter(_) => (false, true),
        };
        if (ours, theirs) != want {
            wrong.push(format!(
                "{}: ours {ours}, theirs {theirs}: {words}",
                row.name
            ));
        }
        match row.want {
            Verdict::Good => counts.0 += 1,
            Verdict::Refused => counts.1 += 1,
            Verdict::Stricter(why) => {
                assert!(!why.is_empty());
                counts.2 += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (good, refused, stricter) = counts;
    println!("both take {good}, both refuse {refused}, we refuse {stricter} that openssl takes");
    assert!(good >= 9 && refused >= 15);
}

fn ours(row: &Row) -> bool {
    let (anchors, rejected) = Anchors::from_der([row.anchor.clone()]);
    assert!(rejected.is_empty(), "{}", row.name);
    let domain = Domain::parse(DOMAIN).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
    let report = judge(&row.shown.chain, &domain, &anchors, &Pins::default(), now);
    report.verdict.is_ok()
}

/// The same by openssl, as one that verifies a server, and trusts any certificate that it is given.
fn theirs(row: &Row, directory: &std::path::Path) -> (bool, String) {
    let write = |name: &str, certificates: &[CertificateDer<'_>]| {
        let text: String = certificates.iter().map(pem).collect();
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (leaf, above) = row.shown.chain.split_at(1);
    let mut verify = Command::new("openssl");
    verify
        .args(["verify", "-no-CApath", "-no-CAstore", "-partial_chain"])
        .args(["-purpose", "sslserver", "-verify_hostname", DOMAIN])
        .args(["-attime", &NOW.to_string()])
        .arg("-CAfile")
        .arg(write("anchor.pem", std::slice::from_ref(&row.anchor)));
    if !above.is_empty() {
        verify.arg("-untrusted").arg(write("above.pem", above));
    }
    let output = verify.arg(write("leaf.pem", leaf)).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), words)
}

fn leaf() -> Leaf {
    Leaf::new(&[DOMAIN])
}

fn row(name: &'static str, want: Verdict, above: &Authority, shown: Identity) -> Row {
    Row {
        name,
        want,
        anchor: above.certificate.clone(),
        shown,
    }
}

/// What an anchor may do: RFC 5280 §4.2.1.9, §6.1.4 (k) and (n).
fn anchors() -> Vec<Row> {
    use Verdict::{Good, Refused};
    let root = Authority::root("root");
    let authority_with = |usages: &[KeyUsagePurpose], is_ca: Option<IsCa>| {
        let usages = usages.to_vec();
        Authority::root_with("an anchor", move |params| {
            params.key_usages = usages;
            if let Some(is_ca) = is_ca {
                params.is_ca = is_ca;
            }
        })
    };
    let signs = authority_with(&[KeyUsagePurpose::KeyCertSign], None);
    let no_authority = authority_with(&[], Some(IsCa::ExplicitNoCa));
    let silent = authority_with(&[], Some(IsCa::NoCa));
    let signs_only_lists = authority_with(&[KeyUsagePurpose::CrlSign], None);
    let middle = root.intermediate("middle");
    let own = leaf().self_signed();
    let old = root.issue_version_one();
    let exact = |name, want, shown: Identity| Row {
        name,
        want,
        anchor: shown.chain[0].clone(),
        shown,
    };
    let under = |name, want, anchor: &Identity, shown| Row {
        name,
        want,
        anchor: anchor.chain[0].clone(),
        shown,
    };
    vec![
        row("a root", Good, &root, root.issue(leaf())),
        row("a root that may sign", Good, &signs, signs.issue(leaf())),
        row(
            "an intermediate as anchor",
            Good,
            &middle,
            middle.issue(leaf()),
        ),
        row(
            "cA FALSE",
            Refused,
            &no_authority,
            no_authority.issue(leaf()),
        ),
        row(
            "no basic constraints",
            Refused,
            &silent,
            silent.issue(leaf()),
        ),
        row(
            "an anchor without keyCertSign",
            Refused,
            &signs_only_lists,
            signs_only_lists.issue(leaf()),
        ),
        exact(
            "the very certificate, self-signed",
            Good,
            leaf().self_signed(),
        ),
        exact(
            "the very certificate, of an authority",
            Good,
            root.issue(leaf()),
        ),
        exact(
            "the very certificate, expired",
            Refused,
            leaf().valid((2020, 1, 1), (2021, 1, 1)).self_signed(),
        ),
        exact(
            "the very certificate, of another name",
            Refused,
            Leaf::new(&["other.example"]).self_signed(),
        ),
        under(
            "signed again with new dates",
            Refused,
            &own,
            own.sign_again(leaf()),
        ),
        under(
            "signed by a trusted certificate of version 1",
            Refused,
            &old,
            old.sign_again(leaf()),
        ),
    ]
}

/// What a key may do: RFC 5280 §4.2.1.3, §6.1.4 (n).
fn uses() -> Vec<Row> {
    use KeyUsagePurpose::{CrlSign, DigitalSignature, KeyCertSign, KeyEncipherment};
    use Verdict::{Good, Refused, Stricter};
    let root = Authority::root("root");
    let middle = |usages: &[KeyUsagePurpose]| {
        let usages = usages.to_vec();
        root.intermediate_with("middle", move |params| params.key_usages = usages)
    };
    let no_authority = root.intermediate_with("middle", |params| params.is_ca = IsCa::ExplicitNoCa);
    let no_forward_secrecy = "TLS with forward secrecy needs a key that signs (RFC 8446 §4.4.2.2); \
                              openssl thinks of RSA key transport, too";
    let email = ExtendedKeyUsagePurpose::EmailProtection;
    vec![
        row(
            "may sign certificates",
            Good,
            &root,
            middle(&[KeyCertSign]).issue(leaf()),
        ),
        row("says nothing", Good, &root, middle(&[]).issue(leaf())),
        row(
            "may sign lists alone",
            Refused,
            &root,
            middle(&[CrlSign]).issue(leaf()),
        ),
        row(
            "may sign data alone",
            Refused,
            &root,
            middle(&[DigitalSignature]).issue(leaf()),
        ),
        row(
            "a leaf as issuer",
            Refused,
            &root,
            no_authority.issue(leaf()),
        ),
        row(
            "a key that signs",
            Good,
            &root,
            root.issue(leaf().key_usages(&[DigitalSignature])),
        ),
        row(
            "a key that takes in keys",
            Stricter(no_forward_secrecy),
            &root,
            root.issue(leaf().key_usages(&[KeyEncipherment])),
        ),
        row(
            "a key that signs lists",
            Refused,
            &root,
            root.issue(leaf().key_usages(&[CrlSign])),
        ),
        row("for servers", Good, &root, root.issue(leaf().server_only())),
        row(
            "for clients",
            Refused,
            &root,
            root.issue(leaf().client_only()),
        ),
        row(
            "for mail",
            Refused,
            &root,
            root.issue(leaf().usages(&[email])),
        ),
    ]
}

/// The way up from a certificate to an anchor.
fn ways() -> Vec<Row> {
    use Verdict::{Good, Refused, Stricter};
    let root = Authority::root("root");
    let middle = root.intermediate("middle");
    let other = Authority::root("root");
    let stranger = Authority::root("stranger");
    let expired = root.intermediate_with("old", |params| {
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    let limited = |name: &str| {
        let name = name.to_owned();
        root.intermediate_with("limited", move |params| {
            params.name_constraints = Some(NameConstraints {
                permitted_subtrees: vec![GeneralSubtree::DnsName(name)],
                excluded_subtrees: Vec::new(),
            });
        })
    };
    let short = root.intermediate_with("short", |params| {
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    });
    let long = (0..8).fold(Authority::root("deep"), |above, depth| {
        above.intermediate(&format!("deep {depth}"))
    });
    let deepest = long.issue(leaf());
    let far = Row {
        name: "nine authorities above it",
        want: Stricter("at most five stand on a path: the cost of a chain is bounded"),
        anchor: deepest.chain.last().unwrap().clone(),
        shown: deepest,
    };
    vec![
        row("one between", Good, &root, middle.issue(leaf())),
        row(
            "one between, not sent",
            Refused,
            &root,
            middle.issue(leaf()).without_intermediates(),
        ),
        row("nobody's", Refused, &root, stranger.issue(leaf())),
        row("of a namesake", Refused, &root, other.issue(leaf())),
        row("expired above", Refused, &root, expired.issue(leaf())),
        row(
            "limited to this name",
            Good,
            &root,
            limited(DOMAIN).issue(leaf()),
        ),
        row(
            "limited to another name",
            Refused,
            &root,
            limited("other.example").issue(leaf()),
        ),
        row(
            "an authority below a path of length 0",
            Refused,
            &root,
            short.intermediate("below").issue(leaf()),
        ),
        far,
    ]
}
