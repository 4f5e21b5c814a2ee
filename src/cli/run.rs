//! `xmpp-edge run`: the daemon.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::UnixTime;
use tokio::runtime;
use tokio::sync::oneshot;

use super::{ConfigFile, Exit};
use crate::config::{Config, Loaded, report};
use crate::net::daemon::Daemon;
use crate::ops::events::{Event, Line};
use crate::ops::logging::Logging;
use crate::ops::memory::forbid_core_dumps;
use crate::ops::signals::{Signal, Signals};
use crate::ops::systemd::{Listeners, Notifier};
use crate::proto::words;

/// Run the daemon
///
/// Stays in the foreground and logs to the journal, or to standard error. SIGHUP reads partners
/// and certificates again, all or nothing; SIGTERM lets what is on its way arrive and stops; a
/// second SIGTERM stops at once.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
}

const EXAMPLES: &str = "\
Examples:
  xmpp-edge run --config ./edge.toml
          In a terminal: the log is on standard error
  systemctl enable --now xmpp-edge
          As a service, with the unit in config/
  xmpp-edge check && systemctl reload xmpp-edge
          After a change of partners.toml, edge.toml or a certificate

Exit status:
   0  it was told to stop
  64  the command line is wrong
  78  the configuration is refused, or a listen address cannot be had";

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Exit {
    // Before there is any key in memory.
    if let Err(error) = forbid_core_dumps() {
        return refuse(&format!("core dumps cannot be switched off: {error}"));
    }
    // Before there is any other thread: this removes variables from the environment.
    let listeners = match Listeners::from_env() {
        Ok(listeners) => listeners,
        Err(error) => return refuse(&format!("the sockets of the service manager: {error}")),
    };
    let Loaded { config, warnings } = match Config::load(&arguments.file.config, UnixTime::now()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            for problem in &problems.0 {
                super::complain(&report::render(problem, false));
            }
            return Exit::Configuration;
        }
    };
    let logging = match Logging::init(config.log.format, config.log.filter.clone()) {
        Ok(logging) => logging,
        Err(error) => return refuse(&error.to_string()),
    };
    for warning in &warnings {
        tracing::warn!(code = warning.code, "{}", warning.message);
    }
    daemon(&arguments.file.config, config, listeners, &logging).unwrap_or_else(|problem| {
        // What was logged stands before what ends it.
        logging.flush();
        refuse(&problem)
    })
}

fn daemon(
    path: &Path,
    config: Config,
    listeners: Listeners,
    logging: &Logging,
) -> Result<Exit, String> {
    runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime: {error}"))?
        .block_on(serve(path, config, listeners, logging))
}

async fn serve(
    path: &Path,
    config: Config,
    listeners: Listeners,
    logging: &Logging,
) -> Result<Exit, String> {
    let mut signals = Signals::new().map_err(|error| error.to_string())?;
    let notifier = Notifier::from_env().map_err(|error| error.to_string())?;
    let daemon = Daemon::start(config, listeners).await;
    let daemon = daemon.map_err(|error| error.to_string())?;
    logging.count_losses(Arc::clone(&daemon.edge().ledger));
    let mut watchdog = notifier.watchdog();
    notifier.ready();
    loop {
        tokio::select! {
            () = watchdog.beat() => {}
            signal = signals.next() => match signal {
                Signal::Reload => {
                    notifier.reloading();
                    reload(path, &daemon, logging);
                    notifier.ready();
                }
                Signal::Drain => break,
                Signal::Stop => return Ok(Exit::Success),
            },
        }
    }
    notifier.stopping();
    let (sooner, told) = oneshot::channel();
    let mut sooner = Some(sooner);
    let drain = daemon.drain_until(async {
        if told.await.is_err() {
            std::future::pending().await
        }
    });
    tokio::pin!(drain);
    loop {
        tokio::select! {
            () = &mut drain => return Ok(Exit::Success),
            () = watchdog.beat() => {}
            signal = signals.next() => if signal == Signal::Stop
                && let Some(sooner) = sooner.take()
            {
                // It may be over this very moment.
                sooner.send(()).unwrap_or_default();
            },
        }
    }
}

/// Reads everything again; if anything is wrong, nothing changes and the log says what.
fn reload(path: &Path, daemon: &Daemon, logging: &Logging) {
    let loaded = match Config::load(path, UnixTime::now()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            for problem in &problems.0 {
                Line::new(Event::ReloadFailed)
                    .reason(problem.code)
                    .detail(format_args!(
                        "{}:{}:{}: {}",
                        problem.place.file().display(),
                        problem.place.line(),
                        problem.place.column(),
                        problem.message
                    ))
                    .log();
            }
            return;
        }
    };
    let filter = loaded.config.log.filter.clone();
    match daemon.reload(loaded.config) {
        Ok(difference) => {
            if let Err(error) = logging.set_filter(filter) {
                tracing::warn!(%error, "the log filter stays as it was");
            }
            Line::new(Event::ReloadDone).detail(difference).log();
        }
        Err(error) => Line::new(Event::ReloadFailed).detail(error).log(),
    }
}

fn refuse(text: &str) -> Exit {
    super::complain(&format!("error: {}\n", words::of_error(&text)));
    Exit::Configuration
}
