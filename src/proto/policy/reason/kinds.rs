//! What kind of reason one is: whose limit, whose decision.

use super::Reason;

impl Reason {
    /// Which of our limits on a stream was reached, if it was one that the other side can keep to:
    /// the application condition of the stream error (RFC 6120 §4.9.4).
    #[must_use]
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            Self::Xml(fault) => fault.limit(),
            Self::TooManyStrangers(_)
            | Self::TooMuchUnproven
            | Self::TooManyAttempts
            | Self::TooManyPartnerStreams(_) => Some(self.code()),
            _ => None,
        }
    }

    /// Whether this was decided on this side alone, and says nothing about the other.
    #[must_use]
    pub fn is_own_decision(&self) -> bool {
        matches!(
            self,
            Self::UnknownLocalDomain(_)
                | Self::UnknownPartner { .. }
                | Self::PolicyChanged(_)
                | Self::TooManyStreams
                | Self::TooManyPartnerStreams(_)
                | Self::TooManyDials
        )
    }

    /// Whether this is a partner's terms or `[access]` keeping a stanza from passing: then the
    /// answer depends on the stanza, and may say less than the reason.
    #[must_use]
    pub fn is_stanza_policy(&self) -> bool {
        matches!(
            self,
            Self::KindNotAllowed(_)
                | Self::NamespaceNotAllowed(_)
                | Self::NotAContact
                | Self::UnaskedAnswer
                | Self::ConversationNotAllowed(_)
                | Self::AccessDenied
        )
    }
}
