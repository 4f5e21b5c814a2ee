//! The library's settings for one credential: what is on, what is off.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};

use super::TlsSetupError;
use super::verify::AcceptAndReport;
use crate::proto::auth::chain::TlsVersion;

/// One credential's settings, for both minimum versions.
#[derive(Clone, Debug)]
pub(super) struct Pairs {
    pub(super) from_tls12: Pair,
    pub(super) from_tls13: Pair,
}

/// One credential's settings, for both directions.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) server: Arc<ServerConfig>,
    pub(super) client: Arc<ClientConfig>,
}

impl Pairs {
    pub(super) fn new(
        certified: Arc<CertifiedKey>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, TlsSetupError> {
        let resolver = Arc::new(SingleCertAndKey::from(certified));
        let verifier = Arc::new(AcceptAndReport::new(provider));
        let pair = |minimum| {
            Ok(Pair {
                server: partner_server(provider, minimum, &resolver, &verifier)?,
                client: partner_client(provider, minimum, &resolver, &verifier)?,
            })
        };
        Ok(Self {
            from_tls12: pair(TlsVersion::Tls12)?,
            from_tls13: pair(TlsVersion::Tls13)?,
        })
    }
}

fn partner_server(
    provider: &Arc<CryptoProvider>,
    minimum: TlsVersion,
    resolver: &Arc<SingleCertAndKey>,
    verifier: &Arc<AcceptAndReport>,
) -> Result<Arc<ServerConfig>, TlsSetupError> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(from(minimum))
        .map_err(TlsSetupError::Library)?;
    let config = builder
        .with_client_cert_verifier(Arc::clone(verifier) as _)
        .with_cert_resolver(Arc::clone(resolver) as _);
    Ok(Arc::new(without_resumption(config)))
}

fn partner_client(
    provider: &Arc<CryptoProvider>,
    minimum: TlsVersion,
    resolver: &Arc<SingleCertAndKey>,
    verifier: &Arc<AcceptAndReport>,
) -> Result<Arc<ClientConfig>, TlsSetupError> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(from(minimum))
        .map_err(TlsSetupError::Library)?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(verifier) as _)
        // Whatever authorities the other side hints at: it is to judge our only certificate.
        .with_client_cert_resolver(Arc::clone(resolver) as _);
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(Arc::new(config))
}

pub(super) fn without_resumption(mut config: ServerConfig) -> ServerConfig {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config
}

pub(super) fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsSetupError> {
    if chain.is_empty() {
        return Err(TlsSetupError::NoCertificate);
    }
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsSetupError::KeyMismatch,
        error => TlsSetupError::Unusable(error),
    })
}

/// Never the process-wide provider, which depends on what else is linked in. Post-quantum key
/// exchange comes first in it.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

pub(super) fn from(minimum: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static FROM_TLS12: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    static FROM_TLS13: [&SupportedProtocolVersion; 1] = [&TLS13];
    match minimum {
        TlsVersion::Tls12 => &FROM_TLS12,
        TlsVersion::Tls13 => &FROM_TLS13,
    }
}
