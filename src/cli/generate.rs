//! `xmpp-edge generate`: what is written from the program itself: the manual, completions, reference.
//!
//! None of it can say what the program does not do: it is made of the command line's definition, of
//! the tables of reasons, events and metrics, and of the sample files that explain the configuration.

mod extra;
mod man;
mod page;
mod reference;
mod settings;

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::ValueEnum;
use clap_complete::Shell;
use rustls::pki_types::UnixTime;

use super::Exit;
use super::report::refuse;
use crate::proto::auth::certificate::utc;
use crate::proto::words;

pub use reference::reference;

/// Write the man pages, the shell completions or the reference
///
/// They are made of the program itself, for packages and for the documents, and written to a
/// directory; what stands there under the same names is overwritten. The date of the man pages is
/// today, or the time in SOURCE_DATE_EPOCH.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// What is written
    #[arg(value_enum, value_name = "WHAT")]
    what: What,
    /// Where to; it is made if need be
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  xmpp-edge generate man ./man
  xmpp-edge generate completions ./completions
  xmpp-edge generate reference docs/reference

Exit status:
   0  every file is written
  64  the command line is wrong
  73  a file cannot be written";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// A page for each command, and for each file of the configuration
    Man,
    /// For bash, zsh and fish
    Completions,
    /// Every reason, every event and every metric, in Markdown
    Reference,
}

/// A file that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name in the directory.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Exit {
    let files = match arguments.what {
        What::Man => man::pages(&super::definition(), &date()),
        What::Completions => completions(),
        What::Reference => reference(),
    };
    for file in files {
        let path = arguments.directory.join(&file.name);
        if let Err(error) = write(&path, &file.text) {
            let text = format!("{}: {}", path.display(), words::of_error(&error));
            return refuse(Exit::State, &text);
        }
        super::print(&format!("{}\n", path.display()));
    }
    Exit::Success
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, text)
}

/// Each under the name by which its shell finds it.
fn completions() -> Vec<File> {
    let shells = [
        (Shell::Bash, "xmpp-edge.bash"),
        (Shell::Zsh, "_xmpp-edge"),
        (Shell::Fish, "xmpp-edge.fish"),
    ];
    let files = shells.map(|(shell, name)| {
        let mut script = Vec::new();
        let mut definition = super::definition();
        clap_complete::generate(shell, &mut definition, "xmpp-edge", &mut script);
        File {
            name: name.to_owned(),
            text: String::from_utf8_lossy(&script).into_owned(),
        }
    });
    files.into()
}

/// The day that stands in the manual: who builds a package says it, so that the same source gives the
/// same package.
fn date() -> String {
    let told = std::env::var("SOURCE_DATE_EPOCH").ok();
    let told = told.and_then(|seconds| seconds.parse().ok());
    let moment = told.unwrap_or_else(|| UnixTime::now().as_secs());
    utc(moment).chars().take("2027-01-15".len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_stands_for_each_command_and_each_file_of_the_configuration() {
        let pages = man::pages(&crate::cli::definition(), "2027-01-15");
        let names: Vec<_> = pages.iter().map(|page| page.name.as_str()).collect();
        for name in [
            "xmpp-edge.1",
            "xmpp-edge-run.1",
            "xmpp-edge-certificate-request.1",
            "xmpp-edge-generate.1",
            "xmpp-edge.toml.5",
            "xmpp-edge-partners.toml.5",
        ] {
            assert!(names.contains(&name), "{name}: {names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("help")), "{names:?}");
        for page in &pages {
            assert!(page.text.starts_with(".TH "), "{}", page.name);
            for line in page.text.lines() {
                // What an item is about cannot be broken.
                let may_be_long = line.starts_with(['.', '\\']);
                let shown = line.replace("\\-", "-");
                assert!(shown.len() <= 100 || may_be_long, "{line}");
                assert!(!line.ends_with(' '), "{}: {line}", page.name);
            }
        }
    }

    #[test]
    fn completions_know_the_commands() {
        for file in completions() {
            for word in ["partner-sheet", "config", "xmpp-edge"] {
                assert!(file.text.contains(word), "{}: {word}", file.name);
            }
        }
    }
}
