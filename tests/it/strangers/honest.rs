//! A gateway and a partner that do as they should, and how long a stanza takes between them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::header;
use crate::daemon::process::Daemon;
use crate::daemon::{converse, link};

pub(super) struct Honest {
    link: TcpStream,
    partner: TcpStream,
    sent: u64,
    slowest: Duration,
}

impl Honest {
    pub(super) fn new(daemon: &Daemon) -> Self {
        let link = link(daemon);
        link.set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self {
            link,
            partner: prove(daemon),
            sent: 0,
            slowest: Duration::ZERO,
        }
    }

    /// Sends a stanza from the partner to the gateway: how long it takes.
    pub(super) fn exchange(&mut self) -> Duration {
        self.sent += 1;
        let id = format!("id='honest-{}-'", self.sent);
        let stanza = format!("<message from='a@fabrikam.example' to='b@contoso.example' {id}/>");
        let begun = Instant::now();
        self.partner.write_all(stanza.as_bytes()).unwrap();
        self.hear(&id);
        let took = begun.elapsed();
        self.slowest = self.slowest.max(took);
        took
    }

    /// How long so many exchanges take, one after the other.
    pub(super) fn times(&mut self, count: usize) -> Times {
        let mut times: Vec<_> = (0..count).map(|_| self.exchange()).collect();
        times.sort_unstable();
        Times {
            median: times[count / 2],
            p99: times[count * 99 / 100],
        }
    }

    /// The longest that any exchange has taken.
    pub(super) fn slowest(&self) -> Duration {
        self.slowest
    }

    /// Sends as the gateway.
    pub(super) fn say(&mut self, text: &str) {
        self.link.write_all(text.as_bytes()).unwrap();
    }

    /// Reads as the gateway until a text has come; all that was read.
    pub(super) fn hear(&mut self, until: &str) -> String {
        let mut heard = String::new();
        let mut buffer = [0; 4096];
        while !heard.contains(until) {
            let count = self.link.read(&mut buffer).unwrap();
            assert!(count > 0, "the link has ended after {heard}");
            heard.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
        heard
    }
}

/// Of many exchanges, how long half of them take at most, and 99 of a hundred.
#[derive(Debug)]
pub(super) struct Times {
    pub(super) median: Duration,
    pub(super) p99: Duration,
}

/// A stream that has proven itself by dialback.
pub(super) fn prove(daemon: &Daemon) -> TcpStream {
    let stream = TcpStream::connect(daemon.s2s).unwrap();
    prove_on(&stream);
    stream
}

pub(super) fn prove_on(stream: &TcpStream) {
    stream.set_nodelay(true).unwrap();
    converse(stream, &header("fabrikam.example"), "</stream:features>");
    let request = "<db:result from='fabrikam.example' to='contoso.example'>key</db:result>";
    converse(stream, request, "type='valid'");
}
