//! The life of the process: start, reload, drain.

mod error;
mod sockets;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::config::{Config, Transport};
use crate::net::accept::{Port, accept};
use crate::net::admin::desk::Desk;
use crate::net::admin::serve::{self, Socket};
use crate::net::bounds;
use crate::net::drained::Left;
use crate::net::edge::{Edge, LinkSettings, Settings};
use crate::net::guard::verifications::Verifications;
use crate::net::io::clock;
use crate::net::io::resolve::DnsResolver;
use crate::net::io::tls::{Credential, LinkTls, TlsConfigs};
use crate::net::live::registry::Kind;
use crate::net::session::driver::now;
use crate::net::session::outbound;
use crate::ops::events::{Event, Line};
use crate::ops::systemd::Listeners;
use crate::proto::auth::handshake::LinkSecret;
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::stream::{Context, Timing};
use crate::proto::words;
use crate::store::{Contacts, StoreError};

pub use error::{Remedy, StartError};
pub use sockets::BindFault;

/// How long stopping may take in all: what is on its way gets this much time.
pub const DRAIN: Duration = Duration::from_secs(20);
/// How long the connections may take to give back what they hold, when there is no more time.
const ABANDON: Duration = Duration::from_secs(1);
/// How often stanzas that wait for an absent gateway are looked at.
const SWEEP: Duration = Duration::from_millis(500);

/// A running edge.
#[derive(Debug)]
pub struct Daemon {
    edge: Arc<Edge>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    /// What a reload cannot change.
    settled: Settled,
    /// Where partners connect to, as bound.
    pub s2s: Vec<SocketAddr>,
    /// Where gateways connect to, as bound.
    pub gateway: Vec<SocketAddr>,
}

impl Daemon {
    /// Opens every listener and starts to serve. `passed` are sockets that the service manager
    /// opened.
    ///
    /// # Errors
    /// [`StartError`] names what could not be had; then nothing runs.
    pub async fn start(config: Config, mut passed: Listeners) -> Result<Self, StartError> {
        let opened = sockets::open(&config, &mut passed).await;
        let bound = opened.map_err(StartError::Bind)?;
        if let Some(address) = passed.unclaimed().first() {
            return Err(StartError::Unclaimed(*address));
        }
        let state = config.state_directory.clone();
        let socket = config.admin.socket.clone();
        let settled = settled(&config);
        let held = bounds::total(&bounds::rows(&config, bounds::processors()));
        let (context, settings) = prepare(config)?;
        let contacts = open_contacts(&state)?;
        let addresses_of = |wanted: Port| -> Result<Vec<_>, StartError> {
            let of_port = bound.iter().filter(|(port, _)| *port == wanted);
            let addresses = of_port.map(|(_, listener)| listener.local_addr());
            addresses.collect::<Result<_, _>>().map_err(StartError::Io)
        };
        let (s2s, gateway) = (addresses_of(Port::Partners)?, addresses_of(Port::Gateways)?);
        let listeners = s2s.iter().chain(&gateway).copied().collect();
        let ledger = Arc::default();
        let (edge, wanted) = Edge::new(context, settings, contacts, ledger, listeners);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = vec![
            tokio::spawn(outbound::dial_all(Arc::clone(&edge), wanted)),
            tokio::spawn(sweep(Arc::clone(&edge))),
        ];
        let desk = Desk {
            edge: Arc::clone(&edge),
            s2s: s2s.clone(),
            gateway: gateway.clone(),
            stopping: stopped.clone(),
            began: clock::instant(),
            since: now().wall.as_secs(),
        };
        match Socket::open(&socket) {
            Ok(socket) => tasks.push(tokio::spawn(serve::serve(socket, Arc::new(desk)))),
            Err(error) => Line::new(Event::AdminUnserved)
                .detail(format_args!(
                    "{}: {}",
                    socket.display(),
                    words::of_error(&error)
                ))
                .log(),
        }
        for (port, listener) in bound {
            tasks.push(tokio::spawn(accept(
                Arc::clone(&edge),
                listener,
                port,
                stopped.clone(),
            )));
        }
        Line::new(Event::Started)
            .detail(format_args!(
                "domains {}, partners {}, s2s {}, gateway {}, memory at most {}",
                edge.context().rules.local().len(),
                edge.context().rules.partners().len(),
                list(&s2s),
                list(&gateway),
                bounds::in_words(held),
            ))
            .log();
        Ok(Self {
            edge,
            stop,
            tasks,
            settled,
            s2s,
            gateway,
        })
    }

    /// The running edge.
    #[must_use]
    pub fn edge(&self) -> &Arc<Edge> {
        &self.edge
    }

    /// Puts a checked configuration in force: streams that it no longer admits end, all others
    /// stay. Returns what has changed, and what would change only with a restart.
    ///
    /// # Errors
    /// [`StartError`]; then nothing has changed.
    pub fn reload(&self, config: Config) -> Result<String, StartError> {
        let before = self.edge.context();
        let later: Vec<_> = self
            .settled
            .iter()
            .zip(settled(&config))
            .filter(|(now, then)| now.1 != then.1)
            .map(|(now, _)| now.0)
            .collect();
        let (context, settings) = prepare(config)?;
        let running = self.edge.settings.load_full();
        let mut difference = difference((&before, &running), (&context, &settings));
        if !later.is_empty() {
            difference.push_str("; only with a restart: ");
            difference.push_str(&later.join(", "));
        }
        self.edge.replace(context, settings);
        Ok(difference)
    }

    /// Stops taking connections, lets what is on its way arrive, and closes every stream in the
    /// order in which stanzas flow.
    pub async fn drain(self) {
        self.drain_until(std::future::pending()).await;
    }

    /// The same, but waits no longer than `sooner`.
    pub async fn drain_until(self, sooner: impl Future<Output = ()>) {
        Line::new(Event::Stopping).log();
        let begin = clock::instant();
        self.stop.send_replace(true);
        self.edge.hub.hurry();
        let cut = tokio::select! {
            closed = timeout(DRAIN, self.close_in_order()) => {
                closed.is_err().then_some("the time was up")
            }
            () = sooner => Some("there was a second signal"),
        };
        let left = Left::now(&self.edge);
        for task in &self.tasks {
            task.abort();
        }
        self.abandon().await;
        left.report(&self.edge, cut, begin);
    }

    /// Ends every connection at once, and counts what they and the queues still hold.
    async fn abandon(&self) {
        let ending = async {
            let mut look = interval(Duration::from_millis(10));
            loop {
                look.tick().await;
                // First the hub: whoever ends from here on bounces nothing that nobody would read.
                self.edge.hub.abandon();
                self.edge.registry.abort_all();
                let live = self.edge.registry.count(&Kind::ALL);
                if live == 0 && self.edge.hub.is_idle() {
                    return;
                }
            }
        };
        // Each task only has to be woken; one that is not says so in the ledger.
        timeout(ABANDON, ending).await.unwrap_or_default();
    }

    async fn close_in_order(&self) {
        let registry = &self.edge.registry;
        registry.end_all(Kind::Inbound, &Reason::Shutdown);
        registry.none_left(Kind::Inbound).await;
        if registry.count(&[Kind::Link]) > 0 {
            self.idle().await;
        } else {
            // A gateway that is away will not come back in time.
            self.edge.hub.sweep(Duration::ZERO);
        }
        registry.end_all(Kind::Link, &Reason::Shutdown);
        registry.none_left(Kind::Link).await;
        self.idle().await;
        registry.end_all(Kind::Outbound, &Reason::Shutdown);
        registry.none_left(Kind::Outbound).await;
    }

    /// Waits for empty queues, for a while.
    async fn idle(&self) {
        let empty = async {
            let mut look = interval(Duration::from_millis(20));
            while !self.edge.hub.is_idle() {
                look.tick().await;
            }
        };
        // What does not leave in this time is counted at the end.
        timeout(DRAIN / 3, empty).await.unwrap_or_default();
    }
}

#[cfg(test)]
impl Daemon {
    /// Around an edge that has no listeners, and the tasks that run in it.
    pub(in crate::net) fn around(edge: Arc<Edge>, tasks: Vec<JoinHandle<()>>) -> Self {
        Self {
            edge,
            stop: watch::Sender::new(false),
            tasks,
            settled: std::array::from_fn(|_| ("", String::new())),
            s2s: Vec::new(),
            gateway: Vec::new(),
        }
    }
}

/// An edge as a start would make it, that takes no connections, keeps nothing and runs no tasks: for
/// a look at the way to a partner. It knows its listen addresses, as those of the running daemon.
///
/// # Errors
/// [`StartError`] names what could not be had.
pub fn aside(config: Config) -> Result<Arc<Edge>, StartError> {
    let listeners = config.s2s.listen.iter().chain(&config.gateway.listen);
    let listeners = listeners.copied().collect();
    let (context, settings) = prepare(config)?;
    let contacts = Contacts::kept_nowhere();
    // Nobody sends a stanza, so nobody wishes for a stream.
    let (edge, _) = Edge::new(context, settings, contacts, Arc::default(), listeners);
    Ok(edge)
}

/// Opens what local users have added; a damaged file is told of, loudly.
fn open_contacts(directory: &Path) -> Result<Contacts, StoreError> {
    let opened = Contacts::open(directory)?;
    if let Some(set_aside) = opened.set_aside {
        Line::new(Event::ContactsSetAside).detail(set_aside).log();
    }
    Ok(opened.contacts)
}

/// Makes what the tasks need out of a checked configuration.
fn prepare(config: Config) -> Result<(Context, Settings), StartError> {
    let others = config
        .domains
        .iter()
        .map(|domain| Credential {
            domains: vec![domain.clone()],
            certified: Arc::clone(config.identities.of(domain)),
        })
        .collect();
    let default = Credential {
        domains: Vec::new(),
        certified: Arc::clone(config.identities.default_identity()),
    };
    let secret = std::str::from_utf8(config.gateway.secret.expose())
        .map_err(|_| StartError::LinkSecret)?
        .to_owned();
    let (link_tls, client_names) = match &config.gateway.transport {
        Transport::Plain => (None, Vec::new()),
        Transport::Tls(tls) => {
            let anchors = Arc::clone(&tls.client_anchors);
            let link = LinkTls::new(
                Arc::clone(&tls.identity),
                anchors,
                config.tls.minimum_version,
            )?;
            let names = tls
                .client_names
                .iter()
                .filter_map(|name| Domain::parse(&name.to_str()).ok())
                .collect();
            (Some(Arc::new(link)), names)
        }
    };
    let shown = std::iter::once(config.identities.default_identity())
        .chain(
            config
                .domains
                .iter()
                .map(|local| config.identities.of(local)),
        )
        .map(|identity| identity.cert.clone())
        .collect();
    let settings = Settings {
        fingerprint: config.fingerprint(),
        partners_file: config.partners_file,
        loaded: now().wall.as_secs(),
        shown,
        tls: TlsConfigs::new(default, others, config.tls.minimum_version)?,
        resolver: Arc::new(DnsResolver::new(&config.dns.nameservers)?),
        allow_private_addresses: config.dns.allow_private_addresses,
        message_bodies: config.log.message_bodies,
        log_addresses: config.log.addresses,
        admission: config.admission,
        verifications: Arc::new(Verifications::new(
            config.admission.questions_at_once,
            config.admission.questions_at_once_per_domain,
        )),
        connection_limit: config.s2s.connection_limit,
        queue_bytes: config.s2s.queue_bytes,
        dials: config.s2s.dials,
        contact_limit: config.contact_limit,
        reconnect_grace: config.gateway.reconnect_grace,
        link: LinkSettings {
            secret: Arc::new(LinkSecret::new(secret)),
            tls: link_tls,
            client_names,
            per_domain: config.gateway.links_per_domain,
        },
    };
    let context = Context {
        rules: config.rules,
        anchors: config.tls.anchors,
        dialback: config.dialback.open()?,
        timing: Timing {
            establishment: config.s2s.establishment_timeout,
            inactivity: config.s2s.inactivity_timeout,
            keep_alive: config.s2s.keep_alive_interval,
        },
        unproven: config.unproven,
        max_stanza_bytes: config.s2s.max_stanza_bytes,
        max_stanza_depth: config.s2s.max_stanza_depth,
        pairs_per_stream: config.s2s.pairs_per_stream,
        annotate: config.gateway.annotate,
    };
    Ok((context, settings))
}

/// What a reload changes, in one line.
fn difference(before: (&Context, &Settings), after: (&Context, &Settings)) -> String {
    let (old, new) = (before.0, after.0);
    let partners = old.rules.difference(&new.rules);
    let (old_shell, new_shell) = (before.1, after.1);
    let others = [
        ("trust anchors", old.anchors != new.anchors),
        ("certificates", old_shell.shown != new_shell.shown),
        (
            "the link's secret",
            old_shell.link.secret != new_shell.link.secret,
        ),
        ("annotate", old.annotate != new.annotate),
        (
            "message-bodies",
            old_shell.message_bodies != new_shell.message_bodies,
        ),
        (
            "[log] addresses",
            old_shell.log_addresses != new_shell.log_addresses,
        ),
        (
            "pairs-per-stream",
            old.pairs_per_stream != new.pairs_per_stream,
        ),
        (
            "queue-bytes",
            old_shell.queue_bytes != new_shell.queue_bytes,
        ),
        ("dials-at-once", old_shell.dials != new_shell.dials),
        (
            "contact-limit",
            old_shell.contact_limit != new_shell.contact_limit,
        ),
        ("timeouts", old.timing != new.timing),
        (
            "max-stanza-depth",
            old.max_stanza_depth != new.max_stanza_depth,
        ),
        (
            "admission",
            old_shell.admission != new_shell.admission || old.unproven != new.unproven,
        ),
    ];
    let others = others.into_iter().filter(|(_, differs)| *differs);
    let all: Vec<_> = Some(partners.as_str())
        .filter(|text| !text.is_empty())
        .into_iter()
        .chain(others.map(|(name, _)| name))
        .collect();
    if all.is_empty() {
        "partners and certificates are as they were".to_owned()
    } else {
        all.join(", ")
    }
}

/// The keys that are read at the start and not again, with their values.
type Settled = [(&'static str, String); 5];

fn settled(config: &Config) -> Settled {
    [
        ("[s2s] listen", list(&config.s2s.listen)),
        ("[gateway] listen", list(&config.gateway.listen)),
        (
            "state-directory",
            config.state_directory.display().to_string(),
        ),
        ("[admin] socket", config.admin.socket.display().to_string()),
        ("[log] format", format!("{:?}", config.log.format)),
    ]
}

/// Bounces what waits too long for a gateway.
pub(in crate::net) async fn sweep(edge: Arc<Edge>) {
    let mut tick = interval(SWEEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let grace = edge.settings.load().reconnect_grace;
        edge.hub.sweep(grace);
    }
}

fn list(addresses: &[SocketAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    texts.join(", ")
}
