//! What the keys of certificates and authorities may be used for.

use super::*;

/// A certificate that says of the use of its key what `usages` says.
fn limited_to(usages: &'static [KeyUsagePurpose]) -> impl FnOnce(&mut rcgen::CertificateParams) {
    move |params| params.key_usages = usages.to_vec()
}

#[test]
fn keys_do_only_what_their_certificates_let_them_do() {
    use KeyUsagePurpose::{CrlSign, DigitalSignature, KeyCertSign, KeyEncipherment};
    let root = Authority::root("root");
    let leaf = || Leaf::new(&[DOMAIN]);
    let anchors = trust(&[&root.certificate]);
    let middle = |usages| root.intermediate_with("middle", limited_to(usages));
    for (want, identity) in [
        ("good", middle(&[KeyCertSign]).issue(leaf())),
        ("good", middle(&[]).issue(leaf())),
        ("authority-may-not-sign", middle(&[CrlSign]).issue(leaf())),
        (
            "authority-may-not-sign",
            middle(&[DigitalSignature]).issue(leaf()),
        ),
        ("good", root.issue(leaf().key_usages(&[DigitalSignature]))),
        (
            "good",
            root.issue(leaf().key_usages(&[DigitalSignature, KeyEncipherment])),
        ),
        (
            "key-may-not-sign",
            root.issue(leaf().key_usages(&[KeyEncipherment])),
        ),
        (
            "key-may-not-sign",
            root.issue(leaf().key_usages(&[CrlSign])),
        ),
    ] {
        assert_eq!(
            code(&identity, &anchors),
            want,
            "{}",
            pem(&identity.chain[0])
        );
    }
    // It holds for a certificate that is itself trusted, too.
    let own = leaf().key_usages(&[KeyEncipherment]).self_signed();
    assert_eq!(code(&own, &trust(&[&own.chain[0]])), "key-may-not-sign");
}

#[test]
fn only_an_authority_among_the_anchors_vouches_for_others() {
    let leaf = || Leaf::new(&[DOMAIN]);
    // An authority's name and key, without `cA TRUE`, or without the right to sign certificates.
    let no_authority = Authority::root_with("no authority", |params| {
        params.is_ca = rcgen::IsCa::ExplicitNoCa;
    });
    let silent = Authority::root_with("silent", |params| params.is_ca = rcgen::IsCa::NoCa);
    let no_signer = Authority::root_with("no signer", |params| {
        params.key_usages = vec![KeyUsagePurpose::CrlSign];
    });
    for (name, authority) in [
        ("cA FALSE", &no_authority),
        ("no basic constraints", &silent),
        ("no keyCertSign", &no_signer),
    ] {
        let anchors = trust(&[&authority.certificate]);
        assert_eq!((anchors.len(), anchors.authorities()), (1, 0), "{name}");
        for victim in [DOMAIN, "victim.example"] {
            let identity = authority.issue(Leaf::new(&[victim]));
            let got = code_for(&identity, victim, &anchors);
            assert_eq!(got, "issuer-not-sent", "{name}");
        }
    }
    // The very certificate counts, and nothing that its key has signed: no other name, no new dates.
    let own = leaf().self_signed();
    let anchors = trust(&[&own.chain[0]]);
    assert_eq!(code(&own, &anchors), "good");
    for again in [
        leaf(),
        Leaf::new(&["victim.example"]),
        leaf().valid((2020, 1, 1), (2099, 1, 1)),
    ] {
        let again = own.sign_again(again);
        assert_eq!(code(&again, &anchors), "self-signed");
        assert_eq!(code_for(&again, "victim.example", &anchors), "self-signed");
    }
    // Of version 1 there are no authorities; what one vouches for is not believed.
    let root = Authority::root("root");
    let old = root.issue_version_one();
    let anchors = trust(&[&old.chain[0]]);
    assert_eq!((anchors.len(), anchors.authorities()), (1, 0));
    assert_eq!(code(&old, &anchors), "x509-version-1");
}
