//! Which way stanzas go, and who may begin.

/// Which way a stanza goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From a partner to the gateway.
    Inbound,
    /// From the gateway to a partner.
    Outbound,
}

impl Direction {
    /// The name in logs and counters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Who may open conversations: the setting `direction` of a partner.
///
/// A conversation is what two bare addresses say to each other. The side that may not open one
/// may take part in those that the other side opened, and may answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Initiative {
    /// Either side.
    #[default]
    Both,
    /// The partner's users only.
    Inbound,
    /// The local users only.
    Outbound,
}

impl Initiative {
    /// The word in `partners.toml`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }

    /// Whether a stanza that goes this way may open a conversation.
    #[must_use]
    pub fn admits(self, direction: Direction) -> bool {
        matches!(
            (self, direction),
            (Self::Both, _)
                | (Self::Inbound, Direction::Inbound)
                | (Self::Outbound, Direction::Outbound)
        )
    }
}
