//! What all connection tasks share, and what a reload replaces.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::pki_types::CertificateDer;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::net::guard::admission::Door;
use crate::net::guard::handshakes::HandshakeLimiter;
use crate::net::guard::places::{Limits, Places};
use crate::net::guard::verifications::Verifications;
use crate::net::io::chance;
use crate::net::io::resolve::DnsResolver;
use crate::net::io::tls::{LinkTls, TlsConfigs};
use crate::net::live::attempts::Attempts;
use crate::net::live::knocks::Knocks;
use crate::net::live::last_reload::LastReload;
use crate::net::live::log_limiter::LogLimiter;
use crate::net::live::refused_link::LastRefused;
use crate::net::live::registry::Registry;
use crate::net::live::sessions::Sessions;
use crate::net::live::traces::Traces;
use crate::net::relay::hub::Hub;
use crate::net::relay::pair_queues::Wish;
use crate::ops::counters::Ledger;
use crate::proto::auth::chain::TlsVersion;
use crate::proto::auth::handshake::LinkSecret;
use crate::proto::jid::{BareJid, Domain};
use crate::proto::policy::{AdmissionLimits, DialLimits};
use crate::proto::stream::{Context, IdSource};
use crate::store::{Certificates, Contacts};

/// The running edge, as its tasks see it.
#[derive(Debug)]
pub struct Edge {
    /// Where stanzas meet.
    pub hub: Hub,
    /// Where each is counted, so that none is lost.
    pub ledger: Arc<Ledger>,
    /// The live connections.
    pub registry: Arc<Registry>,
    /// The count of connections from outside.
    pub door: Arc<Door>,
    /// The count of connections to the gateway's port that have proven nothing yet.
    pub link_door: Arc<Door>,
    /// Bounds what the handshakes of strangers may compute at once.
    pub handshakes: HandshakeLimiter,
    /// Bounds the partners that are dialled at once.
    pub dials: Arc<Places<BareJid>>,
    /// Bounds the streams of ours that have failed and still say goodbye.
    pub goodbyes: Arc<Semaphore>,
    /// What the last attempts of each partner met.
    pub attempts: Attempts,
    /// The unknown domains that knocked.
    pub knocks: Knocks,
    /// The last gateway that was refused.
    pub refused_link: LastRefused,
    /// What the last reload has left undone.
    pub last_reload: LastReload,
    /// What was logged lately.
    pub log_limiter: Arc<LogLimiter>,
    /// Sessions whose connection was lost, and which may be resumed.
    pub sessions: Arc<Sessions>,
    /// Who watches the streams of a partner.
    pub traces: Arc<Traces>,
    /// Our own listeners, as bound.
    listeners: Vec<SocketAddr>,
    /// Whom local users have added.
    pub contacts: Contacts,
    /// What certificates partners have shown.
    pub certificates: Certificates,
    /// What machines decide by.
    pub context: watch::Sender<Arc<Context>>,
    /// What the shell needs besides, replaced whole on a reload.
    pub settings: ArcSwap<Settings>,
    /// Where partners are found instead of on the network.
    #[cfg(test)]
    pub network: std::sync::OnceLock<Arc<dyn crate::net::io::transport::memory::Network>>,
}

/// The shell's own settings.
#[derive(Debug)]
pub struct Settings {
    /// TLS with partners.
    pub tls: TlsConfigs,
    /// The chains that partners see, by the order of the local domains.
    pub shown: Vec<Vec<CertificateDer<'static>>>,
    /// How names are looked up.
    pub resolver: Arc<DnsResolver>,
    /// Whether DNS may lead to loopback, link-local or private space.
    pub allow_private_addresses: bool,
    /// Whether the bodies of messages are logged.
    pub message_bodies: bool,
    /// Whether lines about refused stanzas name the users.
    pub log_addresses: bool,
    /// What connections may hold before they have proven anything.
    pub admission: AdmissionLimits,
    /// Bounds the questions to authoritative servers.
    pub verifications: Arc<Verifications>,
    /// Live streams with partners in all.
    pub connection_limit: usize,
    /// How much may wait in all queues together, in bytes.
    pub queue_bytes: usize,
    /// How many partners are dialled at once.
    pub dials: DialLimits,
    /// How many contacts each local user may have.
    pub contact_limit: usize,
    /// How long stanzas wait for an absent gateway.
    pub reconnect_grace: Duration,
    /// One word for what the configuration means.
    pub fingerprint: String,
    /// The file of the partners.
    pub partners_file: PathBuf,
    /// When all this was read, in Unix time.
    pub loaded: u64,
    /// What gateways must know and show.
    pub link: LinkSettings,
}

/// What gateways must know and show.
#[derive(Debug)]
pub struct LinkSettings {
    /// The secret of XEP-0114.
    pub secret: Arc<LinkSecret>,
    /// Mutual TLS; `None` for plain TCP on loopback.
    pub tls: Option<Arc<LinkTls>>,
    /// The chain that gateways see; empty for plain TCP.
    pub shown: Vec<CertificateDer<'static>>,
    /// Names of which a gateway's certificate must have one; empty: any.
    pub client_names: Vec<Domain>,
    /// How many links one domain may have.
    pub per_domain: usize,
}

/// The pairs that want a stream.
pub type Wanted = mpsc::Receiver<Wish>;

/// How many failed streams may say goodbye at the same time.
pub(super) const GOODBYES: usize = 64;

/// How many pairs may wait for the dialler to hear of them.
const MAX_WANTED: usize = 1024;

impl Edge {
    /// An edge without connections that has these listeners, and what its dialler is to listen to.
    #[must_use]
    pub fn new(
        context: Context,
        settings: Settings,
        contacts: Contacts,
        ledger: Arc<Ledger>,
        listeners: Vec<SocketAddr>,
    ) -> (Arc<Self>, Wanted) {
        contacts.limit_each(settings.contact_limit);
        let context = Arc::new(context);
        let (wish, wanted) = mpsc::channel(MAX_WANTED);
        let log_limiter = Arc::<LogLimiter>::default();
        let edge = Self {
            hub: Hub::new(
                Arc::clone(&ledger),
                Arc::clone(&log_limiter),
                Arc::clone(&context),
                contacts.clone(),
                wish,
            ),
            ledger,
            registry: Arc::default(),
            door: Arc::default(),
            link_door: Arc::default(),
            handshakes: HandshakeLimiter::default(),
            dials: Arc::new(Places::new(of_dials(settings.dials))),
            goodbyes: Arc::new(Semaphore::new(GOODBYES)),
            attempts: Attempts::default(),
            knocks: Knocks::default(),
            refused_link: LastRefused::default(),
            last_reload: LastReload::default(),
            log_limiter,
            sessions: Arc::default(),
            traces: Arc::default(),
            listeners,
            certificates: contacts.certificates(),
            contacts,
            context: watch::Sender::new(context),
            settings: ArcSwap::from_pointee(settings),
            #[cfg(test)]
            network: std::sync::OnceLock::new(),
        };
        edge.hub.set_queue_bytes(edge.settings.load().queue_bytes);
        edge.hub.log_bodies(edge.settings.load().message_bodies);
        edge.hub.log_addresses(edge.settings.load().log_addresses);
        (Arc::new(edge), wanted)
    }

    /// The rules and limits in force.
    #[must_use]
    pub fn context(&self) -> Arc<Context> {
        Arc::clone(&self.context.borrow())
    }

    /// The oldest TLS that a partner's own entry admits, if it is a partner.
    #[must_use]
    pub fn minimum_tls(&self, remote: &Domain) -> Option<TlsVersion> {
        let context = self.context.borrow();
        let partner = context.rules.partner_of(remote)?;
        Some(partner.terms.minimum_tls)
    }

    /// Whether a connection from `here` to `address` ends at one of our own listeners.
    #[must_use]
    pub fn is_own(&self, here: IpAddr, address: SocketAddr) -> bool {
        self.listeners.iter().any(|own| is_at(*own, here, address))
    }

    /// Puts a new configuration in force: every stream judges itself again, and those that the
    /// limits leave no room for are told to end.
    pub fn replace(&self, context: Context, settings: Settings) {
        let context = Arc::new(context);
        self.hub.log_bodies(settings.message_bodies);
        self.hub.log_addresses(settings.log_addresses);
        self.contacts.limit_each(settings.contact_limit);
        self.hub.set_queue_bytes(settings.queue_bytes);
        self.dials.set_limits(of_dials(settings.dials));
        self.settings.store(Arc::new(settings));
        self.hub.replace(Arc::clone(&context));
        self.context.send_replace(Arc::clone(&context));
        self.registry.renew_all();
        self.registry.enforce(&context.rules);
        self.hub.backoff.clear();
        let rules = &context.rules;
        let all = || rules.partners().iter().chain(rules.default_partner());
        self.attempts
            .retain(|partner| all().any(|it| it.primary == *partner));
        self.knocks
            .forget(|domain| rules.partner_of(domain).is_some());
    }
}

/// Whether a listener takes the connection from `here` to `address`.
fn is_at(listener: SocketAddr, here: IpAddr, address: SocketAddr) -> bool {
    let there = address.ip().to_canonical();
    let ip = listener.ip();
    listener.port() == address.port()
        && if ip.is_unspecified() {
            // Any address of this host: from itself to itself. `::` takes IPv4, too.
            here.to_canonical() == there && (ip.is_ipv6() || there.is_ipv4())
        } else {
            ip.to_canonical() == there
        }
}

fn of_dials(limits: DialLimits) -> Limits {
    Limits {
        in_all: limits.in_all,
        per_partner: limits.per_partner,
    }
}

/// Stream ids out of fresh randomness.
///
/// # Errors
/// When the operating system has none to give: then no stream may be named.
pub fn fresh_ids() -> Result<IdSource, getrandom::Error> {
    let mut seed = [0; 32];
    chance::fill(&mut seed)?;
    Ok(IdSource::new(seed))
}

/// A number in 0..1, for spreading what would otherwise happen at once.
#[must_use]
pub fn jitter() -> f64 {
    let mut random = [0; 4];
    chance::fill(&mut random).unwrap_or_default();
    f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_known_by_its_address_and_one_of_all_addresses_by_where_we_come_from() {
        for (listener, here, address, want) in [
            ("192.0.2.7:5269", "192.0.2.7", "192.0.2.7:5269", true),
            ("192.0.2.7:5269", "192.0.2.7", "192.0.2.7:5270", false),
            ("192.0.2.7:5269", "192.0.2.7", "192.0.2.8:5269", false),
            ("[::]:5269", "192.0.2.7", "192.0.2.7:5269", true),
            ("[::]:5269", "2001:db8::7", "[2001:db8::7]:5269", true),
            ("[::]:5269", "192.0.2.7", "198.51.100.1:5269", false),
            ("0.0.0.0:5269", "192.0.2.7", "192.0.2.7:5269", true),
            ("0.0.0.0:5269", "::1", "[::1]:5269", false),
            (
                "[::ffff:192.0.2.7]:5269",
                "192.0.2.9",
                "192.0.2.7:5269",
                true,
            ),
        ] {
            let got = is_at(
                listener.parse().unwrap(),
                here.parse().unwrap(),
                address.parse().unwrap(),
            );
            assert_eq!(got, want, "{listener} {here} {address}");
        }
    }

    #[test]
    fn no_two_streams_are_named_alike_nor_by_the_same_seed() {
        let [mut one, mut other] = [fresh_ids().unwrap(), fresh_ids().unwrap()];
        assert_ne!(one.next_id(), other.next_id());
    }
}
