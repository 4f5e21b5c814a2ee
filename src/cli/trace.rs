//! `xmpp-edge trace`: the wire of one partner, or of our gateway, as it happens, from the running daemon.

pub(super) mod screen;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::screen::Screen;
use super::report::{paragraph, refuse};
use super::{ConfigFile, Exit};
use crate::config::duration;
use crate::config::report::WIDTH;
use crate::net::admin::client::{Client, NoAnswer};
use crate::net::admin::protocol::Request;
use crate::proto::jid::Domain;
use crate::proto::trace::{Head, Line, Tail, Why};
use crate::proto::words;

/// Watch the streams of a partner, or of a gateway
///
/// With a domain of a partner's it shows the streams of that partner. With a
/// local domain it shows the links of the gateway that serves it.
///
/// Shows what is read and written, handshakes included, and what is decided
/// between the lines. Texts, users and secrets are blanked. The log says that a
/// trace begins and ends. It never slows the daemon: what is too much is left
/// out, and counted.
///
/// Run it as root, or as the user that the daemon runs as.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The partner's domain, that of somebody who knocks, or a local domain
    #[arg(value_name = "DOMAIN")]
    domain: String,
    /// How long it runs, an hour at most
    #[arg(long = "for", value_name = "TIME", default_value = "5m")]
    time: String,
    /// Write it there, too, so that it can be sent, and replayed
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    file: ConfigFile,
}

const EXAMPLES: &str = "\
Examples:
  xmpp-edge trace fabrikam.example
  xmpp-edge trace fabrikam.example --for 30s --output fabrikam.trace
  xmpp-edge trace contoso.example    # the gateway's links
  xmpp-edge replay fabrikam.trace

Exit status:
   0  the time is over
  64  the command line is wrong, or the file is there or cannot be written
  69  the daemon does not answer, or traces nothing now";

/// The longest that a trace may run.
const LONGEST: Duration = Duration::from_secs(3600);

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Exit {
    match watch(arguments) {
        Ok(()) => Exit::Success,
        Err((exit, text)) => refuse(exit, &text),
    }
}

type Failure = (Exit, String);

fn watch(arguments: &Arguments) -> Result<(), Failure> {
    let usage = |text: String| (Exit::Usage, text);
    let domain = Domain::parse(&arguments.domain)
        .map_err(|error| usage(format!("`{}` is no domain: {error}", arguments.domain)))?;
    let bounds = Duration::from_secs(1)..=LONGEST;
    let time = duration(&arguments.time).filter(|time| bounds.contains(time));
    let time = time.ok_or_else(|| {
        let text = format!("`{}` is no time from 1s to 1h, such as 5m", arguments.time);
        usage(text)
    })?;
    let request = Request::Trace {
        domain: domain.as_str().to_owned(),
        seconds: time.as_secs(),
    };
    let socket = arguments.file.socket().map_err(usage)?;
    let mut client = Client::connect(&socket).map_err(unavailable)?;
    let patience = time + Duration::from_secs(15);
    client.request(&request, patience).map_err(unavailable)?;
    let mut output = None;
    let mut is_begun = false;
    let mut screen = Screen::default();
    loop {
        let line = client.trace_line().map_err(unavailable)?;
        if !is_begun && let Some(path) = &arguments.output {
            // Not before: a file without a trace would stand in the way of the next try.
            output = Some((path, create(path)?));
        }
        if let Some((path, file)) = &mut output {
            let written = write(file, &line);
            written.map_err(|error| {
                let error = words::of_error(&error);
                let text = format!("{} cannot be written: {error}", path.display());
                (Exit::Unavailable, text)
            })?;
        }
        if !std::mem::replace(&mut is_begun, true) {
            let is_local = serde_json::from_str::<Head>(&line).is_ok_and(|head| head.is_local);
            let whose = match is_local {
                true => "the gateway's links for ",
                false => "",
            };
            super::complain(&format!(
                "Watching {whose}{} for {}; Ctrl-C ends it.\n",
                domain.as_str(),
                arguments.time
            ));
        } else if let Ok(line) = serde_json::from_str::<Line>(&line) {
            super::print(&screen.line(&line));
        } else if let Ok(Tail { end }) = serde_json::from_str(&line) {
            super::complain(&paragraph(&summary(&end), "", WIDTH));
            return Ok(());
        }
    }
}

/// A new file, for its owner alone: it has who talks to whom.
fn create(path: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path).map_err(|error| {
        let error = words::of_error(&error);
        let text = format!("{} cannot be written: {error}", path.display());
        (Exit::Usage, text)
    })
}

fn write(file: &mut impl Write, line: &str) -> io::Result<()> {
    file.write_all(line.as_bytes())?;
    file.write_all(b"\n")
}

/// Why it has ended, and what there is of it, in one line that is not laid out yet.
pub(super) fn summary(end: &Why) -> String {
    let why = match end.why.as_str() {
        "time" => "The time is over",
        "size" => "The file is as long as it may be",
        _ => "It was stopped",
    };
    let missed = match end.missed {
        0 => "nothing was left out".to_owned(),
        missed => format!("{missed} records were left out, because there were too many at a time"),
    };
    let nothing = match end.lines {
        0 => " No stream was there: let the partner try, or write to one of its users.",
        _ => "",
    };
    let lines = match end.lines {
        1 => "1 line".to_owned(),
        lines => format!("{lines} lines"),
    };
    format!("{why}: {lines}; {missed}.{nothing}")
}

fn unavailable(error: NoAnswer) -> Failure {
    (
        Exit::Unavailable,
        format!("{error}\nhint: {}", error.hint()),
    )
}
