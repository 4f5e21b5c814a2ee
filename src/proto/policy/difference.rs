//! What a reload changes, in one line for the log.

use std::sync::Arc;

use super::{Partner, Rules};

impl Rules {
    /// The difference to later rules: `+` a new partner, `-` one that is gone, `~` one that has
    /// changed, with the keys that have; empty if there is none.
    #[must_use]
    pub fn difference(&self, after: &Self) -> String {
        let mut parts = Vec::new();
        let of = |rules: &Self| -> Vec<Arc<Partner>> {
            let partners = rules.partners().iter().chain(rules.default_partner());
            partners.cloned().collect()
        };
        let (before, now) = (of(self), of(after));
        for partner in &now {
            match before.iter().find(|was| was.primary == partner.primary) {
                None => parts.push(format!("+{}", partner.primary)),
                Some(was) => {
                    let keys = changed(was, partner);
                    if !keys.is_empty() {
                        parts.push(format!("~{} ({})", partner.primary, keys.join(", ")));
                    }
                }
            }
        }
        for was in &before {
            if !now.iter().any(|partner| partner.primary == was.primary) {
                parts.push(format!("-{}", was.primary));
            }
        }
        let domains = |rules: &Self| rules.local().to_vec();
        if domains(self) != domains(after) {
            parts.push("domains".to_owned());
        }
        if self.access() != after.access() {
            parts.push("access".to_owned());
        }
        parts.join(", ")
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
            before.difference(&after),
            "+c.example, ~b.example (dialback, stanza-rate), -a.example"
        );
        // Order and lines mean nothing.
        assert_eq!(after.difference(&after.clone()), "");
        let mut default = partner("default-partner");
        default.terms.partner_type = PartnerType::PublicUnverified;
        let open = before.clone().with_default_partner(Some(default));
        assert_eq!(before.difference(&open), "+default-partner");
        let closed = before.clone().with_access(Access::new(false, []));
        assert_eq!(before.difference(&closed), "access");
    }
}
