//! What elements and attributes are to whoever blanks them.

/// What an element right below the stream's is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Stanza,
    /// Dialback: what stands in it is a key.
    Key,
    /// What is said in SASL.
    Proof,
    /// The handshake of a gateway's link: what stands in it is made from the link's secret.
    Digest,
    /// It belongs to the negotiation of streams: nothing in it is anybody's.
    Known,
    Other,
}

impl Kind {
    /// By its name without prefix. An element of another namespace with such a name is refused, whatever
    /// it says.
    pub(super) fn of(local: &[u8]) -> Self {
        match local {
            b"message" | b"presence" | b"iq" => Self::Stanza,
            b"result" | b"verify" => Self::Key,
            b"auth" | b"response" => Self::Proof,
            b"handshake" => Self::Digest,
            b"features" | b"error" | b"starttls" | b"proceed" | b"failure" | b"abort" | b"bidi"
            | b"enable" | b"enabled" | b"resume" | b"resumed" | b"failed" | b"a" | b"r" => {
                Self::Known
            }
            _ => Self::Other,
        }
    }
}

/// What an element right below the stream's says in attributes, as it is written.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    pub(super) from: Vec<u8>,
    pub(super) to: Vec<u8>,
    pub(super) id: Vec<u8>,
    pub(super) mechanism: Vec<u8>,
    pub(super) has_type: bool,
}

impl Attributes {
    pub(super) fn note(&mut self, name: &[u8], value: &[u8]) {
        let place = match name {
            b"from" => &mut self.from,
            b"to" => &mut self.to,
            b"id" => &mut self.id,
            b"mechanism" => &mut self.mechanism,
            b"type" => {
                self.has_type = true;
                return;
            }
            _ => return,
        };
        place.clear();
        place.extend_from_slice(value);
    }
}
