//! What a checked configuration becomes for the tasks, and what one changes after another.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::{Config, DialbackFileError, Transport};
use crate::net::edge::{LinkSettings, Settings};
use crate::net::guard::signatures::KnownSignatures;
use crate::net::guard::verifications::Verifications;
use crate::net::io::resolve::{DnsResolver, ResolverSetupError};
use crate::net::io::tls::{Credential, LinkTls, TlsConfigs, TlsSetupError};
use crate::net::session::driver::now;
use crate::proto::auth::chain::Checker;
use crate::proto::auth::handshake::LinkSecret;
use crate::proto::jid::Domain;
use crate::proto::policy::Changes;
use crate::proto::stream::{Context, Timing};

/// What of a checked configuration cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unready {
    /// The certificate settings cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// The resolver cannot be set up.
    #[error(transparent)]
    Resolver(#[from] ResolverSetupError),
    /// The dialback secret cannot be made or read.
    #[error(transparent)]
    Secret(#[from] DialbackFileError),
    /// The link's secret goes into a text.
    #[error("the link's secret is not UTF-8 text")]
    LinkSecret,
}

/// What a reload changes.
#[derive(Clone, Debug)]
pub struct Difference {
    /// In the rules.
    pub rules: Changes,
    /// What else differs, by name.
    pub others: Vec<&'static str>,
}

/// In one line.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = Some(self.rules.to_string()).filter(|text| !text.is_empty());
        let others = self.others.iter().map(ToString::to_string);
        let all: Vec<_> = rules.into_iter().chain(others).collect();
        f.write_str(match all.is_empty() {
            true => "partners and certificates are as they were",
            false => return f.write_str(&all.join(", ")),
        })
    }
}

/// Makes what the tasks need out of a checked configuration.
///
/// # Errors
/// [`Unready`] names what could not be had.
pub fn prepare(config: Config) -> Result<(Context, Settings), Unready> {
    let others = config
        .domains
        .iter()
        .map(|domain| Credential {
            domains: vec![domain.clone()],
            certified: Arc::clone(config.identities.of(domain)),
        })
        .collect();
    let default = Credential {
        domains: Vec::new(),
        certified: Arc::clone(config.identities.default_identity()),
    };
    let secret = std::str::from_utf8(config.gateway.secret.expose())
        .map_err(|_| Unready::LinkSecret)?
        .to_owned();
    let (link_tls, link_shown, client_names) = match &config.gateway.transport {
        Transport::Plain => (None, Vec::new(), Vec::new()),
        Transport::Tls(tls) => {
            let anchors = Arc::clone(&tls.client_anchors);
            let link = LinkTls::new(
                Arc::clone(&tls.identity),
                anchors,
                config.tls.minimum_version,
            )?;
            let names = tls
                .client_names
                .iter()
                .filter_map(|name| Domain::parse(&name.to_str()).ok())
                .collect();
            (Some(Arc::new(link)), tls.identity.cert.clone(), names)
        }
    };
    let shown = std::iter::once(config.identities.default_identity())
        .chain(
            config
                .domains
                .iter()
                .map(|local| config.identities.of(local)),
        )
        .map(|identity| identity.cert.clone())
        .collect();
    let settings = Settings {
        fingerprint: config.fingerprint(),
        partners_file: config.partners_file,
        loaded: now().wall.as_secs(),
        shown,
        tls: TlsConfigs::new(default, others, config.tls.minimum_version)?,
        resolver: Arc::new(DnsResolver::new(&config.dns.nameservers)?),
        allow_private_addresses: config.dns.allow_private_addresses,
        message_bodies: config.log.message_bodies,
        log_addresses: config.log.addresses,
        admission: config.admission,
        verifications: Arc::new(Verifications::new(
            config.admission.questions_at_once,
            config.admission.questions_at_once_per_domain,
        )),
        connection_limit: config.s2s.connection_limit,
        queue_bytes: config.s2s.queue_bytes,
        dials: config.s2s.dials,
        contact_limit: config.contact_limit,
        reconnect_grace: config.gateway.reconnect_grace,
        link: LinkSettings {
            secret: Arc::new(LinkSecret::new(secret)),
            tls: link_tls,
            shown: link_shown,
            client_names,
            per_domain: config.gateway.links_per_domain,
        },
    };
    let context = Context {
        rules: config.rules,
        anchors: config.tls.anchors,
        checker: Checker::new(KnownSignatures::default()),
        dialback: config.dialback.open()?,
        timing: Timing {
            establishment: config.s2s.establishment_timeout,
            inactivity: config.s2s.inactivity_timeout,
            keep_alive: config.s2s.keep_alive_interval,
        },
        unproven: config.unproven,
        max_stanza_bytes: config.s2s.max_stanza_bytes,
        max_stanza_depth: config.s2s.max_stanza_depth,
        pairs_per_stream: config.s2s.pairs_per_stream,
        annotate: config.gateway.annotate,
    };
    Ok((context, settings))
}

/// What differs between what is in force and what would be.
#[must_use]
pub fn difference(before: (&Context, &Settings), after: (&Context, &Settings)) -> Difference {
    let (old, new) = (before.0, after.0);
    let (old_shell, new_shell) = (before.1, after.1);
    let others = [
        ("trust anchors", old.anchors != new.anchors),
        ("certificates", old_shell.shown != new_shell.shown),
        (
            "the link's secret",
            old_shell.link.secret != new_shell.link.secret,
        ),
        (
            "the link's certificate",
            old_shell.link.shown != new_shell.link.shown,
        ),
        (
            "[gateway.tls] client-names",
            old_shell.link.client_names != new_shell.link.client_names,
        ),
        ("annotate", old.annotate != new.annotate),
        (
            "message-bodies",
            old_shell.message_bodies != new_shell.message_bodies,
        ),
        (
            "[log] addresses",
            old_shell.log_addresses != new_shell.log_addresses,
        ),
        (
            "pairs-per-stream",
            old.pairs_per_stream != new.pairs_per_stream,
        ),
        (
            "queue-bytes",
            old_shell.queue_bytes != new_shell.queue_bytes,
        ),
        ("dials-at-once", old_shell.dials != new_shell.dials),
        (
            "contact-limit",
            old_shell.contact_limit != new_shell.contact_limit,
        ),
        ("timeouts", old.timing != new.timing),
        (
            "max-stanza-depth",
            old.max_stanza_depth != new.max_stanza_depth,
        ),
        (
            "admission",
            old_shell.admission != new_shell.admission || old.unproven != new.unproven,
        ),
    ];
    let others = others.into_iter().filter(|(_, differs)| *differs);
    Difference {
        rules: old.rules.changes(&new.rules),
        others: others.map(|(name, _)| name).collect(),
    }
}

/// The keys that are read at the start and not again, with their values.
pub type Settled = [(&'static str, String); 6];

/// Their values in a configuration.
#[must_use]
pub fn settled(config: &Config) -> Settled {
    [
        ("[s2s] listen", list(&config.s2s.listen)),
        ("[gateway] listen", list(&config.gateway.listen)),
        (
            "state-directory",
            config.state_directory.display().to_string(),
        ),
        ("[admin] socket", config.admin.socket.display().to_string()),
        ("[admin] listen", list(config.admin.listen.as_slice())),
        ("[log] format", format!("{:?}", config.log.format)),
    ]
}

/// The keys whose values only a restart would put in force.
#[must_use]
pub fn later(now: &Settled, then: &Settled) -> Vec<&'static str> {
    let both = now.iter().zip(then);
    let differs = both.filter(|(now, then)| now.1 != then.1);
    differs.map(|(now, _)| now.0).collect()
}

/// Addresses in words.
#[must_use]
pub fn list(addresses: &[SocketAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    texts.join(", ")
}
