//! The checked configuration: what the daemon sees. Made by this module's checks only.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;

use super::secret::{DialbackSource, Secret};
use crate::ops::logging::{Filter, Format};
use crate::proto::auth::chain::{Anchors, TlsVersion};
use crate::proto::jid::Domain;
use crate::proto::policy::{AdmissionLimits, DialLimits, Rules};
use crate::proto::stream::Unproven;

/// The whole configuration of an edge.
#[derive(Debug)]
pub struct Config {
    /// Where all this was read from.
    pub file: PathBuf,
    /// The domains the edge speaks for.
    pub domains: Vec<Domain>,
    /// Where the daemon keeps what it learns.
    pub state_directory: PathBuf,
    /// Streams with partners.
    pub s2s: S2s,
    /// What a connection may hold before it is authenticated.
    pub admission: AdmissionLimits,
    /// What its stream may bring until then.
    pub unproven: Unproven,
    /// What TLS with partners accepts.
    pub tls: Tls,
    /// The certificates the edge shows to partners.
    pub identities: Identities,
    /// The secret that dialback keys are made from.
    pub dialback: DialbackSource,
    /// How names are resolved.
    pub dns: Dns,
    /// The internal link.
    pub gateway: Gateway,
    /// What is logged, and how.
    pub log: Log,
    /// Where administrators ask.
    pub admin: Admin,
    /// How many contacts each local user may have.
    pub contact_limit: usize,
    /// Who the partners are: what policy decides by.
    pub rules: Rules,
    /// The file that lists them.
    pub partners_file: PathBuf,
}

/// Streams with partners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S2s {
    /// Where partners connect to.
    pub listen: Vec<SocketAddr>,
    /// How many streams may live at once.
    pub connection_limit: usize,
    /// How many streams may live with one partner, where its entry does not say.
    pub partner_connection_limit: usize,
    /// How long a stream may take until it is authenticated.
    pub establishment_timeout: Duration,
    /// How long a stream may be without stanzas before it is closed.
    pub inactivity_timeout: Duration,
    /// How often a quiet stream is pinged, where the partner's `keep-alive` says so.
    pub keep_alive_interval: Duration,
    /// The longest stanza that is read, in bytes.
    pub max_stanza_bytes: usize,
    /// The levels of the deepest stanza that is read.
    pub max_stanza_depth: usize,
    /// How much may wait in all queues together, in bytes.
    pub queue_bytes: usize,
    /// How many pairs may be proven on one stream.
    pub pairs_per_stream: usize,
    /// How many partners are dialled at once: in all, and one partner's domains.
    pub dials: DialLimits,
}

/// What TLS with partners accepts.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certification authorities that may vouch for a partner without authorities of its own.
    pub anchors: Arc<Anchors>,
    /// The oldest version that is spoken.
    pub minimum_version: TlsVersion,
}

/// The certificates the edge shows to partners, by local domain.
#[derive(Clone, Debug)]
pub struct Identities {
    pub(super) default: Arc<CertifiedKey>,
    pub(super) others: HashMap<Domain, Arc<CertifiedKey>>,
}

impl Identities {
    /// The certificate and key of `[tls]`: for every local domain without an `[[identity]]`.
    #[must_use]
    pub fn default_identity(&self) -> &Arc<CertifiedKey> {
        &self.default
    }

    /// The certificate and key to show when speaking for a local domain.
    #[must_use]
    pub fn of(&self, local: &Domain) -> &Arc<CertifiedKey> {
        self.others.get(local).unwrap_or(&self.default)
    }
}

/// A certificate that the configuration names, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCertificate {
    /// The section that names it, in its brackets.
    pub section: &'static str,
    /// The local domains that it must name.
    pub domains: Vec<Domain>,
    /// The file of `certificate-chain`.
    pub chain: Option<PathBuf>,
    /// The file of `private-key`.
    pub key: Option<PathBuf>,
}

/// How names are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// The servers to ask; empty: the system's.
    pub nameservers: Vec<SocketAddr>,
    /// Whether a partner's name may resolve to loopback, link-local or private space.
    pub allow_private_addresses: bool,
}

/// The internal link.
#[derive(Debug)]
pub struct Gateway {
    /// Where gateways connect to.
    pub listen: Vec<SocketAddr>,
    /// The secret of the XEP-0114 handshake.
    pub secret: Secret,
    /// What the link runs on.
    pub transport: Transport,
    /// How long stanzas wait for an absent gateway before they are bounced.
    pub reconnect_grace: Duration,
    /// Whether each stanza tells the gateway which partner it is from.
    pub annotate: bool,
    /// How many links one domain may have.
    pub links_per_domain: usize,
}

/// What the internal link runs on.
#[derive(Debug)]
pub enum Transport {
    /// Plain TCP; every listen address is loopback.
    Plain,
    /// TLS in which both sides show a certificate.
    Tls(GatewayTls),
}

/// Both ends' certificates on the internal link.
#[derive(Debug)]
pub struct GatewayTls {
    /// The edge's own certificate and key.
    pub identity: Arc<CertifiedKey>,
    /// The authorities that vouch for gateways.
    pub client_anchors: Arc<RootCertStore>,
    /// Names of which a gateway's certificate must carry one; empty: any name will do.
    pub client_names: Vec<ServerName<'static>>,
}

/// Where administrators ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// The Unix socket that answers `xmpp-edge status`, `explain` and `contacts`.
    pub socket: PathBuf,
    /// Where HTTP is spoken with those who look and scrape; `None`: nowhere.
    pub listen: Option<SocketAddr>,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct Log {
    /// The form of a line.
    pub format: Format,
    /// Which events are logged.
    pub filter: Filter,
    /// Whether the bodies of messages are logged, too.
    pub message_bodies: bool,
    /// Whether lines about refused stanzas name the users.
    pub addresses: bool,
}
