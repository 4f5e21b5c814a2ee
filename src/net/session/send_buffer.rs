//! Bytes on their way to a socket, and the stanzas that they carry.
//!
//! ```text
//!   append ─► [chunk] [chunk] [chunk] ─► unwritten ─► socket
//!                                         └─ a chunk is freed with its last byte
//! ```
//!
//! Positions count the bytes of the whole stream. A stanza is delivered when the socket has taken its
//! last byte and was flushed; it is untouched while the socket has taken none of its bytes. Where
//! acknowledgements are agreed on (XEP-0198), it is delivered when the other side says so.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::net::io::clock;
use crate::net::relay::queue::{PATIENT_LANE_BYTES, QueuedStanza};
use crate::proto::policy::Reason;

/// The largest chunk, in bytes: so much of what is written may not be freed yet.
pub const CHUNK: usize = 64 << 10;
/// How much may have left and wait to be acknowledged on one connection before no more is written, in bytes as it is
/// held; what is taken at once comes on top. It is a queue like a lane, and has the same bound.
pub const UNACKNOWLEDGED_BYTES: usize = PATIENT_LANE_BYTES;
/// The smallest chunk that is made for more than one piece, in bytes.
const SMALLEST: usize = 4 << 10;

/// What waits to be written on one connection. An idle one holds no memory.
#[derive(Debug, Default)]
pub struct SendBuffer {
    chunks: VecDeque<Vec<u8>>,
    /// How much of the first chunk the socket has taken.
    start: usize,
    /// The position up to which the socket has taken everything.
    written: u64,
    /// The position behind the last byte.
    end: u64,
    /// Whether something was appended since the buffer was last flushed empty.
    dirty: bool,
    /// When the socket last took something.
    progress: Option<Instant>,
    carried: VecDeque<Carried>,
    /// Whether what is appended from here on is delivered when it is acknowledged.
    awaits_acknowledgement: bool,
    /// What has left, and is not acknowledged.
    unacknowledged: VecDeque<QueuedStanza>,
    /// What that takes in memory, in bytes.
    owed: usize,
    tail: Tail,
}

/// What a connection leaves behind, in the order in which it was taken.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// What was written, and is not acknowledged where acknowledgements are agreed on: the other side
    /// may have it or not, and it may be sent again.
    pub unacknowledged: Vec<QueuedStanza>,
    /// What was partly written, or written and not seen to leave, without acknowledgements: nobody
    /// knows.
    pub uncertain: Vec<QueuedStanza>,
    /// That of which no byte was written.
    pub untouched: Vec<QueuedStanza>,
    /// How many stanzas without acknowledgements were in the last 64 KiB or more that have left. Where the
    /// connection broke, the other side may not have them.
    left_last: usize,
}

impl Leftovers {
    /// How many stanzas the other side may not have, though they have left, where its end is known to be none
    /// in good order.
    #[must_use]
    pub fn perhaps_lost(&self, reason: &Reason) -> usize {
        match reason {
            Reason::Transport(_) | Reason::TlsFailed { .. } | Reason::PingTimeout => self.left_last,
            _ => 0,
        }
    }
}

/// A stanza, and the positions of its bytes.
#[derive(Debug)]
struct Carried {
    begin: u64,
    end: u64,
    queued: QueuedStanza,
    is_acknowledged: bool,
}

impl SendBuffer {
    /// Acknowledgements are agreed on: what is carried from here on is delivered when it is
    /// acknowledged.
    pub fn await_acknowledgements(&mut self) {
        self.awaits_acknowledgement = true;
    }

    /// They are not, after all: what has left is delivered.
    pub fn expect_no_acknowledgements(&mut self) {
        self.awaits_acknowledgement = false;
        self.carried
            .iter_mut()
            .for_each(|it| it.is_acknowledged = false);
        let now = clock::instant();
        for queued in self.unacknowledged.drain(..) {
            queued.delivered(now);
        }
        self.owed = 0;
    }

    /// The other side has acknowledged so many more stanzas.
    pub fn acknowledged(&mut self, count: u32) {
        let now = clock::instant();
        for _ in 0..count {
            // It may answer before we have seen that the last byte has left.
            if let Some(queued) = self.unacknowledged.pop_front() {
                self.owed -= queued.cost();
                queued.delivered(now);
                continue;
            }
            // What was written before acknowledgements were agreed on came there before it.
            while let Some(before) = self.carried.pop_front_if(|it| !it.is_acknowledged) {
                before.queued.delivered(now);
            }
            let Some(carried) = self.carried.pop_front() else {
                break;
            };
            carried.queued.delivered(now);
        }
        if self.unacknowledged.is_empty() {
            self.unacknowledged = VecDeque::new();
        }
    }

    /// How many stanzas are carried, or wait to be acknowledged.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.carried.len() + self.unacknowledged.len()
    }

    /// Whether so much waits to be acknowledged that nothing more is to be written.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.owed >= UNACKNOWLEDGED_BYTES
    }

    /// Appends bytes.
    pub fn append(&mut self, bytes: Vec<u8>) {
        if !self.dirty {
            self.progress = Some(clock::instant());
        }
        self.dirty = true;
        self.end += bytes.len() as u64;
        if self.chunks.is_empty() && bytes.capacity() <= CHUNK {
            if !bytes.is_empty() {
                self.chunks.push_back(bytes);
            }
        } else {
            self.copy(&bytes);
        }
    }

    fn copy(&mut self, mut rest: &[u8]) {
        if let Some(last) = self.chunks.back_mut() {
            let (fits, more) = rest.split_at(rest.len().min(last.capacity() - last.len()));
            last.extend_from_slice(fits);
            rest = more;
        }
        while !rest.is_empty() {
            // As large as what waits already: few chunks, and half of them used.
            let size = self.len().max(rest.len()).clamp(SMALLEST, CHUNK);
            let (fits, more) = rest.split_at(rest.len().min(size));
            let mut chunk = Vec::with_capacity(size);
            chunk.extend_from_slice(fits);
            self.chunks.push_back(chunk);
            rest = more;
        }
    }

    /// The position behind the last byte: where the next stanza begins.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// So many stanzas come.
    pub fn reserve(&mut self, stanzas: usize) {
        self.carried.reserve(stanzas);
    }

    /// The bytes from `begin` to the end carry this stanza.
    pub fn carries(&mut self, begin: u64, queued: QueuedStanza) {
        self.carries_at((begin, self.end), queued);
    }

    /// The bytes between two positions carry this stanza, which comes behind all others.
    pub fn carries_at(&mut self, (begin, end): (u64, u64), queued: QueuedStanza) {
        self.carried.push_back(Carried {
            begin,
            end,
            queued,
            is_acknowledged: self.awaits_acknowledgement,
        });
    }

    /// What is to be written next. Empty only if everything is written.
    #[must_use]
    pub fn unwritten(&self) -> &[u8] {
        let first = self.chunks.front().map(Vec::as_slice).unwrap_or_default();
        first.get(self.start..).unwrap_or_default()
    }

    /// How many bytes are not written.
    #[must_use]
    pub fn len(&self) -> usize {
        let held: usize = self.chunks.iter().map(Vec::len).sum();
        held - self.start
    }

    /// Whether everything is written; it may not be flushed yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// How much memory the bytes take, whether they are written or not.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.chunks.iter().map(Vec::capacity).sum()
    }

    /// Whether everything is written and flushed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.dirty
    }

    /// When the other side has read nothing for so long.
    #[must_use]
    pub fn stalled_at(&self, stall: Duration) -> Option<Instant> {
        let waiting = self.progress.filter(|_| self.dirty);
        waiting.map(|since| since + stall)
    }

    /// The socket has taken so many bytes of [`SendBuffer::unwritten`].
    pub fn written(&mut self, count: usize) {
        self.start += count;
        self.written += count as u64;
        self.progress = Some(clock::instant());
        if self.chunks.front().is_some_and(|it| self.start >= it.len()) {
            self.chunks.pop_front();
            self.start = 0;
        }
    }

    /// Everything written has left: the stanzas in it are delivered.
    pub fn flushed(&mut self) {
        let written = self.written;
        // What has left now left with the last bytes that were taken.
        let left = self.progress.unwrap_or_else(clock::instant);
        while let Some(carried) = self.carried.pop_front_if(|it| it.end <= written) {
            if carried.is_acknowledged {
                self.owed += carried.queued.cost();
                self.unacknowledged.push_back(carried.queued);
            } else {
                carried.queued.delivered(left);
                self.tail.stanzas += 1;
            }
        }
        self.tail.at(written);
        if self.is_empty() {
            self.chunks = VecDeque::new();
            self.carried = VecDeque::new();
            self.dirty = false;
        }
    }

    /// Takes out the stanzas of which no byte is written, with their bytes: another connection is to
    /// carry them. Everything else stays.
    #[must_use]
    pub fn take_back(&mut self) -> Vec<QueuedStanza> {
        let begun = self
            .carried
            .partition_point(|carried| carried.begin < self.written);
        let untouched = self.carried.split_off(begun);
        let Some(first) = untouched.front() else {
            return Vec::new();
        };
        // What stands before the first of them stays where it is: nothing of it is copied.
        let mut behind = self.cut(first.begin);
        let mut at = first.begin;
        let mut stanzas = Vec::with_capacity(untouched.len());
        for Carried {
            begin, end, queued, ..
        } in untouched
        {
            let kept = behind.by_ref().take(position(begin - at)).collect();
            self.append_own(kept);
            behind.by_ref().take(position(end - begin)).for_each(drop);
            at = end;
            stanzas.push(queued);
        }
        self.append_own(behind.collect());
        stanzas
    }

    /// Cuts off, and returns, what stands behind a position that is not written yet.
    fn cut(&mut self, at: u64) -> std::vec::IntoIter<u8> {
        let mut keep = position(at - self.written) + self.start;
        let mut rest = Vec::new();
        for chunk in &mut self.chunks {
            rest.extend(chunk.drain(keep.min(chunk.len())..));
            keep -= keep.min(chunk.len());
        }
        self.chunks.retain(|chunk| !chunk.is_empty());
        self.end = at;
        rest.into_iter()
    }

    fn append_own(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.append(bytes);
        }
    }

    /// What is left at the end of the connection.
    #[must_use]
    pub fn leftovers(mut self) -> Leftovers {
        let untouched = self.take_back();
        let mut left = Leftovers {
            unacknowledged: self.unacknowledged.into(),
            untouched,
            left_last: self.tail.stanzas - self.tail.marks[0].1,
            ..Leftovers::default()
        };
        for carried in self.carried {
            let to = if carried.is_acknowledged {
                &mut left.unacknowledged
            } else {
                &mut left.uncertain
            };
            to.push(carried.queued);
        }
        left
    }
}

/// What has left last: what the system has taken over, and the other side may not have.
#[derive(Debug, Default)]
struct Tail {
    /// How many stanzas without acknowledgements have left in all.
    stanzas: usize,
    /// Positions, and how many had left there: the older one, and the newer one.
    marks: [(u64, usize); 2],
}

impl Tail {
    /// The length of the tail, in bytes; it may be twice as long.
    const BYTES: u64 = 64 << 10;

    fn at(&mut self, position: u64) {
        let [_, newer] = self.marks;
        if position - newer.0 >= Self::BYTES {
            self.marks = [newer, (position, self.stanzas)];
        }
    }
}

/// A distance between two positions in the buffer, whose bytes are all in memory.
fn position(distance: u64) -> usize {
    usize::try_from(distance).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
