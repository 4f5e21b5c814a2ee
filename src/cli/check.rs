//! `xmpp-edge check`: what a configuration means, and everything that is wrong with it.

mod json;
mod running;

use std::io::IsTerminal as _;

use clap::ValueEnum;
use rustls::pki_types::UnixTime;

use super::{ConfigFile, Exit};
use crate::config::{
    Config, Examination, PartnerSummary, Problem, ROOM_LABELS, Severity, User, report,
};
use crate::net::bounds;
use crate::proto::auth::certificate::{CertFacts, utc};
use crate::proto::jid::Domain;
use crate::proto::policy::Method;

/// Check the configuration, the partners and the certificates
///
/// Shows for each partner the methods that its settings leave, and every problem of all files at
/// once, each with its place and what to do. The report goes to standard output. No connection is
/// made, and nothing is written but a file in the state directory, which is removed at once.
///
/// Run it as the user that the daemon runs as: keys and secrets are read too. Run as root, it warns
/// of what that user cannot read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Ask the running daemon what a reload would do; nothing changes
    #[arg(long, conflicts_with = "user")]
    running: bool,
    /// The user that the daemon runs as [default, as root: xmpp-edge]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  xmpp-edge check
  xmpp-edge check --format json | jq '.errors[] | .file, .line, .message'
  xmpp-edge check --running
  xmpp-edge check && systemctl reload xmpp-edge

Methods, strongest first:
  sasl-external  a certificate that names the partner, over TLS
  tls-dialback   server dialback over TLS
  tcp-dialback   server dialback in the clear

Exit status:
   0  the configuration can be used; there may be warnings
  64  the command line is wrong
  69  with --running: the daemon does not answer
  78  the configuration is refused, or the reload would be";

/// Whom the unit in `config/` runs the daemon as.
const DAEMON_USER: &str = "xmpp-edge";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Exit {
    if arguments.running {
        return match arguments.file.socket() {
            Ok(socket) => running::run(&socket, arguments.format),
            Err(text) => {
                super::complain(&format!("error: {text}\n"));
                Exit::Usage
            }
        };
    }
    let user = match &arguments.user {
        Some(name) => match User::named(name) {
            Some(user) => Some(user),
            None => {
                super::complain(&format!("error: there is no user {name} on this system\n"));
                return Exit::Usage;
            }
        },
        None if rustix::process::geteuid().is_root() => User::named(DAEMON_USER),
        None => None,
    };
    let mut examination = Config::examine(&arguments.file.config, UnixTime::now());
    examination.try_state_directory();
    if let Some(user) = user {
        examination.try_as(&user);
    }
    let text = match arguments.format {
        Format::Text => {
            let colours = std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            text(&examination, colours)
        }
        Format::Json => json::render(&examination),
    };
    super::print(&text);
    match examination.config {
        Some(_) => Exit::Success,
        None => Exit::Configuration,
    }
}

fn text(examination: &Examination, colours: bool) -> String {
    let mut text = String::new();
    if let Some(config) = &examination.config {
        locals(&mut text, config);
        anchors(&mut text, config);
        memory(&mut text, config);
    }
    partners(&mut text, examination);
    if examination.config.is_some() {
        in_the_clear(&mut text, examination);
        rooms(&mut text, examination);
    }
    text.push_str(&problems(examination, colours));
    text
}

/// Every problem with a line between them, and the summary.
pub(super) fn problems(examination: &Examination, colours: bool) -> String {
    let mut text = String::new();
    for problem in &examination.problems {
        text.push_str(&report::render(problem, colours));
        text.push_str("\n\n");
    }
    text.push_str(&summary(examination));
    text.push('\n');
    text
}

/// Longer domains take a line of their own.
const DOMAIN_WIDTH: usize = 26;

fn locals(text: &mut String, config: &Config) {
    let heading = "Local domain";
    let width = width(heading, config.domains.iter());
    row(text, width, heading, "Certificate", "");
    for domain in &config.domains {
        let leaf = config.identities.of(domain).end_entity_cert().ok();
        let until = leaf
            .and_then(CertFacts::of)
            .map(|facts| format!("valid until {}", utc(facts.not_after)))
            .unwrap_or_default();
        row(text, width, &domain.to_string(), &until, "");
    }
    text.push('\n');
}

/// Who may vouch for partners, and which certificates count only for themselves.
fn anchors(text: &mut String, config: &Config) {
    let own = config.rules.partners().iter();
    let own = own.filter_map(|it| Some((format!(" of {}", it.primary), it.anchors.as_ref()?)));
    for (whose, anchors) in std::iter::once((String::new(), &config.tls.anchors)).chain(own) {
        let authorities = match anchors.authorities() {
            1 => "1 authority".to_owned(),
            count => format!("{count} authorities"),
        };
        text.push_str(&format!("Trust anchors{whose}: {authorities}\n"));
        for single in anchors.singles() {
            let single = format!(
                "{single} is no authority: it counts only where a partner shows it as its own certificate"
            );
            let lines = report::wrap(&single, report::WIDTH - 4).replace('\n', "\n    ");
            text.push_str(&format!("  {lines}\n"));
        }
    }
    text.push('\n');
}

/// How much others can make the edge hold.
fn memory(text: &mut String, config: &Config) {
    let rows = bounds::rows(config, bounds::processors());
    let total = bounds::in_words(bounds::total(&rows));
    text.push_str(&format!("Memory that is held, at most: {total}\n"));
    for who in bounds::Who::ALL {
        let sum = bounds::in_words(bounds::of(who, &rows));
        text.push_str(&format!("  {:15}  {sum:>9}\n", who.as_str()));
    }
    text.push('\n');
}

fn partners(text: &mut String, examination: &Examination) {
    if examination.partners.is_empty() {
        return;
    }
    let domains = examination.partners.iter().map(|partner| &partner.primary);
    let width = width("Partner", domains);
    row(text, width, "Partner", "Methods, strongest first", "");
    for partner in &examination.partners {
        let methods: Vec<_> = partner.methods.iter().map(Method::as_str).collect();
        let methods = if methods.is_empty() {
            "none".to_owned()
        } else {
            methods.join(", ")
        };
        let note = note(examination, partner);
        row(text, width, &partner.primary.to_string(), &methods, note);
        for pattern in &partner.additional {
            row(text, width, &format!("  {pattern}"), "", "");
        }
    }
    text.push('\n');
}

/// Most partners that a hint names.
const NAMED: usize = 3;

/// What a setting that is meant does not protect from.
fn in_the_clear(text: &mut String, examination: &Examination) {
    let is_clear = |partner: &&PartnerSummary| {
        partner.methods.contains(Method::TcpDialback) && note(examination, partner).is_empty()
    };
    let partners: Vec<_> = examination.partners.iter().filter(is_clear).collect();
    let (alone, also): (Vec<_>, Vec<_>) = partners
        .into_iter()
        .partition(|partner| partner.methods.iter().count() == 1);
    named(
        text,
        "Never encrypted, and only DNS says who it is (tcp-dialback, and no other method):",
        &alone,
    );
    named(
        text,
        "Not encrypted where TLS fails or is stripped on the way (tcp-dialback is left):",
        &also,
    );
}

/// A line about some partners, and the first of them.
fn named(text: &mut String, head: &str, partners: &[&PartnerSummary]) {
    if partners.is_empty() {
        return;
    }
    text.push_str(&report::wrap(head, report::WIDTH));
    text.push('\n');
    for partner in partners.iter().take(NAMED) {
        text.push_str(&format!("  {}\n", partner.primary.as_str()));
    }
    if partners.len() > NAMED {
        text.push_str(&format!("  and {} more\n", partners.len() - NAMED));
    }
    text.push('\n');
}

/// Rooms have a domain of their own, which nothing implies.
fn rooms(text: &mut String, examination: &Examination) {
    let without: Vec<_> = { examination.partners.iter() }
        .filter(|partner| !partner.has_rooms)
        .collect();
    let labels: Vec<_> = ROOM_LABELS
        .iter()
        .map(|label| format!("{label}."))
        .collect();
    named(
        text,
        &format!(
            "Chat rooms have a domain of their own ({}). None is listed, so none is reached, for \
             these; if they have rooms, add it to additional-domains:",
            labels.join(", ")
        ),
        &without,
    );
}

/// How wide the first column is: as the longest domain that fits.
fn width<'d>(heading: &str, domains: impl Iterator<Item = &'d Domain>) -> usize {
    domains
        .map(|domain| domain.to_string().chars().count())
        .filter(|length| *length <= DOMAIN_WIDTH)
        .fold(heading.len(), usize::max)
}

fn row(text: &mut String, width: usize, domain: &str, methods: &str, note: &str) {
    let mut line = if domain.chars().count() > width && !methods.is_empty() {
        format!("{domain}\n{:width$}  {methods:41}  {note}", "")
    } else {
        format!("{domain:width$}  {methods:41}  {note}")
    };
    line.truncate(line.trim_end().len());
    text.push_str(&line);
    text.push('\n');
}

fn note(examination: &Examination, partner: &PartnerSummary) -> &'static str {
    let mut own = examination
        .problems
        .iter()
        .filter(|problem| problem.partner.as_ref() == Some(&partner.primary));
    match own.next().map(|problem| problem.severity) {
        Some(Severity::Error) => "error",
        Some(Severity::Warning) => "warning",
        None => "",
    }
}

/// The verdict, and how many partners, errors and warnings there are.
pub(super) fn summary(examination: &Examination) -> String {
    let count = |severity| {
        let same = |problem: &&Problem| problem.severity == severity;
        examination.problems.iter().filter(same).count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let verdict = if errors == 0 {
        "can be used"
    } else {
        "is refused"
    };
    format!(
        "The configuration {verdict}: {}, {}, {}.",
        counted(examination.partners.len(), "partner"),
        counted(errors, "error"),
        counted(warnings, "warning")
    )
}

fn counted(number: usize, noun: &str) -> String {
    match number {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}
