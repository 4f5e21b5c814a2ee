//! One edge of the demo: the ordinary daemon with ordinary files, on a thread of its own.
//!
//! A thread each, because what an edge decides is known by the thread that says so.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use tokio::runtime;
use tokio::sync::{mpsc, oneshot};

use super::authority::{BEFORE, Validity};
use super::trouble::{During, Trouble};
use super::witness::Witness;
use crate::config::{Config, Loaded, Problems, report};
use crate::net::daemon::Daemon;
use crate::net::live::facts::Kind;
use crate::net::live::registry::Registry;
use crate::ops::counters::Ledger;
use crate::ops::events::{Event, Line};
use crate::ops::systemd::Listeners;

/// A running edge. It drains when this is dropped; [`stop`](Self::stop) waits for that.
#[derive(Debug)]
pub(super) struct DemoEdge {
    /// Where partners connect to.
    pub(super) s2s: SocketAddr,
    /// Where gateways connect to.
    pub(super) gateway: SocketAddr,
    /// Where browsers connect to.
    pub(super) http: SocketAddr,
    pub(super) ledger: Arc<Ledger>,
    /// What it decides.
    pub(super) witness: Witness,
    connections: Arc<Registry>,
    reloads: mpsc::Sender<oneshot::Sender<Result<(), Trouble>>>,
    stopped: oneshot::Receiver<()>,
}

/// What an edge says of itself once it runs.
struct Started {
    s2s: SocketAddr,
    gateway: SocketAddr,
    http: SocketAddr,
    ledger: Arc<Ledger>,
    connections: Arc<Registry>,
}

impl DemoEdge {
    /// Starts an edge with the `edge.toml` at `config`. One whose certificate has expired was
    /// started while it was valid: nothing else would make it run.
    pub(super) async fn start(config: PathBuf, validity: Validity) -> Result<Self, Trouble> {
        let what = format!("starting the edge of {}", config.display());
        let witness = Witness::default();
        let (reloads, wanted) = mpsc::channel(1);
        let (ready, started) = oneshot::channel();
        let (ended, stopped) = oneshot::channel();
        let subscriber = witness.subscriber();
        let path = config.clone();
        thread::Builder::new()
            .spawn(move || {
                let _listening = tracing::subscriber::set_default(subscriber);
                let runtime = runtime::Builder::new_current_thread().enable_all().build();
                match runtime {
                    Ok(runtime) => runtime.block_on(live(&path, validity, ready, wanted)),
                    // The other side may be gone, and then nobody wants to know.
                    Err(error) => ready.send(Err(error.to_string())).unwrap_or_default(),
                }
                ended.send(()).unwrap_or_default();
            })
            .during(&what)?;
        let started = started.await.during(&what)?.during(&what)?;
        Ok(Self {
            s2s: started.s2s,
            gateway: started.gateway,
            http: started.http,
            ledger: started.ledger,
            witness,
            connections: started.connections,
            reloads,
            stopped,
        })
    }

    /// How many gateways have a link to it.
    pub(super) fn links(&self) -> usize {
        self.connections.count(&[Kind::Link])
    }

    /// Reads the configuration again.
    pub(super) async fn reload(&self) -> Result<(), Trouble> {
        let (asked, answered) = oneshot::channel();
        let what = "reloading";
        self.reloads.send(asked).await.during(what)?;
        answered.await.during(what)?
    }

    /// Lets what is on its way arrive, then stops.
    pub(super) async fn stop(self) {
        drop(self.reloads);
        // An error says that the thread is gone, which is what is waited for.
        self.stopped.await.unwrap_or_default();
    }
}

async fn live(
    path: &Path,
    validity: Validity,
    ready: oneshot::Sender<Result<Started, String>>,
    mut wanted: mpsc::Receiver<oneshot::Sender<Result<(), Trouble>>>,
) {
    let daemon = match start(path, validity).await {
        Ok((daemon, started)) => {
            ready.send(Ok(started)).unwrap_or_default();
            daemon
        }
        Err(trouble) => return ready.send(Err(trouble.0)).unwrap_or_default(),
    };
    while let Some(asked) = wanted.recv().await {
        asked.send(reload(path, &daemon)).unwrap_or_default();
    }
    daemon.drain().await;
}

async fn start(path: &Path, validity: Validity) -> Result<(Daemon, Started), Trouble> {
    let now = UnixTime::now();
    let now = match validity {
        Validity::Current => now,
        Validity::Expired => {
            UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) - BEFORE / 2)
        }
    };
    let Loaded { config, .. } = Config::load(path, now).map_err(|wrong| all(&wrong))?;
    let daemon = Daemon::start(config, Listeners::default()).await;
    let daemon = daemon.during("starting")?;
    let bound = |addresses: &[SocketAddr]| {
        let address = addresses.first().copied();
        address.ok_or_else(|| Trouble("the edge listens nowhere".to_owned()))
    };
    let started = Started {
        s2s: bound(&daemon.s2s)?,
        gateway: bound(&daemon.gateway)?,
        http: bound(daemon.http.as_slice())?,
        ledger: Arc::clone(&daemon.edge().ledger),
        connections: Arc::clone(&daemon.edge().registry),
    };
    Ok((daemon, started))
}

/// As on SIGHUP: all or nothing.
fn reload(path: &Path, daemon: &Daemon) -> Result<(), Trouble> {
    let loaded = Config::load(path, UnixTime::now()).map_err(|wrong| all(&wrong))?;
    let difference = daemon.reload(loaded.config).during("reloading")?;
    Line::new(Event::ReloadDone).detail(difference).log();
    Ok(())
}

/// Everything that is wrong with a configuration, as `xmpp-edge check` shows it.
fn all(problems: &Problems) -> Trouble {
    let shown = problems
        .0
        .iter()
        .map(|problem| report::render(problem, false));
    Trouble(shown.collect::<Vec<_>>().join("\n\n"))
}
