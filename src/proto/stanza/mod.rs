//! Stanzas: what may be relayed ([`Validated`]), and the errors that answer what may not.
//!
//! ```text
//!   element ─► from_partner / from_gateway ─► Addressed ─► permit ─► Validated
//!              (the machine: addresses, form)             (the hub: policy, with what it
//!                                                          remembers about the two users)
//! ```

mod bounce;
mod form;
mod permit;
mod validate;
mod validated;
mod written;

pub use bounce::{bounce, refuse};
pub use form::Form;
pub use permit::{Refused, Remembered, permit, permit_under};
pub use validate::{
    Addressed, Refusal, excess_from_gateway, excess_from_partner, from_gateway, from_partner,
};
pub use validated::Validated;
pub use written::Written;

use crate::proto::jid::Jid;

/// One message, presence or iq with its addresses read once.
#[derive(Clone, Debug)]
pub struct Stanza {
    /// Which of the three it is.
    pub kind: Kind,
    /// Who sends it.
    pub from: Jid,
    /// Who is to get it.
    pub to: Jid,
    /// The whole of it; its `from` and `to` are the two above.
    pub form: Form,
}

/// Between whom a stanza was, as far as it says so: bare addresses, for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users {
    /// Who has sent it.
    pub from: Option<Box<str>>,
    /// Who was to get it.
    pub to: Option<Box<str>>,
}

impl Users {
    /// Those of a stanza.
    #[must_use]
    pub fn of(stanza: &Stanza) -> Self {
        Self {
            from: Some(stanza.from.bare().into()),
            to: Some(stanza.to.bare().into()),
        }
    }
}

impl Stanza {
    /// A stanza with these addresses; `form` gets them in the form in which they are written.
    #[must_use]
    pub fn new(kind: Kind, from: Jid, to: Jid, form: impl Into<Form>) -> Self {
        let mut form = form.into();
        form.set_addresses(from.as_str(), to.as_str());
        Self {
            kind,
            from,
            to,
            form,
        }
    }

    /// The tree of one that is a tree.
    #[cfg(test)]
    pub(crate) fn element(&self) -> &crate::proto::xml::Element {
        match &self.form {
            Form::Tree(element) => element,
            Form::Span(span) => panic!("no tree: {span:?}"),
        }
    }

    /// The `id` attribute, if there is one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.form.id()
    }

    /// The `type` attribute, if there is one.
    #[must_use]
    pub fn stanza_type(&self) -> Option<&str> {
        self.form.stanza_type()
    }

    /// Whether this answers something: an iq result, or an error of any kind.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        matches!(
            (self.kind, self.stanza_type()),
            (Kind::Iq, Some("result")) | (_, Some("error"))
        )
    }

    /// Whether this may be answered with an error at all.
    ///
    /// RFC 6120 §8.3.1: never an error for an error; §8.2.3: nor for a result, but always for an
    /// iq of an unknown type. RFC 6121 §4.7.1 says so of presence, too; presence that only takes
    /// something back, or answers a request, ends in silence.
    #[must_use]
    pub fn is_answerable(&self) -> bool {
        let stanza_type = self.stanza_type();
        match self.kind {
            Kind::Iq => !matches!(stanza_type, Some("result" | "error")),
            Kind::Message => stanza_type != Some("error"),
            Kind::Presence => !matches!(
                stanza_type,
                Some("error" | "unavailable" | "subscribed" | "unsubscribe" | "unsubscribed")
            ),
        }
    }
}

/// RFC 6120 §8.2: there are three kinds of stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A push, to be delivered and not answered.
    Message,
    /// A broadcast of availability, or a subscription request.
    Presence,
    /// A request or its answer.
    Iq,
}

impl Kind {
    /// The kind that an element of the content namespace is, if any.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "message" => Some(Self::Message),
            "presence" => Some(Self::Presence),
            "iq" => Some(Self::Iq),
            _ => None,
        }
    }

    /// The element's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Presence => "presence",
            Self::Iq => "iq",
        }
    }
}
