//! Addresses: [`Domain`] is the one normal form for every comparison, [`Jid`] the checked whole.
//!
//! A relay must not rewrite addresses, so local and resource parts are checked and kept as they
//! came; a domain is written in one form. Normal forms are for comparisons: [`Domain`] for domains,
//! [`BareJid`] for accounts.

mod bare;
#[cfg(test)]
pub(crate) mod counted;
mod domain;
mod error;
mod local;
mod resource;
#[cfg(test)]
mod separator_tests;

use std::fmt;
use std::sync::Arc;

use memchr::memchr;

pub use bare::{BareJid, Prepared};
pub use domain::Domain;
pub use error::JidError;

/// A checked address. Its local and resource parts stay as they came, and its domain is as it is
/// written: [`Domain::written`].
#[derive(Clone, PartialEq, Eq)]
pub struct Jid {
    text: Arc<str>,
    domain: Domain,
    /// Where the `@` stands, if there is a local part.
    at: Option<u16>,
    /// Where the `/` stands, if there is a resource part.
    slash: Option<u16>,
    /// Whether the bare address is known to be its own normal form.
    is_normal: bool,
}

impl Jid {
    /// Parses an address: `[local@]domain[/resource]` (RFC 7622 §3.1).
    ///
    /// # Errors
    /// [`JidError`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        Self::parse_knowing(text, |_| None)
    }

    /// The same, where the domain may be one that is known: `known` gives it for the text in which it is
    /// written ([`Domain::written`]), and its form need not be found again.
    ///
    /// # Errors
    /// [`JidError`] names the part that is wrong.
    pub fn parse_knowing<'d>(
        text: &str,
        known: impl Fn(&str) -> Option<&'d Domain>,
    ) -> Result<Self, JidError> {
        let domain_of = |text: &str| match known(text) {
            Some(domain) => Ok(domain.clone()),
            None => Domain::parse(text),
        };
        // RFC 7622 §3.2: the first `/` ends the bare address; then the first `@` ends the local part.
        let slash = memchr(b'/', text.as_bytes());
        let bare = slash.map_or(text, |slash| text.split_at(slash).0);
        let at = memchr(b'@', bare.as_bytes());
        let mut is_normal = true;
        let domain = match at {
            Some(at) => {
                let (local, rest) = bare.split_at(at);
                is_normal = local::is_plain_and_lower(local);
                if !is_normal {
                    local::check(local)?;
                }
                domain_of(rest.strip_prefix('@').unwrap_or(rest))?
            }
            None => domain_of(bare)?,
        };
        if let Some(slash) = slash {
            let (_, rest) = text.split_at(slash);
            resource::check(rest.strip_prefix('/').unwrap_or(rest))?;
        }
        let local = at.map(|at| text.split_at(at).0);
        // In ASCII each character is itself.
        if !is_normal && local.is_some_and(local::makes_separator) {
            return Err(JidError::BadLocal);
        }
        let begin = at.map_or(0, |at| at + 1);
        let end = slash.unwrap_or(text.len());
        if text.get(begin..end) == Some(domain.written()) {
            return Self::of(text.into(), domain, (at, slash), is_normal);
        }
        // RFC 7622 §3.2: one form of the domain leaves.
        let before = text.get(..begin).unwrap_or_default();
        let after = text.get(end..).unwrap_or_default();
        let slash = slash.map(|_| begin + domain.written().len());
        let text = format!("{before}{}{after}", domain.written());
        Self::of(text.into(), domain, (at, slash), is_normal)
    }

    fn of(
        text: Arc<str>,
        domain: Domain,
        (at, slash): (Option<usize>, Option<usize>),
        is_normal: bool,
    ) -> Result<Self, JidError> {
        // Three parts of 1023 bytes fit.
        let place = |at: Option<usize>| at.map(u16::try_from).transpose();
        let (at, slash) = (place(at), place(slash));
        let (Ok(at), Ok(slash)) = (at, slash) else {
            return Err(JidError::TooLong);
        };
        Ok(Self {
            text,
            is_normal: is_normal && domain.is_written_in_ascii(),
            domain,
            at,
            slash,
        })
    }

    /// Whether its local part, if any, is one that an account here may have: RFC 8265 §3.3, the profile
    /// UsernameCaseMapped, without the characters that RFC 7622 §3.3.1 excludes.
    ///
    /// Others are read in two ways: what one program refuses another reads as an account, because it
    /// maps invisible or compatible characters away.
    #[must_use]
    pub fn has_valid_local(&self) -> bool {
        self.local().is_none_or(local::is_valid)
    }

    /// Whether the bare address is known to be as [`Jid::normal_bare`] has it: most are.
    #[must_use]
    pub fn is_normal(&self) -> bool {
        self.is_normal
    }

    /// The address as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The domain in its normal form.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The local part, if any.
    #[must_use]
    pub fn local(&self) -> Option<&str> {
        self.at.map(|at| self.text.split_at(at.into()).0)
    }

    /// The resource part, if any.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        let (_, rest) = self.text.split_at(self.slash?.into());
        rest.strip_prefix('/')
    }

    /// The address without its resource.
    #[must_use]
    pub fn bare(&self) -> &str {
        self.slash
            .map_or(&self.text, |slash| self.text.split_at(slash.into()).0)
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_of_an_address_is_written_in_one_form() {
        for (text, want) in [
            ("u@fabrikam.example.", "u@fabrikam.example"),
            ("u@FABRIKAM.example/R.", "u@fabrikam.example/R."),
            ("U@xn--bcher-kva.example/x", "U@bücher.example/x"),
            ("u@bücher．example/＠", "u@bücher.example/＠"),
            ("ceo@straße.example", "ceo@xn--strae-oqa.example"),
            ("fabri\u{ad}kam.example", "fabrikam.example"),
        ] {
            let jid = Jid::parse(text).unwrap();
            assert_eq!(jid.as_str(), want, "{text}");
            assert_eq!(Jid::parse(want), Ok(jid.clone()), "{text}");
            let parts = [jid.local(), Some(jid.domain().written()), jid.resource()];
            let want = Jid::parse(want).unwrap();
            assert_eq!(
                parts,
                [want.local(), Some(want.domain().written()), want.resource()]
            );
        }
    }

    #[test]
    fn what_is_known_to_be_normal_is() {
        for (text, is_known) in [
            ("u.1-x@fabrikam.example/R", true),
            ("fabrikam.example", true),
            ("[::1]", true),
            ("u@FABRIKAM.example.", true),
            ("U@fabrikam.example", false),
            ("\u{fc}@fabrikam.example", false),
            ("u@b\u{fc}cher.example", false),
        ] {
            let jid = Jid::parse(text).unwrap();
            assert_eq!(jid.is_normal(), is_known, "{text}");
            let is_so = jid.bare() == jid.normal_bare().as_str();
            assert!(is_so || !is_known, "{text}");
            let known = Jid::parse_knowing(text, |domain| {
                (domain == jid.domain().written()).then_some(jid.domain())
            });
            assert_eq!(known, Ok(jid), "{text}");
        }
    }

    #[test]
    fn parts_are_found_and_kept_as_they_came() {
        let jid = Jid::parse("Romeo@Example.NET/a@b/c d").unwrap();
        assert_eq!(jid.local(), Some("Romeo"));
        assert_eq!(jid.domain().as_str(), "example.net");
        assert_eq!(jid.resource(), Some("a@b/c d"));
        assert_eq!(jid.bare(), "Romeo@example.net");
        assert_eq!(jid.as_str(), "Romeo@example.net/a@b/c d");
        let bare = Jid::parse("example.net").unwrap();
        assert_eq!(
            (bare.local(), bare.resource(), bare.bare()),
            (None, None, "example.net")
        );
    }

    #[test]
    fn each_bad_part_has_its_name() {
        let long = "x".repeat(1024);
        for (text, want) in [
            ("@example.net", JidError::BadLocal),
            ("a b@example.net", JidError::BadLocal),
            ("a:b@example.net", JidError::BadLocal),
            ("a@b@example.net", JidError::BadDomain),
            ("a@", JidError::EmptyDomain),
            ("", JidError::EmptyDomain),
            ("/r", JidError::EmptyDomain),
            ("a@example.net/", JidError::BadResource),
            ("a@example.net/\u{7}", JidError::BadResource),
            (&format!("{long}@example.net"), JidError::TooLong),
            (&format!("a@example.net/{long}"), JidError::TooLong),
        ] {
            assert_eq!(Jid::parse(text), Err(want), "{text:?}");
        }
    }
}
