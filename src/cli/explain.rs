//! `xmpp-edge explain`: the way to one partner, gone once with the daemon's own code and policy.
//!
//! Read first: [`walk`] (how the way is gone, and what is known of it), then [`verdict`] (what is
//! wrong, on whose side, what to change). The rest shows it.

mod json;
mod letter;
mod live;
mod screen;
mod verdict;
mod walk;
mod words;

use clap::ValueEnum;
use rustls::pki_types::UnixTime;
use tokio::runtime;

use self::live::Asked;
use self::screen::Screen;
use self::verdict::Verdict;
use self::walk::Walk;
use super::report::refuse;
use super::{ConfigFile, Exit, check};
use crate::config::Config;
use crate::net::daemon;
use crate::proto::auth::Pair;
use crate::proto::codes::Side;
use crate::proto::jid::Domain;

/// Say why a partner does not connect
///
/// Opens one stream to the partner, as the daemon does for a first stanza, by the same settings, and
/// shows each step: the entry of partners.toml, DNS, each address, TLS, the chain of certificates,
/// the proof, a ping. Ends with one sentence that says what is wrong, on whose side, and what to
/// change; and, if it is on the partner's, with a paragraph to send there.
///
/// Needs no running daemon, and disturbs none: nothing is listened on, nothing is kept. Run it as
/// the user that the daemon runs as.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The partner's domain
    #[arg(value_name = "DOMAIN")]
    domain: String,
    #[command(flatten)]
    file: ConfigFile,
    /// The local domain that speaks [default: the first of `domains`]
    #[arg(long, value_name = "LOCAL-DOMAIN")]
    from: Option<String>,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  xmpp-edge explain fabrikam.example
  xmpp-edge explain fabrikam.example --from eu.contoso.example
  xmpp-edge explain fabrikam.example --format json | jq .verdict

Exit status:
   0  it works
  64  the command line is wrong
  69  the fault is on the way: no answer from DNS, a host or a firewall
  71  the system cannot give what is needed; this may pass
  76  the fault is on the partner's side
  78  the fault is on this side, or the daemon has not read this configuration";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, step by step
    Text,
    /// For programs, once all is known
    Json,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Exit {
    let Ok(remote) = Domain::parse(&arguments.domain) else {
        let text = match arguments.domain.rsplit_once('@') {
            Some((_, domain)) => format!("no domain but an address: try {domain}"),
            None => format!("{} is no domain", arguments.domain),
        };
        return refuse(Exit::Usage, &text);
    };
    let mut examination = Config::examine(&arguments.file.config, UnixTime::now());
    let Some(config) = examination.config.take() else {
        super::complain(&check::problems(&examination, false));
        return Exit::Configuration;
    };
    let local = match local(arguments.from.as_deref(), &config.domains) {
        Ok(local) => local,
        Err(text) => return refuse(Exit::Usage, &text),
    };
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(Exit::System, &format!("the runtime: {error}")),
    };
    match runtime.block_on(explain(config, Pair { local, remote }, arguments.format)) {
        Ok(exit) => exit,
        Err(text) => refuse(Exit::System, &text),
    }
}

async fn explain(mut config: Config, pair: Pair, format: Format) -> Result<Exit, String> {
    let hash = config.fingerprint();
    let secret = config.dialback.without_a_file();
    config.dialback = secret.map_err(|error| error.to_string())?;
    let mut walk = Walk::new(pair, &config);
    let socket = config.admin.socket.clone();
    let edge = daemon::aside(config).map_err(|error| error.texts().join("; "))?;
    let screen = (format == Format::Text).then(Screen::of_stdout);
    if let Some(screen) = &screen {
        screen.begin(&walk);
    }
    walk.go(&edge, |walk, happened| {
        if let Some(screen) = &screen {
            screen.happened(walk, happened);
        }
    })
    .await;
    let verdict = Verdict::of(&walk);
    let asked = Asked::about(&walk.pair.remote, &socket);
    let otherwise = asked.otherwise(&walk, &hash);
    match &screen {
        Some(screen) => {
            super::print(&asked.text());
            screen.conclude(&walk, verdict.as_ref(), otherwise.as_ref());
        }
        None => super::print(&json::render(&walk, verdict.as_ref(), &asked)),
    }
    Ok(match verdict.map(|verdict| verdict.side()) {
        None if otherwise.is_some_and(|it| it.is_the_entry) => Exit::Configuration,
        None => Exit::Success,
        Some(Side::Us) => Exit::Configuration,
        Some(Side::Peer | Side::Neither) => Exit::Protocol,
        Some(Side::Network) => Exit::Unavailable,
    })
}

/// The local domain that is meant.
fn local(named: Option<&str>, domains: &[Domain]) -> Result<Domain, String> {
    let Some(named) = named else {
        let first = domains.first().cloned();
        return first.ok_or_else(|| "`domains` in edge.toml is empty".to_owned());
    };
    let domain = Domain::parse(named).ok();
    let known = domain.filter(|domain| domains.contains(domain));
    known.ok_or_else(|| {
        let all: Vec<_> = domains.iter().map(ToString::to_string).collect();
        format!(
            "{named} is not a local domain; these are: {}",
            all.join(", ")
        )
    })
}
