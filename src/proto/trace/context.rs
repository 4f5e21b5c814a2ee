//! What machines decide by, as far as one partner's streams need it: no secret, and no other partner.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::proto::auth::chain::{Anchors, Checker, TlsVersion};
use crate::proto::auth::dialback_key::DialbackSecret;
use crate::proto::auth::pin::{Pin, Pins};
use crate::proto::jid::Domain;
use crate::proto::policy::{
    DomainPattern, Negotiation, Partner, PartnerType, Reason, Rules, Terms,
};
use crate::proto::stream::{Context, Timing, Unproven};
use crate::proto::xml::Limits;

/// The settings of the edge. Entries come beside it, as domains are named that they cover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ContextFact {
    /// The local domains.
    pub local: Vec<String>,
    /// The entries that cover what was named before.
    pub entries: Vec<EntryFact>,
    /// `stream-establishment-timeout`, in milliseconds.
    pub establishment_ms: u64,
    /// `stream-inactivity-timeout`, in milliseconds.
    pub inactivity_ms: u64,
    /// `keep-alive-interval`, in milliseconds.
    pub keep_alive_ms: u64,
    /// The longest stanza where no entry has its own limit.
    pub max_stanza_bytes: usize,
    /// The levels of the deepest.
    pub max_stanza_depth: usize,
    /// How many pairs one stream may prove.
    pub pairs_per_stream: usize,
    /// What a stream may bring before anything is proven.
    pub unproven: UnprovenFact,
    /// The certificates that may be trust anchors of the chain that came before, in base64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anchors: Vec<String>,
}

/// `[admission.stream]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct UnprovenFact {
    pub bytes: usize,
    pub header_bytes: usize,
    pub element_bytes: usize,
    pub depth: usize,
    pub elements: usize,
    pub attributes: usize,
    pub name_bytes: usize,
    pub bindings: usize,
    pub white_space_bytes: usize,
}

/// One entry of `partners.toml`: what of it decides about streams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the keys are those of the configuration")]
pub struct EntryFact {
    pub partner: String,
    #[serde(default)]
    pub additional_domains: Vec<String>,
    /// Whether it is `[default-partner]`.
    #[serde(default)]
    pub is_default: bool,
    /// Whether it has trust anchors of its own.
    #[serde(default)]
    pub own_anchors: bool,
    #[serde(rename = "type")]
    pub partner_type: String,
    pub tls: String,
    pub sasl: String,
    pub dialback: bool,
    pub keep_alive: bool,
    #[serde(default)]
    pub share_streams: bool,
    pub minimum_tls: String,
    pub max_stanza_bytes: usize,
    #[serde(default)]
    pub pins: Vec<String>,
    pub pins_enforced: bool,
    pub line: usize,
}

/// The entry that covers a domain; where none does, the one whose name the refusal says.
pub(super) fn entry_of<'r>(rules: &'r Rules, domain: &Domain) -> Option<&'r Arc<Partner>> {
    rules.partner_of(domain).or_else(|| {
        let Reason::UnknownPartner {
            above: Some(above), ..
        } = rules.unknown_partner(domain)
        else {
            return None;
        };
        let mut all = rules.partners().iter();
        all.find(|entry| entry.primary.as_str() == above || entry.primary.to_string() == above)
    })
}

impl EntryFact {
    /// What an entry says.
    #[must_use]
    pub fn of(rules: &Rules, entry: &Arc<Partner>) -> Self {
        Self {
            partner: entry.primary.as_str().to_owned(),
            additional_domains: entry.additional.iter().map(pattern_text).collect(),
            is_default: !rules.is_listed(entry),
            own_anchors: entry.anchors.is_some(),
            partner_type: entry.terms.partner_type.as_str().to_owned(),
            tls: entry.tls.as_str().to_owned(),
            sasl: entry.sasl.as_str().to_owned(),
            dialback: entry.dialback,
            keep_alive: entry.keep_alive,
            share_streams: entry.share_streams,
            minimum_tls: entry.terms.minimum_tls.as_str().to_owned(),
            max_stanza_bytes: entry.terms.max_stanza_bytes,
            pins: entry.pins.pins.iter().map(ToString::to_string).collect(),
            pins_enforced: entry.pins.enforced,
            line: entry.line,
        }
    }

    fn entry(&self, anchors: &Arc<Anchors>) -> Option<Partner> {
        let negotiation = |word: &str| {
            let all = [
                Negotiation::Required,
                Negotiation::Optional,
                Negotiation::NotSupported,
            ];
            all.into_iter().find(|it| it.as_str() == word)
        };
        let mut types = PartnerType::ALL.into_iter();
        let additional = self.additional_domains.iter().map(|text| pattern(text));
        let pins = self.pins.iter().map(|text| Pin::parse(text));
        Some(Partner {
            additional: additional.collect::<Option<_>>()?,
            tls: negotiation(&self.tls)?,
            sasl: negotiation(&self.sasl)?,
            dialback: self.dialback,
            keep_alive: self.keep_alive,
            share_streams: self.share_streams,
            anchors: self.own_anchors.then(|| Arc::clone(anchors)),
            pins: Pins {
                pins: pins.collect::<Option<_>>()?,
                enforced: self.pins_enforced,
            },
            terms: Terms {
                partner_type: types.find(|it| it.as_str() == self.partner_type)?,
                minimum_tls: tls_version(&self.minimum_tls)?,
                max_stanza_bytes: self.max_stanza_bytes.min(MOST_BYTES),
                ..Terms::default()
            },
            line: self.line,
            ..Partner::new(Domain::parse(&self.partner).ok()?)
        })
    }
}

/// The version of TLS with this number.
pub(super) fn tls_version(text: &str) -> Option<TlsVersion> {
    let mut all = [TlsVersion::Tls12, TlsVersion::Tls13].into_iter();
    all.find(|it| it.as_str() == text)
}

fn pattern_text(pattern: &DomainPattern) -> String {
    match pattern {
        DomainPattern::Exact(domain) => domain.as_str().to_owned(),
        DomainPattern::Subdomains(parent) => format!("*.{}", parent.as_str()),
    }
}

fn pattern(text: &str) -> Option<DomainPattern> {
    match text.strip_prefix("*.") {
        Some(parent) => Domain::parse(parent).map(DomainPattern::Subdomains).ok(),
        None => Domain::parse(text).map(DomainPattern::Exact).ok(),
    }
}

/// No limit of a file is larger: an edge has none that is.
const MOST_BYTES: usize = 1 << 30;
/// The longest time that a file may name.
pub(super) const LONGEST: Duration = Duration::from_hours(24 * 366 * 10);
/// What keys are made from in a replay: nobody's secret.
const NO_SECRET: &[u8] = b"what a replay makes its keys from";

/// The same for the handshakes of gateways.
pub(super) const NO_LINK_SECRET: &str = "what a replay makes its digests from";

impl ContextFact {
    /// What the edge decides by, and the entries for these domains.
    #[must_use]
    pub fn of(context: &Context, domains: &[Domain], anchors: Vec<String>) -> Self {
        let mut entries: Vec<EntryFact> = Vec::new();
        for domain in domains {
            let entry = entry_of(&context.rules, domain);
            let entry = entry.map(|entry| EntryFact::of(&context.rules, entry));
            entries.extend(entry.filter(|entry| !entries.contains(entry)));
        }
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let Timing {
            establishment,
            inactivity,
            keep_alive,
        } = context.timing;
        let Unproven { limits, bytes } = context.unproven;
        let local = context.rules.local().iter();
        Self {
            local: local.map(|domain| domain.as_str().to_owned()).collect(),
            entries,
            establishment_ms: millis(establishment),
            inactivity_ms: millis(inactivity),
            keep_alive_ms: millis(keep_alive),
            max_stanza_bytes: context.max_stanza_bytes,
            max_stanza_depth: context.max_stanza_depth,
            pairs_per_stream: context.pairs_per_stream,
            unproven: UnprovenFact {
                bytes,
                header_bytes: limits.header_bytes,
                element_bytes: limits.element_bytes,
                depth: limits.depth,
                elements: limits.elements,
                attributes: limits.attributes,
                name_bytes: limits.name_bytes,
                bindings: limits.bindings,
                white_space_bytes: limits.whitespace_bytes,
            },
            anchors,
        }
    }

    /// The same for a machine, with these entries and anchors besides; `None` where something stands in
    /// it that cannot be.
    pub(super) fn context(
        &self,
        more: &[&EntryFact],
        anchors: &Arc<Anchors>,
    ) -> Option<Arc<Context>> {
        let time = |millis| Duration::from_millis(millis).min(LONGEST);
        let mut facts: Vec<&EntryFact> = self.entries.iter().collect();
        for entry in more {
            if !facts.contains(entry) {
                facts.push(entry);
            }
        }
        let (mut partners, mut fallback) = (Vec::new(), None);
        for fact in facts {
            let entry = fact.entry(anchors)?;
            match fact.is_default {
                true => fallback = Some(entry),
                false => partners.push(entry),
            }
        }
        let local = self.local.iter().map(|text| Domain::parse(text).ok());
        let rules = Rules::new(local.collect::<Option<_>>()?, partners).ok()?;
        let unproven = &self.unproven;
        Some(Arc::new(Context {
            rules: rules.with_default_partner(fallback),
            anchors: Arc::clone(anchors),
            checker: Checker::default(),
            dialback: no_secret()?,
            timing: Timing {
                establishment: time(self.establishment_ms),
                inactivity: time(self.inactivity_ms),
                keep_alive: time(self.keep_alive_ms),
            },
            unproven: Unproven {
                limits: Limits {
                    header_bytes: unproven.header_bytes.min(MOST_BYTES),
                    element_bytes: unproven.element_bytes.min(MOST_BYTES),
                    depth: unproven.depth.min(1024),
                    elements: unproven.elements.min(MOST_BYTES),
                    attributes: unproven.attributes.min(1024),
                    name_bytes: unproven.name_bytes.min(4096),
                    bindings: unproven.bindings.min(1024),
                    whitespace_bytes: unproven.white_space_bytes.min(MOST_BYTES),
                    ..Limits::UNAUTHENTICATED
                },
                bytes: unproven.bytes,
            },
            max_stanza_bytes: self.max_stanza_bytes.min(MOST_BYTES),
            max_stanza_depth: self.max_stanza_depth.min(1024),
            pairs_per_stream: self.pairs_per_stream,
            annotate: false,
        }))
    }
}

/// What stands for the secret of the edge in a replay.
pub(super) fn no_secret() -> Option<DialbackSecret> {
    DialbackSecret::new(NO_SECRET).ok()
}
