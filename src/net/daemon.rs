//! The life of the process: start, reload, drain.

mod error;
mod sockets;
mod stop;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::config::Config;
use crate::net::accept::{Port, accept};
use crate::net::admin::desk::Desk;
use crate::net::admin::http;
use crate::net::admin::serve::{self, Socket};
use crate::net::bounds;
use crate::net::edge::Edge;
use crate::net::io::clock;
use crate::net::prepare::{Settled, difference, later, list, prepare, settled};
use crate::net::session::driver::now;
use crate::net::session::outbound;
use crate::ops::events::{Event, Line};
use crate::ops::systemd::Listeners;
use crate::proto::words;
use crate::store::{Contacts, StoreError};

pub use error::{Remedy, StartError};
pub use sockets::BindFault;
pub use stop::DRAIN;

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
    /// Where those who look connect to, as bound.
    pub http: Option<SocketAddr>,
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
        let looked_at = sockets::open_admin(config.admin.listen, &mut passed).await;
        if let Some(address) = passed.unclaimed().first() {
            return Err(StartError::Unclaimed(*address));
        }
        let state = config.state_directory.clone();
        let socket = config.admin.socket.clone();
        let settled = settled(&config);
        let file = config.file.clone();
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
        let http = looked_at.as_ref().and_then(|it| it.local_addr().ok());
        let desk = Arc::new(Desk {
            file,
            settled: settled.clone(),
            trying: tokio::sync::Mutex::default(),
            edge: Arc::clone(&edge),
            s2s: s2s.clone(),
            gateway: gateway.clone(),
            http,
            stopping: stopped.clone(),
            began: clock::instant(),
            since: now().wall.as_secs(),
        });
        if let Some(listener) = looked_at {
            tasks.push(tokio::spawn(http::serve(listener, Arc::clone(&desk))));
        }
        match Socket::open(&socket) {
            Ok(socket) => tasks.push(tokio::spawn(serve::serve(socket, desk))),
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
                "domains {}, partners {}, s2s {}, gateway {}, admin {}, memory at most {}",
                edge.context().rules.local().len(),
                edge.context().rules.partners().len(),
                list(&s2s),
                list(&gateway),
                http.map_or_else(|| "none".to_owned(), |address| address.to_string()),
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
            http,
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
        let later = later(&self.settled, &settled(&config));
        let (context, settings) = prepare(config)?;
        let running = self.edge.settings.load_full();
        let difference = difference((&before, &running), (&context, &settings));
        let mut difference = difference.to_string();
        if !later.is_empty() {
            difference.push_str("; only with a restart: ");
            difference.push_str(&later.join(", "));
        }
        self.edge.replace(context, settings);
        self.edge.last_reload.done(later);
        Ok(difference)
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
            http: None,
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
