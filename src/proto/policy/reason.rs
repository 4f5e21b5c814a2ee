//! Why something was refused: one enum for the wire, the counters, the operator and the docs.

use super::Method;

/// Why a stream, a method or a stanza was refused, or could not be carried.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The edge does not speak for this domain.
    UnknownLocalDomain,
    /// No entry of `partners.toml` covers this domain.
    UnknownPartner,
    /// The partner's settings do not leave this method.
    MethodNotAllowed(Method),
}
