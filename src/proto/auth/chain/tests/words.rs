//! What the operator reads of a judgement.

use super::*;

#[test]
fn the_operator_is_told_what_is_wrong() {
    let root = Authority::root("root");
    let middle = root.intermediate("middle");
    let anchors = trust(&[&root.certificate]);
    let domain = Domain::parse(DOMAIN).unwrap();
    let said = |chain: &[CertificateDer<'static>]| {
        let report = judge(chain, &domain, &anchors, &Pins::default(), at(NOW));
        report.verdict.unwrap_err().to_string()
    };
    assert!(said(&[]).starts_with("no certificate was presented"));

    let forgotten = middle.issue(Leaf::new(&[DOMAIN])).without_intermediates();
    let text = said(&forgotten.chain);
    assert!(text.contains("CN=middle, was not sent"), "{text}");

    let stranger = Authority::root("Big Corp Root");
    let mut chain = stranger.issue(Leaf::new(&[DOMAIN])).chain;
    chain.push(stranger.certificate.clone());
    let text = said(&chain);
    assert!(text.contains("ends at CN=Big Corp Root"), "{text}");

    let text = said(&root.issue(Leaf::new(&["a.example", "b.example"])).chain);
    assert!(text.contains("(it names: a.example, b.example)"), "{text}");

    let old = Leaf::new(&[DOMAIN]).valid((2020, 1, 1), (2026, 2, 3));
    let text = said(&root.issue(old).chain);
    assert!(
        text.contains(
            "expired on 2026-02-03T00:00:00Z, and this host's clock says 2027-01-15T08:00:00Z"
        ),
        "{text}"
    );

    let expired = root.intermediate_with("tired", |params| {
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    let text = said(&expired.issue(Leaf::new(&[DOMAIN])).chain);
    assert!(text.contains("of the authority CN=tired expired"), "{text}");

    let text = said(&[CertificateDer::from(vec![0x30, 3, 1, 2, 3])]);
    assert!(text.contains("cannot be read"), "{text}");
}

#[test]
fn the_report_describes_the_certificate_whatever_the_verdict() {
    let identity = Leaf::new(&[DOMAIN]).server_only().self_signed();
    let domain = Domain::parse(DOMAIN).unwrap();
    let report = judge(
        &identity.chain,
        &domain,
        &Anchors::default(),
        &Pins::default(),
        at(NOW),
    );
    let facts = report.certificate.unwrap();
    assert_eq!(
        (facts.subject.as_str(), facts.self_issued),
        ("CN=leaf", true)
    );
    assert!(facts.not_before < NOW && NOW < facts.not_after);
    assert!(facts.purposes.server_auth && !facts.purposes.client_auth);
    assert_eq!(facts.names.to_string(), DOMAIN);
    let other = CertFacts::of(&Leaf::new(&[DOMAIN]).self_signed().chain[0]).unwrap();
    assert_ne!(facts.spki_sha256, other.spki_sha256);
}
