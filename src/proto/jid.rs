//! Addresses: [`Domain`] is the one normal form for every comparison, [`Jid`] the checked whole.
//!
//! A relay must not rewrite addresses, so local and resource parts are checked and kept as they
//! came; a domain is written in one form. Normal forms are for comparisons: [`Domain`] for domains,
//! [`BareJid`] for accounts.

mod bare;
#[cfg(test)]
pub(crate) mod counted;
#[cfg(test)]
mod separator_tests;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use precis_profiles::UsernameCaseMapped;
use precis_profiles::precis_core::profile::PrecisFastInvocation as _;

pub use bare::{BareJid, Prepared};

/// A domain in its one normal form: A-labels, lower case, no trailing dot.
///
/// Policy, dialback keys, certificates, DNS and routing all compare this form, so that two spellings
/// can never meet two rules (RUSTSEC-2024-0421). In addresses it is written with U-labels:
/// [`Domain::written`].
#[derive(Clone)]
pub struct Domain(Arc<Forms>);

struct Forms {
    ascii: Box<str>,
    /// What is written where it differs.
    written: Option<Box<str>>,
}

impl PartialEq for Domain {
    fn eq(&self, other: &Self) -> bool {
        self.0.ascii == other.0.ascii
    }
}

impl Eq for Domain {}

impl Hash for Domain {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.ascii.hash(state);
    }
}

impl PartialOrd for Domain {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Domain {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.ascii.cmp(&other.0.ascii)
    }
}

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
            return Ok(Self::of(format!("[{address}]").into()));
        }
        if has_overlong_label(text) {
            return Err(JidError::BadDomain);
        }
        let ascii = idna::uts46::Uts46::new()
            .to_ascii(
                text.as_bytes(),
                idna::AsciiDenyList::STD3,
                idna::uts46::Hyphens::CheckFirstLast,
                idna::uts46::DnsLength::Verify,
            )
            .map_err(|_| JidError::BadDomain)?;
        Ok(Self::of(ascii.as_ref().into()))
    }

    /// The normal form as text: for comparison, DNS, TLS and certificates.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.ascii
    }

    /// What stands in addresses, stream headers and dialback that we write.
    ///
    /// RFC 7622 §3.2: U-labels. A label that IDNA 2003 reads as another one (with ß, ς, ZWJ, ZWNJ and
    /// a few more) stays an A-label: whoever prepares names so would take it for another domain.
    #[must_use]
    pub fn written(&self) -> &str {
        self.0.written.as_deref().unwrap_or(&self.0.ascii)
    }

    fn of(ascii: Box<str>) -> Self {
        let written = written_form(&ascii).map(Box::from);
        Self(Arc::new(Forms { ascii, written }))
    }

    /// Whether this is an IP literal rather than a name: it has no SRV records.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.0.ascii.starts_with('[') || self.0.ascii.parse::<std::net::Ipv4Addr>().is_ok()
    }

    /// The domain one label up, if there is one: `a.b.c` gives `b.c`.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.0.ascii.split_once('.').map(|(_, parent)| parent)
    }
}

/// For people: both forms where they differ, the safe one first where the other may deceive.
impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Forms { ascii, written } = &*self.0;
        match written {
            None => f.write_str(ascii),
            Some(written) if may_deceive(written) => write!(f, "{ascii} ({written})"),
            Some(written) => write!(f, "{written} ({ascii})"),
        }
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// RFC 1035 §2.3.4: a label has 63 octets. A letter of it may have come as up to four characters.
const MAX_LABEL: usize = 4 * 63;

/// Whether a label is so long that it is none, whatever IDNA makes of it: that takes time that grows
/// with the square of the length.
fn has_overlong_label(text: &str) -> bool {
    // UTS #46 §2.3: all of these divide labels.
    let dots = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];
    let is_long = |label: &str| label.chars().nth(MAX_LABEL).is_some();
    text.len() > MAX_LABEL && text.split(dots).any(is_long)
}

/// The form with U-labels, where it differs.
fn written_form(ascii: &str) -> Option<String> {
    if !ascii.split('.').any(|label| label.starts_with("xn--")) {
        return None;
    }
    let label = |label: &str| {
        let (text, outcome) = idna::domain_to_unicode(label);
        // RFC 3491: what IDNA 2003 reads. Where it is something else, or cannot be told because
        // Unicode 3.2 did not have a letter, the U-label is not safe.
        let old = stringprep::nameprep(&text);
        if outcome.is_err() || !old.is_ok_and(|old| old == text) {
            return label.to_owned();
        }
        text
    };
    let labels: Vec<_> = ascii.split('.').map(label).collect();
    let written = labels.join(".");
    (written != ascii).then_some(written)
}

/// Whether a label mixes Latin letters with those of other scripts, or runs from right to left.
fn may_deceive(written: &str) -> bool {
    let is_latin = |c: char| {
        c.is_ascii_alphabetic() || matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
    };
    let runs_left = |c: char| matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fefc}');
    written.split('.').any(|label| {
        let mut letters = label.chars().filter(|c| c.is_alphabetic());
        let mixed = label.chars().any(is_latin) && letters.any(|c| !is_latin(c));
        mixed || label.contains(runs_left)
    })
}

/// A checked address. Its local and resource parts stay as they came, and its domain is as it is
/// written: [`Domain::written`].
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
        let local = at.map(|at| text.split_at(at).0);
        if local.is_some_and(makes_separator) {
            return Err(JidError::BadLocal);
        }
        let begin = at.map_or(0, |at| at + 1);
        let end = slash.unwrap_or(text.len());
        if text.get(begin..end) == Some(domain.written()) {
            return Ok(Self {
                text: text.into(),
                domain,
                at,
                slash,
            });
        }
        // RFC 7622 §3.2: one form of the domain leaves.
        let before = text.get(..begin).unwrap_or_default();
        let after = text.get(end..).unwrap_or_default();
        let slash = slash.map(|_| begin + domain.written().len());
        Ok(Self {
            text: format!("{before}{}{after}", domain.written()).into(),
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
        let Some(local) = self.local() else {
            return true;
        };
        // What is printable in ASCII and not excluded is valid.
        local.is_ascii() || UsernameCaseMapped::enforce(local).is_ok()
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

/// Whether a local part becomes another address where somebody maps compatible characters (NFKC):
/// `ceo＠boss.example／x` is no account of ours, and could be read as one elsewhere.
fn makes_separator(local: &str) -> bool {
    local.contains(is_mapped_to_separator)
}

/// The characters beyond ASCII that NFKC maps to something with `@` or `/` in it. It maps some others
/// to eighteen characters each, so a text is not mapped to find out.
fn is_mapped_to_separator(c: char) -> bool {
    matches!(
        c,
        // ℀, ℁, ℅, ℆
        '\u{2100}' | '\u{2101}' | '\u{2105}' | '\u{2106}'
            // ﹫, ／, ＠
            | '\u{fe6b}' | '\u{ff0f}' | '\u{ff20}'
    )
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
    fn a_domain_is_written_with_u_labels_unless_they_could_be_read_as_others() {
        for (spelling, written, shown) in [
            ("Contoso.Example.", "contoso.example", "contoso.example"),
            (
                "xn--bcher-kva.example",
                "bücher.example",
                "bücher.example (xn--bcher-kva.example)",
            ),
            (
                "BÜCHER.example.",
                "bücher.example",
                "bücher.example (xn--bcher-kva.example)",
            ),
            (
                "straße.example",
                "xn--strae-oqa.example",
                "xn--strae-oqa.example",
            ),
            (
                "bücher.straße.example",
                "bücher.xn--strae-oqa.example",
                "bücher.xn--strae-oqa.example (xn--bcher-kva.xn--strae-oqa.example)",
            ),
            // A Cyrillic letter among Latin ones.
            (
                "pаypal.example",
                "pаypal.example",
                "xn--pypal-4ve.example (pаypal.example)",
            ),
            ("[::1]", "[::1]", "[::1]"),
        ] {
            let domain = Domain::parse(spelling).unwrap();
            assert_eq!(domain.written(), written, "{spelling}");
            assert_eq!(domain.to_string(), shown, "{spelling}");
            assert_eq!(Domain::parse(domain.written()), Ok(domain.clone()));
            assert_eq!(Domain::parse(domain.as_str()), Ok(domain));
        }
    }

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
            &format!("a{}.example", "\u{ad}".repeat(252)),
        ] {
            assert!(Domain::parse(bad).is_err(), "{bad:?}");
        }
    }

    /// IDNA takes time that grows with the square of a label's length.
    #[test]
    fn a_label_that_is_far_too_long_is_not_prepared() {
        for (label, is_too_long) in [
            ("a".repeat(252), false),
            ("\u{e9}".repeat(253), true),
            ("\u{4e00}".repeat(340), true),
            (
                [&*"a".repeat(200), &*"b".repeat(200)].join("\u{3002}"),
                false,
            ),
            (format!("a.xn--{}.b", "9ca".repeat(300)), true),
        ] {
            assert_eq!(has_overlong_label(&label), is_too_long, "{label}");
            assert_eq!(Domain::parse(&label), Err(JidError::BadDomain), "{label}");
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
