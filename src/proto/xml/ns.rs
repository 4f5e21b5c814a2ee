//! Namespace names: [`Ns`], cheap to clone and cheap to compare with a constant.

use std::fmt;
use std::sync::Arc;

/// A namespace name.
///
/// The names XMPP itself uses are constants; comparing with one of them compares two small
/// numbers. [`Ns::CONTENT`] is no name but a marker: the content namespace of whichever stream an
/// element is on (RFC 6120 §4.8.3). The reader maps `jabber:server` or `jabber:component:accept`
/// to it and the writer maps it back, so a stanza is re-scoped from one kind of stream to the
/// other without being touched.
///
/// **What is re-scoped.** A stanza, its child elements, and further down every element whose
/// ancestors are all content: exactly the rule of RFC 6120 §4.8.3. There, a literal `jabber:client`,
/// `jabber:server` or `jabber:component:accept` becomes `CONTENT` whatever the stream's kind:
/// were `<status xmlns='jabber:component:accept'/>` inside a `jabber:server` stanza left alone, policy
/// would see a harmless extension and the gateway a status note. Below an extension element (a
/// forwarded message, say) the same names are payload: they stay literal, and are written as they came.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ns(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    /// An index into [`KNOWN`].
    Known(u8),
    /// Any other name; never one of [`KNOWN`], so that derived equality is right.
    Other(Arc<str>),
}

/// Declares the constants and the table they index, so that the two cannot drift apart.
macro_rules! known {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "names of the constants they number")]
        enum Index { $($name),* }

        const KNOWN: &[&str] = &[$($text),*];

        impl Ns {
            $($(#[$doc])* pub const $name: Self = Self(Repr::Known(Index::$name as u8));)*
        }
    };
}

known! {
    /// The content namespace of the stream; [`Ns::as_str`] gives a text that is no namespace name.
    CONTENT = "(the content namespace of the stream)";
    /// No namespace.
    NONE = "";
    /// Streams (RFC 6120 §4.8.1).
    STREAM = "http://etherx.jabber.org/streams";
    /// Server dialback (XEP-0220).
    DIALBACK = "jabber:server:dialback";
    /// The stream feature of server dialback (XEP-0220 §2.2.1).
    DIALBACK_FEATURE = "urn:xmpp:features:dialback";
    /// STARTTLS (RFC 6120 §5).
    TLS = "urn:ietf:params:xml:ns:xmpp-tls";
    /// SASL (RFC 6120 §6).
    SASL = "urn:ietf:params:xml:ns:xmpp-sasl";
    /// Conditions of stream errors (RFC 6120 §4.9.2).
    STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams";
    /// Conditions of stanza errors (RFC 6120 §8.3.2).
    STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas";
    /// Application conditions such as `stanza-too-big` (RFC 6120 §4.9.3.14).
    APPLICATION_ERRORS = "urn:xmpp:errors";
    /// Application conditions of this program: which of its limits was reached.
    LIMITS = "urn:xmpp-edge:limits:0";
    /// Pings (XEP-0199).
    PING = "urn:xmpp:ping";
    /// Bidirectional streams (XEP-0288).
    BIDI = "urn:xmpp:bidi";
    /// The stream feature of bidirectional streams (XEP-0288).
    BIDI_FEATURE = "urn:xmpp:features:bidi";
    /// Stream management (XEP-0198).
    STREAM_MANAGEMENT = "urn:xmpp:sm:3";
    /// Stream limits (XEP-0478).
    STREAM_LIMITS = "urn:xmpp:stream-limits:0";
    /// What the edge tells a gateway of the partner that a stanza came from.
    PARTNER = "urn:xmpp-edge:partner:0";
    /// The namespace that the `xml` prefix is bound to.
    XML = "http://www.w3.org/XML/1998/namespace";
    /// The namespace that the `xmlns` prefix is bound to.
    XMLNS = "http://www.w3.org/2000/xmlns/";
    /// Streams between clients and servers, as a literal name.
    CLIENT = "jabber:client";
    /// Streams between servers, as a literal name; on a stanza it is [`Ns::CONTENT`].
    SERVER = "jabber:server";
    /// Component links, as a literal name; on a stanza it is [`Ns::CONTENT`].
    COMPONENT = "jabber:component:accept";
}

impl Ns {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Known(index) => KNOWN.get(usize::from(*index)).copied().unwrap_or_default(),
            Repr::Other(name) => name,
        }
    }

    /// Whether this is a content namespace by its literal name.
    pub(crate) fn is_literal_content(&self) -> bool {
        [Self::SERVER, Self::COMPONENT, Self::CLIENT].contains(self)
    }

    /// The name to write on a stream of this kind.
    pub(crate) fn written(&self, stream_kind: super::StreamKind) -> &str {
        if *self == Self::CONTENT {
            stream_kind.content_namespace()
        } else {
            self.as_str()
        }
    }
}

impl From<&str> for Ns {
    fn from(name: &str) -> Self {
        let known = KNOWN.iter().skip(1).position(|known| *known == name);
        Self(match known.and_then(|index| u8::try_from(index + 1).ok()) {
            Some(index) => Repr::Known(index),
            None => Repr::Other(name.into()),
        })
    }
}

impl From<&Self> for Ns {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}

impl fmt::Debug for Ns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Ns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_is_its_constant() {
        assert_eq!(Ns::from("urn:xmpp:ping"), Ns::PING);
        assert_eq!(Ns::from(""), Ns::NONE);
        assert_eq!(Ns::from("jabber:x:data"), Ns::from("jabber:x:data"));
        for (index, name) in KNOWN.iter().enumerate().skip(1) {
            assert_eq!(
                Ns::from(*name),
                Ns(Repr::Known(u8::try_from(index).unwrap()))
            );
        }
    }

    #[test]
    fn no_received_name_is_the_content_marker() {
        assert_ne!(Ns::from(Ns::CONTENT.as_str()), Ns::CONTENT);
    }
}
