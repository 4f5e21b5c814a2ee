//! `partners.toml`: each entry, and how the entries stand together.

use std::path::Path;

use rustls::pki_types::UnixTime;

use super::advice::Combination;
use super::problem::{Findings, Place, Problem};
use super::reader::{Item, Section};
use super::{files, identity, pins, sections, syntax, terms, value};
use crate::proto::jid::Domain;
use crate::proto::policy::{
    DomainPattern, EntryClaim, Methods, Partner, PartnerType, Rules, RulesError, Terms,
};

/// What `check` shows of a partner, and of `[default-partner]` by that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerSummary {
    /// The domain that names the partner.
    pub primary: Domain,
    /// The administrator's free text.
    pub description: String,
    /// The domains beside the primary one.
    pub additional: Vec<DomainPattern>,
    /// How far it is trusted.
    pub partner_type: PartnerType,
    /// What its settings leave.
    pub methods: Methods,
    /// Whether any domain that rooms commonly have is covered.
    pub has_rooms: bool,
}

/// The labels that servers commonly put before their domain for rooms.
pub const ROOM_LABELS: [&str; 4] = ["conference", "rooms", "muc", "chat"];

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
    (defaults, now): (&Terms, UnixTime),
    findings: &Findings,
) -> Partners {
    let nothing = Partners {
        rules: None,
        summaries: Vec::new(),
    };
    let absent = "make the file, even an empty one, or name another one in `partners`";
    let Some(source) = files::source(path, place, absent, findings) else {
        return nothing;
    };
    let Some(table) = syntax::parse(&source, findings) else {
        return nothing;
    };
    let root = Section::root(&source, findings, &table);
    let sections = root.sections("partner");
    let entries: Vec<_> = sections
        .iter()
        .filter_map(|section| entry(section, defaults, now))
        .collect();
    let default_section = root.section("default-partner");
    let default_partner = default_section
        .is_present()
        .then(|| default_partner(&default_section, defaults, now))
        .flatten();
    root.finish();
    if !table.contains_key("partner") && default_partner.is_none() {
        findings.add(Problem::warning(
            "no-partners",
            &Place::start(&source),
            "no partner is listed, so every domain is refused",
            "add a [[partner]] with primary-domain and type",
        ));
    }
    let summaries = entries
        .iter()
        .map(|entry| &entry.partner)
        .chain(&default_partner)
        .map(summary)
        .collect();
    let local = locals.iter().map(|local| local.value.clone()).collect();
    let partners = entries.iter().map(|entry| entry.partner.clone()).collect();
    let rules = Rules::new(local, partners)
        .map_err(|errors| {
            for error in errors {
                findings.add(clash(&error, &entries, locals, &root));
            }
        })
        .ok()
        .map(|rules| rules.with_default_partner(default_partner));
    Partners { rules, summaries }
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
        partner_type: partner.terms.partner_type,
        methods: partner.methods(),
        // Everybody has every domain under [default-partner].
        has_rooms: partner.primary.as_str() == DEFAULT_NAME
            || partner.patterns().any(|pattern| is_of_rooms(&pattern)),
    }
}

/// Whether a domain looks as if it were, or held, rooms. A wildcard covers them at any rate.
fn is_of_rooms(pattern: &DomainPattern) -> bool {
    match pattern {
        DomainPattern::Subdomains(_) => true,
        DomainPattern::Exact(domain) => {
            let first = domain.as_str().split('.').next();
            first.is_some_and(|label| ROOM_LABELS.contains(&label))
        }
    }
}

fn entry(section: &Section<'_>, defaults: &Terms, now: UnixTime) -> Option<Entry> {
    let findings = section.findings;
    let mark = findings.len();
    let primary_text = section.required_text("primary-domain", "fabrikam.example");
    let primary = primary_text
        .as_ref()
        .and_then(|text| sections::domain(section, text));
    let additional: Vec<_> = section
        .texts("additional-domains")
        .map(|texts| texts.value)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|text| Some((pattern(section, &text)?, text.place)))
        .collect();
    let hint = "write a name or address and a port: \"xmpp.fabrikam.example:5269\"";
    let texts = section.texts("route");
    let route = section.parse_each(texts, "bad-route", hint, value::host_port);
    let settled = settle(section, defaults, now);
    section.finish();

    let (primary_text, primary) = (primary_text?, primary?);
    findings.attribute(mark, &primary);
    let mut places = vec![(DomainPattern::Exact(primary.clone()), primary_text.place)];
    places.extend(additional.iter().cloned());
    Some(Entry {
        partner: Partner {
            additional: additional.into_iter().map(|(pattern, _)| pattern).collect(),
            route: route.into_iter().map(|item| item.value).collect(),
            ..settled(primary)
        },
        places,
    })
}

/// What counters and logs call everybody whom `[default-partner]` covers: no domain can be so.
const DEFAULT_NAME: &str = "default-partner";

/// `[default-partner]`: the same keys, without domains and a way to them.
fn default_partner(section: &Section<'_>, defaults: &Terms, now: UnixTime) -> Option<Partner> {
    let mark = section.findings.len();
    let partner = settle(section, defaults, now)(Domain::parse(DEFAULT_NAME).ok()?);
    section.finish();
    section.findings.attribute(mark, &partner.primary);
    // A mere warning leaves it in force; after an error nothing starts.
    if section.findings.has_error_since(mark) {
        return None;
    }
    if partner.terms.partner_type == PartnerType::Federated {
        section.findings.add(Problem::warning(
            "open-federation",
            &section.place(),
            "every domain on the Internet counts as an organisation like ours",
            "set type = \"public-unverified\", so that strangers reach only those who added them; \
             or list the partners, and remove [default-partner]",
        ));
    }
    Some(partner)
}

/// Reads the keys that both kinds of section have; the rest of a partner is its name.
fn settle(
    section: &Section<'_>,
    defaults: &Terms,
    now: UnixTime,
) -> impl FnOnce(Domain) -> Partner {
    let description = section.text("description").map(|text| text.value);
    let terms = terms::read(section, defaults);
    let combination = Combination::read(section);
    let keep_alive = section.flag("keep-alive", true).value;
    let share_streams = section.flag("share-streams", false).value;
    let anchors = section
        .text("trust-anchors")
        .and_then(|file| identity::anchors(section, &file, now));
    let pins = pins::read(section, &combination);
    let line = section.place().line();
    move |primary| Partner {
        primary,
        description: description.unwrap_or_default(),
        additional: Vec::new(),
        tls: combination.tls,
        sasl: combination.sasl,
        dialback: combination.dialback,
        keep_alive,
        share_streams,
        route: Vec::new(),
        anchors,
        pins,
        terms,
        line,
    }
}

/// `additional-domains`: a domain, or `*.` and a domain.
fn pattern(section: &Section<'_>, text: &Item<String>) -> Option<DomainPattern> {
    let Some(parent) = text.value.strip_prefix("*.") else {
        return sections::domain(section, text).map(DomainPattern::Exact);
    };
    let parent = Item {
        value: parent.to_owned(),
        place: text.place.clone(),
    };
    let domain = sections::domain(section, &parent)?;
    // `*.com` would make a partner of everyone.
    if domain.parent().is_none() || domain.is_address() {
        section.findings.add(Problem::error(
            "bad-domain",
            &text.place,
            format!("\"{}\" covers far more than one partner", text.value),
            "put at least two labels after the wildcard: \"*.fabrikam.example\"",
        ));
        return None;
    }
    Some(DomainPattern::Subdomains(domain))
}

fn clash(
    error: &RulesError,
    entries: &[Entry],
    locals: &[Item<Domain>],
    root: &Section<'_>,
) -> Problem {
    let about = |claim: &EntryClaim| {
        entries
            .get(claim.partner)
            .map(|entry| entry.partner.primary.clone())
    };
    // One entry may write a domain twice: `nth` tells the two apart.
    let place = |claim: &EntryClaim, nth: usize| {
        let entry = entries.get(claim.partner);
        let mut same = entry
            .into_iter()
            .flat_map(|entry| &entry.places)
            .filter(|(pattern, _)| *pattern == claim.pattern);
        same.nth(nth)
            .map_or_else(|| root.place(), |(_, place)| place.clone())
    };
    match error {
        RulesError::Overlap { first, second } => {
            let covered = match &first.pattern {
                DomainPattern::Exact(_) => &first.pattern,
                DomainPattern::Subdomains(_) => &second.pattern,
            };
            let nth = usize::from(first == second);
            let partner = about(second);
            let (first, second) = (place(first, 0), place(second, nth));
            let lines = if first.line() == second.line() {
                format!("twice on line {}", first.line())
            } else {
                format!("on line {} and on line {}", first.line(), second.line())
            };
            let problem = Problem::error(
                "partner-overlap",
                &second,
                format!("{covered} is covered {lines}"),
                "leave the domain to one entry: two could mean two different policies",
            )
            .related(&first, "first covered here");
            Problem { partner, ..problem }
        }
        RulesError::IsLocal { claim, domain } => {
            let problem = Problem::error(
                "partner-is-local",
                &place(claim, 0),
                format!("{domain} is one of the edge's own domains"),
                "remove it here, or from `domains` in edge.toml",
            );
            let problem = Problem {
                partner: about(claim),
                ..problem
            };
            match locals.iter().find(|local| local.value == *domain) {
                Some(local) => problem.related(&local.place, "the edge speaks for it"),
                None => problem,
            }
        }
    }
}
