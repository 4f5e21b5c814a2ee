//! What a partner may do once it is proven: the keys that `[[partner]]` and `[default-partner]`
//! have in common beside the three that decide the methods.

use super::problem::Problem;
use super::reader::{Item, Section};
use crate::proto::auth::chain::TlsVersion;
use crate::proto::policy::{Initiative, Kinds, PartnerType, Payload, Terms};
use crate::proto::stanza::Kind;
use crate::proto::xml::Ns;

/// The largest number that any limit takes.
pub(super) const MOST: usize = 1_000_000;

/// Reads the keys; `defaults` is what `edge.toml` says for all partners.
pub(super) fn read(section: &Section<'_>, defaults: &Terms) -> Terms {
    let types = PartnerType::ALL.map(|it| (it.as_str(), it));
    section.require_choice("type", &types.map(|(word, _)| word));
    let initiatives =
        [Initiative::Both, Initiative::Inbound, Initiative::Outbound].map(|it| (it.as_str(), it));
    Terms {
        partner_type: section
            .choice("type", &types)
            .map_or(defaults.partner_type, |it| it.value),
        initiative: section
            .choice("direction", &initiatives)
            .map_or(defaults.initiative, |it| it.value),
        kinds: kinds(section).unwrap_or(defaults.kinds),
        payload: payload(section),
        connection_limit: section.number("connection-limit", defaults.connection_limit, 1..=MOST),
        minimum_tls: minimum_tls(section, defaults.minimum_tls),
        max_stanza_bytes: max_stanza_bytes(section, defaults.max_stanza_bytes),
        stanza_rate: stanza_rate(section, defaults.stanza_rate),
    }
}

/// The key `max-stanza-bytes`, here and in `[s2s]`.
pub(super) fn max_stanza_bytes(section: &Section<'_>, default: usize) -> usize {
    // RFC 6120 §13.12: no limit may be below 10 000 bytes.
    section.number("max-stanza-bytes", default, 10_000..=16_777_216)
}

/// The versions of TLS by their names.
pub(super) const TLS_VERSIONS: [(&str, TlsVersion); 2] =
    [("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)];

fn stanza_rate(section: &Section<'_>, default: u32) -> u32 {
    let default_number = usize::try_from(default).unwrap_or(MOST);
    let number = section.number("stanza-rate", default_number, 0..=MOST);
    u32::try_from(number).unwrap_or(default)
}

/// The general minimum holds where it is stricter.
fn minimum_tls(section: &Section<'_>, general: TlsVersion) -> TlsVersion {
    let Some(own) = section.choice("minimum-tls-version", &TLS_VERSIONS) else {
        return general;
    };
    if own.value < general {
        section.findings.add(Problem::warning(
            "minimum-without-effect",
            &own.place,
            format!(
                "minimum-tls-version = \"{}\" has no effect: [tls] wants {general} of everybody",
                own.value
            ),
            "remove it; or lower minimum-version under [tls], and raise it here for all others",
        ));
    }
    own.value.max(general)
}

fn kinds(section: &Section<'_>) -> Option<Kinds> {
    let texts = section.some_texts("kinds", "message")?;
    let hint = "the kinds are \"message\", \"presence\" and \"iq\"";
    let kinds = section.parse_each(Some(texts), "unknown-value", hint, Kind::of);
    let kinds: Vec<_> = kinds.into_iter().map(|kind| kind.value).collect();
    Some(Kinds::of(&kinds))
}

fn payload(section: &Section<'_>) -> Payload {
    let allow = namespaces(section, "allow-namespaces");
    let deny = namespaces(section, "deny-namespaces");
    for denied in &deny {
        if let Some(allowed) = allow.iter().find(|allowed| allowed.value == denied.value) {
            section.findings.add(
                Problem::error(
                    "contradiction",
                    &denied.place,
                    format!("'{}' is both allowed and denied", denied.value.as_str()),
                    "remove it from one of the two lists",
                )
                .related(&allowed.place, "allowed here"),
            );
        }
    }
    let values = |items: Vec<Item<Ns>>| items.into_iter().map(|item| item.value).collect();
    Payload {
        allow: values(allow),
        deny: values(deny),
    }
}

fn namespaces(section: &Section<'_>, key: &'static str) -> Vec<Item<Ns>> {
    let hint = "write the namespace of an extension, such as \"jabber:x:oob\"; what stands in the \
                stanza's own namespace (body, show, status, error) always passes";
    let texts = section.texts(key);
    section.parse_each(texts, "bad-namespace", hint, |text| {
        let ns = Ns::from(text);
        let is_content = [Ns::NONE, Ns::CLIENT, Ns::SERVER, Ns::COMPONENT].contains(&ns);
        (!is_content && !text.contains(char::is_whitespace)).then_some(ns)
    })
}
