//! A partner's certificate, signed or not: reading it does no harm, and its names are those that
//! the TLS library sees, too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::EndEntityCert;
use xmpp_edge::proto::auth::chain::{Anchors, judge};
use xmpp_edge::proto::auth::identity::{Name, Names};
use xmpp_edge::proto::auth::pin::Pins;
use xmpp_edge::proto::jid::Domain;
use xmpp_edge_fuzz::pki::NOW;

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
