//! A partner's certificate, signed or not: reading it does no harm, and its names are those that
//! the TLS library sees, too. Who remembers which signatures were good judges as who computes them all.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::EndEntityCert;
use xmpp_edge::net::guard::signatures::KnownSignatures;
use xmpp_edge::proto::auth::chain::{Anchors, Chain, Checker, Trust, judge};
use xmpp_edge::proto::auth::identity::{Name, Names};
use xmpp_edge::proto::auth::pin::Pins;
use xmpp_edge::proto::jid::Domain;
use xmpp_edge_fuzz::pki::{Authority, Leaf, NOW};

fuzz_target!(|bytes: &[u8]| {
    let certificate = CertificateDer::from(bytes.to_vec());
    let names = Names::of(&certificate);
    let _shown = names.to_string();
    for name in names.iter() {
        let Ok(domain) = Domain::parse(name.as_str()) else {
            continue;
        };
        assert!(
            !names.dns_covers(&domain) || names.covers(&domain),
            "{names}"
        );
        if names.dns_covers(&domain) && matches!(name, Name::Dns(_)) {
            agree(&certificate, &domain);
        }
    }
    remembered(bytes);
    let (anchors, _) = Anchors::from_der([certificate.clone()]);
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW));
    let domain = Domain::parse("partner.example").expect("a domain");
    // Nobody vouches for it: not an authority, and not itself.
    let strangers = Anchors::default();
    for anchors in [&strangers, &anchors] {
        let report = judge(
            &[certificate.clone(), certificate.clone()],
            &domain,
            anchors,
            &Pins::default(),
            now,
        );
        assert!(
            report.verdict.is_err() || (!anchors.is_empty() && names.covers(&domain)),
            "{report:?}"
        );
    }
});

/// A partner's certificate as its authority has signed it.
struct Signed {
    certificate: Vec<u8>,
    anchors: Anchors,
    remembers: Checker,
}

static SIGNED: LazyLock<Signed> = LazyLock::new(|| {
    let root = Authority::root("root");
    let chain = root.issue(Leaf::new(&["partner.example"])).chain;
    Signed {
        certificate: chain[0].to_vec(),
        anchors: Anchors::from_der([root.certificate.clone()]).0,
        remembers: Checker::new(KnownSignatures::default()),
    }
});

/// Changes some bytes of a certificate that is signed, each as three bytes say: where, and how.
fn remembered(changes: &[u8]) {
    const MOST: usize = 8;
    let mut certificate = SIGNED.certificate.clone();
    for change in changes.chunks_exact(3).take(MOST) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % certificate.len();
        certificate[at] ^= change[2];
    }
    let chain = Chain::from(vec![CertificateDer::from(certificate)]);
    let domain = Domain::parse("partner.example").expect("a domain");
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW));
    let judge = |checker| {
        let trust = Trust {
            anchors: &SIGNED.anchors,
            pins: &Pins::default(),
            checker,
        };
        chain.judge(&domain, &trust, now)
    };
    assert_eq!(judge(&SIGNED.remembers), judge(&Checker::default()));
}

/// A name that we take, the TLS library takes, if it can read the certificate at all.
fn agree(certificate: &CertificateDer<'_>, domain: &Domain) {
    let (Ok(theirs), Ok(name)) = (
        EndEntityCert::try_from(certificate),
        ServerName::try_from(domain.as_str()),
    ) else {
        return;
    };
    let verdict = theirs.verify_is_valid_for_subject_name(&name);
    assert!(verdict.is_ok(), "{domain}: {verdict:?}");
}
