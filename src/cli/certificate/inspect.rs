//! `xmpp-edge certificate inspect`: what a certificate is worth, before partners judge it.

mod screen;

use std::path::{Path, PathBuf};

use rustls::pki_types::UnixTime;
use serde::Serialize;

use super::shown::Shown;
use crate::cli::report::{Form, Format, json, refuse};
use crate::cli::{CONFIG, Exit, check, complain, print};
use crate::config::{Config, Examination, Inspection, NamedCertificate, Problem, Severity};
use crate::proto::auth::identity::Names;
use crate::proto::jid::Domain;

/// Say what a certificate covers, and what is wrong with it
///
/// Without FILE, all that edge.toml names: each local domain must be covered, each key must be the
/// certificate's. With FILE, that file, one of a partner's too; with --config beside it, also
/// whether it would do here. Shows for each certificate the names, the days left, the purposes, and
/// the pin by which partners.toml can hold a partner to its key; says whether the chain leads to a
/// trusted authority, or an intermediate certificate is missing.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A PEM file with a certificate, or a whole chain
    #[arg(value_name = "FILE")]
    chain: Option<PathBuf>,
    /// The private key that should belong to FILE
    #[arg(long, value_name = "FILE", requires = "chain")]
    key: Option<PathBuf>,
    /// A domain that FILE should name; repeat it for more
    #[arg(long, value_name = "DOMAIN", requires = "chain")]
    domain: Vec<String>,
    /// The configuration [default, without FILE: /etc/xmpp-edge/edge.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
}

const EXAMPLES: &str = "\
Examples:
  xmpp-edge certificate inspect
  xmpp-edge certificate inspect new.pem --key new.key --config edge.toml
  xmpp-edge certificate inspect partner.pem --domain fabrikam.example

Exit status:
   0  the certificate is good; there may be warnings
  64  the command line is wrong
  78  something is wrong with it";

/// One file, and what it was looked at for.
struct Looked {
    file: PathBuf,
    key: Option<PathBuf>,
    /// The section that names it.
    section: Option<&'static str>,
    domains: Vec<Domain>,
    found: Inspection,
}

/// The contract of `--format json`.
#[derive(Serialize)]
struct Report {
    certificates: Vec<Reported>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Reported {
    file: String,
    key_file: Option<String>,
    /// Null for a file that the command line names.
    section: Option<&'static str>,
    /// Those that it should name.
    domains: Vec<Covered>,
    /// Its own certificate first.
    chain: Vec<Shown>,
    /// Null where other faults come first.
    reaches_an_anchor: Option<bool>,
    /// Null where there is no key to compare.
    key_matches: Option<bool>,
    problems: Vec<ReportedProblem>,
}

#[derive(Serialize)]
struct Covered {
    domain: String,
    covered: bool,
}

#[derive(Serialize)]
struct ReportedProblem {
    severity: &'static str,
    code: &'static str,
    message: String,
    file: String,
    hint: String,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Exit {
    let now = UnixTime::now();
    let looked = match &arguments.chain {
        None => configured(arguments.config.as_deref(), now),
        Some(file) => one(arguments, file, now),
    };
    let looked = match looked {
        Ok(looked) => looked,
        Err(exit) => return exit,
    };
    let seconds = now.as_secs();
    print(&match arguments.form.format {
        Format::Text => screen::text(&looked, seconds),
        Format::Json => json(&Report {
            certificates: looked.iter().map(|it| it.reported(seconds)).collect(),
        }),
    });
    let problems = looked.iter().flat_map(|it| &it.found.problems);
    match { problems }.any(|problem| problem.severity == Severity::Error) {
        true => Exit::Configuration,
        false => Exit::Success,
    }
}

/// Every certificate of the configuration.
fn configured(config: Option<&Path>, now: UnixTime) -> Result<Vec<Looked>, Exit> {
    let config = config.unwrap_or_else(|| Path::new(CONFIG));
    let (examination, certificates) = examine(config, now)?;
    let mut looked = Vec::new();
    for NamedCertificate {
        section,
        domains,
        chain,
        key,
    } in certificates
    {
        let Some(file) = chain else {
            complain(&check::problems(&examination, false));
            return Err(Exit::Configuration);
        };
        let anchors = examination.anchors.as_deref();
        let found = Inspection::of(&file, key.as_deref(), &domains, anchors, now);
        looked.push(Looked {
            file,
            key,
            section: Some(section),
            domains,
            found,
        });
    }
    Ok(looked)
}

/// One file that the command line names.
fn one(arguments: &Arguments, file: &Path, now: UnixTime) -> Result<Vec<Looked>, Exit> {
    let mut domains = Vec::new();
    for text in &arguments.domain {
        let domain = Domain::parse(text)
            .map_err(|error| refuse(Exit::Usage, &format!("--domain {text}: {error}")))?;
        domains.push(domain);
    }
    let mut anchors = None;
    if let Some(config) = &arguments.config {
        let (examination, certificates) = examine(config, now)?;
        anchors = examination.anchors;
        if domains.is_empty() {
            let looked = Inspection::of(file, None, &[], anchors.as_deref(), now);
            domains = wanted(&looked, certificates);
        }
    }
    let key = arguments.key.clone();
    let found = Inspection::of(file, key.as_deref(), &domains, anchors.as_deref(), now);
    Ok(vec![Looked {
        file: file.to_owned(),
        key,
        section: None,
        domains,
        found,
    }])
}

/// The local domains that a new certificate must name: those of each section of which it names one;
/// of `[tls]`, where it names none.
fn wanted(looked: &Inspection, certificates: Vec<NamedCertificate>) -> Vec<Domain> {
    let names = looked.chain.first().map(Names::of).unwrap_or_default();
    let is_meant = |it: &&NamedCertificate| it.domains.iter().any(|domain| names.covers(domain));
    let meant: Vec<_> = certificates.iter().filter(is_meant).collect();
    let meant = match meant.as_slice() {
        [] => certificates.iter().take(1).collect(),
        _ => meant,
    };
    meant
        .into_iter()
        .flat_map(|it| it.domains.clone())
        .collect()
}

/// The configuration may be refused for the very certificate that is looked at.
fn examine(config: &Path, now: UnixTime) -> Result<(Examination, Vec<NamedCertificate>), Exit> {
    let mut examination = Config::examine(config, now);
    match examination.certificates.take() {
        Some(certificates) => Ok((examination, certificates)),
        None => {
            complain(&check::problems(&examination, false));
            Err(Exit::Configuration)
        }
    }
}

impl Looked {
    /// Each domain that it should name, and whether it does.
    fn coverage(&self) -> impl Iterator<Item = (&Domain, bool)> {
        let names = self.found.chain.first().map(Names::of).unwrap_or_default();
        self.domains.iter().map(move |it| (it, names.covers(it)))
    }

    fn reported(&self, now: u64) -> Reported {
        let covered = |(domain, covered): (&Domain, bool)| Covered {
            domain: domain.as_str().to_owned(),
            covered,
        };
        let chain = self.found.chain.iter();
        Reported {
            file: self.file.display().to_string(),
            key_file: self.key.as_ref().map(|key| key.display().to_string()),
            section: self.section,
            domains: self.coverage().map(covered).collect(),
            chain: chain.filter_map(|it| Shown::of(it, now)).collect(),
            reaches_an_anchor: self.found.reaches_an_anchor,
            key_matches: self.found.key_matches,
            problems: self.found.problems.iter().map(reported).collect(),
        }
    }
}

fn reported(problem: &Problem) -> ReportedProblem {
    ReportedProblem {
        severity: match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        code: problem.code,
        message: problem.message.clone(),
        file: problem.place.file().display().to_string(),
        hint: problem.hint.clone(),
    }
}
