//! Addresses without their users: the domain stays, and names become letters that stand for them.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use crate::proto::jid::Jid;

/// An address as it stands in an attribute, without its user and resource; as it came, if it is none.
pub(super) fn blanked<'a>(salt: &[u8; 16], written: &'a [u8]) -> Cow<'a, [u8]> {
    str::from_utf8(written)
        .ok()
        .and_then(|text| without_user(salt, text))
        .map_or(Cow::Borrowed(written), |text| Cow::Owned(text.into_bytes()))
}

fn without_user(salt: &[u8; 16], text: &str) -> Option<String> {
    let (bare, resource) = match text.split_once('/') {
        Some((bare, resource)) => (bare, Some(resource)),
        None => (text, None),
    };
    // References stand in resources alone: a local part has none of the letters that need them.
    if bare.contains('&') {
        return None;
    }
    let is_plain = resource.is_none_or(|it| !it.contains('&'));
    if is_plain && !Jid::parse(text).is_ok_and(|jid| jid.has_valid_local()) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    match bare.split_once('@') {
        Some((local, domain)) => {
            out.push_str(&letters(salt, local));
            out.push('@');
            out.push_str(domain);
        }
        None => out.push_str(bare),
    }
    if let Some(resource) = resource {
        out.push('/');
        out.push_str(&letters(salt, resource));
    }
    Jid::parse(&out).is_ok().then_some(out)
}

/// As many letters as the name has bytes; for one name always the same.
fn letters(salt: &[u8; 16], name: &str) -> String {
    let digest = Sha256::new()
        .chain_update(salt)
        .chain_update(name)
        .finalize();
    let round = digest.iter().cycle().take(name.len());
    round.map(|byte| char::from(b'a' + byte % 26)).collect()
}
