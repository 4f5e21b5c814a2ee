//! What a partner may do once it has proven who it is.

use crate::proto::auth::chain::TlsVersion;
use crate::proto::policy::{Direction, Initiative, Reason};
use crate::proto::stanza::{Form, Kind, Written};
use crate::proto::xml::{Attribute, Element, Ns};

/// The settings of a partner that hold for live streams and single stanzas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How far the partner is trusted.
    pub partner_type: PartnerType,
    /// Who may open conversations.
    pub initiative: Initiative,
    /// Which kinds of stanza pass, either way.
    pub kinds: Kinds,
    /// Which payload passes, either way.
    pub payload: Payload,
    /// Live, authenticated streams, both directions together.
    pub connection_limit: usize,
    /// The oldest TLS that is spoken where TLS is spoken.
    pub minimum_tls: TlsVersion,
    /// The longest stanza, in bytes, either way.
    pub max_stanza_bytes: usize,
    /// Stanzas a second that are read from all the partner's streams together; 0: no limit.
    pub stanza_rate: u32,
}

impl Default for Terms {
    /// What holds where nothing is written.
    fn default() -> Self {
        Self {
            partner_type: PartnerType::Federated,
            initiative: Initiative::Both,
            kinds: Kinds::default(),
            payload: Payload::default(),
            connection_limit: 20,
            minimum_tls: TlsVersion::Tls12,
            max_stanza_bytes: 262_144,
            stanza_rate: 1000,
        }
    }
}

impl Terms {
    /// The longest that a stanza may be when it is written for the other side, in bytes. A partner reads
    /// no more than its own limit. What goes inward has kept to that where it was read, and may grow by
    /// what must be written otherwise.
    #[must_use]
    pub fn most_written(&self, direction: Direction) -> usize {
        match direction {
            Direction::Inbound => Written::most(self.max_stanza_bytes),
            Direction::Outbound => self.max_stanza_bytes,
        }
    }

    /// Whether a contact decides what may pass.
    #[must_use]
    pub fn asks_for_contacts(&self) -> bool {
        !self.partner_type.comes_unasked() || self.initiative != Initiative::Both
    }
}

/// How far a partner is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartnerType {
    /// An organisation like ours.
    Federated,
    /// A public provider that vouches for who its users are.
    PublicVerified,
    /// A public provider that does not.
    PublicUnverified,
}

impl PartnerType {
    /// All types, the most trusted first.
    pub const ALL: [Self; 3] = [
        Self::Federated,
        Self::PublicVerified,
        Self::PublicUnverified,
    ];

    /// The word in `partners.toml`, and in the annotation of stanzas.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Federated => "federated",
            Self::PublicVerified => "public-verified",
            Self::PublicUnverified => "public-unverified",
        }
    }

    /// Whether the partner's users may turn to a local user who has not added them.
    #[must_use]
    pub fn comes_unasked(self) -> bool {
        self != Self::PublicUnverified
    }

    /// Whether the partner's users see the status notes in presence.
    #[must_use]
    pub fn sees_notes(self) -> bool {
        self == Self::Federated
    }
}

/// A set of kinds of stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    message: bool,
    presence: bool,
    iq: bool,
}

impl Default for Kinds {
    fn default() -> Self {
        Self::of(&[Kind::Message, Kind::Presence, Kind::Iq])
    }
}

impl Kinds {
    /// The set of the kinds listed.
    #[must_use]
    pub fn of(kinds: &[Kind]) -> Self {
        Self {
            message: kinds.contains(&Kind::Message),
            presence: kinds.contains(&Kind::Presence),
            iq: kinds.contains(&Kind::Iq),
        }
    }

    /// Whether a kind is in the set.
    #[must_use]
    pub fn contains(self, kind: Kind) -> bool {
        match kind {
            Kind::Message => self.message,
            Kind::Presence => self.presence,
            Kind::Iq => self.iq,
        }
    }
}

/// The namespaces of which a stanza may carry something. The stanza's own vocabulary (body, subject,
/// show, status, error and its conditions …) is no payload in this sense, and always passes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// Empty: all; else a payload is of one of these. What is inside a payload is not looked at.
    pub allow: Vec<Ns>,
    /// Nothing is of one of these, however deep inside.
    pub deny: Vec<Ns>,
}

impl Payload {
    /// Looks for elements and attributes that may not pass. Where all may, nothing is looked into.
    ///
    /// # Errors
    /// The first namespace that may not pass.
    pub fn judge(&self, form: &Form) -> Result<(), Reason> {
        if self.allow.is_empty() && self.deny.is_empty() {
            return Ok(());
        }
        let refused = match form {
            Form::Tree(stanza) => self.refused_in(stanza, true).cloned(),
            Form::Span(span) => {
                let stanza = span.tree().map_err(Reason::StanzaTooComplex)?;
                self.refused_in(&stanza, true).cloned()
            }
        };
        match refused {
            Some(ns) => Err(Reason::NamespaceNotAllowed(ns.as_str().to_owned())),
            None => Ok(()),
        }
    }

    /// `is_own`: the element is of the stanza's own vocabulary, so that what stands in it is payload.
    fn refused_in<'e>(&self, element: &'e Element, is_own: bool) -> Option<&'e Ns> {
        let attributes = element.attributes().map(Attribute::ns);
        let mut attributes = attributes.filter(|ns| !matches!(**ns, Ns::NONE | Ns::XML));
        if let Some(ns) = attributes.find(|ns| self.refuses(ns, is_own)) {
            return Some(ns);
        }
        element.children().find_map(|child| {
            // RFC 6120 §8.3.2: the conditions of stanza errors have a namespace of their own.
            let is_condition = *child.ns() == Ns::STANZA_ERRORS && element.name() == "error";
            let is_own_child = is_own && (*child.ns() == Ns::CONTENT || is_condition);
            if self.refuses(child.ns(), is_own && !is_own_child) {
                return Some(child.ns());
            }
            self.refused_in(child, is_own_child)
        })
    }

    fn refuses(&self, ns: &Ns, is_payload: bool) -> bool {
        let is_allowed = !is_payload || self.allow.is_empty() || self.allow.contains(ns);
        self.deny.contains(ns) || !is_allowed
    }
}
