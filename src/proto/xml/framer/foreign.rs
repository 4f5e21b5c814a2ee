//! Other protocols that come to a port of XMPP.

use super::super::Fault;
use super::{Framer, Phase, State};

/// How other protocols begin that come to a port of XMPP by mistake or to look for something.
static FOREIGN: [(&[u8], Fault); 13] = [
    // RFC 9110 §9, RFC 5789, RFC 4918 §9.1; RFC 9113 §3.4.
    (b"GET ", Fault::HttpRequest),
    (b"HEAD ", Fault::HttpRequest),
    (b"POST ", Fault::HttpRequest),
    (b"PUT ", Fault::HttpRequest),
    (b"DELETE ", Fault::HttpRequest),
    (b"CONNECT ", Fault::HttpRequest),
    (b"OPTIONS ", Fault::HttpRequest),
    (b"TRACE ", Fault::HttpRequest),
    (b"PATCH ", Fault::HttpRequest),
    (b"PROPFIND ", Fault::HttpRequest),
    (b"PRI * HTTP/2", Fault::HttpRequest),
    // RFC 9112 §4: what a web server says to our stream header.
    (b"HTTP/", Fault::HttpRequest),
    // RFC 4253 §4.2.
    (b"SSH-", Fault::SshHello),
];

/// The types of TLS records that carry a handshake, and an alert: what a port for direct TLS says to our
/// stream header (RFC 8446 §5.1).
pub(super) const TLS_HANDSHAKE: u8 = 0x16;
pub(super) const TLS_ALERT: u8 = 0x15;

impl Framer {
    /// Whether a byte may be the first of another protocol that is to be named.
    pub(super) fn is_foreign(&self, byte: u8) -> bool {
        self.phase == Phase::Start && FOREIGN.iter().any(|(word, _)| word.first() == Some(&byte))
    }

    /// In the first word of another protocol: a few bytes more tell which.
    pub(super) fn foreign(&mut self, byte: u8) -> Result<State, Fault> {
        self.names.extend(&[byte]);
        let begun = self.names.last();
        match FOREIGN.iter().find(|(word, _)| word.starts_with(begun)) {
            Some((word, fault)) if *word == begun => Err(fault.clone()),
            Some(_) => Ok(State::Foreign),
            None => Err(Fault::TextBeforeHeader),
        }
    }
}
