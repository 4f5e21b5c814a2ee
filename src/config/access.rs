//! `[access]`: which local users may use federation.

use super::problem::Problem;
use super::reader::{Item, Section};
use crate::proto::jid::{Domain, Jid};
use crate::proto::policy::Access;

/// Reads the section; without it everybody may. The number is how many contacts each user may have.
pub(super) fn read(root: &Section<'_>, locals: &[Item<Domain>]) -> (Access, usize) {
    let section = root.section("access");
    let default = section
        .choice("default", &[("allow", true), ("deny", false)])
        .is_none_or(|word| word.value);
    let texts = section.texts("exceptions").map(|texts| texts.value);
    let texts = texts.unwrap_or_default();
    let exceptions = texts
        .iter()
        .filter_map(|text| user(&section, text, locals))
        .map(|jid| jid.normal_bare());
    let access = Access::new(default, exceptions);
    let contact_limit = section.number("contact-limit", 10_000, 1..=1_000_000);
    section.finish();
    (access, contact_limit)
}

/// A user of one of the local domains.
fn user(section: &Section<'_>, text: &Item<String>, locals: &[Item<Domain>]) -> Option<Jid> {
    let problem = |code, message| {
        let hint = "write the address of a local user, as \"ceo@contoso.example\"";
        section
            .findings
            .add(Problem::error(code, &text.place, message, hint));
    };
    let shown = text.value.escape_debug();
    match Jid::parse(&text.value) {
        Err(error) => problem("bad-address", format!("\"{shown}\": {error}")),
        Ok(jid) if jid.local().is_none() || jid.resource().is_some() => {
            problem(
                "bad-address",
                format!("\"{shown}\" is not the address of a user"),
            );
        }
        Ok(jid) if !locals.iter().any(|local| local.value == *jid.domain()) => {
            let message = format!("{} is none of the edge's own domains", jid.domain());
            problem("not-local", message);
        }
        Ok(jid) => return Some(jid),
    }
    None
}
