//! `[access]`: which local users may use federation at all.

use std::collections::BTreeSet;

use crate::proto::jid::{BareJid, Jid, Prepared};

/// Which local users may use federation: a default, and those for whom the opposite holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whether users may who are not listed.
    default: bool,
    /// The users for whom it is the other way round.
    exceptions: BTreeSet<BareJid>,
    /// What programs read for these that prepare names after RFC 6122. It is computed once: a list
    /// may be long, and is asked about each stanza.
    prepared: BTreeSet<String>,
    /// Whether any of the exceptions is written in more than ASCII.
    has_beyond_ascii: bool,
}

impl Default for Access {
    /// Everybody may.
    fn default() -> Self {
        Self::new(true, [])
    }
}

impl Access {
    /// Whether users may who are not listed, and those for whom it is the other way round.
    #[must_use]
    pub fn new(default: bool, exceptions: impl IntoIterator<Item = BareJid>) -> Self {
        let exceptions: BTreeSet<_> = exceptions.into_iter().collect();
        Self {
            default,
            prepared: exceptions.iter().filter_map(BareJid::prepared).collect(),
            has_beyond_ascii: exceptions.iter().any(is_beyond_ascii),
            exceptions,
        }
    }

    /// Whether an address on this side may send to partners and hear from them.
    ///
    /// An address without a local part is no user but the domain itself, which answers servers
    /// (pings, what it supports); it always may.
    #[must_use]
    pub fn admits(&self, local: &Jid) -> bool {
        if local.local().is_none() {
            return true;
        }
        // Most have no list, and need no normal form.
        if self.exceptions.is_empty() {
            return self.default;
        }
        let own = local.normal_bare();
        let listed = self.exceptions.contains(&own);
        // Programs inside may prepare names after RFC 6122 (nodeprep), which reads other spellings as
        // one account. Where the two do not agree who is meant, the user may not.
        match (self.default, local.prepared_bare()) {
            // In ASCII both are the same.
            (default, Prepared::Same) => default != listed,
            // RFC 3454 section 7: unassigned in Unicode 3.2. Programs that let it pass keep the letter,
            // so they may read another name beyond ASCII, never one in ASCII.
            (true, Prepared::Invalid) => !self.has_beyond_ascii,
            (false, Prepared::Invalid) => false,
            (true, Prepared::As(bare)) => !listed && !self.prepared.contains(&bare),
            (false, Prepared::As(bare)) => listed && own.prepared().is_some_and(|one| one == bare),
        }
    }
}

/// A domain's normal form is ASCII, so this tells of the local part.
fn is_beyond_ascii(one: &BareJid) -> bool {
    !one.as_str().is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::jid::counted;

    #[test]
    fn an_exception_is_found_in_every_spelling() {
        let access =
            |default| Access::new(default, [BareJid::parse("ceo@contoso.example").unwrap()]);
        for (address, allow, deny) in [
            ("ceo@contoso.example", false, true),
            ("CEO@Contoso.Example./desk", false, true),
            ("\u{ff43}eo@contoso.example", false, true),
            ("ceo@eu.contoso.example", true, false),
            ("ceo2@contoso.example", true, false),
            ("contoso.example", true, true),
            ("contoso.example/x", true, true),
        ] {
            let jid = Jid::parse(address).unwrap();
            assert_eq!(access(true).admits(&jid), allow, "{address}");
            assert_eq!(access(false).admits(&jid), deny, "{address}");
        }
        // Prosody reads `strasse` and the letter, which Unicode 3.2 did not have.
        let newer = Jid::parse("stra\u{df}e\u{242}@contoso.example").unwrap();
        let listing = |name: &str| Access::new(true, [BareJid::parse(name).unwrap()]);
        assert!(!listing("strasse\u{242}@contoso.example").admits(&newer));
        assert!(access(true).admits(&newer));
        assert!(!access(false).admits(&newer));
        assert!(Access::default().admits(&Jid::parse("a@b.example").unwrap()));
    }
    #[test]
    fn what_a_stanza_costs_does_not_grow_with_the_list() {
        let user =
            |number: usize| BareJid::parse(&format!("\u{fc}{number}@contoso.example")).unwrap();
        for default in [true, false] {
            for address in [
                "\u{e9}@contoso.example",
                "\u{fc}7@contoso.example",
                "a@contoso.example",
            ] {
                let jid = Jid::parse(address).unwrap();
                let costs = [8, 400].map(|count| {
                    let access = Access::new(default, (0..count).map(user));
                    counted::taken();
                    let is_listed = address.starts_with('\u{fc}');
                    assert_eq!(access.admits(&jid), default != is_listed, "{address}");
                    counted::taken()
                });
                assert_eq!(costs[0], costs[1], "{address}");
                assert!(costs[0] <= 2, "{address}: {costs:?}");
            }
        }
    }
}
