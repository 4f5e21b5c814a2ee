//! The command line: one file a subcommand.

mod certificate;
mod check;
mod contacts;
mod demo;
mod dns;
mod explain;
mod generate;
mod hosts;
mod paper;
mod partner_sheet;
mod replay;
mod report;
mod run;
mod status;
mod trace;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand};

use crate::config::Config;
use crate::config::report::{WIDTH, wrap};
use crate::ops::logging::stderr_is_journal;

pub use generate::{File, reference};

/// Runs the command line and returns its exit status.
#[must_use]
pub fn main() -> ExitCode {
    let exit = match Arguments::try_parse() {
        Ok(arguments) => arguments.run(),
        Err(error) => {
            // Help and version are what was asked for; anything else is wrong usage.
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Success
            };
            tell(&error);
            if let Some(hint) = hint(&error) {
                complain(&hint);
            }
            exit
        }
    };
    ExitCode::from(exit as u8)
}

/// The command line as clap knows it: what the documents show is held against it.
#[must_use]
pub fn definition() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// Tells what is wrong with the command line, or the help that was asked for. clap breaks the lines of
/// the latter alone.
fn tell(error: &clap::Error) {
    let text = error.render().to_string();
    let is_wide = |line: &str| line.chars().count() > WIDTH;
    if error.use_stderr() && text.lines().any(is_wide) {
        let lines = text
            .lines()
            .map(|line| wrap(line, WIDTH - 2).replace('\n', "\n  "));
        complain(&(lines.collect::<Vec<_>>().join("\n") + "\n"));
    } else {
        // Where the text cannot be written, the status is all there is left to say.
        error.print().unwrap_or_default();
    }
}

/// What is meant by a file that is named without its option.
fn hint(error: &clap::Error) -> Option<String> {
    let ContextValue::String(argument) = error.get(ContextKind::InvalidArg)? else {
        return None;
    };
    let is_file = error.kind() == ErrorKind::UnknownArgument && argument.ends_with(".toml");
    is_file
        .then(|| format!("\n  hint: name the configuration by its option: --config {argument}\n"))
}

/// The exit statuses of all subcommands; numbers as in BSD's `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    /// It went well.
    Success = 0,
    /// The command line is wrong.
    Usage = 64,
    /// What the command is about cannot be reached.
    Unavailable = 69,
    /// The program did not do what it should.
    Software = 70,
    /// The system cannot give what is needed; this may pass.
    System = 71,
    /// The state directory cannot be written; this may pass.
    State = 73,
    /// What is wrong is on the other side.
    Protocol = 76,
    /// The configuration is refused, or something else that a human must change.
    Configuration = 78,
}

/// Proves who each XMPP partner is, holds it to policy, and relays clean stanzas
///
/// xmpp-edge is the one process of an organisation's messaging that faces the Internet. It
/// negotiates XMPP server-to-server streams with the partners listed in partners.toml, and passes
/// what they say, checked and written anew, to a gateway inside.
#[derive(Debug, Parser)]
#[command(name = "xmpp-edge", version, max_term_width = 80, after_long_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  xmpp-edge demo
          See it work, on loopback
  xmpp-edge check
          Is /etc/xmpp-edge/edge.toml sound, and what may each partner do?
  xmpp-edge status
          Is it up, is the gateway there, who is not connected and why?
  xmpp-edge explain fabrikam.example
          Why does this partner not connect?

Exit status:
   0  it went well
  64  the command line is wrong
  69  the daemon, a partner, a name server or the contacts cannot be reached
  70  a step of the demo came out wrong, or a replay decides otherwise
  71  a port or a resource cannot be had; this may pass
  73  the state directory cannot be written; this may pass
  76  the fault is on the partner's side
  78  the configuration is refused, or else something must be changed here";

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Status(status::Arguments),
    Check(check::Arguments),
    Explain(explain::Arguments),
    Dns(dns::Arguments),
    Certificate(certificate::Arguments),
    PartnerSheet(partner_sheet::Arguments),
    Trace(trace::Arguments),
    Replay(replay::Arguments),
    Contacts(contacts::Arguments),
    Demo(demo::Arguments),
    Generate(generate::Arguments),
}

impl Arguments {
    fn run(self) -> Exit {
        match self.command {
            Command::Run(arguments) => run::run(&arguments),
            Command::Status(arguments) => status::run(&arguments),
            Command::Check(arguments) => check::run(&arguments),
            Command::Explain(arguments) => explain::run(&arguments),
            Command::Dns(arguments) => dns::run(&arguments),
            Command::Certificate(arguments) => certificate::run(&arguments),
            Command::PartnerSheet(arguments) => partner_sheet::run(&arguments),
            Command::Trace(arguments) => trace::run(&arguments),
            Command::Replay(arguments) => replay::run(&arguments),
            Command::Contacts(arguments) => contacts::run(&arguments),
            Command::Demo(arguments) => demo::run(&arguments),
            Command::Generate(arguments) => generate::run(&arguments),
        }
    }
}

/// The option that all subcommands with a configuration share.
#[derive(Args, Debug)]
struct ConfigFile {
    /// The configuration; paths in it start at its directory
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
}

impl ConfigFile {
    /// Where the daemon of that configuration answers. A file that is named and not there is told of:
    /// else the answer would be that of another daemon, on the usual socket.
    fn socket(&self) -> Result<PathBuf, String> {
        let is_there = self.config.try_exists().unwrap_or(true);
        match is_there || self.config == Path::new(CONFIG) {
            true => Ok(Config::admin_socket(&self.config)),
            false => Err(format!(
                "there is no file {}: --config names the daemon's edge.toml",
                self.config.display()
            )),
        }
    }
}

/// Where the configuration is, unless the command line says otherwise.
const CONFIG: &str = "/etc/xmpp-edge/edge.toml";

/// Writes data to standard output. A reader that has gone away is no error of ours.
fn print(text: &str) {
    let mut output = std::io::stdout().lock();
    let written = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
    written.unwrap_or_default();
}

/// Writes to standard error what keeps the program from its work. Where that is the journal, each
/// line has the priority of an error (sd-daemon(3)).
fn complain(text: &str) {
    let text = if stderr_is_journal() {
        let lines = text.lines().filter(|line| !line.is_empty());
        lines.map(|line| format!("<3>{line}\n")).collect()
    } else {
        text.to_owned()
    };
    let mut output = std::io::stderr().lock();
    output.write_all(text.as_bytes()).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
