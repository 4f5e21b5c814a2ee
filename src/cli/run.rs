//! `xmpp-edge run`: the daemon.

mod told;

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::UnixTime;
use tokio::runtime;
use tokio::sync::oneshot;

use super::{ConfigFile, Exit, check};
use crate::config::{Config, Examination};
use crate::net::daemon::{Daemon, Remedy, StartError};
use crate::net::live::last_reload::ReloadFailure;
use crate::ops::events::{Event, Line};
use crate::ops::logging::{Filter, Logging};
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
  71  a port or a resource cannot be had; this may pass
  73  the state directory cannot be written; this may pass
  78  the configuration is refused, or something else that a human must change";

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Exit {
    // Before there is any key in memory.
    let path = &arguments.file.config;
    if let Err(error) = forbid_core_dumps() {
        let text = format!("core dumps cannot be switched off: {error}");
        return refuse_early(path, Exit::System, text);
    }
    // Before there is any other thread: this removes variables from the environment.
    let listeners = match Listeners::from_env() {
        Ok(listeners) => listeners,
        Err(error) => {
            let text = format!("the sockets of the service manager: {error}");
            return refuse_early(path, Exit::Configuration, text);
        }
    };
    let mut examination = Config::examine(path, UnixTime::now());
    let config = examination.config.take();
    let (format, filter) = match &config {
        Some(config) => (config.log.format, config.log.filter.clone()),
        // What is wrong is told where the log would be.
        None => (examination.log_format, Filter::default()),
    };
    let logging = match Logging::init(format, filter) {
        Ok(logging) => logging,
        Err(error) => return refuse(Exit::System, &error.to_string()),
    };
    let Some(config) = config else {
        return refuse_configuration(&examination, &logging);
    };
    told::log(&examination.problems);
    daemon(path, config, listeners, &logging).unwrap_or_else(|failure| failure.tell(&logging))
}

/// Why the daemon does not run.
struct Failure {
    exit: Exit,
    texts: Vec<String>,
}

impl Failure {
    /// What the system cannot give now, and may give later.
    fn of_system(text: impl ToString) -> Self {
        Self {
            exit: Exit::System,
            texts: vec![text.to_string()],
        }
    }

    /// Says it where it is read: as lines of the log, or, where the log is text, to people.
    fn tell(&self, logging: &Logging) -> Exit {
        if logging.is_text() {
            // What was logged stands before what ends it.
            logging.flush();
            for text in &self.texts {
                refuse(self.exit, text);
            }
        } else {
            for text in &self.texts {
                Line::new(Event::StartFailed).detail(text).log();
            }
        }
        self.exit
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let exit = match error.remedy() {
            Remedy::Change => Exit::Configuration,
            Remedy::System => Exit::System,
            Remedy::State => Exit::State,
        };
        let texts = error.texts();
        Self { exit, texts }
    }
}

fn refuse_configuration(examination: &Examination, logging: &Logging) -> Exit {
    if logging.is_text() {
        super::complain(&check::problems(examination, false));
    } else {
        told::log(&examination.problems);
        let summary = check::summary(examination);
        Line::new(Event::StartFailed).detail(summary).log();
    }
    Exit::Configuration
}

/// After so many turns of tasks a busy processor looks whether sockets have become ready. A turn is some
/// 100 µs (`net::session::driver`), so whoever was quiet is heard within half a millisecond; the usual
/// 61 turns would be six.
const LOOKS_AT_SOCKETS: u32 = 5;

fn daemon(
    path: &Path,
    config: Config,
    listeners: Listeners,
    logging: &Logging,
) -> Result<Exit, Failure> {
    runtime::Builder::new_multi_thread()
        .enable_all()
        .event_interval(LOOKS_AT_SOCKETS)
        .build()
        .map_err(|error| Failure::of_system(format_args!("the runtime: {error}")))?
        .block_on(serve(path, config, listeners, logging))
}

async fn serve(
    path: &Path,
    config: Config,
    listeners: Listeners,
    logging: &Logging,
) -> Result<Exit, Failure> {
    let mut signals = Signals::new().map_err(Failure::of_system)?;
    let notifier = Notifier::from_env().map_err(Failure::of_system)?;
    let daemon = Daemon::start(config, listeners).await?;
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
    let mut examination = Config::examine(path, UnixTime::now());
    told::log(&examination.problems);
    let refused = |why: String| {
        let at = UnixTime::now().as_secs();
        daemon.edge().last_reload.refused(ReloadFailure { at, why });
    };
    let Some(config) = examination.config.take() else {
        refused(check::summary(&examination));
        Line::new(Event::ReloadFailed)
            .detail(format_args!(
                "{} Nothing has changed; `xmpp-edge check --config {}` shows all.",
                check::summary(&examination),
                path.display()
            ))
            .log();
        return;
    };
    let filter = config.log.filter.clone();
    match daemon.reload(config) {
        Ok(difference) => {
            if let Err(error) = logging.set_filter(filter) {
                tracing::warn!(%error, "the log filter stays as it was");
            }
            Line::new(Event::ReloadDone).detail(difference).log();
        }
        Err(error) => {
            refused(error.to_string());
            Line::new(Event::ReloadFailed)
                .detail(format_args!("{error}; nothing has changed"))
                .log();
        }
    }
}

/// Says what goes wrong before the configuration is read, in the form that it asks for.
fn refuse_early(path: &Path, exit: Exit, text: String) -> Exit {
    let failure = Failure {
        exit,
        texts: vec![text],
    };
    match Logging::init(Config::log_format(path), Filter::default()) {
        Ok(logging) => failure.tell(&logging),
        Err(error) => refuse(Exit::System, &error.to_string()),
    }
}

fn refuse(exit: Exit, text: &str) -> Exit {
    super::complain(&format!("error: {}\n", words::of_error(&text)));
    exit
}
