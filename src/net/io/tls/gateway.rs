//! TLS of the internal link: who may be a gateway, and why one was refused, in words that name it.

use std::sync::{Arc, OnceLock};

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{WantsServerCert, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ConfigBuilder, DigitallySignedStruct, DistinguishedName, Error,
    RootCertStore, ServerConfig, SignatureScheme, WantsVerifier,
};

use super::settings::{from, provider, without_resumption};
use super::{TlsFault, TlsSetupError};
use crate::proto::auth::certificate::{CertFacts, utc};
use crate::proto::auth::chain::{TlsFacts, TlsVersion};
use crate::proto::auth::identity::Names;
use crate::proto::jid::Domain;

/// The settings of the internal link.
#[derive(Debug)]
pub struct LinkTls {
    certificate: Arc<SingleCertAndKey>,
    builder: ConfigBuilder<ServerConfig, WantsVerifier>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl LinkTls {
    /// A gateway must present a certificate that chains to one of `anchors`, with the usual rules
    /// for TLS clients.
    ///
    /// # Errors
    /// [`TlsSetupError`] when the credential cannot be used, or nothing is trusted.
    pub fn new(
        certified: Arc<CertifiedKey>,
        anchors: Arc<RootCertStore>,
        minimum: TlsVersion,
    ) -> Result<Self, TlsSetupError> {
        let provider = provider();
        let verifier = WebPkiClientVerifier::builder_with_provider(anchors, Arc::clone(&provider))
            .build()
            .map_err(|_| TlsSetupError::NoClientAnchors)?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(from(minimum))
            .map_err(TlsSetupError::Library)?;
        Ok(Self {
            certificate: Arc::new(SingleCertAndKey::from(certified)),
            builder,
            verifier,
        })
    }

    /// For one handshake; who was refused in it stands in the second afterwards.
    #[must_use]
    pub fn for_one(&self) -> (Arc<ServerConfig>, Arc<RefusedCertificate>) {
        let refused = Arc::<RefusedCertificate>::default();
        let verifier = Witness {
            verifier: Arc::clone(&self.verifier),
            refused: Arc::clone(&refused),
        };
        let builder: ConfigBuilder<_, WantsServerCert> = self
            .builder
            .clone()
            .with_client_cert_verifier(Arc::new(verifier));
        let certificate = Arc::clone(&self.certificate);
        let config = builder.with_cert_resolver(certificate);
        (Arc::new(without_resumption(config)), refused)
    }
}

/// Whether a gateway's certificate has one of the names that are wanted. No names wanted: any.
///
/// # Errors
/// Which names it has, in words.
pub fn check_names(facts: &TlsFacts, wanted: &[Domain]) -> Result<(), String> {
    let names = facts.chain.first().map(Names::of).unwrap_or_default();
    if wanted.is_empty() || wanted.iter().any(|domain| names.covers(domain)) {
        return Ok(());
    }
    let wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
    Err(format!(
        "the gateway's certificate has {names}, and none of the names in client-names: {}",
        wanted.join(", ")
    ))
}

/// The certificate that was refused in a handshake, if one was.
#[derive(Debug, Default)]
pub struct RefusedCertificate(OnceLock<(CertificateDer<'static>, UnixTime, CertificateError)>);

impl RefusedCertificate {
    /// Why a handshake with a gateway failed.
    #[must_use]
    pub fn in_words(&self, fault: &TlsFault) -> String {
        match self.0.get() {
            Some((certificate, now, error)) => {
                of_certificate(certificate, now.as_secs(), error).unwrap_or_else(|| of_fault(fault))
            }
            None => of_fault(fault),
        }
    }
}

fn of_certificate(
    certificate: &CertificateDer<'_>,
    now: u64,
    error: &CertificateError,
) -> Option<String> {
    let facts = CertFacts::of(certificate)?;
    let CertFacts {
        subject, issuer, ..
    } = &facts;
    let who = format!("the gateway's certificate ({subject})");
    Some(if facts.self_issued {
        format!(
            "{who} is self-signed: have it issued by an authority, and name that authority in \
             client-trust-anchors"
        )
    } else if facts.is_authority {
        format!("{who} is an authority's: the gateway needs one of its own, which that may issue")
    } else if facts.not_after < now {
        format!(
            "{who} expired on {}; this host's clock says {}",
            utc(facts.not_after),
            utc(now)
        )
    } else if facts.not_before > now {
        format!(
            "{who} is valid only from {}; this host's clock says {}",
            utc(facts.not_before),
            utc(now)
        )
    } else if !(facts.purposes.unrestricted || facts.purposes.client_auth) {
        format!("{who} is not for clients: it has key usages without clientAuth")
    } else if matches!(error, CertificateError::UnknownIssuer) {
        format!(
            "{who} was issued by {issuer}, which no authority in client-trust-anchors vouches for; \
             a certificate between the two must be sent by the gateway"
        )
    } else {
        return None;
    })
}

fn of_fault(fault: &TlsFault) -> String {
    let text = match fault {
        TlsFault::NotTls => {
            "the gateway sent plain text, and the link has TLS here ([gateway.tls]): switch TLS on \
             in the gateway"
        }
        TlsFault::NoneSent => {
            "the gateway showed no certificate: give it one that an authority in \
             client-trust-anchors has issued"
        }
        TlsFault::OursRejected { alert } => {
            return format!(
                "the gateway refused our certificate (alert {alert}): it must know the authority \
                 that issued certificate-chain of [gateway.tls], and ask for a name in it"
            );
        }
        TlsFault::PeerVersionOne => {
            "the gateway's certificate is X.509 version 1, with which TLS cannot be used: it needs \
             a version 3 certificate"
        }
        TlsFault::PeerCertificate { detail } | TlsFault::Refused { detail } => {
            return format!("the gateway's certificate cannot be used ({detail})");
        }
        TlsFault::PeerSignature => {
            "the gateway's signature in the handshake is wrong: its private key does not belong to \
             its certificate"
        }
        TlsFault::Alert { alert } => {
            return format!("the gateway ended TLS with the alert {alert}");
        }
        TlsFault::NoSharedVersion => {
            "the gateway offers no TLS version that minimum-version of [tls] allows"
        }
        TlsFault::NoSharedAlgorithm { detail } => {
            return format!(
                "there are no TLS algorithms that the gateway and we allow ({detail}): the \
                 gateway's are out of date"
            );
        }
        TlsFault::Closed => {
            "the gateway closed the connection during the TLS handshake without saying why: its log \
             may tell"
        }
        TlsFault::Io { kind } => {
            return format!("the connection to the gateway failed during TLS ({kind})");
        }
        TlsFault::TimedOut => "the gateway did not finish the TLS handshake in time",
        TlsFault::Protocol { detail } => {
            return format!("the gateway broke the TLS protocol ({detail})");
        }
        fault @ (TlsFault::TooLong(_) | TlsFault::ServerName) => return fault.to_string(),
    };
    text.to_owned()
}

/// Judges as the library does, and keeps what it refuses.
#[derive(Debug)]
struct Witness {
    verifier: Arc<dyn ClientCertVerifier>,
    refused: Arc<RefusedCertificate>,
}

impl ClientCertVerifier for Witness {
    fn offer_client_auth(&self) -> bool {
        self.verifier.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.verifier.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verdict = self
            .verifier
            .verify_client_cert(end_entity, intermediates, now);
        if let Err(Error::InvalidCertificate(error)) = &verdict {
            let refused = (end_entity.clone().into_owned(), now, error.clone());
            // There is one certificate in a handshake.
            self.refused.0.set(refused).unwrap_or_default();
        }
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
