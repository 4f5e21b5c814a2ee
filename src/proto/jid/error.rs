//! Why a text is not an address.

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
pub(super) const MAX_PART: usize = 1023;
