//! The names a certificate presents, and whether one of them is a domain.
//!
//! Three kinds of subject alternative name count: dNSName, SRVName for `_xmpp-server`, and
//! id-on-xmppAddr. The common name is never looked at, and an IP literal is never covered.

use std::fmt;

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::asn1::{Ia5StringRef, ObjectIdentifier, Utf8StringRef};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::{GeneralName, OtherName};

use crate::proto::jid::Domain;

/// Every name of the three kinds that a certificate presents, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<Name>);

impl Names {
    /// Reads the names. A certificate that cannot be read presents none.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Certificate::from_der(certificate)
            .map(|certificate| Self::in_certificate(&certificate))
            .unwrap_or_default()
    }

    /// The names of a certificate already parsed.
    pub(crate) fn in_certificate(certificate: &Certificate) -> Self {
        // RFC 5280 §4.2: an extension that stands there twice makes the certificate invalid.
        match certificate
            .tbs_certificate()
            .get_extension::<SubjectAltName>()
        {
            Ok(Some((_, SubjectAltName(names)))) => {
                Self(names.iter().filter_map(Name::of).collect())
            }
            Ok(None) | Err(_) => Self::default(),
        }
    }

    /// Whether one of the names is this domain.
    #[must_use]
    pub fn covers(&self, domain: &Domain) -> bool {
        self.0.iter().any(|name| name.covers(domain))
    }

    /// Whether a dNSName, and not only a name of another kind, is this domain.
    #[must_use]
    pub fn dns_covers(&self, domain: &Domain) -> bool {
        self.0
            .iter()
            .any(|name| matches!(name, Name::Dns(_)) && name.covers(domain))
    }

    /// The names, in the order of the certificate.
    pub fn iter(&self) -> impl Iterator<Item = &Name> {
        self.0.iter()
    }

    /// Whether there is no name of the three kinds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Names {
    /// At most ten names, fit for a log line: peers choose them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no name at all");
        }
        for (index, name) in self.0.iter().take(MAX_SHOWN).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}")?;
        }
        match self.0.len().saturating_sub(MAX_SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// One name, as the certificate spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// dNSName (RFC 5280 §4.2.1.6); the only kind that may have a wildcard.
    Dns(String),
    /// SRVName (RFC 4985), the service included.
    Srv(String),
    /// id-on-xmppAddr (RFC 6120 §13.7.1.4).
    XmppAddr(String),
}

impl Name {
    /// The text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Dns(text) | Self::Srv(text) | Self::XmppAddr(text) => text,
        }
    }

    /// Whether this name is the domain. Compared in the one normal form of [`Domain`].
    #[must_use]
    pub fn covers(&self, domain: &Domain) -> bool {
        // RFC 9525 §6.4: an IP address is matched with an iPAddress only, which XMPP has no use for.
        if domain.is_address() {
            return false;
        }
        match self {
            Self::Dns(text) => match text.strip_prefix("*.") {
                Some(parent) => is_one_label_below(domain, parent),
                None => is_domain(text, domain),
            },
            // RFC 4985 §3: the whole domain name is matched exactly, so no wildcard counts here.
            Self::Srv(text) => text
                .split_once('.')
                // RFC 9525 §6.5: the service is matched regardless of case.
                .filter(|(service, _)| service.eq_ignore_ascii_case("_xmpp-server"))
                .is_some_and(|(_, name)| is_domain(name, domain)),
            // RFC 6120 §13.7.1.2.1: of a server, the address is a bare domainpart.
            // RFC 7622 §3.2: it stands there in normal form; another spelling is another name, because
            // nobody knows what the authority has read in it.
            Self::XmppAddr(text) => {
                let text = text.to_ascii_lowercase();
                text == domain.as_str() || text == unicode(domain)
            }
        }
    }

    fn of(name: &GeneralName) -> Option<Self> {
        match name {
            GeneralName::DnsName(text) => Some(Self::Dns(text.as_str().to_owned())),
            GeneralName::OtherName(OtherName { type_id, value }) if *type_id == ID_ON_XMPP_ADDR => {
                let text = value.decode_as::<Utf8StringRef<'_>>().ok()?;
                Some(Self::XmppAddr(text.as_str().to_owned()))
            }
            GeneralName::OtherName(OtherName { type_id, value }) if *type_id == ID_ON_DNS_SRV => {
                let text = value.decode_as::<Ia5StringRef<'_>>().ok()?;
                Some(Self::Srv(text.as_str().to_owned()))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(_) => {}
            Self::Srv(_) => f.write_str("SRVName ")?,
            Self::XmppAddr(_) => f.write_str("xmppAddr ")?,
        }
        f.write_str(&printable(self.as_str()))
    }
}

/// A peer's text made fit for one line of a log or a terminal: control and invisible characters
/// escaped, and cut after 100 characters.
#[must_use]
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_CHARS));
    for (index, c) in text.chars().enumerate() {
        if index == MAX_CHARS {
            out.push('…');
            break;
        }
        // `escape_debug` knows what is not printable, bidirectional controls included; quotes and
        // backslashes need no escape here, save that a backslash must stay tellable.
        match c {
            ' '..='[' | ']'..='~' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
    }
    out
}

const MAX_SHOWN: usize = 10;
const MAX_CHARS: usize = 100;

/// RFC 6120 §13.7.1.4.
const ID_ON_XMPP_ADDR: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.5");
/// RFC 4985 §2.
const ID_ON_DNS_SRV: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.7");

/// A name as it stands in a certificate. RFC 5280 §4.2.1.6, RFC 1034 §3.5: there it has no dot at
/// its end, and other readers of certificates take none.
fn presented(text: &str) -> Option<Domain> {
    Domain::parse(text).ok().filter(|_| !text.ends_with('.'))
}

/// A domain with its A-labels read as what they stand for.
fn unicode(domain: &Domain) -> String {
    let (text, outcome) = idna::domain_to_unicode(domain.as_str());
    match outcome {
        Ok(()) => text,
        Err(_) => domain.as_str().to_owned(),
    }
}

fn is_domain(text: &str, domain: &Domain) -> bool {
    presented(text).is_some_and(|presented| presented == *domain)
}

/// RFC 9525 §6.3: a wildcard is the whole leftmost label, the only one, and stands for one label.
fn is_one_label_below(domain: &Domain, parent: &str) -> bool {
    // RFC 9525 §7.1: a wildcard right below a top-level name would cover a public suffix.
    parent.contains('.')
        && presented(parent).is_some_and(|parent| {
            domain
                .parent()
                .is_some_and(|above| above == parent.as_str())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_kind_of_name_covers() {
        let dns = |text: &str| Name::Dns(text.to_owned());
        let srv = |text: &str| Name::Srv(text.to_owned());
        let addr = |text: &str| Name::XmppAddr(text.to_owned());
        for (name, domain, want) in [
            (dns("a.example"), "a.example", true),
            (dns("A.Example"), "a.example", true),
            (dns("a.example"), "b.a.example", false),
            (dns("xn--exmple-cua.org"), "exämple.org", true),
            (dns("*.a.example"), "b.a.example", true),
            (dns("*.a.example"), "a.example", false),
            (dns("*.a.example"), "c.b.a.example", false),
            (dns("*.a.example"), "xn--exmple-cua.a.example", true),
            (dns("b*.a.example"), "bc.a.example", false),
            (dns("b.*.example"), "b.a.example", false),
            (dns("*.*.example"), "b.a.example", false),
            (dns("*.example"), "a.example", false),
            (dns("a.example."), "a.example", false),
            (dns("*.a.example."), "b.a.example", false),
            (dns("*.example."), "a.example", false),
            (dns("*"), "example", false),
            (dns("a.example\0.evil.test"), "a.example", false),
            (dns(""), "a.example", false),
            (dns("192.0.2.1"), "192.0.2.1", false),
            (addr("exämple.org"), "exämple.org", true),
            (addr("xn--exmple-cua.org"), "exämple.org", true),
            // Other spellings are other names.
            (addr("EXÄMPLE.org"), "exämple.org", false),
            (addr("a.example."), "a.example", false),
            (addr("ａ.example"), "a.example", false),
            (addr("a\u{ad}.example"), "a.example", false),
            (addr("a。example"), "a.example", false),
            (srv("_xmpp-server.a.example"), "a.example", true),
            (srv("_XMPP-Server.a.example"), "a.example", true),
            (srv("_xmpp-client.a.example"), "a.example", false),
            (srv("_xmpp-server.*.a.example"), "b.a.example", false),
            (srv("_xmpp-server.a.example."), "a.example", false),
            (srv("a.example"), "a.example", false),
            (srv("_xmpp-server"), "xmpp-server", false),
            (addr("a.example"), "a.example", true),
            (addr("exämple.org"), "xn--exmple-cua.org", true),
            (addr("juliet@a.example"), "a.example", false),
            (addr("a.example/r"), "a.example", false),
            (addr("*.a.example"), "b.a.example", false),
        ] {
            let domain = Domain::parse(domain).unwrap();
            assert_eq!(name.covers(&domain), want, "{name:?} {domain}");
        }
    }

    #[test]
    fn hostile_names_are_shown_on_one_short_line() {
        let names = Names(vec![Name::Dns("a\u{1b}[31m\r\n\u{202e}b".to_owned())]);
        assert_eq!(names.to_string(), r"a\u{1b}[31m\r\n\u{202e}b");
        let names = Names(vec![Name::XmppAddr("x".repeat(5000)); 50]);
        assert!(names.to_string().ends_with("and 40 more"));
        assert!(names.to_string().len() < 1300);
        assert_eq!(Names::default().to_string(), "no name at all");
    }
}
