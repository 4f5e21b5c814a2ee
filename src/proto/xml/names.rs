//! The names that the framer has open: elements, and the attribute or reference being read.

/// A stack of names. What it holds is bounded by the limits on depth and on the length of a name.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

/// What the names of a usual frame take, so that the room for them is found at once.
const USUAL_BYTES: usize = 64;

impl Names {
    /// A name begins.
    pub(super) fn begin(&mut self) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(USUAL_BYTES);
        }
        self.starts.push(self.bytes.len());
    }

    /// The last name goes on.
    pub(super) fn extend(&mut self, more: &[u8]) {
        self.bytes.extend_from_slice(more);
    }

    /// The last name.
    pub(super) fn last(&self) -> &[u8] {
        let start = self.starts.last().copied().unwrap_or_default();
        self.bytes.get(start..).unwrap_or_default()
    }

    /// Forgets the last name.
    pub(super) fn end(&mut self) {
        if let Some(start) = self.starts.pop() {
            self.bytes.truncate(start);
        }
    }
}
