//! Addresses: [`Domain`] is the one normal form for every comparison, [`Jid`] the checked whole.
//!
//! A relay must not rewrite addresses, so local and resource parts are checked and kept as they
//! came. Normal forms are for comparisons: [`Domain`] for domains, [`BareJid`] for accounts.

mod bare;

use std::fmt;
use std::sync::Arc;

pub use bare::BareJid;

/// A domain in its one normal form: A-labels, lower case, no trailing dot.
///
/// Policy, dialback, certificates and routing all compare this form, so that two spellings can
/// never meet two rules (RUSTSEC-2024-0421).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Arc<str>);

impl Domain {
    /// Parses and normalises a domain name or an IP literal.
    ///
    /// # Errors
    /// [`JidError`] when the text is empty, too long, or not a name that IDNA 2008 admits.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        // RFC 7622 §3.2: a final dot is not part of the domainpart, and is removed first.
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(JidError::EmptyDomain);
        }
        if text.len() > MAX_PART {
            return Err(JidError::TooLong);
        }
        // RFC 7622 §3.2.1: an IP literal; RFC 5952 gives IPv6 its one text form.
        if let Some(inner) = text.strip_prefix('[') {
            let address: std::net::Ipv6Addr = inner
                .strip_suffix(']')
                .and_then(|inner| inner.parse().ok())
                .ok_or(JidError::BadDomain)?;
            return Ok(Self(format!("[{address}]").into()));
        }
        let ascii = idna::uts46::Uts46::new()
            .to_ascii(
                text.as_bytes(),
                idna::AsciiDenyList::STD3,
                idna::uts46::Hyphens::CheckFirstLast,
                idna::uts46::DnsLength::Verify,
            )
            .map_err(|_| JidError::BadDomain)?;
        Ok(Self(ascii.as_ref().into()))
    }

    /// The normal form as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is an IP literal rather than a name: it has no SRV records.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.0.starts_with('[') || self.0.parse::<std::net::Ipv4Addr>().is_ok()
    }

    /// The domain one label up, if there is one: `a.b.c` gives `b.c`.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.0.split_once('.').map(|(_, parent)| parent)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A checked address; [`Jid::as_str`] is exactly what was parsed.
#[derive(Clone, PartialEq, Eq)]
pub struct Jid {
    text: Arc<str>,
    domain: Domain,
    /// Where the `@` stands, if there is a local part.
    at: Option<usize>,
    /// Where the `/` stands, if there is a resource part.
    slash: Option<usize>,
}

impl Jid {
    /// Parses an address: `[local@]domain[/resource]` (RFC 7622 §3.1).
    ///
    /// # Errors
    /// [`JidError`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        // RFC 7622 §3.2: the first `/` ends the bare address; then the first `@` ends the local part.
        let slash = text.find('/');
        let bare = slash.map_or(text, |slash| text.split_at(slash).0);
        let at = bare.find('@');
        let domain = match at {
            Some(at) => {
                let (local, rest) = bare.split_at(at);
                check_local(local)?;
                Domain::parse(rest.strip_prefix('@').unwrap_or(rest))?
            }
            None => Domain::parse(bare)?,
        };
        if let Some(slash) = slash {
            let (_, rest) = text.split_at(slash);
            check_resource(rest.strip_prefix('/').unwrap_or(rest))?;
        }
        Ok(Self {
            text: text.into(),
            domain,
            at,
            slash,
        })
    }

    /// The address as it was written.
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
        self.at.map(|at| self.text.split_at(at).0)
    }

    /// The resource part, if any.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        let (_, rest) = self.text.split_at(self.slash?);
        rest.strip_prefix('/')
    }

    /// The address without its resource.
    #[must_use]
    pub fn bare(&self) -> &str {
        self.slash
            .map_or(&self.text, |slash| self.text.split_at(slash).0)
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

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JidError {
    /// Nothing where the domain should be.
    #[error("the domain is empty")]
    EmptyDomain,
    /// The domain is not a name that IDNA 2008 admits, nor an IP literal.
    #[error("the domain is not a valid name")]
    BadDomain,
    /// The local part is empty or has a character that RFC 7622 §3.3 forbids.
    #[error("the local part is empty or has a forbidden character")]
    BadLocal,
    /// The resource part is empty or has a control character.
    #[error("the resource is empty or has a forbidden character")]
    BadResource,
    /// A part is longer than 1023 bytes.
    #[error("a part is longer than 1023 bytes")]
    TooLong,
}

/// RFC 7622 §3.2 to §3.4: no part is longer than 1023 bytes.
const MAX_PART: usize = 1023;

fn check_local(local: &str) -> Result<(), JidError> {
    if local.len() > MAX_PART {
        return Err(JidError::TooLong);
    }
    // RFC 7622 §3.3.1 excludes these nine; spaces and controls are outside PRECIS's IdentifierClass.
    let forbidden = |c: char| "\"&'/:<>@".contains(c) || c.is_whitespace() || c.is_control();
    if local.is_empty() || local.contains(forbidden) {
        return Err(JidError::BadLocal);
    }
    Ok(())
}

fn check_resource(resource: &str) -> Result<(), JidError> {
    if resource.len() > MAX_PART {
        return Err(JidError::TooLong);
    }
    // RFC 7622 §3.4: OpaqueString admits spaces, but no control characters.
    if resource.is_empty() || resource.contains(char::is_control) {
        return Err(JidError::BadResource);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_domain_has_one_form() {
        let want = Domain::parse("xn--exmple-cua.org").unwrap();
        for spelling in [
            "exämple.org",
            "EXÄMPLE.org",
            "exämple.org.",
            "exämple。org",
            "Xn--Exmple-Cua.ORG",
        ] {
            assert_eq!(Domain::parse(spelling), Ok(want.clone()), "{spelling}");
        }
    }

    #[test]
    fn impossible_domains_are_refused() {
        for bad in [
            "",
            ".",
            "a..b",
            "-a.b",
            "a_b.c",
            "xn--example-.org",
            "a b",
            "a\u{0}b",
            "[::1",
            "[127.0.0.1]",
            "*.a",
        ] {
            assert!(Domain::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ip_literals_have_one_form() {
        assert_eq!(Domain::parse("[::0:1]").unwrap().as_str(), "[::1]");
        assert!(Domain::parse("127.0.0.1").unwrap().is_address());
        assert!(!Domain::parse("a.example").unwrap().is_address());
    }

    #[test]
    fn parts_are_found_and_kept_as_they_came() {
        let jid = Jid::parse("Romeo@Example.NET/a@b/c d").unwrap();
        assert_eq!(jid.local(), Some("Romeo"));
        assert_eq!(jid.domain().as_str(), "example.net");
        assert_eq!(jid.resource(), Some("a@b/c d"));
        assert_eq!(jid.bare(), "Romeo@Example.NET");
        assert_eq!(jid.as_str(), "Romeo@Example.NET/a@b/c d");
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

    proptest::proptest! {
        /// Where both take a text for a domain, they mean the same one. (ß is left out: the other
        /// implementation follows IDNA 2003, which maps it to ss.)
        #[test]
        fn domains_agree_with_another_implementation(text in "[a-zA-Zäö0-9.-]{1,20}") {
            if let (Ok(ours), Ok(theirs)) = (Domain::parse(&text), jid::DomainPart::new(&text)) {
                let again = Domain::parse(theirs.as_str()).unwrap();
                proptest::prop_assert_eq!(ours, again);
            }
        }
    }
}
