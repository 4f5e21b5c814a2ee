//! How much a peer may make us hold, look at, or build.

/// What one stream may cost; each limit has its own [`Fault`](super::Fault).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the XML declaration, and of the stream header.
    pub header_bytes: usize,
    /// Bytes of one top-level element.
    pub element_bytes: usize,
    /// Levels of one top-level element, itself the first.
    pub depth: usize,
    /// Elements in one top-level element, itself included.
    pub elements: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
    /// Bytes of one element or attribute name, prefix included.
    pub name_bytes: usize,
    /// Namespace bindings in scope at once, those of the header included.
    pub bindings: usize,
    /// Bytes of the name of one namespace.
    pub namespace_bytes: usize,
    /// Whitespace bytes between two top-level elements. They are dropped as they arrive, so this
    /// bounds work, not memory.
    pub whitespace_bytes: usize,
    /// How many times its bytes, levels and elements a stanza may have and still be refused alone;
    /// beyond that, or with 1, the stream cannot be read on.
    pub overrun: usize,
}

/// The longest name in any XMPP vocabulary has some sixty bytes. A name is declared once, and may
/// have to be written for each of thousands of elements.
const NAMESPACE_BYTES: usize = 1024;

impl Limits {
    /// Before the peer has proven who it is.
    pub const UNAUTHENTICATED: Self = Self {
        // Two names of 1023 bytes (RFC 7622 §3.2), an id, and a dozen namespaces.
        header_bytes: 4096,
        // SASL EXTERNAL with an authorization identity of 3071 bytes in base64 takes 4.2 KiB.
        element_bytes: 8 * 1024,
        // <stream:features><mechanisms><mechanism> is three; an error with its condition also.
        depth: 8,
        // The longest feature lists seen in practice have fewer than twenty.
        elements: 32,
        attributes: 32,
        // The longest name in any XMPP vocabulary has some forty bytes.
        name_bytes: 128,
        bindings: 32,
        namespace_bytes: NAMESPACE_BYTES,
        whitespace_bytes: 1024,
        overrun: 1,
    };

    /// Once the peer is known; `max_stanza_bytes` comes from the configuration.
    #[must_use]
    pub const fn authenticated(max_stanza_bytes: usize) -> Self {
        // An element costs us about 150 bytes and the sender at least four. One to every 32 bytes
        // admits the densest stanzas in use (rosters, lists of rooms: about 60 bytes an item) and
        // keeps what we build within a small multiple of what was sent.
        let elements = max_stanza_bytes / 32;
        Self {
            // A second header comes after SASL, so the first limit still holds.
            header_bytes: 4096,
            element_bytes: max_stanza_bytes,
            // Formatted text in forwarded, archived, published items reaches about twenty.
            depth: 64,
            elements: if elements < 256 { 256 } else { elements },
            attributes: 64,
            name_bytes: 256,
            // Half of what the parser crate admits; every look-up is linear in it.
            bindings: 64,
            namespace_bytes: NAMESPACE_BYTES,
            // One keepalive a second, for twelve days without a stanza.
            whitespace_bytes: 1024 * 1024,
            // One user's picture must not cut off everybody else (RFC 6120 §13.12, item 4). With the
            // default limit that is 4 MiB, which are looked at and not kept.
            overrun: 16,
        }
    }
}
