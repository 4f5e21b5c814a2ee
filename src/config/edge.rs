//! `edge.toml` as a whole, and its small sections.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::pki_types::UnixTime;
use toml::de::DeTable;

use super::model::{Config, Dns, Log, S2s};
use super::problem::{Findings, Place, Problem, Severity};
use super::reader::{Item, Section};
use super::secret::DialbackSource;
use super::{Examination, files, gateway, identity, partners, value};
use crate::ops::logging::{Filter, Format};
use crate::proto::auth::dialback_key::DialbackSecret;
use crate::proto::jid::Domain;

/// Reads and checks everything.
pub(super) fn examine(path: &Path, now: UnixTime) -> Examination {
    let findings = Findings::default();
    let (config, partners) = read(path, now, &findings);
    let problems = findings.into_sorted(path);
    let refused = problems
        .iter()
        .any(|problem| problem.severity == Severity::Error);
    Examination {
        config: config.filter(|_| !refused),
        partners,
        problems,
    }
}

fn read(
    path: &Path,
    now: UnixTime,
    findings: &Findings,
) -> (Option<Config>, Vec<partners::PartnerSummary>) {
    let source = files::source(
        path,
        None,
        "name the file with --config; the default is /etc/xmpp-edge/edge.toml",
        findings,
    );
    if source.text.is_empty() && !path.is_file() {
        return (None, Vec::new());
    }
    let Some(table) = parse(&source, findings) else {
        // What the partner file says can be judged without this one.
        let file = path.with_file_name("partners.toml");
        let partners = if file.is_file() {
            partners::read(&file, None, &[], findings).summaries
        } else {
            Vec::new()
        };
        return (None, partners);
    };
    let root = Section::root(&source, findings, &table);

    root.require("domains", "[\"contoso.com\"]");
    let locals = domains(&root).unwrap_or_default();
    let state_directory = root.text("state-directory").map_or_else(
        || PathBuf::from("/var/lib/xmpp-edge"),
        |text| root.resolve(&text.value),
    );
    let partners_file = root.text("partners");
    let partners_path = root.resolve(
        partners_file
            .as_ref()
            .map_or("partners.toml", |text| &text.value),
    );
    let partners_place = partners_file.map_or_else(|| root.place(), |text| text.place);
    let partners = partners::read(&partners_path, Some(&partners_place), &locals, findings);

    let s2s = s2s(&root);
    let (tls, identities) = identity::read(&root, &locals, now);
    let dialback = dialback(&root, &state_directory);
    let dns = dns(&root);
    let gateway = gateway::read(&root, now);
    let log = log(&root);
    root.finish();

    let config = || {
        Some(Config {
            domains: locals.into_iter().map(|local| local.value).collect(),
            state_directory,
            s2s,
            tls: tls?,
            identities: identities?,
            dialback: dialback?,
            dns,
            gateway: gateway?,
            log: log?,
            rules: partners.rules?,
        })
    };
    (config(), partners.summaries)
}

/// Parses a file; `None` and a finding for each broken line if it is not TOML.
pub(super) fn parse<'s>(
    source: &'s std::sync::Arc<super::Source>,
    findings: &Findings,
) -> Option<DeTable<'s>> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let mut last_line = 0;
    for error in &errors {
        let place = Place {
            source: std::sync::Arc::clone(source),
            span: error.span().unwrap_or_default(),
        };
        // A second error on one line is mostly an echo of the first.
        if place.line() == last_line {
            continue;
        }
        last_line = place.line();
        findings.add(Problem::error(
            "syntax",
            &place,
            format!("this is not TOML: {}", error.message().replace('\n', ", ")),
            "texts stand in quotes, lists in [ ]; sections are [name], repeated ones [[name]]",
        ));
    }
    errors.is_empty().then(|| table.into_inner())
}

/// The list `domains`, each once.
pub(super) fn domains(section: &Section<'_>) -> Option<Vec<Item<Domain>>> {
    let texts = section.texts("domains")?;
    if texts.value.is_empty() {
        section.findings.add(Problem::error(
            "empty-list",
            &texts.place,
            "`domains` is empty",
            "list at least one domain, as [\"contoso.com\"]",
        ));
    }
    let mut domains: Vec<Item<Domain>> = Vec::new();
    for text in texts.value {
        let Some(domain) = domain(section, &text) else {
            continue;
        };
        if let Some(first) = domains.iter().find(|it| it.value == domain) {
            section.findings.add(
                Problem::error(
                    "duplicate-domain",
                    &text.place,
                    format!("{domain} is listed twice"),
                    "remove one of them; spelling and case make no difference",
                )
                .related(&first.place, "first listed here"),
            );
            continue;
        }
        domains.push(Item {
            value: domain,
            place: text.place,
        });
    }
    Some(domains)
}

/// A domain, or a finding.
pub(super) fn domain(section: &Section<'_>, text: &Item<String>) -> Option<Domain> {
    match Domain::parse(&text.value) {
        Ok(domain) => Some(domain),
        Err(error) => {
            let hint = if text.value.contains('*') {
                "a wildcard stands only in additional-domains, as the first label: \"*.fabrikam.com\""
            } else {
                "write a domain such as \"contoso.com\", without user, port or slash"
            };
            section.findings.add(Problem::error(
                "bad-domain",
                &text.place,
                format!("\"{}\": {error}", text.value.escape_debug()),
                hint,
            ));
            None
        }
    }
}

/// The list `listen` of a section.
pub(super) fn listen(section: &Section<'_>, default: &str) -> Vec<Item<SocketAddr>> {
    let hint = format!("write an IP address and a port, such as \"{default}\"");
    let given = section.parsed("listen", "bad-address", &hint, value::address);
    given.unwrap_or_else(|| {
        let place = section.place();
        let value = value::address(default);
        value
            .map(|value| Item { value, place })
            .into_iter()
            .collect()
    })
}

fn s2s(root: &Section<'_>) -> S2s {
    let section = root.section("s2s");
    let second = Duration::from_secs(1);
    let s2s = S2s {
        listen: listen(&section, "[::]:5269")
            .into_iter()
            .map(|item| item.value)
            .collect(),
        connection_limit: section.number("connection-limit", 1000, 1..=1_000_000),
        establishment_timeout: section.duration(
            "stream-establishment-timeout",
            60 * second,
            second..=600 * second,
        ),
        inactivity_timeout: section.duration(
            "stream-inactivity-timeout",
            600 * second,
            10 * second..=86400 * second,
        ),
        keep_alive_interval: section.duration(
            "keep-alive-interval",
            300 * second,
            second..=86400 * second,
        ),
        // RFC 6120 §13.12: no limit may be below 10 000 bytes.
        max_stanza_bytes: section.number("max-stanza-bytes", 262_144, 10_000..=16_777_216),
    };
    section.finish();
    s2s
}

fn dialback(root: &Section<'_>, state_directory: &Path) -> Option<DialbackSource> {
    let section = root.section("dialback");
    let file = section.text("secret-file");
    section.finish();
    let (path, place) = match file {
        Some(file) => (section.resolve(&file.value), file.place),
        None => {
            let path = state_directory.join("dialback.secret");
            if matches!(path.try_exists(), Ok(false)) {
                return Some(DialbackSource::ToBeMade(path));
            }
            (path, section.place())
        }
    };
    let secret = files::secret(&path, &place, root.findings)?;
    DialbackSecret::new(secret.expose())
        .ok()
        .map(DialbackSource::Known)
}

fn dns(root: &Section<'_>) -> Dns {
    let section = root.section("dns");
    let hint = "write an IP address, with a port if it is not 53: \"192.0.2.53:53\"";
    let nameservers = section.parsed("nameservers", "bad-address", hint, value::nameserver);
    let dns = Dns {
        nameservers: nameservers
            .unwrap_or_default()
            .into_iter()
            .map(|item| item.value)
            .collect(),
        allow_private_addresses: section.flag("allow-private-addresses", false).value,
    };
    section.finish();
    dns
}

fn log(root: &Section<'_>) -> Option<Log> {
    let section = root.section("log");
    let format = section.choice(
        "format",
        &[
            ("auto", Format::Auto),
            ("text", Format::Text),
            ("json", Format::Json),
        ],
    );
    let text = section.text("filter");
    let filter = filter(text.as_ref().map_or("info", |text| &text.value));
    if let (None, Some(text)) = (&filter, &text) {
        section.findings.add(Problem::error(
            "bad-filter",
            &text.place,
            "`filter` is not a log filter",
            "write a level (error, warn, info, debug, trace), or targets with levels: \
             \"info,xmpp_edge::net=debug\"",
        ));
    }
    section.finish();
    Some(Log {
        format: format.map_or(Format::Auto, |format| format.value),
        filter: filter?,
    })
}

/// A bare word that is not a level would be taken for the name of a target, which hides slips.
fn filter(text: &str) -> Option<Filter> {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let sound = |part: &str| {
        let (target, level) = part.rsplit_once('=').unwrap_or(("", part));
        levels.contains(&level.to_lowercase().as_str()) && !target.contains('=')
    };
    text.split(',').all(sound).then(|| text.parse().ok())?
}
