//! The checked model of `partners.toml` and of the local domains. Made by `config`, never by serde.

use std::collections::HashMap;
use std::sync::Arc;

use super::access::Access;
use super::partner::{DomainPattern, Partner};
use super::reason::Reason;
use crate::proto::jid::Domain;

/// Everything policy decides by: which domains are ours, and who the partners are.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    local: Vec<Domain>,
    partners: Vec<Arc<Partner>>,
    exact: HashMap<Domain, usize>,
    wildcard: HashMap<Domain, usize>,
    /// What holds for every domain that no entry covers.
    fallback: Option<Arc<Partner>>,
    access: Access,
}

impl Rules {
    /// Builds the tables.
    ///
    /// # Errors
    /// [`RulesError`] for each domain that two entries cover, or that is one of our own.
    pub fn new(local: Vec<Domain>, partners: Vec<Partner>) -> Result<Self, Vec<RulesError>> {
        let mut rules = Self {
            local,
            ..Self::default()
        };
        let mut errors = Vec::new();
        for partner in partners {
            rules.add(partner, &mut errors);
        }
        rules.find_carved(&mut errors);
        if errors.is_empty() {
            Ok(rules)
        } else {
            Err(errors)
        }
    }

    /// With `[default-partner]`: open federation on these terms.
    #[must_use]
    pub fn with_default_partner(mut self, partner: Option<Partner>) -> Self {
        self.fallback = partner.map(Arc::new);
        self
    }

    /// With `[access]`.
    #[must_use]
    pub fn with_access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Which local users may use federation.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// What holds for every domain that no entry covers, if anything does.
    #[must_use]
    pub fn default_partner(&self) -> Option<&Arc<Partner>> {
        self.fallback.as_ref()
    }

    /// Whether the edge speaks for this domain.
    #[must_use]
    pub fn is_local(&self, domain: &Domain) -> bool {
        self.local.contains(domain)
    }

    /// The domains the edge speaks for, as configured.
    #[must_use]
    pub fn local(&self) -> &[Domain] {
        &self.local
    }

    /// All partners, in the order of the file.
    #[must_use]
    pub fn partners(&self) -> &[Arc<Partner>] {
        &self.partners
    }

    /// The partner that covers a domain: an exact name first, then `*.` one label up, then
    /// `[default-partner]`, which covers everybody but ourselves.
    #[must_use]
    pub fn partner_of(&self, domain: &Domain) -> Option<&Arc<Partner>> {
        #[cfg(test)]
        super::counted::look_up();
        // What follows a dot in a normal form is in its normal form.
        let index = self
            .exact
            .get(domain)
            .or_else(|| self.wildcard.get(domain.parent()?));
        match index {
            Some(index) => self.partners.get(*index),
            None if self.is_local(domain) => None,
            None => self.fallback.as_ref(),
        }
    }

    /// A partner's domain that is listed, by the text in which it is written.
    #[must_use]
    pub fn listed(&self, written: &str) -> Option<&Domain> {
        // Where the form with U-labels differs, it is no key of the table.
        let (domain, _) = self.exact.get_key_value(written)?;
        (domain.written() == written).then_some(domain)
    }

    /// Why a domain that no entry covers is refused. Partners use subdomains, for rooms first of all,
    /// and nothing implies them: then it says whose entry lacks one.
    #[must_use]
    pub fn unknown_partner(&self, domain: &Domain) -> Reason {
        let above = std::iter::successors(domain.parent(), |domain| {
            domain.split_once('.').map(|(_, parent)| parent)
        });
        let partner = above
            .filter_map(|above| Domain::parse(above).ok())
            .find_map(|above| {
                let entry = self.exact.get(&above);
                let index = entry.or_else(|| self.wildcard.get(&above))?;
                self.partners.get(*index)
            });
        Reason::UnknownPartner {
            domain: domain.to_string(),
            above: partner.map(|partner| partner.primary.to_string()),
        }
    }

    /// As what an entry of a partner's own lists a domain: there are as many of these as were
    /// written, whatever domains strangers, or partners with a wildcard, come with.
    #[must_use]
    pub fn listed_as(&self, domain: &Domain) -> Option<DomainPattern> {
        if self.exact.contains_key(domain) {
            return Some(DomainPattern::Exact(domain.clone()));
        }
        let parent = Domain::parse(domain.parent()?).ok()?;
        self.wildcard
            .contains_key(&parent)
            .then_some(DomainPattern::Subdomains(parent))
    }

    /// Who has a limit, a rate and a place in each queue of its own: the partner that covers a
    /// domain, by its primary domain; under `[default-partner]` each domain for itself.
    #[must_use]
    pub fn account_of(&self, domain: &Domain) -> Domain {
        match self.partner_of(domain) {
            Some(partner) if !self.is_fallback(partner) => partner.primary.clone(),
            _ => domain.clone(),
        }
    }

    /// Whether an entry of its own covers those whom this partner covers: it is not that of
    /// `[default-partner]`, which anybody can be one of.
    #[must_use]
    pub fn is_listed(&self, partner: &Arc<Partner>) -> bool {
        !self.is_fallback(partner)
    }

    fn is_fallback(&self, partner: &Arc<Partner>) -> bool {
        self.fallback
            .as_ref()
            .is_some_and(|fallback| Arc::ptr_eq(fallback, partner))
    }

    /// The longest stanza that any partner may be sent, in bytes.
    #[must_use]
    pub fn max_stanza_bytes(&self) -> usize {
        self.stanza_limits().max().unwrap_or_default()
    }

    fn stanza_limits(&self) -> impl Iterator<Item = usize> {
        let partners = self.partners.iter().chain(&self.fallback);
        partners.map(|partner| partner.terms.max_stanza_bytes)
    }

    fn add(&mut self, partner: Partner, errors: &mut Vec<RulesError>) {
        let index = self.partners.len();
        for pattern in partner.patterns() {
            let claim = EntryClaim {
                partner: index,
                pattern,
            };
            let pattern = &claim.pattern;
            if let Some(local) = self.local.iter().find(|local| pattern.covers(local)) {
                let domain = local.clone();
                errors.push(RulesError::IsLocal { claim, domain });
                continue;
            }
            let (table, domain) = match pattern {
                DomainPattern::Exact(domain) => (&mut self.exact, domain),
                DomainPattern::Subdomains(parent) => (&mut self.wildcard, parent),
            };
            if let Some(first) = table.insert(domain.clone(), index) {
                let first = EntryClaim {
                    partner: first,
                    pattern: claim.pattern.clone(),
                };
                errors.push(RulesError::Overlap {
                    first,
                    second: claim,
                });
            }
        }
        self.partners.push(Arc::new(partner));
    }

    /// Finds the domains that one entry names and another covers with a wildcard. Within one entry
    /// it says the same thing twice, which is no harm.
    fn find_carved(&self, errors: &mut Vec<RulesError>) {
        for (named, partner) in self.partners.iter().enumerate() {
            for pattern in partner.patterns() {
                let DomainPattern::Exact(domain) = &pattern else {
                    continue;
                };
                let parent = domain
                    .parent()
                    .and_then(|parent| Domain::parse(parent).ok());
                let Some((parent, covering)) =
                    parent.and_then(|parent| self.wildcard.get_key_value(&parent))
                else {
                    continue;
                };
                if *covering == named {
                    continue;
                }
                let mut claims = [
                    EntryClaim {
                        partner: named,
                        pattern: pattern.clone(),
                    },
                    EntryClaim {
                        partner: *covering,
                        pattern: DomainPattern::Subdomains(parent.clone()),
                    },
                ];
                claims.sort_by_key(|claim| claim.partner);
                let [first, second] = claims;
                errors.push(RulesError::Overlap { first, second });
            }
        }
    }
}

/// One domain or wildcard of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryClaim {
    /// The entry, by its index.
    pub partner: usize,
    /// What it covers.
    pub pattern: DomainPattern,
}

/// Why a set of partners cannot stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulesError {
    /// Two claims cover one domain.
    Overlap {
        /// The claim that came first.
        first: EntryClaim,
        /// The one that covers it again (may be of the same entry).
        second: EntryClaim,
    },
    /// A claim covers one of our own domains.
    IsLocal {
        /// The claim.
        claim: EntryClaim,
        /// Our domain.
        domain: Domain,
    },
}

#[cfg(test)]
mod tests {

    use super::*;

    fn partner(primary: &str, additional: &[&str]) -> Partner {
        let pattern = |text: &&str| match text.strip_prefix("*.") {
            Some(parent) => DomainPattern::Subdomains(Domain::parse(parent).unwrap()),
            None => DomainPattern::Exact(Domain::parse(text).unwrap()),
        };
        Partner {
            additional: additional.iter().map(pattern).collect(),
            ..Partner::new(Domain::parse(primary).unwrap())
        }
    }

    fn rules(partners: &[(&str, &[&str])]) -> Result<Rules, Vec<RulesError>> {
        let local = vec![Domain::parse("im.contoso.example").unwrap()];
        let partners = partners.iter().map(|(name, more)| partner(name, more));
        Rules::new(local, partners.collect())
    }

    #[test]
    fn a_wildcard_stands_for_exactly_one_label() {
        let rules = rules(&[("a.example", &["*.rooms.a.example"])]).unwrap();
        for (domain, covered) in [
            ("a.example", true),
            ("x.rooms.a.example", true),
            ("rooms.a.example", false),
            ("y.x.rooms.a.example", false),
            ("x.a.example", false),
            ("xa.example", false),
        ] {
            let domain = Domain::parse(domain).unwrap();
            assert_eq!(rules.partner_of(&domain).is_some(), covered, "{domain}");
            assert_eq!(rules.listed_as(&domain).is_some(), covered, "{domain}");
        }
    }

    #[test]
    fn of_a_subdomain_it_is_said_whose_entry_lacks_it() {
        let rules = rules(&[
            ("a.example", &["*.rooms.a.example", "b.example"]),
            ("mail.c.example", &["*.chat.d.example"]),
        ])
        .unwrap();
        for (domain, want) in [
            ("sub.a.example", "add it to additional-domains of a.example"),
            (
                "y.x.rooms.a.example",
                "add it to additional-domains of a.example",
            ),
            ("x.y.b.example", "add it to additional-domains of a.example"),
            (
                "y.x.chat.d.example",
                "add it to additional-domains of mail.c.example",
            ),
            ("c.example", "no entry of partners.toml covers it"),
            ("xa.example", "no entry of partners.toml covers it"),
            ("example", "no entry of partners.toml covers it"),
        ] {
            let domain = Domain::parse(domain).unwrap();
            assert!(rules.partner_of(&domain).is_none(), "{domain}");
            let text = rules.unknown_partner(&domain).to_string();
            assert_eq!(text, format!("{domain} is not a partner: {want}"));
        }
    }

    #[test]
    fn domains_are_listed_as_they_are_written_and_strangers_are_not() {
        let rules = rules(&[("a.example", &["*.rooms.a.example"])])
            .unwrap()
            .with_default_partner(Some(partner("default-partner", &[])));
        for (domain, want) in [
            ("a.example", Some("a.example")),
            ("x.rooms.a.example", Some("*.rooms.a.example")),
            ("y.rooms.a.example", Some("*.rooms.a.example")),
            ("b.example", None),
        ] {
            let domain = Domain::parse(domain).unwrap();
            assert!(rules.partner_of(&domain).is_some());
            let listed = rules.listed_as(&domain).map(|it| it.to_string());
            assert_eq!(listed.as_deref(), want, "{domain}");
        }
    }

    #[test]
    fn each_domain_belongs_to_one_entry() {
        let overlaps = |partners: &[(&str, &[&str])]| match rules(partners) {
            Ok(_) => Vec::new(),
            Err(errors) => errors
                .into_iter()
                .map(|error| match error {
                    RulesError::Overlap { first, second } => {
                        format!("{} {}", first.pattern, second.pattern)
                    }
                    RulesError::IsLocal { claim, domain } => format!("{} {domain}", claim.pattern),
                })
                .collect(),
        };
        let none: [&str; 0] = [];
        assert_eq!(
            overlaps(&[("a.example", &["*.a.example"]), ("b.example", &[])]),
            none
        );
        assert_eq!(
            overlaps(&[("a.example", &["x.a.example", "*.a.example"])]),
            none
        );
        assert_eq!(
            overlaps(&[("a.example", &[]), ("b.example", &["A.example."])]),
            ["a.example a.example"]
        );
        assert_eq!(
            overlaps(&[("a.example", &["*.a.example"]), ("x.a.example", &[])]),
            ["*.a.example x.a.example"]
        );
        assert_eq!(
            overlaps(&[("x.a.example", &[]), ("a.example", &["*.a.example"])]),
            ["x.a.example *.a.example"]
        );
        assert_eq!(
            overlaps(&[("a.example", &["a.example"])]),
            ["a.example a.example"]
        );
        assert_eq!(
            overlaps(&[("im.contoso.example", &["*.contoso.example"])]),
            [
                "im.contoso.example im.contoso.example",
                "*.contoso.example im.contoso.example"
            ]
        );
    }
}
