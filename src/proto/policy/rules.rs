//! The checked model of `partners.toml` and of the local domains. Made by `config`, never by serde.

use std::collections::HashMap;
use std::sync::Arc;

use super::partner::{DomainPattern, Partner};
use crate::proto::jid::Domain;

/// Everything policy decides by: which domains are ours, and who the partners are.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    local: Vec<Domain>,
    partners: Vec<Arc<Partner>>,
    exact: HashMap<Domain, usize>,
    wildcard: HashMap<Domain, usize>,
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

    /// The partner that covers a domain: an exact name first, then `*.` one label up.
    #[must_use]
    pub fn partner_of(&self, domain: &Domain) -> Option<&Arc<Partner>> {
        let index = self.exact.get(domain).or_else(|| {
            let parent = Domain::parse(domain.parent()?).ok()?;
            self.wildcard.get(&parent)
        })?;
        self.partners.get(*index)
    }

    fn add(&mut self, partner: Partner, errors: &mut Vec<RulesError>) {
        let index = self.partners.len();
        for pattern in partner.patterns() {
            let claim = Claim {
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
                let first = Claim {
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
                    Claim {
                        partner: named,
                        pattern: pattern.clone(),
                    },
                    Claim {
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
pub struct Claim {
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
        first: Claim,
        /// The one that covers it again (may be of the same entry).
        second: Claim,
    },
    /// A claim covers one of our own domains.
    IsLocal {
        /// The claim.
        claim: Claim,
        /// Our domain.
        domain: Domain,
    },
}

#[cfg(test)]
mod tests {
    use super::super::method::Negotiation;
    use super::*;

    fn partner(primary: &str, additional: &[&str]) -> Partner {
        let pattern = |text: &&str| match text.strip_prefix("*.") {
            Some(parent) => DomainPattern::Subdomains(Domain::parse(parent).unwrap()),
            None => DomainPattern::Exact(Domain::parse(text).unwrap()),
        };
        Partner {
            primary: Domain::parse(primary).unwrap(),
            description: String::new(),
            additional: additional.iter().map(pattern).collect(),
            tls: Negotiation::Required,
            sasl: Negotiation::Required,
            dialback: false,
            keep_alive: true,
            route: Vec::new(),
            anchors: None,
            line: 1,
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
