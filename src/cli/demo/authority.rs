//! A throw-away certification authority. Its key lives in memory, and only as long as the demo.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use super::trouble::{During, Trouble};

/// How long before now everything becomes valid, and so the oldest time to pretend it is.
pub(super) const BEFORE: Duration = Duration::from_secs(90 * DAY);
/// How long ago an expired certificate expired.
const EXPIRED_FOR: Duration = Duration::from_secs(DAY);
/// How long a good certificate is still valid: beyond the time at which `check` starts to warn.
const VALID_FOR: Duration = Duration::from_secs(60 * DAY);
const DAY: u64 = 86400;

/// Vouches for the demo's domains.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub(super) pem: String,
}

/// Whether a certificate's time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validity {
    Current,
    Expired,
}

/// A certificate and its key, as PEM.
pub(super) struct Certified {
    pub(super) chain: String,
    pub(super) key: String,
}

impl Authority {
    pub(super) fn new() -> Result<Self, Trouble> {
        let what = "making a certification authority";
        let mut params = params("xmpp-edge demo authority", Validity::Current);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().during(what)?;
        let pem = params.self_signed(&key).during(what)?.pem();
        let issuer = Issuer::new(params, key);
        Ok(Self { issuer, pem })
    }

    /// A certificate such as public authorities issue today: one dNSName, for servers.
    pub(super) fn issue(&self, domain: &str, validity: Validity) -> Result<Certified, Trouble> {
        let what = format!("issuing a certificate for {domain}");
        let mut params = params(domain, validity);
        let name = domain.try_into().during(&what)?;
        params.subject_alt_names = vec![rcgen::SanType::DnsName(name)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().during(&what)?;
        let certificate = params.signed_by(&key, &self.issuer).during(&what)?;
        Ok(Certified {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

fn params(common_name: &str, validity: Validity) -> CertificateParams {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = date_time_ymd(1970, 1, 1) + since_epoch;
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = now - BEFORE;
    params.not_after = match validity {
        Validity::Current => now + VALID_FOR,
        Validity::Expired => now - EXPIRED_FOR,
    };
    params
}
