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
        features
    }
}

/// What a partner offers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offered {
    pub(super) starttls: bool,
    pub(super) starttls_required: bool,
    pub(super) external: bool,
}

impl Offered {
    /// Reads features, whatever else they hold; `None` if the element is something else.
    pub(super) fn read(element: &Element) -> Option<Self> {
        if !element.is(&Ns::STREAM, "features") {
            return None;
        }
        let starttls = element.child(&Ns::TLS, "starttls");
        Some(Self {
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
