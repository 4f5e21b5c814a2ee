//! One table: what was presented, what was trusted, what the judgement says.

use super::*;
use crate::proto::auth::pin::Pin;
use crate::proto::auth::pki::{
    Authority, GeneralSubtree, Identity, KeyUsagePurpose, Leaf, NOW, NameConstraints, pem,
};
use std::time::Duration;

mod paths;
mod usages;
mod words;

const DOMAIN: &str = "partner.example";

fn at(now: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now))
}

fn trust(certificates: &[&CertificateDer<'static>]) -> Anchors {
    let (anchors, rejected) = Anchors::from_der(certificates.iter().map(|one| (*one).clone()));
    assert!(rejected.is_empty());
    anchors
}

/// The certificate with a signature algorithm (1.2.840.10045.4.3.9) that nobody knows.
fn with_unknown_algorithm(mut identity: Identity) -> Identity {
    let known = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let mut bytes = identity.chain[0].to_vec();
    for start in 0..bytes.len() - known.len() {
        if bytes[start..].starts_with(&known) {
            bytes[start + known.len() - 1] = 9;
        }
    }
    identity.chain[0] = bytes.into();
    identity
}

fn code(identity: &Identity, anchors: &Anchors) -> &'static str {
    code_for(identity, DOMAIN, anchors)
}

fn code_for(identity: &Identity, domain: &str, anchors: &Anchors) -> &'static str {
    let domain = Domain::parse(domain).unwrap();
    match judge(&identity.chain, &domain, anchors, &Pins::default(), at(NOW)).verdict {
        Ok(()) => "good",
        Err(fault) => fault.code().as_str(),
    }
}

#[test]
fn each_certificate_has_its_verdict() {
    let root = Authority::root("root");
    let stranger = Authority::root("stranger");
    let middle = root.intermediate("middle");
    let expired_middle = root.intermediate_with("expired middle", |params| {
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    let limited = root.intermediate_with("limited", |params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("other.example".to_owned())],
            excluded_subtrees: Vec::new(),
        });
    });
    let for_partner = root.intermediate_with("for partner", |params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName(DOMAIN.to_owned())],
            excluded_subtrees: Vec::new(),
        });
    });
    let deep = (0..8).fold(Authority::root("deep"), |above, depth| {
        above.intermediate(&format!("deep {depth}"))
    });
    let same_name = Authority::root("root");
    let whole = stranger.issue(Leaf::new(&[DOMAIN]));
    let sent = [
        &whole.chain[..],
        std::slice::from_ref(&stranger.certificate),
    ]
    .concat();
    let stranger_whole = whole.with_chain(sent);
    let leaf = || Leaf::new(&[DOMAIN]);
    let email = rcgen::ExtendedKeyUsagePurpose::EmailProtection;

    let table = [
        ("good", root.issue(leaf())),
        ("good", middle.issue(leaf())),
        // Extended key usages.
        ("good", root.issue(leaf().server_only())),
        ("good", root.issue(leaf().usages(&[]))),
        ("client-auth-only", root.issue(leaf().client_only())),
        ("not-for-servers", root.issue(leaf().usages(&[email]))),
        // Dates.
        (
            "expired",
            root.issue(leaf().valid((2020, 1, 1), (2026, 1, 1))),
        ),
        (
            "not-yet-valid",
            root.issue(leaf().valid((2090, 1, 1), (2091, 1, 1))),
        ),
        // It is 08:00 on the day before; and on the day before that.
        (
            "clock-skew",
            root.issue(leaf().valid((2027, 1, 16), (2028, 1, 1))),
        ),
        (
            "not-yet-valid",
            root.issue(leaf().valid((2027, 1, 17), (2028, 1, 1))),
        ),
        ("expired", expired_middle.issue(leaf())),
        // The way up.
        ("self-signed", leaf().self_signed()),
        ("issuer-not-sent", stranger.issue(leaf())),
        ("unknown-issuer", stranger_whole),
        (
            "issuer-not-sent",
            middle.issue(leaf()).without_intermediates(),
        ),
        (
            "unsupported-algorithm",
            with_unknown_algorithm(root.issue(leaf())),
        ),
        ("bad-signature", same_name.issue(leaf())),
        ("chain-too-deep", deep.issue(leaf())),
        ("name-constraint", limited.issue(leaf())),
        ("good", for_partner.issue(leaf())),
        ("authority-as-server", root.issue(leaf().authority())),
        ("x509-version-1", root.issue_version_one()),
        // Names.
        ("wrong-name", root.issue(Leaf::new(&["other.example"]))),
        ("wrong-name", root.issue(Leaf::new(&[]).common_name(DOMAIN))),
        (
            "wrong-name",
            root.issue(Leaf::new(&["xmpp.partner.example"])),
        ),
        ("wrong-name", root.issue(Leaf::new(&["*.partner.example"]))),
        (
            "good",
            root.issue(Leaf::new(&["other.example", "PARTNER.example"])),
        ),
        (
            "good",
            root.issue(Leaf::new(&[]).srv_name("_xmpp-server.partner.example")),
        ),
        (
            "wrong-name",
            root.issue(Leaf::new(&[]).srv_name("_xmpp-client.partner.example")),
        ),
        ("good", root.issue(Leaf::new(&[]).xmpp_addr(DOMAIN))),
        (
            "wrong-name",
            root.issue(Leaf::new(&[]).xmpp_addr("user@partner.example")),
        ),
        // A limited authority was not held to the other kinds of name.
        (
            "unconstrained-name",
            limited.issue(Leaf::new(&[]).xmpp_addr(DOMAIN)),
        ),
        (
            "unconstrained-name",
            limited.issue(Leaf::new(&["other.example"]).srv_name("_xmpp-server.partner.example")),
        ),
        // Several faults: the first in the documented order.
        ("self-signed", Leaf::new(&["other.example"]).self_signed()),
        (
            "self-signed",
            leaf().valid((2020, 1, 1), (2021, 1, 1)).self_signed(),
        ),
        (
            "expired",
            stranger.issue(leaf().valid((2020, 1, 1), (2021, 1, 1))),
        ),
        (
            "issuer-not-sent",
            stranger.issue(Leaf::new(&["other.example"])),
        ),
    ];
    let anchors = trust(&[&root.certificate]);
    for (row, (want, identity)) in table.iter().enumerate() {
        let got = code(identity, &anchors);
        assert_eq!(got, *want, "row {row}\n{}", pem(&identity.chain[0]));
    }
}

#[test]
fn a_wildcard_stands_for_one_whole_label() {
    let root = Authority::root("root");
    let anchors = trust(&[&root.certificate]);
    let identity = root.issue(Leaf::new(&["*.partner.example"]));
    for (domain, want) in [
        ("rooms.partner.example", "good"),
        ("partner.example", "wrong-name"),
        ("a.rooms.partner.example", "wrong-name"),
    ] {
        assert_eq!(code_for(&identity, domain, &anchors), want, "{domain}");
    }
}

#[test]
fn a_certificate_that_is_itself_an_anchor_needs_no_authority() {
    let root = Authority::root("root");
    let leaf = || Leaf::new(&[DOMAIN]);
    for (want, identity) in [
        ("good", leaf().self_signed()),
        ("good", leaf().authority().self_signed()),
        ("good", root.issue(leaf())),
        (
            "expired",
            leaf().valid((2020, 1, 1), (2021, 1, 1)).self_signed(),
        ),
        (
            "not-yet-valid",
            leaf().valid((2090, 1, 1), (2091, 1, 1)).self_signed(),
        ),
        ("client-auth-only", leaf().client_only().self_signed()),
        ("wrong-name", Leaf::new(&["other.example"]).self_signed()),
    ] {
        let anchors = trust(&[&identity.chain[0]]);
        assert_eq!(code(&identity, &anchors), want);
        let another = leaf().self_signed();
        assert_eq!(code(&another, &anchors), "self-signed");
    }
}

/// What two chains are compared by: organisation, anchor, key.
#[test]
fn an_issuer_is_its_organisation_and_the_anchor_above_it() {
    let organised = |params: &mut rcgen::CertificateParams| {
        let kind = rcgen::DnType::OrganizationName;
        params.distinguished_name.push(kind, "All Encrypted");
    };
    let leaf = || Leaf::new(&[DOMAIN]);
    let (root, other) = (Authority::root("Root"), Authority::root("Other"));
    let own = leaf().self_signed();
    let anchors = trust(&[&root.certificate, &other.certificate, &own.chain[0]]);
    let domain = Domain::parse(DOMAIN).unwrap();
    let shown = |identity: &Identity| {
        let report = judge(
            &identity.chain,
            &domain,
            &anchors,
            &Pins::default(),
            at(NOW),
        );
        report.shown.expect("a good chain")
    };
    let under = |root: &Authority, name: &str| root.intermediate_with(name, organised);
    let first = shown(&under(&root, "R10").issue(leaf()));
    assert_eq!(first.issuer_name, "O=All Encrypted,CN=R10 under CN=Root");
    for (identity, want, name) in [
        // Another certificate of the same authority's.
        (
            under(&root, "R11").issue(leaf()),
            true,
            "O=All Encrypted,CN=R11 under CN=Root",
        ),
        // Who only calls itself so.
        (
            under(&other, "R10").issue(leaf()),
            false,
            "O=All Encrypted,CN=R10 under CN=Other",
        ),
        // Without an organisation the whole name counts.
        (
            root.intermediate("R10").issue(leaf()),
            false,
            "CN=R10 under CN=Root",
        ),
        (root.issue(leaf()), false, "CN=Root"),
        // The certificate is itself what is trusted.
        (own, false, "CN=leaf"),
    ] {
        let shown = shown(&identity);
        assert_eq!(shown.issuer == first.issuer, want, "{name}");
        assert_eq!(shown.issuer_name, name);
        assert_ne!(shown.key, first.key);
    }
    let expired = root.issue(leaf().valid((2020, 1, 1), (2021, 1, 1)));
    let report = judge(&expired.chain, &domain, &anchors, &Pins::default(), at(NOW));
    assert_eq!(report.shown, None);
}

/// Of which keys in the chain a pin may be: of each.
#[test]
fn a_pin_may_be_of_any_certificate_in_the_verified_chain() {
    let (root, stranger) = (Authority::root("Root"), Authority::root("Stranger"));
    let middle = root.intermediate("Middle");
    let mut identity = middle.issue(Leaf::new(&[DOMAIN]));
    // What was sent and is not on the way counts for nothing.
    identity.chain.push(stranger.certificate.clone());
    let own = Leaf::new(&[DOMAIN]).self_signed();
    let anchors = trust(&[&root.certificate, &own.chain[0]]);
    let domain = Domain::parse(DOMAIN).unwrap();
    let pin =
        |certificate: &CertificateDer<'_>| Pin(CertFacts::of(certificate).unwrap().spki_sha256);
    let report = |identity: &Identity, pins: Vec<Pin>, enforced: bool| {
        let pins = Pins { pins, enforced };
        judge(&identity.chain, &domain, &anchors, &pins, at(NOW))
    };
    let unrelated = pin(&stranger.certificate);
    for (identity, pinned, want) in [
        (&identity, pin(&identity.chain[0]), true),
        (&identity, pin(&middle.certificate), true),
        (&identity, pin(&root.certificate), true),
        (&identity, unrelated, false),
        (&own, pin(&own.chain[0]), true),
        (&own, pin(&root.certificate), false),
    ] {
        for pins in [vec![pinned], vec![Pin::of(b""), pinned]] {
            let enforced = report(identity, pins.clone(), true);
            assert_eq!(enforced.verdict.is_ok(), want);
            assert_eq!(enforced.shown.is_some(), want);
            assert_eq!(enforced.unpinned, None);
            let told = report(identity, pins, false);
            assert_eq!((told.verdict, told.unpinned.is_none()), (Ok(()), want));
            assert!(told.shown.is_some());
        }
    }
    let fault = report(&identity, vec![unrelated], true)
        .verdict
        .unwrap_err();
    assert_eq!(fault.code(), "not-pinned");
    let path = [
        ("leaf", &identity.chain[0]),
        ("Middle", &middle.certificate),
        ("Root", &root.certificate),
    ];
    let path = path.map(|(name, certificate)| format!("CN={name} {}", pin(certificate)));
    let text = fault.to_string();
    assert!(text.contains(&format!("({})", path.join("; "))), "{text}");
    // A fault that a renewal mends comes before the pins.
    let expired = root.issue(Leaf::new(&[DOMAIN]).valid((2020, 1, 1), (2021, 1, 1)));
    let expired = report(&expired, vec![unrelated], true).verdict.unwrap_err();
    assert_eq!(expired.code(), "expired");
}

#[test]
fn anchors_are_counted_once_and_junk_is_given_back() {
    let root = Authority::root("root").certificate;
    let junk = CertificateDer::from(vec![1, 2, 3]);
    let (anchors, rejected) = Anchors::from_der([root.clone(), junk.clone(), root]);
    assert_eq!((anchors.len(), rejected), (1, vec![junk]));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    /// For dNSNames we mean what the chain library's own matching means.
    #[test]
    fn dns_names_agree_with_another_implementation(
        presented in "(\\*\\.)?[a-c]{1,2}(\\.[a-c]{1,2}){0,3}",
        asked in "[a-cA-C]{1,2}(\\.[a-c]{1,2}){0,4}",
    ) {
        let identity = Leaf::new(&[&presented]).self_signed();
        let ours = CertFacts::of(&identity.chain[0]).unwrap();
        let ours = ours.names.covers(&Domain::parse(&asked).unwrap());
        let theirs = EndEntityCert::try_from(&identity.chain[0])
            .unwrap()
            .verify_is_valid_for_subject_name(&asked.as_str().try_into().unwrap())
            .is_ok();
        proptest::prop_assert_eq!(ours, theirs, "{} {}", presented, asked);
    }

    /// Bytes that are no certificate are a fault and nothing worse.
    #[test]
    fn damaged_certificates_are_judged_and_never_crash(at_byte in 0_usize..400, bit in 0_u8..8) {
        let root = Authority::root("root");
        let mut chain = root.issue(Leaf::new(&[DOMAIN]).xmpp_addr(DOMAIN)).chain;
        let mut bytes = chain[0].to_vec();
        let index = at_byte % bytes.len();
        bytes[index] ^= 1 << bit;
        chain[0] = bytes.into();
        let anchors = trust(&[&root.certificate]);
        let domain = Domain::parse(DOMAIN).unwrap();
        proptest::prop_assert!(judge(&chain, &domain, &anchors, &Pins::default(), at(NOW)).verdict.is_err());
    }
}
