//! `xmpp-edge status`: how the running edge is, or what it knows of one partner.

mod domain;
mod overview;
mod parts;
mod watch;

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::paper::Paper;
use super::{ConfigFile, Exit};
use crate::config::report::{WIDTH, wrap};
use crate::net::admin::client::{Client, NoAnswer};
use crate::net::admin::protocol::{Reply, Request};
use crate::net::admin::report::{Live, Status};
use crate::proto::jid::Domain;

pub(super) use domain::live;

/// Say how the running edge is
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// One partner's domain
    #[arg(value_name = "DOMAIN")]
    domain: Option<String>,
    /// Show it anew every two seconds, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = Format::Text, hide_possible_values = true)]
    #[arg(value_name = "text|json")]
    format: Format,
    #[command(flatten)]
    file: ConfigFile,
}

const EXAMPLES: &str = "\
Is it up, is the gateway there, which partner is not connected and why; then
streams, stanzas, queues and certificates. With a domain: what the daemon knows
of that partner. Run it as root, or as the user that the daemon runs as.

Examples:
  xmpp-edge status --watch
  xmpp-edge status fabrikam.example
  xmpp-edge status --format json | jq .partners

Exit status: 0 it answers, 64 wrong usage, 69 it does not answer";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// What is shown.
#[derive(Debug)]
enum Report {
    Edge(Box<Status>),
    Domain(Box<Live>),
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Exit {
    let request = match &arguments.domain {
        None => Request::Status {},
        Some(text) => match Domain::parse(text) {
            Ok(domain) => Request::Explain {
                domain: domain.as_str().to_owned(),
            },
            Err(error) => {
                let text = format!("`{text}` is no domain: {error}");
                return super::report::refuse(Exit::Usage, &text);
            }
        },
    };
    let socket = match arguments.file.socket() {
        Ok(socket) => socket,
        Err(text) => return super::report::refuse(Exit::Usage, &text),
    };
    let desk = Desk { socket, request };
    let done = match arguments.watch {
        true => watch::run(&desk, arguments.format),
        false => desk.ask().map(|report| {
            super::print(&report.render(arguments.format));
        }),
    };
    match done {
        Ok(()) => Exit::Success,
        Err(error) => {
            let hint = wrap(&format!("hint: {}", error.hint()), WIDTH);
            let error = wrap(&format!("error: {error}"), WIDTH);
            super::complain(&format!("{error}\n{hint}\n"));
            Exit::Unavailable
        }
    }
}

/// Where is asked, and what.
#[derive(Debug)]
struct Desk {
    socket: PathBuf,
    request: Request,
}

impl Desk {
    fn ask(&self) -> Result<Report, NoAnswer> {
        self.ask_by(&mut Client::connect(&self.socket)?)
    }

    fn ask_by(&self, client: &mut Client) -> Result<Report, NoAnswer> {
        match client.ask(&self.request)? {
            Reply::Status(status) => Ok(Report::Edge(status)),
            Reply::Explain(live) => Ok(Report::Domain(live)),
            _ => Err(NoAnswer::Odd),
        }
    }
}

impl Report {
    fn render(&self, format: Format) -> String {
        if format == Format::Json {
            let text = match self {
                Self::Edge(status) => serde_json::to_string_pretty(status),
                Self::Domain(live) => serde_json::to_string_pretty(live),
            };
            return format!("{}\n", text.unwrap_or_default());
        }
        let mut paper = Paper::for_stdout();
        match self {
            Self::Edge(status) => overview::write(&mut paper, status),
            Self::Domain(live) => domain::write(&mut paper, live),
        }
        paper.into_text()
    }

    /// The report in one line.
    fn line(&self) -> String {
        let text = match self {
            Self::Edge(status) => serde_json::to_string(status),
            Self::Domain(live) => serde_json::to_string(live),
        };
        format!("{}\n", text.unwrap_or_default())
    }
}

/// What a running daemon knows of a domain.
pub(super) fn ask_about(socket: &Path, domain: &Domain) -> Result<Box<Live>, NoAnswer> {
    let request = Request::Explain {
        domain: domain.as_str().to_owned(),
    };
    match Client::connect(socket)?.ask(&request)? {
        Reply::Explain(live) => Ok(live),
        _ => Err(NoAnswer::Odd),
    }
}
