//! A certification authority for tests: every certificate that a partner could present, and the
//! faulty ones above all. Used by unit tests and by the integration binary alike.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test helper: each user needs a part of it, and a failure is a failed test"
)]

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SigningKey, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_cert::der::asn1::{Any, BitString, Ia5String, ObjectIdentifier};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::{GeneralName, OtherName};

pub use rcgen::{GeneralSubtree, KeyUsagePurpose, NameConstraints};
pub use rcgen::{PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_RSA_SHA256, RsaKeySize};

/// What `Leaf::new` certificates are valid at: 15 January 2027, in Unix time.
pub const NOW: u64 = 1_800_000_000;

/// A root or an intermediate.
pub struct Authority {
    params: CertificateParams,
    key: KeyPair,
    /// Its own certificate.
    pub certificate: CertificateDer<'static>,
    /// The intermediates that a server must send, this one first.
    above: Vec<CertificateDer<'static>>,
}

impl Authority {
    pub fn root(name: &str) -> Self {
        Self::root_with(name, |_| ())
    }

    pub fn root_with(name: &str, edit: impl FnOnce(&mut CertificateParams)) -> Self {
        let (params, key) = authority(name, edit);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self {
            params,
            key,
            certificate,
            above: Vec::new(),
        }
    }

    /// A root with a key of another kind than the usual P-256.
    pub fn root_with_key(name: &str, key: KeyPair) -> Self {
        let (params, _) = authority(name, |_| ());
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self {
            params,
            key,
            certificate,
            above: Vec::new(),
        }
    }

    /// An intermediate with such a key.
    pub fn intermediate_with_key(&self, name: &str, key: KeyPair) -> Self {
        let (params, _) = authority(name, |_| ());
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).unwrap().der().clone();
        let mut above = vec![certificate.clone()];
        above.extend(self.above.iter().cloned());
        Self {
            params,
            key,
            certificate,
            above,
        }
    }

    pub fn intermediate(&self, name: &str) -> Self {
        self.intermediate_with(name, |_| ())
    }

    pub fn intermediate_with(&self, name: &str, edit: impl FnOnce(&mut CertificateParams)) -> Self {
        let (params, key) = authority(name, edit);
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).unwrap().der().clone();
        let mut above = vec![certificate.clone()];
        above.extend(self.above.iter().cloned());
        Self {
            params,
            key,
            certificate,
            above,
        }
    }

    /// Signs the key of another authority under that one's name.
    pub fn certify(&self, other: &Self) -> CertificateDer<'static> {
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = other.params.signed_by(&other.key, &issuer).unwrap();
        certificate.der().clone()
    }

    /// Issues a certificate; the chain has every intermediate, and not the root.
    pub fn issue(&self, leaf: Leaf) -> Identity {
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = leaf.params().signed_by(&key, &issuer).unwrap();
        let mut chain = vec![certificate.der().clone()];
        chain.extend(self.above.iter().cloned());
        Identity::new(chain, &key)
    }

    /// Issues an X.509 version 1 certificate, which has no extensions and so no names.
    pub fn issue_version_one(&self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        let modern = Leaf::new(&["v1.example"]).params().signed_by(&key, &issuer);
        let modern = x509_cert::Certificate::from_der(modern.unwrap().der()).unwrap();
        let body = modern.tbs_certificate();
        let parts = [
            body.serial_number().to_der(),
            body.signature().to_der(),
            body.issuer().to_der(),
            body.validity().to_der(),
            body.subject().to_der(),
            body.subject_public_key_info().to_der(),
        ];
        let body = sequence(parts.map(Result::unwrap).concat());
        let signature = BitString::from_bytes(&self.key.sign(&body).unwrap()).unwrap();
        let algorithm = modern.signature_algorithm().to_der().unwrap();
        let der = sequence([body, algorithm, signature.to_der().unwrap()].concat());
        Identity::new(vec![der.into()], &key)
    }
}

/// What a certificate is to say.
#[derive(Clone)]
pub struct Leaf {
    common_name: String,
    names: Vec<GeneralName>,
    usages: Vec<ExtendedKeyUsagePurpose>,
    key_usages: Vec<KeyUsagePurpose>,
    valid: [(i32, u8, u8); 2],
    ends_after: Option<u32>,
    begins_at: Option<Duration>,
    is_ca: bool,
}

impl Leaf {
    /// These dNSNames, both extended key usages, valid from 2020 to 2100.
    pub fn new(dns: &[&str]) -> Self {
        let name = |name: &&str| GeneralName::DnsName(Ia5String::new(*name).unwrap());
        Self {
            common_name: "leaf".to_owned(),
            names: dns.iter().map(name).collect(),
            usages: vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ],
            key_usages: Vec::new(),
            valid: [(2020, 1, 1), (2100, 1, 1)],
            ends_after: None,
            begins_at: None,
            is_ca: false,
        }
    }

    /// It expires so many seconds after [`NOW`].
    pub fn ends_after(mut self, seconds: u32) -> Self {
        self.ends_after = Some(seconds);
        self
    }

    /// Its first second, in Unix time.
    pub fn begins_at(mut self, time: Duration) -> Self {
        self.begins_at = Some(time);
        self
    }

    pub fn common_name(mut self, name: &str) -> Self {
        self.common_name = name.to_owned();
        self
    }

    pub fn srv_name(mut self, name: &str) -> Self {
        let value = Any::encode_from(&Ia5String::new(name).unwrap()).unwrap();
        self.names.push(other_name("1.3.6.1.5.5.7.8.7", value));
        self
    }

    pub fn xmpp_addr(mut self, address: &str) -> Self {
        let value = Any::encode_from(&address.to_owned()).unwrap();
        self.names.push(other_name("1.3.6.1.5.5.7.8.5", value));
        self
    }

    pub fn usages(mut self, usages: &[ExtendedKeyUsagePurpose]) -> Self {
        self.usages = usages.to_vec();
        self
    }

    /// What its key may do; nothing said: anything.
    pub fn key_usages(mut self, usages: &[KeyUsagePurpose]) -> Self {
        self.key_usages = usages.to_vec();
        self
    }

    pub fn server_only(self) -> Self {
        self.usages(&[ExtendedKeyUsagePurpose::ServerAuth])
    }

    pub fn client_only(self) -> Self {
        self.usages(&[ExtendedKeyUsagePurpose::ClientAuth])
    }

    pub fn valid(mut self, from: (i32, u8, u8), until: (i32, u8, u8)) -> Self {
        self.valid = [from, until];
        self
    }

    pub fn authority(mut self) -> Self {
        self.is_ca = true;
        self
    }

    /// The certificate signed with its own key.
    pub fn self_signed(self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = self.params().self_signed(&key).unwrap();
        Identity::new(vec![certificate.der().clone()], &key)
    }

    fn params(self) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&self.common_name);
        let [from, until] = self.valid.map(|(y, m, d)| date_time_ymd(y, m, d));
        (params.not_before, params.not_after) = (from, until);
        if let Some(seconds) = self.ends_after {
            let seconds = Duration::from_secs(8 * 3600 + u64::from(seconds));
            params.not_after = date_time_ymd(2027, 1, 15) + seconds;
        }
        if let Some(time) = self.begins_at {
            params.not_before = date_time_ymd(1970, 1, 1) + time;
        }
        params.extended_key_usages = self.usages;
        params.key_usages = self.key_usages;
        if self.is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        if !self.names.is_empty() {
            let names = SubjectAltName(self.names).to_der().unwrap();
            params
                .custom_extensions
                .push(CustomExtension::from_oid_content(&[2, 5, 29, 17], names));
        }
        params
    }
}

/// A chain and its key.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    key_pem: String,
}

impl Identity {
    /// The chain as a PEM file.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(pem).collect()
    }

    /// The key as a PEM file.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The same with only the first certificate: the intermediates forgotten.
    pub fn without_intermediates(mut self) -> Self {
        self.chain.truncate(1);
        self
    }

    /// The same key with another chain.
    pub fn with_chain(&self, chain: Vec<CertificateDer<'static>>) -> Self {
        Self {
            chain,
            key: self.key.clone_key(),
            key_pem: self.key_pem.clone(),
        }
    }

    /// Another certificate, signed with this one's key and for the same key.
    pub fn sign_again(&self, leaf: Leaf) -> Self {
        let key = KeyPair::from_pem(&self.key_pem).unwrap();
        let certificate = leaf.params().self_signed(&key).unwrap();
        self.with_chain(vec![certificate.der().clone()])
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Self {
        Self {
            chain,
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            key_pem: key.serialize_pem(),
        }
    }
}

/// A certificate as PEM text.
pub fn pem(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    let lines = lines.join("\n");
    format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
}

fn authority(
    name: &str,
    edit: impl FnOnce(&mut CertificateParams),
) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    edit(&mut params);
    (params, KeyPair::generate().unwrap())
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn other_name(type_id: &str, value: Any) -> GeneralName {
    GeneralName::OtherName(OtherName {
        type_id: ObjectIdentifier::new_unwrap(type_id),
        value,
    })
}

/// A DER SEQUENCE around what is already encoded.
fn sequence(content: Vec<u8>) -> Vec<u8> {
    let tag = x509_cert::der::Tag::Sequence;
    Any::new(tag, content).unwrap().to_der().unwrap()
}
