//! What a reload changes: as values, and in one line for the log.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::{Partner, Rules};

/// What differs between two sets of rules.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The entries: those that are new or have changed in the order of the later rules, then those that
    /// are gone.
    pub partners: Vec<PartnerChange>,
    /// The local domains.
    pub domains: bool,
    /// Which local users may talk to partners.
    pub access: bool,
}

/// An entry that differs.
#[derive(Clone, Debug)]
pub struct PartnerChange {
    /// The earlier and the later one; not both are absent.
    pub entries: (Option<Arc<Partner>>, Option<Arc<Partner>>),
    /// The keys whose values differ, where it is in both.
    pub keys: Vec<&'static str>,
}

impl Rules {
    /// What differs in later rules.
    #[must_use]
    pub fn changes(&self, after: &Self) -> Changes {
        let of = |rules: &Self| -> Vec<Arc<Partner>> {
            let partners = rules.partners().iter().chain(rules.default_partner());
            partners.cloned().collect()
        };
        let (before, now) = (of(self), of(after));
        let mut old: HashMap<_, _> = before.iter().map(|it| (&it.primary, it)).collect();
        let mut partners = Vec::new();
        for partner in &now {
            let was = old.remove(&partner.primary);
            let keys = was.map_or_else(Vec::new, |was| changed(was, partner));
            if was.is_none() || !keys.is_empty() {
                let entries = (was.cloned(), Some(Arc::clone(partner)));
                partners.push(PartnerChange { entries, keys });
            }
        }
        let gone = before.iter().filter(|it| old.contains_key(&it.primary));
        partners.extend(gone.map(|was| PartnerChange {
            entries: (Some(Arc::clone(was)), None),
            keys: Vec::new(),
        }));
        Changes {
            partners,
            domains: self.local() != after.local(),
            access: self.access() != after.access(),
        }
    }
}

/// `+` a new partner, `-` one that is gone, `~` one that has changed, with the keys that have; nothing
/// where there is no difference.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let partners = self.partners.iter().map(ToString::to_string);
        let domains = self.domains.then(|| "domains".to_owned());
        let access = self.access.then(|| "access".to_owned());
        let all: Vec<_> = partners.chain(domains).chain(access).collect();
        f.write_str(&all.join(", "))
    }
}

impl fmt::Display for PartnerChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entries {
            (Some(_), Some(is)) => write!(f, "~{} ({})", is.primary, self.keys.join(", ")),
            (None, Some(is)) => write!(f, "+{}", is.primary),
            (Some(was), None) => write!(f, "-{}", was.primary),
            (None, None) => Ok(()),
        }
    }
}

impl Partner {
    /// Whether another entry says the same, wherever in its file it stands.
    #[must_use]
    pub fn is_as(&self, other: &Self) -> bool {
        self.primary == other.primary && changed(self, other).is_empty()
    }
}

/// The keys of the partner file whose values differ.
fn changed(was: &Partner, is: &Partner) -> Vec<&'static str> {
    let (old, new) = (&was.terms, &is.terms);
    let keys = [
        ("description", was.description != is.description),
        ("additional-domains", was.additional != is.additional),
        ("type", old.partner_type != new.partner_type),
        ("tls", was.tls != is.tls),
        ("sasl", was.sasl != is.sasl),
        ("dialback", was.dialback != is.dialback),
        ("keep-alive", was.keep_alive != is.keep_alive),
        ("share-streams", was.share_streams != is.share_streams),
        (
            "connection-limit",
            old.connection_limit != new.connection_limit,
        ),
        ("direction", old.initiative != new.initiative),
        ("route", was.route != is.route),
        ("trust-anchors", was.anchors != is.anchors),
        ("certificate-pins", was.pins.pins != is.pins.pins),
        (
            "certificate-pins-enforced",
            was.pins.enforced != is.pins.enforced,
        ),
        ("minimum-tls-version", old.minimum_tls != new.minimum_tls),
        (
            "max-stanza-bytes",
            old.max_stanza_bytes != new.max_stanza_bytes,
        ),
        ("stanza-rate", old.stanza_rate != new.stanza_rate),
        ("kinds", old.kinds != new.kinds),
        ("allow-namespaces", old.payload.allow != new.payload.allow),
        ("deny-namespaces", old.payload.deny != new.payload.deny),
    ];
    let different = keys.into_iter().filter(|(_, differs)| *differs);
    different.map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {

    use super::super::{Access, PartnerType};
    use super::*;
    use crate::proto::jid::Domain;

    fn partner(name: &str) -> Partner {
        Partner::new(Domain::parse(name).unwrap())
    }

    fn rules(partners: Vec<Partner>) -> Rules {
        Rules::new(vec![Domain::parse("contoso.example").unwrap()], partners).unwrap()
    }

    #[test]
    fn what_is_new_gone_or_changed_is_named() {
        let mut changed = partner("b.example");
        changed.terms.stanza_rate = 1;
        changed.dialback = true;
        let mut moved = partner("d.example");
        moved.line = 7;
        let before = rules(
            ["a", "b", "d"]
                .map(|it| partner(&format!("{it}.example")))
                .into(),
        );
        let after = rules(vec![partner("c.example"), moved, changed]);
        assert_eq!(
            before.changes(&after).to_string(),
            "+c.example, ~b.example (dialback, stanza-rate), -a.example"
        );
        // Order and lines mean nothing.
        assert_eq!(after.changes(&after.clone()).to_string(), "");
        let mut default = partner("default-partner");
        default.terms.partner_type = PartnerType::PublicUnverified;
        let open = before.clone().with_default_partner(Some(default));
        assert_eq!(before.changes(&open).to_string(), "+default-partner");
        let closed = before.clone().with_access(Access::new(false, []));
        assert_eq!(before.changes(&closed).to_string(), "access");
    }
}
