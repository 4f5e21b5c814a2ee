//! What one certificate says of itself: for the judgement, and for the operator.

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{DateTime, Decode, Encode};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier,
};
use x509_cert::name::Name;

use super::identity::Names;
use super::subject;

/// How many certificates may be sent above the partner's own. More are not read.
///
/// RFC 6120 §13.7.2: what is needed are the certificate and the intermediate ones, which are one to
/// three in use.
pub const MOST_SENT: usize = 16;
/// How many of them may be candidates: certificates that an issuer's name leads to.
pub const MOST_CANDIDATES: usize = 8;

/// What stands in a certificate. Nothing here is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertFacts {
    /// The names it presents.
    pub names: Names,
    /// The subject, as RFC 4514 writes it; fit for a log line.
    pub subject: String,
    /// The issuer, likewise.
    pub issuer: String,
    /// The first second of validity, in Unix time.
    pub not_before: u64,
    /// The last second of validity, in Unix time.
    pub not_after: u64,
    /// What the key may be used for.
    pub purposes: Purposes,
    /// Whether it is the certificate of an authority: `cA TRUE` in its basic constraints, and, where
    /// it limits the use of its key, `keyCertSign` among the uses.
    pub is_authority: bool,
    /// What its key may sign.
    pub(crate) signs: Signs,
    /// The SHA-256 digest of the subject's public key info: what a pin or a key-change alarm compares.
    pub spki_sha256: [u8; 32],
    /// Whether subject and issuer are one: the certificate was signed with its own key, or says so.
    pub self_issued: bool,
    /// Whether the certificate restricts the names that certificates below it may have.
    pub(crate) constrains_names: bool,
    pub(crate) subject_der: Vec<u8>,
    pub(crate) issuer_der: Vec<u8>,
    /// The identifiers of its own key and of its issuer's, where it has them.
    key_id: Option<Vec<u8>>,
    issuer_key_id: Option<Vec<u8>>,
}

impl CertFacts {
    /// Reads a certificate; `None` when it is not one.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let body = certificate.tbs_certificate();
        let spki = body.subject_public_key_info().to_der().ok()?;
        let subject_der = body.subject().to_der().ok()?;
        let issuer_der = body.issuer().to_der().ok()?;
        let signs = Signs::of(&certificate);
        // RFC 5280 §4.2.1.9, §6.1.4 (k), (n): nothing else makes a certificate an authority's.
        let constraints = body.get_extension::<BasicConstraints>();
        let is_authority = matches!(
            constraints,
            Ok(Some((_, BasicConstraints { ca: true, .. })))
        ) && signs.certificates;
        let key_id = body.get_extension::<SubjectKeyIdentifier>().ok().flatten();
        let issuer_key_id = body
            .get_extension::<AuthorityKeyIdentifier>()
            .ok()
            .flatten()
            .and_then(|(_, extension)| extension.key_identifier);
        Some(Self {
            names: Names::in_certificate(&certificate),
            subject: subject::text(body.subject()),
            issuer: subject::text(body.issuer()),
            not_before: body.validity().not_before.to_unix_duration().as_secs(),
            not_after: body.validity().not_after.to_unix_duration().as_secs(),
            purposes: Purposes::of(&certificate),
            is_authority,
            signs,
            spki_sha256: Sha256::digest(&spki).into(),
            self_issued: subject_der == issuer_der,
            constrains_names: body
                .extensions()
                .is_some_and(|all| all.iter().any(|one| one.extn_id == NAME_CONSTRAINTS)),
            subject_der,
            issuer_der,
            key_id: key_id.map(|(_, extension)| extension.0.as_bytes().to_vec()),
            issuer_key_id: issuer_key_id.map(|id| id.as_bytes().to_vec()),
        })
    }

    /// Whether `below` says that this certificate's key has signed it.
    pub(super) fn has_key_of_issuer(&self, below: &Self) -> bool {
        self.key_id.is_some() && self.key_id == below.issuer_key_id
    }

    /// The organisation that has issued the certificate, as it spells itself; its whole name in
    /// DER, where it names no organisation.
    pub(super) fn issuing_organisation(&self) -> Vec<u8> {
        let name = Name::from_der(&self.issuer_der).unwrap_or_default();
        let mut attributes = name.iter().filter(|it| it.oid == ORGANISATION).peekable();
        if attributes.peek().is_none() {
            return self.issuer_der.clone();
        }
        // The same text may be of several types.
        attributes
            .flat_map(|it| it.value.value().iter().chain(&[0]))
            .copied()
            .collect()
    }
}

/// The extended key usages that matter between servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purposes {
    /// There is no such extension: any use is allowed.
    pub unrestricted: bool,
    /// `serverAuth`.
    pub server_auth: bool,
    /// `clientAuth`.
    pub client_auth: bool,
}

impl Purposes {
    /// Whether the certificate may speak for a server.
    #[must_use]
    pub fn allow_server(self) -> bool {
        self.unrestricted || self.server_auth
    }

    fn of(certificate: &Certificate) -> Self {
        match certificate
            .tbs_certificate()
            .get_extension::<ExtendedKeyUsage>()
        {
            // RFC 5280 §4.2.1.12: where the extension is, only the purposes named are allowed.
            Ok(Some((_, ExtendedKeyUsage(usages)))) => Self {
                unrestricted: false,
                server_auth: usages.contains(&SERVER_AUTH),
                client_auth: usages.contains(&CLIENT_AUTH),
            },
            Ok(None) => Self {
                unrestricted: true,
                ..Self::default()
            },
            Err(_) => Self::default(),
        }
    }
}

/// What a key may sign, by the key usages of its certificate. Without that extension: anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signs {
    /// `digitalSignature`: the handshakes of TLS.
    pub(crate) handshakes: bool,
    /// `keyCertSign`: other certificates.
    pub(crate) certificates: bool,
}

impl Signs {
    fn of(certificate: &Certificate) -> Self {
        match certificate.tbs_certificate().get_extension::<KeyUsage>() {
            Ok(None) => Self {
                handshakes: true,
                certificates: true,
            },
            Ok(Some((_, usage))) => Self {
                handshakes: usage.digital_signature(),
                certificates: usage.key_cert_sign(),
            },
            // What cannot be read allows nothing.
            Err(_) => Self {
                handshakes: false,
                certificates: false,
            },
        }
    }
}

/// A point in Unix time as a date and time in UTC.
#[must_use]
pub(crate) fn utc(seconds: u64) -> String {
    DateTime::from_unix_duration(std::time::Duration::from_secs(seconds))
        .map_or_else(|_| format!("{seconds} s"), |time| time.to_string())
}

const ORGANISATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::proto::auth::pin::Pin;

    /// Made with `openssl req -x509`; its pin as the guide to the partner file has it printed.
    const CERTIFICATE: &str = "\
        MIIB6zCCAZCgAwIBAgIUPjexOl+GzDU7lzcblEA4iXt0GAkwCgYIKoZIzj0EAwIw\
        OzELMAkGA1UEBhMCTkwxETAPBgNVBAoMCEZhYnJpa2FtMRkwFwYDVQQDDBBmYWJy\
        aWthbS5leGFtcGxlMCAXDTI2MTEyMDA3NTg0OFoYDzIxMjYxMDI3MDc1ODQ4WjA7\
        MQswCQYDVQQGEwJOTDERMA8GA1UECgwIRmFicmlrYW0xGTAXBgNVBAMMEGZhYnJp\
        a2FtLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQBOhZfQ2UJMqLS\
        run0+GhJ5JaR6nJ2E5zs3AUvrKivx1pWxR1a245YKf/Dcu5xOi+zzeUEIK2LQe8I\
        J/Was1iqo3AwbjAdBgNVHQ4EFgQUOkJeR73YsJQmUTDzDWCgUwCjGf0wHwYDVR0j\
        BBgwFoAUOkJeR73YsJQmUTDzDWCgUwCjGf0wDwYDVR0TAQH/BAUwAwEB/zAbBgNV\
        HREEFDASghBmYWJyaWthbS5leGFtcGxlMAoGCCqGSM49BAMCA0kAMEYCIQDO9FNe\
        vQKMmvruiNuHqHv6/guJelqkTzAqT/Xqwqs81AIhAP9Sm9Seq47WSi5MUkzGVRmG\
        YFjJfo0SH0c4B+qDtirW";
    const PIN: &str = "sha256:RCoE7VeVDUyUzrQ8QQrEYDTtQocYsz99hn0I3ge+i3s=";

    #[test]
    fn the_key_of_a_certificate_has_the_pin_that_openssl_prints() {
        let certificate = CertificateDer::from(STANDARD.decode(CERTIFICATE).unwrap());
        let facts = CertFacts::of(&certificate).unwrap();
        assert_eq!(Pin(facts.spki_sha256).to_string(), PIN);
        assert_eq!(facts.issuing_organisation(), b"Fabrikam\0");
    }
}
