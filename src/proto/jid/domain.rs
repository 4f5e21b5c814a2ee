//! Domains: one normal form for every comparison, and one that is written.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::error::{JidError, MAX_PART};

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
        Arc::ptr_eq(&self.0, &other.0) || self.0.ascii == other.0.ascii
    }
}

impl Eq for Domain {}

impl Hash for Domain {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.ascii.hash(state);
    }
}

/// Tables of domains are asked by the normal form. Equality, order and hash are those of the text.
impl Borrow<str> for Domain {
    fn borrow(&self) -> &str {
        &self.0.ascii
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

    /// Whether both forms are the same.
    pub(super) fn is_written_in_ascii(&self) -> bool {
        self.0.written.is_none()
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
        // What reads as an A-label again would be taken for that one, or for none.
        if outcome.is_err() || text.starts_with("xn--") || !old.is_ok_and(|old| old == text) {
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
            // Its U-label would begin as an A-label does, and be none.
            (
                "xn--xn--axn--strae-oqa.example",
                "xn--xn--axn--strae-oqa.example",
                "xn--xn--axn--strae-oqa.example",
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
