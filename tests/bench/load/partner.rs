//! The partners' streams to the edge: one that floods, one that waits for each answer.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::edge::Edge;
use crate::server::Server;
use crate::tls::{Stream, Tls, converse};

pub const FLOOD: &str = "flood.example";
pub const QUIET: &str = "quiet.example";
/// How much the flood writes at once, in bytes.
const BLOCK: usize = 64 << 10;
/// The same where the flood has a rate.
const PACED: usize = 4 << 10;
/// A round trip that takes longer is a fault of the program.
const PATIENCE: Duration = Duration::from_secs(30);

fn header(from: &str) -> String {
    format!(
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
         from='{from}' to='contoso.example' version='1.0'>"
    )
}

/// A stream that has proven itself by its certificate.
pub fn open(edge: &Edge, tls: &Tls, domain: &str) -> Stream {
    let mut clear = TcpStream::connect(edge.s2s).unwrap();
    clear.set_nodelay(true).unwrap();
    converse(&mut clear, &header(domain), "</stream:features>");
    let starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    converse(&mut clear, starttls, "<proceed");
    let mut stream = tls.connect(clear);
    converse(&mut stream, &header(domain), "</stream:features>");
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>";
    converse(&mut stream, auth, "<success");
    converse(&mut stream, &header(domain), "<stream:features");
    stream
}

/// Writes so many stanzas a second, or as fast as it can (0), until it is told to stop or the edge closes.
pub fn flood(mut stream: Stream, number: usize, (body, rate): (usize, u32), stop: &AtomicBool) {
    let message = format!(
        "<message from='f{number}@{FLOOD}/phone' to='anne@contoso.example' type='chat' id='f'>\
         <body>{}</body></message>",
        "words, ".repeat(body / 7 + 1).split_at(body).0
    );
    let most = if rate == 0 { BLOCK } else { PACED };
    let stanzas = u32::try_from(most / message.len() + 1).unwrap();
    let block = message.repeat(most / message.len() + 1);
    let (begun, mut blocks) = (Instant::now(), 0);
    while !stop.load(Relaxed) && stream.write_all(block.as_bytes()).is_ok() {
        blocks += 1;
        if rate > 0 {
            let due = begun + Duration::from_secs(1) * blocks * stanzas / rate;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}

/// The partner that waits for each answer.
pub struct Quiet<'a> {
    stream: Stream,
    server: &'a Server,
    sent: u64,
}

impl<'a> Quiet<'a> {
    pub fn open(edge: &Edge, tls: &Tls, server: &'a Server) -> Self {
        Self {
            stream: open(edge, tls, QUIET),
            server,
            sent: 0,
        }
    }

    /// How long a message and its answer take.
    pub fn round_trip(&mut self) -> Duration {
        self.sent += 1;
        let message = format!(
            "<message from='q@{QUIET}/phone' to='bert@contoso.example' id='q{}-'/>",
            self.sent
        );
        let begun = Instant::now();
        self.stream.write_all(message.as_bytes()).unwrap();
        let answered = self.server.answers.recv_timeout(PATIENCE);
        let took = begun.elapsed();
        assert_eq!(answered, Ok(self.sent), "the answer to the message before");
        took
    }
}
