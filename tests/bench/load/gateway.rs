//! The gateway: it reads everything, and answers the quiet partner.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use xmpp_edge::proto::auth::handshake::digest;

use crate::Load;
use crate::edge::{Edge, SECRET};
use crate::partner::QUIET;
use crate::tls::converse;

/// So much a slow gateway may oversleep and catch up with.
const LATE: Duration = Duration::from_millis(10);

pub struct Gateway {
    read: Arc<AtomicU64>,
}

impl Gateway {
    /// A link that reads as fast as the load says.
    pub fn open(edge: &Edge, load: &Load) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        if load.gateway_buffer > 0 {
            socket.set_recv_buffer_size(load.gateway_buffer).unwrap();
        }
        socket.connect(&edge.gateway.into()).unwrap();
        let mut link = TcpStream::from(socket);
        let rate = u32::try_from(load.gateway_rate).unwrap();
        link.set_nodelay(true).unwrap();
        let header = "<stream:stream xmlns='jabber:component:accept' \
                      xmlns:stream='http://etherx.jabber.org/streams' to='contoso.example'>";
        let opened = converse(&mut link, header, "'>");
        let id = opened.split("id='").nth(1).unwrap();
        let proof = digest(id.split('\'').next().unwrap(), SECRET);
        let handshake = format!("<handshake>{proof}</handshake>");
        converse(&mut link, &handshake, "<handshake/>");
        let read = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&read);
        thread::spawn(move || serve(link, rate, &counted));
        Self { read }
    }

    /// How much has come, in bytes.
    pub fn read(&self) -> u64 {
        self.read.load(Relaxed)
    }
}

fn serve(mut link: TcpStream, rate: u32, read: &AtomicU64) {
    let mut due = Instant::now();
    let mut piece = vec![0; if rate == 0 { 64 << 10 } else { 4 << 10 }];
    let (mut heard, mut total) = (Vec::new(), 0);
    while let Ok(count @ 1..) = link.read(&mut piece) {
        total += count as u64;
        read.store(total, Relaxed);
        heard.extend_from_slice(&piece[..count]);
        for number in numbers(&mut heard) {
            let answer =
                format!("<message from='bert@contoso.example' to='q@{QUIET}' id='q{number}-'/>");
            if link.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
        if rate > 0 {
            // Who had nothing to read has nothing to catch up with: a burst would make the system give
            // it a larger buffer.
            due = due.max(Instant::now() - LATE)
                + Duration::from_secs(1) * u32::try_from(count).unwrap() / rate;
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}

/// The numbers of the quiet partner's messages, which are taken out with all before them.
pub fn numbers(heard: &mut Vec<u8>) -> Vec<u64> {
    const MARK: &[u8] = b"id='q";
    /// As long as a mark with its number may be.
    const TAIL: usize = 32;
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(begin) = find(&heard[at..], MARK) {
        let begin = at + begin + MARK.len();
        let Some(length) = heard[begin..].iter().position(|byte| *byte == b'-') else {
            at = begin - MARK.len();
            break;
        };
        let number = str::from_utf8(&heard[begin..begin + length]).unwrap();
        found.push(number.parse().unwrap());
        at = begin + length;
    }
    let keep = at.max(heard.len().saturating_sub(TAIL));
    heard.drain(..keep);
    found
}

/// Where `what` begins. Its last byte is rare in a flood.
fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    let last = *what.last()?;
    let mut from = what.len() - 1;
    while let Some(at) = text.get(from..)?.iter().position(|byte| *byte == last) {
        let end = from + at + 1;
        if text[..end].ends_with(what) {
            return Some(end - what.len());
        }
        from = end;
    }
    None
}
