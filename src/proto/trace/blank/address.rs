//! Addresses without their users: the domain stays, and names become letters that stand for them.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use crate::proto::jid::Jid;
use crate::proto::xml::attribute_value;

/// An address as it stands in an attribute, without its user and resource; as it came, if it is none.
pub(super) fn blanked<'a>(salt: &[u8; 16], written: &'a [u8]) -> Cow<'a, [u8]> {
    str::from_utf8(written)
        .ok()
        .and_then(|text| without_user(salt, text))
        .map_or(Cow::Borrowed(written), |text| Cow::Owned(text.into_bytes()))
}

fn without_user(salt: &[u8; 16], written: &str) -> Option<String> {
    // Any letter may be written as a reference, and is then as much of a name as without.
    let meant = attribute_value(written)?;
    if !Jid::parse(&meant).is_ok_and(|jid| jid.has_valid_local()) {
        return None;
    }
    let (bare, resource) = match cut(written, '/') {
        Some((bare, resource)) => (bare, Some(resource)),
        None => (written, None),
    };
    let mut out = String::with_capacity(written.len());
    match cut(bare, '@') {
        Some((local, domain)) => {
            out.push_str(&letters(salt, local)?);
            out.push_str(bare.get(local.len()..bare.len() - domain.len())?);
            out.push_str(domain);
        }
        None => out.push_str(bare),
    }
    if let Some(resource) = resource {
        out.push_str(written.get(bare.len()..written.len() - resource.len())?);
        out.push_str(&letters(salt, resource)?);
    }
    Some(out)
}

/// What stands before the first such letter and behind it, however that is written.
fn cut(written: &str, letter: char) -> Option<(&str, &str)> {
    let mut rest = written;
    while let Some(c) = rest.chars().next() {
        let end = match c {
            '&' => rest.find(';')? + 1,
            _ => c.len_utf8(),
        };
        let (first, behind) = rest.split_at_checked(end)?;
        if attribute_value(first)?.chars().eq([letter]) {
            return Some((written.get(..written.len() - rest.len())?, behind));
        }
        rest = behind;
    }
    None
}

/// As many letters as the name is written with bytes; for one name always the same.
fn letters(salt: &[u8; 16], written: &str) -> Option<String> {
    let digest = Sha256::new()
        .chain_update(salt)
        .chain_update(attribute_value(written)?)
        .finalize();
    let round = digest.iter().cycle().take(written.len());
    Some(round.map(|byte| char::from(b'a' + byte % 26)).collect())
}
