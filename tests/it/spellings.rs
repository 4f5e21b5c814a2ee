//! Spellings that invisible or compatible characters make: whoever prepares names in the old way (RFC
//! 6122, IDNA 2003) must find nobody by them that the edge keeps out, and no other domain.

mod domains;
mod locals;

use xmpp_edge::proto::jid::{BareJid, Domain, Jid};
use xmpp_edge::proto::policy::Access;

use self::domains::DOMAINS;
use self::locals::LOCALS;

/// Whether a stanza to this user passes where `ceo` may not use federation.
fn passes(local: &str) -> bool {
    let access = Access::new(true, [BareJid::parse("ceo@contoso.example").unwrap()]);
    Jid::parse(&format!("{local}@contoso.example"))
        .is_ok_and(|jid| jid.has_valid_local() && access.admits(&jid))
}

#[test]
fn no_spelling_of_a_forbidden_user_passes() {
    let mut forbidden = 0;
    for (local, prepared) in LOCALS {
        if *prepared == Some("ceo") {
            forbidden += 1;
            assert!(!passes(local), "{}", local.escape_unicode());
        }
    }
    assert!(LOCALS.len() >= 60 && forbidden >= 30, "{forbidden}");
    // Others are not kept out with them.
    for local in ["ceo2", "céo", "сео", "ünal", "σίσυφος", "王"] {
        assert!(passes(local), "{local}");
    }
}

/// Where only a few may, a spelling must not make one of them out of somebody else.
#[test]
fn no_spelling_makes_an_allowed_user_of_another() {
    let access = Access::new(false, [BareJid::parse("ceo@contoso.example").unwrap()]);
    for (local, prepared) in LOCALS {
        let jid = Jid::parse(&format!("{local}@contoso.example"));
        let passes = jid.is_ok_and(|jid| jid.has_valid_local() && access.admits(&jid));
        assert!(
            !passes || *prepared == Some("ceo"),
            "{}",
            local.escape_unicode()
        );
    }
}

#[test]
fn what_is_written_is_read_as_the_same_domain_everywhere() {
    for (spelling, written, prepared) in DOMAINS {
        let shown = spelling.escape_unicode();
        let domain = Domain::parse(spelling).ok();
        let ours = domain.as_ref().map(Domain::written);
        assert_eq!(ours, *written, "{shown}");
        // Whoever prepares it in the old way reads the domain that was proven, or none.
        if let (Some(domain), Some(prepared)) = (domain, prepared) {
            assert_eq!(domain.as_str(), *prepared, "{shown}");
        }
    }
}
