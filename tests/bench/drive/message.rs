//! The messages that are sent: each has the number of its stream and its own in its id.

use crate::options::{DOMAIN, partner};

/// Digits of a message's number: all messages of a stream are of one length, and are numbered in place.
const DIGITS: usize = 9;
/// What a TLS record takes (RFC 8446 §5.1).
const RECORD: usize = 16384;
/// Longer stanzas than a record are written so many bytes at once, so that records are full.
const LONG: usize = 4 * RECORD;

pub fn body(bytes: usize) -> String {
    "words, ".repeat(bytes / 7 + 1).split_at(bytes).0.to_owned()
}

/// Who writes on a stream: its user of the partner.
pub fn user(stream: usize, partners: usize) -> String {
    format!("u{stream}@{}/phone", partner(stream % partners))
}

pub fn local_user() -> String {
    format!("anne@{DOMAIN}")
}

/// Messages of one stream that are written at once, and again and again with other numbers.
pub struct Block {
    bytes: Vec<u8>,
    length: usize,
    /// Where the number begins in a message.
    spot: usize,
    next: u64,
}

impl Block {
    /// `batch` messages; 0: as many as fill a TLS record, or four if one does not hold a message.
    pub fn new(stream: usize, from: &str, to: &str, body_bytes: usize, batch: usize) -> Self {
        let head = format!("<message from='{from}' to='{to}' type='chat' id='{stream:05}-");
        let spot = head.len();
        let text = body(body_bytes);
        let zeros = "0".repeat(DIGITS);
        let message = format!("{head}{zeros}'><body>{text}</body></message>");
        let length = message.len();
        let room = if length > RECORD { LONG } else { RECORD };
        let count = if batch == 0 {
            (room / length).max(1)
        } else {
            batch
        };
        Self {
            bytes: message.repeat(count).into_bytes(),
            length,
            spot,
            next: 0,
        }
    }

    /// Bytes of one message.
    pub fn length(&self) -> u64 {
        self.length as u64
    }

    /// How many are written at once.
    pub fn count(&self) -> u64 {
        (self.bytes.len() / self.length) as u64
    }

    /// So many numbers were used by another.
    pub fn skip(&mut self, count: u64) {
        self.next += count;
    }

    /// How many were numbered.
    pub fn sent(&self) -> u64 {
        self.next
    }

    /// Gives each message the next number: the bytes of all.
    pub fn numbered(&mut self) -> &[u8] {
        for message in self.bytes.chunks_mut(self.length) {
            let mut rest = self.next;
            for digit in message[self.spot..self.spot + DIGITS].iter_mut().rev() {
                *digit = b'0' + u8::try_from(rest % 10).unwrap();
                rest /= 10;
            }
            self.next += 1;
        }
        &self.bytes
    }
}
