//! The small sections of `edge.toml`, and the lists that several have.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use toml::de::DeTable;

use super::files;
use super::model::{Dns, Log, S2s};
use super::problem::Problem;
use super::reader::{Item, Section};
use super::secret::DialbackSource;
use super::{terms, value};
use crate::ops::logging::{Filter, Format, TARGETS};
use crate::proto::auth::dialback_key::DialbackSecret;
use crate::proto::jid::Domain;
use crate::proto::policy::DialLimits;

/// The list `domains`, each once.
pub(super) fn domains(section: &Section<'_>) -> Option<Vec<Item<Domain>>> {
    let texts = section.some_texts("domains", "contoso.example")?;
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
        Ok(domain) => {
            if domain.is_address() {
                section.findings.add(Problem::warning(
                    "address-as-domain",
                    &text.place,
                    format!("{domain} is the address of a host, and no domain"),
                    "write the domain that users have behind the @; where a partner's server is \
                     goes into `route` of its entry",
                ));
            }
            Some(domain)
        }
        Err(error) => {
            let hint = if text.value.contains('*') {
                "a wildcard stands only in additional-domains, as the first label: \"*.fabrikam.example\""
            } else {
                "write a domain such as \"contoso.example\", without user, port or slash"
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
    match section.some_texts("listen", default) {
        Some(texts) => section.parse_each(Some(texts), "bad-address", &hint, value::address),
        None => {
            let place = section.place();
            let value = value::address(default);
            value
                .map(|value| Item { value, place })
                .into_iter()
                .collect()
        }
    }
}

pub(super) fn s2s(root: &Section<'_>) -> S2s {
    let section = root.section("s2s");
    let second = Duration::from_secs(1);
    let default = DialLimits::default();
    let s2s = S2s {
        listen: listen(&section, "[::]:5269")
            .into_iter()
            .map(|item| item.value)
            .collect(),
        connection_limit: section.number("connection-limit", 1000, 1..=terms::MOST),
        partner_connection_limit: section.number("partner-connection-limit", 20, 1..=terms::MOST),
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
        max_stanza_bytes: terms::max_stanza_bytes(&section, 262_144),
        max_stanza_depth: section.number("max-stanza-depth", 64, 8..=256),
        queue_bytes: section.number("queue-bytes", 64 << 20, (8 << 20)..=(1 << 40)),
        pairs_per_stream: section.number("pairs-per-stream", 64, 1..=10_000),
        dials: DialLimits {
            in_all: section.number("dials-at-once", default.in_all, 0..=100_000),
            per_partner: section.number(
                "dials-at-once-per-partner",
                default.per_partner,
                0..=100_000,
            ),
        },
    };
    section.finish();
    s2s
}

pub(super) fn dialback(root: &Section<'_>, state_directory: &Path) -> Option<DialbackSource> {
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

/// How many of the longest stanzas must find room: half of it is for one direction, a quarter of that for
/// one local user, and a stanza may be longer when it is written.
const LONGEST_STANZAS: usize = 32;

/// A stanza for which there can never be room would be bounced each time.
pub(super) fn check_queue_bytes(root: &Section<'_>, queue_bytes: usize, longest: usize) {
    let needed = longest.saturating_mul(LONGEST_STANZAS);
    if queue_bytes < needed {
        root.findings.add(Problem::error(
            "queue-too-small",
            &root.section("s2s").place(),
            format!("`queue-bytes` has no room for stanzas of {longest} bytes, which max-stanza-bytes allows"),
            format!("write `queue-bytes = {needed}` or more under [s2s], or lower max-stanza-bytes"),
        ));
    }
}

pub(super) fn dns(root: &Section<'_>) -> Dns {
    let section = root.section("dns");
    let hint = "write an IP address, with a port if it is not 53: \"192.0.2.53:53\"";
    let texts = section.texts("nameservers");
    let nameservers = section.parse_each(texts, "bad-address", hint, value::nameserver);
    let dns = Dns {
        nameservers: nameservers.into_iter().map(|item| item.value).collect(),
        allow_private_addresses: section.flag("allow-private-addresses", false).value,
    };
    section.finish();
    dns
}

pub(super) fn log(root: &Section<'_>) -> Option<Log> {
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
    if let (Some(filter), Some(text)) = (&filter, &text) {
        warn_of_targets(&section, filter, text);
    }
    let message_bodies = section.flag("message-bodies", false).value;
    let addresses = section.flag("addresses", false).value;
    section.finish();
    Some(Log {
        format: format.map_or(Format::Auto, |format| format.value),
        filter: filter?,
        message_bodies,
        addresses,
    })
}

/// `format` of `[log]`, line by line: the rest of the file may be broken.
pub(super) fn log_format(text: &str) -> Format {
    let mut is_inside = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            is_inside = line.split('#').next().unwrap_or_default().trim() == "[log]";
            continue;
        }
        let table = DeTable::parse(line).ok().filter(|_| is_inside);
        let format = table.as_ref().and_then(|table| {
            let value = table.get_ref().get("format")?;
            value.get_ref().as_str()?.parse().ok()
        });
        if let Some(format) = format {
            return format;
        }
    }
    Format::default()
}

/// A target that nothing logs under is a slip, or that of another version.
fn warn_of_targets(section: &Section<'_>, filter: &Filter, text: &Item<String>) {
    for target in filter.unknown_targets() {
        let mut place = text.place.clone();
        let written = place.source.text.get(place.span.clone());
        if let Some(at) = written.and_then(|written| written.find(&target)) {
            let start = place.span.start + at;
            place.span = start..start + target.len();
        }
        let hint = match value::nearest(&target, &TARGETS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "the targets are {}; the beginning of one stands for all that begin so",
                value::list_and(TARGETS.iter().map(|target| format!("`{target}`")))
            ),
        };
        section.findings.add(Problem::warning(
            "unknown-log-target",
            &place,
            format!(
                "nothing is logged under the target `{}`",
                target.escape_debug()
            ),
            hint,
        ));
    }
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
