//! `partners.toml`: each entry, and how the entries stand together.

use std::path::Path;

use super::problem::{Findings, Place, Problem};
use super::reader::{Item, Section};
use super::{advice, edge, files, identity, value};
use crate::proto::jid::Domain;
use crate::proto::policy::{DomainPattern, Methods, Negotiation, Partner, Rules, RulesError};

/// What `check` shows of a partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerSummary {
    /// The domain that names the partner.
    pub primary: Domain,
    /// The administrator's free text.
    pub description: String,
    /// The domains beside the primary one.
    pub additional: Vec<DomainPattern>,
    /// What its settings leave.
    pub methods: Methods,
}

/// What the file says.
pub(super) struct Partners {
    /// The tables, if the entries can stand together.
    pub(super) rules: Option<Rules>,
    /// Each entry whose domain could be read.
    pub(super) summaries: Vec<PartnerSummary>,
}

/// Reads the file; `place` is where `edge.toml` names it.
pub(super) fn read(
    path: &Path,
    place: Option<&Place>,
    locals: &[Item<Domain>],
    findings: &Findings,
) -> Partners {
    let hint = "make the file, even an empty one, or name another one in `partners`";
    let source = files::source(path, place, hint, findings);
    let nothing = Partners {
        rules: None,
        summaries: Vec::new(),
    };
    let Some(table) = edge::parse(&source, findings) else {
        return nothing;
    };
    let root = Section::root(&source, findings, &table);
    let entries: Vec<_> = root.sections("partner").iter().filter_map(entry).collect();
    root.finish();
    if !root_has_partners(&table) && path.is_file() {
        findings.add(Problem::warning(
            "no-partners",
            &Place::start(&source),
            "no partner is listed, so every domain is refused",
            "add a [[partner]] with primary-domain and type",
        ));
    }
    let summaries = entries
        .iter()
        .map(|entry| summary(&entry.partner))
        .collect();
    let local = locals.iter().map(|local| local.value.clone()).collect();
    let partners = entries.iter().map(|entry| entry.partner.clone()).collect();
    let rules = Rules::new(local, partners)
        .map_err(|errors| {
            for error in errors {
                findings.add(clash(&error, &entries, locals, &root));
            }
        })
        .ok();
    Partners { rules, summaries }
}

fn root_has_partners(table: &toml::de::DeTable<'_>) -> bool {
    table.contains_key("partner")
}

/// An entry, and where each of its domains is written.
struct Entry {
    partner: Partner,
    places: Vec<(DomainPattern, Place)>,
}

fn summary(partner: &Partner) -> PartnerSummary {
    PartnerSummary {
        primary: partner.primary.clone(),
        description: partner.description.clone(),
        additional: partner.additional.clone(),
        methods: partner.methods(),
    }
}

fn entry(section: &Section<'_>) -> Option<Entry> {
    let primary_text = section.required_text("primary-domain", "fabrikam.com");
    let primary = primary_text
        .as_ref()
        .and_then(|text| edge::domain(section, text));
    let description = section.text("description").map(|text| text.value);
    let additional: Vec<_> = section
        .texts("additional-domains")
        .map(|texts| texts.value)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|text| Some((pattern(section, &text)?, text.place)))
        .collect();
    partner_type(section);
    let negotiation = [
        ("required", Negotiation::Required),
        ("optional", Negotiation::Optional),
        ("not-supported", Negotiation::NotSupported),
    ];
    let tls = section.choice("tls", &negotiation);
    let sasl = section.choice("sasl", &negotiation);
    let dialback = section.flag("dialback", false);
    let keep_alive = section.flag("keep-alive", true).value;
    let hint = "write a name or address and a port: \"xmpp.fabrikam.com:5269\"";
    let route = section.parsed("route", "bad-route", hint, value::host_port);
    let anchors = section
        .text("trust-anchors")
        .and_then(|file| identity::anchors(section, &file));
    let combination = Combination {
        tls: tls.as_ref().map_or(Negotiation::Required, |it| it.value),
        sasl: sasl.as_ref().map_or(Negotiation::Required, |it| it.value),
        dialback: dialback.value,
        tls_place: tls.map_or_else(|| section.place(), |it| it.place),
        sasl_place: sasl.map_or_else(|| section.place(), |it| it.place),
        dialback_place: dialback.place,
    };
    section.finish();

    let (primary_text, primary) = (primary_text?, primary?);
    combination.judge(section, &primary);
    let mut places = vec![(DomainPattern::Exact(primary.clone()), primary_text.place)];
    places.extend(additional.iter().cloned());
    Some(Entry {
        partner: Partner {
            primary,
            description: description.unwrap_or_default(),
            additional: additional.into_iter().map(|(pattern, _)| pattern).collect(),
            tls: combination.tls,
            sasl: combination.sasl,
            dialback: combination.dialback,
            keep_alive,
            route: route
                .unwrap_or_default()
                .into_iter()
                .map(|item| item.value)
                .collect(),
            anchors,
            line: section.place().line(),
        },
        places,
    })
}

/// `additional-domains`: a domain, or `*.` and a domain.
fn pattern(section: &Section<'_>, text: &Item<String>) -> Option<DomainPattern> {
    let Some(parent) = text.value.strip_prefix("*.") else {
        return edge::domain(section, text).map(DomainPattern::Exact);
    };
    let parent = Item {
        value: parent.to_owned(),
        place: text.place.clone(),
    };
    let domain = edge::domain(section, &parent)?;
    // `*.com` would make a partner of everyone.
    if domain.parent().is_none() || domain.is_address() {
        section.findings.add(Problem::error(
            "bad-domain",
            &text.place,
            format!("\"{}\" covers far more than one partner", text.value),
            "put at least two labels after the wildcard: \"*.fabrikam.com\"",
        ));
        return None;
    }
    Some(DomainPattern::Subdomains(domain))
}

fn partner_type(section: &Section<'_>) {
    let Some(text) = section.required_text("type", "federated") else {
        return;
    };
    let word = text.value.as_str();
    if word == "federated" {
        return;
    }
    let problem = if matches!(word, "public-verified" | "public-unverified") {
        Problem::error(
            "not-available",
            &text.place,
            format!("type = \"{word}\" is not available in this version"),
            "use type = \"federated\", if this partner's users may be trusted as an \
             organisation's own; else leave the partner out",
        )
    } else {
        Problem::error(
            "unknown-value",
            &text.place,
            format!("`type` cannot be \"{}\"", word.escape_debug()),
            "use type = \"federated\", the one type of this version",
        )
    };
    section.findings.add(problem);
}

/// The three settings that leave methods together.
struct Combination {
    tls: Negotiation,
    sasl: Negotiation,
    dialback: bool,
    tls_place: Place,
    sasl_place: Place,
    dialback_place: Place,
}

impl Combination {
    fn judge(&self, section: &Section<'_>, primary: &Domain) {
        let place = |key| match key {
            advice::Key::Tls => &self.tls_place,
            advice::Key::Sasl => &self.sasl_place,
            advice::Key::Dialback => &self.dialback_place,
        };
        if Methods::of(self.tls, self.sasl, self.dialback).is_empty() {
            let said = advice::error(self.tls, self.sasl);
            section.findings.add(
                Problem::error(said.code, place(said.key), said.message, said.hint)
                    .partner(primary),
            );
        } else if let Some(said) = advice::warning(self.tls, self.sasl, self.dialback) {
            section.findings.add(
                Problem::warning(said.code, place(said.key), said.message, said.hint)
                    .partner(primary),
            );
        }
    }
}

fn clash(
    error: &RulesError,
    entries: &[Entry],
    locals: &[Item<Domain>],
    root: &Section<'_>,
) -> Problem {
    let place = |entry: usize, pattern: &DomainPattern, nth: usize| {
        entries
            .get(entry)
            .and_then(|entry| {
                let mut same = entry.places.iter().filter(|(it, _)| it == pattern);
                same.nth(nth).map(|(_, place)| place.clone())
            })
            .unwrap_or_else(|| root.place())
    };
    match error {
        RulesError::Overlap {
            first,
            second,
            pattern,
        } => {
            let first_place = place(*first, pattern, 0);
            let second_place = place(*second, pattern, usize::from(first == second));
            let lines = (first_place.line(), second_place.line());
            Problem::error(
                "partner-overlap",
                &second_place,
                format!(
                    "{pattern} is covered twice, on lines {} and {}",
                    lines.0, lines.1
                ),
                "leave the domain to one entry: two could mean two different policies",
            )
            .related(&first_place, "first covered here")
        }
        RulesError::IsLocal { partner, pattern } => {
            let problem = Problem::error(
                "partner-is-local",
                &place(*partner, pattern, 0),
                format!("{pattern} is one of the edge's own domains"),
                "remove it here, or from `domains` in edge.toml",
            );
            let local = locals
                .iter()
                .find(|local| DomainPattern::Exact(local.value.clone()) == *pattern);
            match local {
                Some(local) => problem.related(&local.place, "the edge speaks for it"),
                None => problem,
            }
        }
    }
}
