//! Which way leads from a certificate to an anchor, and until when.

use super::*;

/// Layers of certificates with equal names, each of which seems to have issued all of the layer
/// below.
fn mesh(layers: usize, width: usize) -> Vec<CertificateDer<'static>> {
    let mut chain = Authority::root("layer 0").issue(Leaf::new(&[DOMAIN])).chain;
    for layer in 0..layers {
        let above = Authority::root(&format!("layer {}", layer + 1));
        for _ in 0..width {
            chain.push(above.intermediate(&format!("layer {layer}")).certificate);
        }
    }
    chain
}

#[test]
fn of_many_certificates_few_are_looked_at() {
    let domain = Domain::parse(DOMAIN).unwrap();
    let top = Authority::root("layer 2");
    let anchors = trust(&[&top.certificate]);
    let fault = |chain: &[CertificateDer<'static>]| {
        let report = judge(chain, &domain, &anchors, &Pins::default(), at(NOW));
        report.verdict.unwrap_err().code().as_str()
    };
    assert_eq!(fault(&mesh(7, 12)), "too-many-certificates");
    assert_eq!(fault(&mesh(2, 5)), "too-many-certificates");
    assert_eq!(fault(&mesh(2, 4)), "bad-signature");
    // What no issuer's name leads to, and what is sent twice, does not count.
    let root = Authority::root("root");
    let middle = root.intermediate("middle");
    let strangers =
        (0..12).map(|number| Authority::root(&format!("stranger {number}")).certificate);
    let mut chain = middle.issue(Leaf::new(&[DOMAIN])).chain;
    chain.splice(1..1, strangers);
    chain.push(middle.certificate.clone());
    let anchors = trust(&[&root.certificate]);
    let report = judge(&chain, &domain, &anchors, &Pins::default(), at(NOW));
    assert_eq!(report.verdict, Ok(()));
}

#[test]
fn an_authority_may_be_cross_signed_and_the_chain_in_any_order() {
    let leaf = || Leaf::new(&[DOMAIN]);
    let (old, new) = (Authority::root("old root"), Authority::root("new root"));
    let middle = new.intermediate("middle");
    // The new root, as the old one has signed it: an authority of one name and key, twice.
    let crossed = old.certify(&new);
    let identity = middle.issue(leaf());
    let [own, between] = [identity.chain[0].clone(), identity.chain[1].clone()];
    for (trusted, sent) in [
        (&new, vec![&own, &between, &crossed]),
        (&old, vec![&own, &between, &crossed]),
        (&old, vec![&own, &crossed, &between]),
        (&old, vec![&own, &between, &new.certificate, &crossed]),
        (&new, vec![&own, &between, &new.certificate, &crossed]),
        (
            &old,
            vec![&own, &crossed, &old.certificate, &between, &between],
        ),
    ] {
        let identity = identity.with_chain(sent.into_iter().cloned().collect());
        assert_eq!(code(&identity, &trust(&[&trusted.certificate])), "good");
    }
}

#[test]
fn a_chain_is_good_until_its_first_certificate_expires() {
    let root = Authority::root("root");
    let short = root.intermediate_with("short", |params| {
        params.not_after = rcgen::date_time_ymd(2028, 1, 1);
    });
    let domain = Domain::parse(DOMAIN).unwrap();
    let anchors = trust(&[&root.certificate]);
    for (identity, want) in [
        (short.issue(Leaf::new(&[DOMAIN])), "2028-01-01T00:00:00Z"),
        (
            short.issue(Leaf::new(&[DOMAIN]).valid((2020, 1, 1), (2027, 6, 1))),
            "2027-06-01T00:00:00Z",
        ),
    ] {
        let report = judge(
            &identity.chain,
            &domain,
            &anchors,
            &Pins::default(),
            at(NOW),
        );
        assert_eq!(report.verdict, Ok(()));
        assert_eq!(crate::proto::auth::certificate::utc(report.until), want);
    }
}
