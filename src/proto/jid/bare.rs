//! The one form in which bare addresses are compared: for policy and for what is remembered.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use icu_normalizer::ComposingNormalizerBorrowed;

use super::{Jid, JidError, local};

/// A bare address in its one normal form: two spellings of one account are equal.
///
/// The domain is as in [`super::Domain`]. The local part is mapped as RFC 7622 §3.3.1 has it (the profile
/// UsernameCaseMapped): narrow, lower case, NFC. It is for comparison only: addresses are relayed
/// as they came.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BareJid(Arc<str>);

impl BareJid {
    /// Parses an address and takes its normal form; a resource is left out.
    ///
    /// # Errors
    /// [`JidError`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        Jid::parse(text).map(|jid| jid.normal_bare())
    }

    /// The normal form as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a program reads that prepares names after RFC 6122.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// The normal form: nothing in it is read in another way.
    Same,
    /// This bare address.
    As(String),
    /// None at all.
    Invalid,
}

impl BareJid {
    /// The address as RFC 6122 prepares it, if it is one there.
    #[must_use]
    pub fn prepared(&self) -> Option<String> {
        let Some((local, domain)) = self.0.split_once('@') else {
            return Some(self.0.to_string());
        };
        let local = nodeprep(local)?;
        Some(format!("{local}@{domain}"))
    }
}

impl Jid {
    /// The address without its resource, as RFC 6122 prepares it.
    #[must_use]
    pub fn prepared_bare(&self) -> Prepared {
        match self.local() {
            None => Prepared::Same,
            Some(local) if local.is_ascii() => Prepared::Same,
            Some(local) => match nodeprep(local) {
                Some(local) => Prepared::As(format!("{local}@{}", self.domain.as_str())),
                None => Prepared::Invalid,
            },
        }
    }

    /// The address without its resource, in its one normal form.
    #[must_use]
    pub fn normal_bare(&self) -> BareJid {
        BareJid(match self.local() {
            None => self.domain.as_str().into(),
            Some(local) => {
                let mut text = fold(local);
                text.push('@');
                text.push_str(self.domain.as_str());
                text.into()
            }
        })
    }
}

impl From<&Jid> for BareJid {
    fn from(jid: &Jid) -> Self {
        jid.normal_bare()
    }
}

impl From<&Self> for BareJid {
    fn from(bare: &Self) -> Self {
        bare.clone()
    }
}

impl fmt::Display for BareJid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BareJid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 6122 appendix A, Nodeprep: the local part as programs read it that go by it.
fn nodeprep(local: &str) -> Option<Cow<'_, str>> {
    #[cfg(test)]
    super::counted::preparation();
    stringprep::nodeprep(local).ok()
}

/// Maps a local part to the form it is compared in.
fn fold(local: &str) -> String {
    if local.is_ascii() {
        return local.to_ascii_lowercase();
    }
    // RFC 8265 §3.3.1 to §3.3.2: width first, then case, then NFC.
    let narrow = narrow(local);
    // Mapping may make a character that no local part has (U+FF20 becomes `@`): such an address
    // is none by the profile, and keeps its width so that it can mean no other.
    let mapped = if local::check(&narrow).is_ok() {
        narrow
    } else {
        Cow::Borrowed(local)
    };
    ComposingNormalizerBorrowed::new_nfc()
        .normalize(&mapped.to_lowercase())
        .into_owned()
}

/// Replaces fullwidth and halfwidth characters by the ordinary ones they stand for.
fn narrow(local: &str) -> Cow<'_, str> {
    let wide = |c: char| ('\u{FF00}'..='\u{FFEF}').contains(&c);
    if !local.contains(wide) {
        return Cow::Borrowed(local);
    }
    let compatible = ComposingNormalizerBorrowed::new_nfkc();
    let mut text = String::with_capacity(local.len());
    for c in local.chars() {
        if wide(c) {
            let mut buffer = [0; 4];
            text.push_str(&compatible.normalize(c.encode_utf8(&mut buffer)));
        } else {
            text.push(c);
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use precis_profiles::UsernameCaseMapped;
    use precis_profiles::precis_core::profile::PrecisFastInvocation as _;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_account_are_equal() {
        for (one, other) in [
            ("Romeo@Example.NET", "romeo@example.net"),
            ("romeo@example.net/orchard", "romeo@example.net"),
            ("ÄNNE@exämple.org", "änne@xn--exmple-cua.org"),
            ("A\u{308}nne@example.net", "änne@example.net"),
            ("ｒｏｍｅｏ@example.net", "romeo@example.net"),
            ("ΣΊΣΥΦΟΣ@example.net", "σίσυφος@example.net"),
            ("Example.NET.", "example.net"),
        ] {
            assert_eq!(BareJid::parse(one), BareJid::parse(other), "{one}");
        }
    }

    #[test]
    fn different_accounts_stay_different() {
        for (one, other) in [
            ("romeo@example.net", "romeo@example.org"),
            ("romeo@example.net", "example.net"),
            ("straße@example.net", "strasse@example.net"),
            ("і@example.net", "i@example.net"),
            ("ﬁ@example.net", "fi@example.net"),
        ] {
            assert_ne!(BareJid::parse(one), BareJid::parse(other), "{one}");
        }
    }

    #[test]
    fn mapping_makes_no_separator() {
        for odd in ["a＠b@example.net", "a／b@example.net"] {
            assert!(BareJid::parse(odd).is_err(), "{odd}");
        }
    }

    proptest! {
        /// What is kept can be read back and means the same.
        #[test]
        fn the_normal_form_is_its_own_normal_form(local in "[^\\p{C}\\p{Z}\"&'/:<>@]{1,12}") {
            let first = BareJid::parse(&format!("{local}@example.net"));
            prop_assume!(first.is_ok());
            let first = first.unwrap();
            prop_assert_eq!(&BareJid::parse(first.as_str()).unwrap(), &first);
        }

        /// Whatever the profile takes, it maps to the same. (Σ is left out: the other implementation
        /// maps it without regard to where it stands, which Unicode's toLowerCase() does not.)
        #[test]
        fn local_parts_agree_with_another_implementation(local in "[a-zA-ZÀ-ɏΑ-ΡΤ-ωА-яҐ가-힣一-丁Ａ-ｚｱ-ﾝ\u{300}-\u{308}ﬀ-ﬅ]{1,8}") {
            if let Ok(theirs) = UsernameCaseMapped::enforce(local.as_str()) {
                prop_assert_eq!(fold(&local), theirs);
            }
        }
    }
}
