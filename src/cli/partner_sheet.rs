//! `xmpp-edge partner-sheet`: what a new partner's administrator must know of this edge.

mod letter;

use std::sync::Arc;

use rustls::pki_types::UnixTime;
use rustls::sign::CertifiedKey;
use serde::Serialize;

use super::certificate::Shown;
use super::hosts::{Host, Hosts};
use super::report::{Form, Format, configuration, json, paragraph, refuse};
use super::{ConfigFile, Exit};
use crate::config::Config;
use crate::config::report::WIDTH;
use crate::proto::discover::service;
use crate::proto::jid::Domain;
use crate::proto::policy::{Method, Negotiation, Partner};

/// Print what to send to a new partner
///
/// One page of plain text, 72 columns wide, for a mail: our domains, where our server is and who has
/// certified it, how the partner's server must prove itself, what its firewall must let through, and
/// how to test. Nothing secret is in it. Name the hosts that partners connect to: an edge does not
/// know them, and without --host the usual name is taken. No question is asked of DNS.
///
/// The terms are those of a plain entry in partners.toml; --for takes those of an entry that is
/// there.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    hosts: Hosts,
    /// The partner it is for: its entry says what we take
    #[arg(long = "for", value_name = "DOMAIN")]
    partner: Option<String>,
    #[command(flatten)]
    form: Form,
}

const EXAMPLES: &str = "\
Examples:
  xmpp-edge partner-sheet --host xmpp.contoso.example=192.0.2.10
  xmpp-edge partner-sheet --host xmpp.contoso.example \\
          --for fabrikam.example | mail -s XMPP noc@fabrikam.example

Exit status:
   0  it went well
  64  the command line is wrong, or no entry covers that partner
  78  the configuration is refused";

/// Everything that a sheet says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Sheet {
    /// The partner that it is for; null for any.
    partner: Option<String>,
    domains: Vec<String>,
    servers: Vec<Server>,
    certificates: Vec<Certificate>,
    terms: Terms,
}

/// A place to connect to: one SRV record for each of our domains.
#[derive(Debug, Serialize)]
struct Server {
    host: String,
    port: u16,
    priority: u16,
    weight: u16,
    /// As far as the command line or `listen` says them.
    addresses: Vec<String>,
    /// The names of the SRV records that lead there.
    services: Vec<String>,
}

/// What our server shows.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Certificate {
    /// The domains that it is shown for.
    domains: Vec<String>,
    #[serde(flatten)]
    shown: Shown,
}

/// How the partner's server must prove itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Terms {
    /// Strongest first.
    methods: Vec<&'static str>,
    tls: &'static str,
    minimum_tls_version: &'static str,
    max_stanza_bytes: usize,
    /// A second; 0: no limit.
    stanza_rate: u32,
    /// The domains that its entry covers; empty where there is none.
    covers: Vec<String>,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Exit {
    let config = match configuration(&arguments.file.config) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let sheet = match Sheet::of(&config, arguments, UnixTime::now().as_secs()) {
        Ok(sheet) => sheet,
        Err(text) => return refuse(Exit::Usage, &text),
    };
    super::print(&match arguments.form.format {
        Format::Text => letter::text(&sheet),
        Format::Json => json(&sheet),
    });
    if arguments.form.format == Format::Text && !arguments.hosts.are_named() {
        for server in &sheet.servers {
            let host = &server.host;
            super::complain(&paragraph(
                &format!(
                    "note: nothing says on which host partners find the edge, so the sheet names {host}. \
                     If that is not right, add --host NAME=ADDRESS."
                ),
                "",
                WIDTH,
            ));
        }
    }
    Exit::Success
}

impl Sheet {
    fn of(config: &Config, arguments: &Arguments, now: u64) -> Result<Self, String> {
        let hosts = arguments.hosts.all(config);
        let port = arguments.hosts.port(config);
        let named: Vec<_> = config
            .domains
            .iter()
            .filter(|it| !it.is_address())
            .collect();
        let server = |host: &Host| Server {
            host: host.name.as_str().to_owned(),
            port,
            priority: host.priority(),
            weight: host.weight(&hosts),
            addresses: host.addresses.iter().map(ToString::to_string).collect(),
            services: named.iter().map(|it| service(it.as_str())).collect(),
        };
        let mut servers: Vec<_> = hosts.iter().map(server).collect();
        servers.sort_by_key(|server| server.priority);
        let partner = arguments.partner.as_deref();
        Ok(Self {
            partner: partner.map(str::to_owned),
            domains: config
                .domains
                .iter()
                .map(|it| it.as_str().to_owned())
                .collect(),
            servers,
            certificates: certificates(config, now),
            terms: Terms::of(config, partner)?,
        })
    }
}

impl Terms {
    fn of(config: &Config, partner: Option<&str>) -> Result<Self, String> {
        let entry = match partner {
            Some(text) => {
                let domain =
                    Domain::parse(text).map_err(|error| format!("--for {text}: {error}"))?;
                let entry = config.rules.partner_of(&domain);
                entry.cloned().ok_or_else(|| {
                    format!("--for {text}: no entry of partners.toml covers it; leave --for out to show the terms of a plain entry")
                })?
            }
            None => Arc::new(plain(config)?),
        };
        let listed = partner.is_some();
        Ok(Self {
            methods: entry.methods().iter().map(Method::as_str).collect(),
            tls: entry.tls.as_str(),
            minimum_tls_version: entry.terms.minimum_tls.as_str(),
            max_stanza_bytes: entry.terms.max_stanza_bytes,
            stanza_rate: entry.terms.stanza_rate,
            covers: match listed {
                true => entry.patterns().map(|it| it.to_string()).collect(),
                false => Vec::new(),
            },
        })
    }

    fn takes(&self, method: Method) -> bool {
        self.methods.contains(&method.as_str())
    }

    fn needs_tls(&self) -> bool {
        self.tls == Negotiation::Required.as_str()
    }
}

/// What an entry means that says nothing but its domain and type.
fn plain(config: &Config) -> Result<Partner, String> {
    // Whose entry it would be makes no difference.
    let any = Domain::parse("partner.invalid").map_err(|error| error.to_string())?;
    let mut partner = Partner::new(any);
    partner.terms.minimum_tls = config.tls.minimum_version;
    partner.terms.max_stanza_bytes = config.s2s.max_stanza_bytes;
    Ok(partner)
}

/// Each certificate once, with the domains that it is shown for.
fn certificates(config: &Config, now: u64) -> Vec<Certificate> {
    let mut found: Vec<(&Arc<CertifiedKey>, Vec<String>)> = Vec::new();
    for domain in &config.domains {
        let certified = config.identities.of(domain);
        let name = domain.as_str().to_owned();
        match found.iter_mut().find(|(it, _)| Arc::ptr_eq(it, certified)) {
            Some((_, domains)) => domains.push(name),
            None => found.push((certified, vec![name])),
        }
    }
    found
        .into_iter()
        .filter_map(|(certified, domains)| {
            let shown = Shown::of(certified.cert.first()?, now)?;
            Some(Certificate { domains, shown })
        })
        .collect()
}
