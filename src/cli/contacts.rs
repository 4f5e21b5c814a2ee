//! `xmpp-edge contacts`: whom local users have added, listed and edited.

mod access;

use std::fmt::Write as _;

use clap::{Subcommand, ValueEnum};
use rustls::pki_types::UnixTime;
use serde::Serialize;

use self::access::{Access, Refusal};
use super::report::paragraph;
use super::{ConfigFile, Exit};
use crate::config::Config;
use crate::config::report::{self, WIDTH};
use crate::net::admin::nearest;
use crate::net::admin::protocol::Entry;
use crate::proto::jid::{Domain, Jid};
use crate::proto::policy::Rules;
use crate::proto::words;

/// List and edit the contacts that local users have added
///
/// A user of a public-unverified partner may write to a local user only once the local user has added them as a
/// contact. The daemon learns contacts from subscriptions that pass outward; here they are seen
/// and put right. Works while the daemon runs, and while it does not.
///
/// Run it as the user that the daemon runs as, or as root.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

const EXAMPLES: &str = "\
Examples:
  xmpp-edge contacts list
  xmpp-edge contacts list --format json | jq -r '.contacts[].remote'
  xmpp-edge contacts add anne@contoso.example bob@chat.example
  xmpp-edge contacts remove anne@contoso.example bob@chat.example

Exit status:
   0  it went well, whether anything had to be changed or not
  64  the command line is wrong: no address, or not of a local domain
  69  the contacts cannot be reached or written
  78  the configuration is refused";

#[derive(Debug, Subcommand)]
enum Action {
    /// Show all contacts, ordered by local user
    List {
        #[command(flatten)]
        file: ConfigFile,
        /// The form of the list
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Add a contact, as if the local user had
    Add(Pair),
    /// Remove a contact, as if the local user had
    Remove(Pair),
}

#[derive(Debug, clap::Args)]
struct Pair {
    /// The user here, such as anne@contoso.example
    local: String,
    /// The user at the partner's, such as bob@chat.example
    remote: String,
    #[command(flatten)]
    file: ConfigFile,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Exit {
    let done = match &arguments.action {
        Action::List { file, format } => list(file, *format),
        Action::Add(pair) => change(pair, true),
        Action::Remove(pair) => change(pair, false),
    };
    match done {
        Ok(text) => {
            super::print(&text);
            Exit::Success
        }
        Err((exit, text)) => {
            super::complain(&text);
            exit
        }
    }
}

type Done = Result<String, (Exit, String)>;

fn list(file: &ConfigFile, format: Format) -> Done {
    let config = load(file)?;
    let entries = Access::open(&config)
        .and_then(|mut access| access.list())
        .map_err(unavailable)?;
    Ok(match format {
        Format::Text => text(&entries),
        Format::Json => json(&entries),
    })
}

fn change(pair: &Pair, present: bool) -> Done {
    let (local, remote) = (address(&pair.local)?, address(&pair.remote)?);
    if present {
        // A domain alone may be added, if it looks like one: services have no user before the `@`.
        let is_service = pair.remote.contains('.');
        for (text, jid, may_be_domain) in [
            (&pair.local, &local, false),
            (&pair.remote, &remote, is_service),
        ] {
            if jid.local().is_none() && !may_be_domain {
                return Err(no_address(text, "there is no user before an `@`"));
            }
        }
    }
    let config = load(&pair.file)?;
    // What is of no use any more may still be removed.
    if present && !config.domains.contains(local.domain()) {
        let domains: Vec<_> = config
            .domains
            .iter()
            .map(|domain| domain.as_str())
            .collect();
        return Err(usage(&format!(
            "{} is not a local domain: the local user comes first, at {}",
            local.domain(),
            domains.join(" or ")
        )));
    }
    let note = on_partner(remote.domain(), &config.rules);
    let entry = Entry {
        local: local.normal_bare().to_string(),
        remote: remote.normal_bare().to_string(),
    };
    let changed = Access::open(&config)
        .and_then(|mut access| access.change(&entry, present))
        .map_err(unavailable)?;
    let Entry { local, remote } = entry;
    Ok(match (present, changed) {
        (true, true) => format!("{local} now has {remote} as a contact.\n{note}"),
        (true, false) => format!("{local} had {remote} as a contact already.\n"),
        (false, true) => format!("{local} no longer has {remote} as a contact.\n"),
        (false, false) => format!("{local} does not have {remote} as a contact.\n"),
    })
}

/// What is to be said of the domain of a new contact, where no entry covers it.
fn on_partner(domain: &Domain, rules: &Rules) -> String {
    if rules.partner_of(domain).is_some() {
        return String::new();
    }
    let note = format!(
        "note: no entry of the partner file covers {domain}: nothing passes to it or from it until one does"
    );
    let end = match nearest::listed(domain.as_str(), rules) {
        Some(near) => format!("; did you mean {near}?"),
        None => ".".to_owned(),
    };
    paragraph(&(note + &end), "", WIDTH)
}

fn address(text: &str) -> Result<Jid, (Exit, String)> {
    Jid::parse(text).map_err(|error| no_address(text, &error.to_string()))
}

fn no_address(text: &str, why: &str) -> (Exit, String) {
    usage(&format!("`{text}` is no address (user@domain): {why}"))
}

fn load(file: &ConfigFile) -> Result<Config, (Exit, String)> {
    Config::load(&file.config, UnixTime::now())
        .map(|loaded| loaded.config)
        .map_err(|problems| {
            let screens = problems.0.iter();
            let texts: String = screens
                .map(|problem| format!("{}\n", report::render(problem, false)))
                .collect();
            (Exit::Configuration, texts)
        })
}

fn usage(text: &str) -> (Exit, String) {
    (Exit::Usage, error(text))
}

fn unavailable(refusal: Refusal) -> (Exit, String) {
    (Exit::Unavailable, error(&words::of_error(&refusal)))
}

fn error(text: &str) -> String {
    paragraph(&format!("error: {text}"), "", WIDTH)
}

/// Longer addresses take a line of their own.
const LOCAL_WIDTH: usize = 36;

fn text(entries: &[Entry]) -> String {
    let heading = "Local user";
    let length = |entry: &Entry| entry.local.chars().count();
    let width = entries
        .iter()
        .map(length)
        .filter(|length| *length <= LOCAL_WIDTH)
        .fold(heading.len(), usize::max);
    let mut text = String::new();
    if !entries.is_empty() {
        text = format!("{heading:width$}  Contact\n");
    }
    for entry in entries {
        let Entry { local, remote } = entry;
        // Writing to a string does not fail.
        if length(entry) > width {
            writeln!(text, "{local}\n{:width$}  {remote}", "").unwrap_or_default();
        } else {
            writeln!(text, "{local:width$}  {remote}").unwrap_or_default();
        }
    }
    text.push_str(&match entries.len() {
        0 => "No contacts.\n".to_owned(),
        1 => "\n1 contact.\n".to_owned(),
        number => format!("\n{number} contacts.\n"),
    });
    text
}

/// The contract of `--format json`.
#[derive(Serialize)]
struct Report<'e> {
    contacts: &'e [Entry],
}

fn json(entries: &[Entry]) -> String {
    let report = Report { contacts: entries };
    let mut text = serde_json::to_string_pretty(&report).unwrap_or_default();
    text.push('\n');
    text
}
