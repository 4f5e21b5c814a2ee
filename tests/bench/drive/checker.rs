//! What arrives is what was sent: once, in order, unchanged.
//!
//! Systems write a stanza in their own way, so the order of the attributes is free, and a namespace and a
//! language may be there besides. Addresses, type, id and body must be the same.

use std::io::Read;

use memchr::memmem::Finder;

const END: &[u8] = b"</message>";
const ROOM: usize = 1 << 20;

pub struct Checker {
    /// The sender and the receiver of each stream's messages, and the number that is next.
    streams: Vec<(String, String, u64)>,
    body: Vec<u8>,
    buffer: Vec<u8>,
    filled: usize,
    /// No message ends before here.
    searched: usize,
    end: Finder<'static>,
}

impl Checker {
    pub fn new(streams: Vec<(String, String)>, body: &str) -> Self {
        Self {
            streams: streams
                .into_iter()
                .map(|(from, to)| (from, to, 0))
                .collect(),
            body: format!("<body>{body}</body></message>").into_bytes(),
            buffer: vec![0; ROOM],
            filled: 0,
            searched: 0,
            end: Finder::new(END),
        }
    }

    /// Reads once, and gives the numbers of the messages that are whole now. `None`: closed.
    pub fn read(&mut self, source: &mut impl Read, mut heard: impl FnMut(u64)) -> Option<u64> {
        let count = source.read(&mut self.buffer[self.filled..]).unwrap_or(0);
        self.filled += count;
        let (mut from, mut messages) = (0, 0);
        while let Some(at) = self
            .end
            .find(&self.buffer[self.searched.max(from)..self.filled])
        {
            let end = self.searched.max(from) + at + END.len();
            let begin = from
                + self.buffer[from..end]
                    .iter()
                    .take_while(|it| it.is_ascii_whitespace())
                    .count();
            let (stream, number) = self.check(begin, end);
            let next = &mut self.streams[stream].2;
            assert_eq!(number, *next, "the next message of stream {stream}");
            *next += 1;
            heard(number);
            messages += 1;
            from = end;
        }
        self.buffer.copy_within(from..self.filled, 0);
        self.filled -= from;
        self.searched = self.filled.saturating_sub(END.len());
        assert!(self.filled < ROOM, "a message without an end");
        (count > 0).then_some(messages)
    }

    /// The stream and the number of a message that is as it should be.
    fn check(&self, begin: usize, end: usize) -> (usize, u64) {
        let message = &self.buffer[begin..end];
        let shown = || String::from_utf8_lossy(&message[..message.len().min(400)]).into_owned();
        let mut rest = message
            .strip_prefix(b"<message")
            .unwrap_or_else(|| panic!("{}", shown()));
        let (mut from, mut to, mut kind, mut id) = (&[][..], &[][..], &[][..], &[][..]);
        while rest[0] != b'>' {
            let name = rest.iter().position(|it| *it == b'=').unwrap();
            let (quote, value) = (rest[name + 1], &rest[name + 2..]);
            let length = value.iter().position(|it| *it == quote).unwrap();
            match &rest[..name] {
                b" from" => from = &value[..length],
                b" to" => to = &value[..length],
                b" type" => kind = &value[..length],
                b" id" => id = &value[..length],
                b" xmlns" | b" xml:lang" => {}
                _ => panic!("an attribute too many: {}", shown()),
            }
            rest = &value[length + 1..];
        }
        assert!(rest[1..] == *self.body, "another body: {}", shown());
        let id = str::from_utf8(id).unwrap();
        let (stream, number) = id.split_once('-').unwrap_or_else(|| panic!("{}", shown()));
        let stream: usize = stream.parse().unwrap();
        let (sender, receiver, _) = &self.streams[stream];
        let same = from == sender.as_bytes() && to == receiver.as_bytes() && kind == b"chat";
        assert!(same, "another address or type: {}", shown());
        (stream, number.parse().unwrap())
    }
}
