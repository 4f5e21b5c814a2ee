//! TLS settings: made whole from certificates and keys, never changed. A reload makes new ones.
//!
//! Handshakes between servers take whatever certificate the other side has, or none, and prove
//! only that it holds the key. What the certificate is worth is judged afterwards, by
//! [`crate::proto::auth::chain::judge`], because dialback may go on where the certificate cannot.
//! Resumption and early data are off: on a resumed session nobody proves to hold a key.

mod fault;
mod gateway;
mod settings;
mod verify;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, CommonState, ProtocolVersion, ServerConfig};

pub use fault::TlsFault;
pub use gateway::{LinkTls, RefusedCertificate, check_names};

use crate::proto::auth::chain::{TlsFacts, TlsVersion};
use crate::proto::jid::Domain;
use settings::{Pair, Pairs, certified, provider};

/// A certificate chain with its key, and the local domains it is for.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The local domains; the first credential of [`TlsConfigs::new`] serves all others, too.
    pub domains: Vec<Domain>,
    /// The chain, the domain's own certificate first, and the key of that certificate.
    pub certified: Arc<CertifiedKey>,
}

impl Credential {
    /// Puts a chain and its key together.
    ///
    /// # Errors
    /// [`TlsSetupError`] when they do not belong together, or cannot be used.
    pub fn new(
        domains: Vec<Domain>,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsSetupError> {
        let certified = Arc::new(certified(chain, key, &provider())?);
        Ok(Self { domains, certified })
    }
}

/// Everything streams with partners need, for each local domain and each minimum version.
#[derive(Debug)]
pub struct TlsConfigs {
    minimum: TlsVersion,
    default: Pairs,
    by_domain: HashMap<Domain, Pairs>,
}

impl TlsConfigs {
    /// Builds the settings.
    ///
    /// # Errors
    /// [`TlsSetupError`] for the first credential that cannot be used.
    pub fn new(
        default: Credential,
        others: Vec<Credential>,
        minimum: TlsVersion,
    ) -> Result<Self, TlsSetupError> {
        let provider = provider();
        let default = Pairs::new(default.certified, &provider)?;
        let mut by_domain = HashMap::new();
        for credential in others {
            let pairs = Pairs::new(credential.certified, &provider)?;
            for domain in credential.domains {
                by_domain.insert(domain, pairs.clone());
            }
        }
        Ok(Self {
            minimum,
            default,
            by_domain,
        })
    }

    /// For a stream that a partner opened to a local domain; `minimum` is the partner's, and holds
    /// where it is stricter than the general one.
    #[must_use]
    pub fn server(&self, local: &Domain, minimum: Option<TlsVersion>) -> Arc<ServerConfig> {
        Arc::clone(&self.pair(local, minimum).server)
    }

    /// For a stream that we open in the name of a local domain, whose certificate is presented.
    #[must_use]
    pub fn client(&self, local: &Domain, minimum: Option<TlsVersion>) -> Arc<ClientConfig> {
        Arc::clone(&self.pair(local, minimum).client)
    }

    fn pair(&self, local: &Domain, minimum: Option<TlsVersion>) -> &Pair {
        let pairs = self.by_domain.get(local).unwrap_or(&self.default);
        match minimum.map_or(self.minimum, |minimum| minimum.max(self.minimum)) {
            TlsVersion::Tls12 => &pairs.from_tls12,
            TlsVersion::Tls13 => &pairs.from_tls13,
        }
    }
}

/// What a finished handshake showed; `None` while it is not finished.
#[must_use]
pub fn facts(connection: &CommonState) -> Option<TlsFacts> {
    let version = match connection.protocol_version()? {
        ProtocolVersion::TLSv1_2 => TlsVersion::Tls12,
        ProtocolVersion::TLSv1_3 => TlsVersion::Tls13,
        _ => return None,
    };
    let chain = connection.peer_certificates().unwrap_or_default().to_vec();
    let chain = chain.into();
    (!connection.is_handshaking()).then_some(TlsFacts { version, chain })
}

/// The name asked for in a handshake that we begin: always the partner's domain, never the host
/// that DNS gave for it.
///
/// # Errors
/// [`TlsFault::ServerName`] when TLS cannot express the domain.
pub fn server_name(domain: &Domain) -> Result<ServerName<'static>, TlsFault> {
    let text = domain.as_str();
    let literal = text.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = literal.parse::<IpAddr>() {
        return Ok(ServerName::IpAddress(address.into()));
    }
    ServerName::try_from(text.to_owned()).map_err(|_| TlsFault::ServerName)
}

/// Why settings cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsSetupError {
    /// The chain is empty.
    #[error("there is no certificate in the chain")]
    NoCertificate,
    /// The key belongs to another certificate.
    #[error("the private key does not belong to the first certificate of the chain")]
    KeyMismatch,
    /// The key or the certificate cannot be used.
    #[error("the certificate or its private key cannot be used: {0}")]
    Unusable(rustls::Error),
    /// Nothing would be trusted, so no gateway could ever connect.
    #[error("there is no trust anchor for the certificates of gateways")]
    NoClientAnchors,
    /// The TLS library refuses the combination.
    #[error("TLS cannot be set up: {0}")]
    Library(rustls::Error),
}

#[cfg(test)]
mod tests;
