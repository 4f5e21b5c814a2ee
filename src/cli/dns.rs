//! `xmpp-edge dns`: what to publish so that partners find the edge, and whether it is published.
//!
//! Read first: [`plan`] (the records), then [`compare`] (what is wrong with those that are
//! published). `published` asks for them, and the rest shows it.

mod compare;
mod json;
mod plan;
mod published;
mod screen;

use tokio::runtime;

use self::plan::Plan;
use self::published::Published;
use super::hosts::Hosts;
use super::report::{Form, Format, configuration, refuse};
use super::{ConfigFile, Exit};
use crate::net::io::resolve::DnsResolver;

/// Show the DNS records to publish, or compare them with those published
///
/// Lines for the files of zones: for each local domain an SRV record for each host, and the
/// addresses of the hosts. An edge does not know how it is reached, so name its hosts. Each site, or
/// pool of edges, has a priority of its own: the lowest is tried first, the next one where nothing of
/// it answers. Hosts of one priority share the load.
///
/// --verify asks the name servers of [dns], and names each difference. What is not on the command
/// line is judged, and not compared.
#[allow(
    rustdoc::broken_intra_doc_links,
    reason = "the help names sections as edge.toml writes them"
)]
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    hosts: Hosts,
    /// For how many seconds others may keep a record [default: 3600]
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 3600,
        hide_default_value = true
    )]
    ttl: u32,
    /// Compare with what is published
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    form: Form,
}

const EXAMPLES: &str = "\
Examples:
  xmpp-edge dns --host xmpp.contoso.example=192.0.2.10,2001:db8::10
  xmpp-edge dns --host 10:edge.contoso.example --host 20:edge.eu.contoso.example
  xmpp-edge dns --verify

Exit status:
   0  it went well; with --verify: what is published is right
  64  the command line is wrong
  69  the name servers do not answer
  71  the system cannot give what is needed; this may pass
  78  what is published must be changed, or the configuration is refused";

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Exit {
    let config = match configuration(&arguments.file.config) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let plan = Plan::of(&config, &arguments.hosts, arguments.ttl);
    let format = arguments.form.format;
    if !arguments.verify {
        super::print(&match format {
            Format::Text => screen::zone(&plan),
            Format::Json => json::render(&plan, None),
        });
        return Exit::Success;
    }
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(Exit::System, &format!("the runtime: {error}")),
    };
    let resolver = match DnsResolver::new(&config.dns.nameservers) {
        Ok(resolver) => resolver,
        Err(error) => return refuse(Exit::System, &error.to_string()),
    };
    let published = runtime.block_on(Published::ask(&resolver, &plan));
    let differences = compare::compare(&plan, &published);
    super::print(&match format {
        Format::Text => screen::verified(&plan, &published, &differences),
        Format::Json => json::render(&plan, Some((&published, &differences))),
    });
    let is_answered = |one: &compare::Difference| one.code != compare::NO_ANSWER;
    match differences.as_slice() {
        [] => Exit::Success,
        some if some.iter().any(is_answered) => Exit::Configuration,
        _ => Exit::Unavailable,
    }
}
