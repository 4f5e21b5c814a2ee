//! `<stream:features/>`: what we offer, and what a partner offers, in any order and any set.

use crate::proto::auth::external::MECHANISM;
use crate::proto::xml::{Element, Ns};

/// What an inbound stream offers at one point.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offer {
    pub(super) starttls: bool,
    pub(super) starttls_required: bool,
    pub(super) external: bool,
    pub(super) dialback: bool,
    pub(super) acks: bool,
}

impl Offer {
    pub(super) fn to_element(self) -> Element {
        let mut features = Element::new(Ns::STREAM, "features");
        if self.starttls {
            let mut starttls = Element::new(Ns::TLS, "starttls");
            // RFC 6120 §5.4.1: mandatory-to-negotiate TLS says so.
            if self.starttls_required {
                starttls.push(Element::new(Ns::TLS, "required"));
            }
            features.push(starttls);
        }
        if self.external {
            features.push(
                Element::new(Ns::SASL, "mechanisms")
                    .with_child(Element::new(Ns::SASL, "mechanism").with_text(MECHANISM)),
            );
        }
        if self.dialback {
            // XEP-0220 §2.4.2: dialback errors are understood here.
            features.push(
                Element::new(Ns::DIALBACK_FEATURE, "dialback")
                    .with_child(Element::new(Ns::DIALBACK_FEATURE, "errors")),
            );
        }
        if self.acks {
            features.push(Element::new(Ns::STREAM_MANAGEMENT, "sm"));
        }
        features
    }
}

/// What a partner offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// TLS.
    pub starttls: bool,
    /// Whether nothing goes on without it.
    pub starttls_required: bool,
    /// SASL EXTERNAL.
    pub external: bool,
    /// Server dialback: what is not announced may be there all the same (XEP-0220 §2.4).
    pub dialback: bool,
    /// And that a pair which is refused does not end the stream (XEP-0220 §2.4.2).
    pub dialback_errors: bool,
    /// Acknowledgements (XEP-0198 §2).
    pub acks: bool,
    /// The longest stanza that it takes, in bytes, where it says so (XEP-0478 §2).
    pub max_bytes: Option<u32>,
    /// After how many seconds of silence it ends a stream, where it says so (XEP-0478 §2).
    pub idle_seconds: Option<u32>,
    /// Whether there are features that only clients are offered.
    pub(super) is_for_clients: bool,
}

/// What only clients are offered: to bind a resource (RFC 6120 §7), to begin a session (RFC 3921 §3),
/// to prove themselves as before SASL (XEP-0078 §3), to register (XEP-0077 §2).
const FOR_CLIENTS: [&str; 4] = [
    "urn:ietf:params:xml:ns:xmpp-bind",
    "urn:ietf:params:xml:ns:xmpp-session",
    "http://jabber.org/features/iq-auth",
    "http://jabber.org/features/iq-register",
];

impl Offered {
    /// Reads features, whatever else they hold; `None` if the element is something else.
    pub(super) fn read(element: &Element) -> Option<Self> {
        if !element.is(&Ns::STREAM, "features") {
            return None;
        }
        let starttls = element.child(&Ns::TLS, "starttls");
        let dialback = element.child(&Ns::DIALBACK_FEATURE, "dialback");
        let is_for_clients = |feature: &Element| FOR_CLIENTS.contains(&feature.ns().as_str());
        Some(Self {
            is_for_clients: element.children().any(is_for_clients),
            dialback: dialback.is_some(),
            dialback_errors: dialback
                .is_some_and(|it| it.child(&Ns::DIALBACK_FEATURE, "errors").is_some()),
            acks: element.child(&Ns::STREAM_MANAGEMENT, "sm").is_some(),
            max_bytes: limit(element, "max-bytes"),
            idle_seconds: limit(element, "idle-seconds"),
            starttls: starttls.is_some(),
            starttls_required: starttls
                .is_some_and(|starttls| starttls.child(&Ns::TLS, "required").is_some()),
            external: element
                .child(&Ns::SASL, "mechanisms")
                .is_some_and(|mechanisms| {
                    mechanisms.children().any(|mechanism| {
                        mechanism.is(&Ns::SASL, "mechanism") && mechanism.text().trim() == MECHANISM
                    })
                }),
        })
    }
}

/// XEP-0478 §2: what the other side says of its own limits, where it does.
fn limit(features: &Element, name: &str) -> Option<u32> {
    let is_limits = |it: &&Element| it.ns().as_str() == LIMITS && it.name() == "limits";
    let limits = features.children().find(is_limits)?;
    let limit = limits.children().find(|it| it.name() == name)?;
    let number: u64 = limit.text().trim().parse().ok()?;
    // More than this is no limit to anything that we send.
    Some(u32::try_from(number).unwrap_or(u32::MAX))
}

const LIMITS: &str = "urn:xmpp:stream-limits:0";
