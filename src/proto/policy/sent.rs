//! What local users have sent that may be answered: so that an answer passes only where there was a
//! question.

use std::time::{Duration, Instant};

use super::recent::Recent;
use super::user_pair::PairDigest;
use crate::proto::jid::{Domain, Jid};
use crate::proto::stanza::{Kind, Stanza};

/// What local users have sent lately, and who may answer it. It is kept for partners whose users may
/// not turn to a local user unasked.
///
/// A request (iq) is answered once, by the address that it went to, and with its id. A message or a
/// presence may come back as an error from the bare address that it went to, or from the domain.
#[derive(Debug)]
pub struct Sent(Recent);

impl Sent {
    /// What it takes in memory at most, in bytes.
    pub const BYTES: usize = 5 << 20;
    /// How long an answer may take. RFC 6120 §8.2.3 sets no time; clients give up after a minute or two.
    const LIFETIME: Duration = Duration::from_secs(600);

    /// A local user's stanza passed.
    pub fn note(&mut self, partner: &Domain, stanza: &Stanza, now: Instant) {
        if stanza.is_answer() {
            return;
        }
        let (local, remote) = (&stanza.from, &stanza.to);
        if stanza.kind == Kind::Iq {
            let request = of_request(local, remote, stanza);
            self.0.heard(partner, local.bare(), request, now);
            return;
        }
        let of_address = of_push(stanza.kind, local, remote.normal_bare().as_str());
        let of_domain = of_push(stanza.kind, local, remote.domain().as_str());
        self.0.heard(partner, local.bare(), of_address, now);
        if of_domain != of_address {
            self.0.heard(partner, local.bare(), of_domain, now);
        }
    }

    /// Whether a partner's stanza answers something.
    #[must_use]
    pub fn is_answered_by(&self, partner: &Domain, stanza: &Stanza, now: Instant) -> bool {
        stanza.is_answer() && self.0.is_recent(partner, &of_answer(stanza), now)
    }

    /// A partner's answer passed.
    pub fn answered(&mut self, partner: &Domain, stanza: &Stanza) {
        // RFC 6120 §8.2.3: a request has one answer.
        if stanza.kind == Kind::Iq {
            self.0.forget(partner, &of_answer(stanza));
        }
    }
}

impl Default for Sent {
    fn default() -> Self {
        Self(Recent::new(Self::LIFETIME, Self::BYTES))
    }
}

fn of_answer(stanza: &Stanza) -> PairDigest {
    let (local, remote) = (&stanza.to, &stanza.from);
    match stanza.kind {
        // RFC 6120 §8.2.3, rule 3: the answer has the id of the request; `from` and `to` change places.
        Kind::Iq => of_request(local, remote, stanza),
        // RFC 6120 §8.3.1: whoever cannot deliver it may answer, the domain as well as the address.
        kind => of_push(kind, local, remote.normal_bare().as_str()),
    }
}

fn of_request(local: &Jid, remote: &Jid, stanza: &Stanza) -> PairDigest {
    let id = stanza.id().unwrap_or_default();
    PairDigest::of_texts(&[
        "iq",
        local.normal_bare().as_str(),
        local.resource().unwrap_or_default(),
        remote.normal_bare().as_str(),
        remote.resource().unwrap_or_default(),
        id,
    ])
}

fn of_push(kind: Kind, local: &Jid, remote: &str) -> PairDigest {
    PairDigest::of_texts(&[kind.as_str(), local.normal_bare().as_str(), remote])
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant to start from"
    )]

    use super::*;
    use crate::proto::xml::{Element, Ns};

    fn stanza(name: &str, stanza_type: &str, from: &str, to: &str, id: &str) -> Stanza {
        let kind = Kind::of(name).unwrap();
        let mut element = Element::new(Ns::CONTENT, kind.as_str()).with_attribute("id", id);
        if !stanza_type.is_empty() {
            element.set_attribute("type", stanza_type);
        }
        Stanza {
            kind,
            from: Jid::parse(from).unwrap(),
            to: Jid::parse(to).unwrap(),
            form: element.into(),
        }
    }

    const ANNE: &str = "anne@contoso.example/desk";
    const BOB: &str = "bob@public.example/phone";

    fn public() -> Domain {
        Domain::parse("public.example").unwrap()
    }

    #[test]
    fn what_is_an_answer_to_what() {
        let sent = |name, stanza_type, to| stanza(name, stanza_type, ANNE, to, "7");
        let came = |name, stanza_type, from, to, id| stanza(name, stanza_type, from, to, id);
        const BARE: &str = "bob@public.example";
        const DOMAIN: &str = "public.example";
        #[rustfmt::skip]
        let table = [
            // A request: its id, its address, and whoever asked.
            (sent("iq", "get", BOB), came("iq", "result", BOB, ANNE, "7"), true),
            (sent("iq", "set", BOB), came("iq", "error", BOB, ANNE, "7"), true),
            (sent("iq", "get", BOB), came("iq", "result", "BOB@public.example/phone", ANNE, "7"), true),
            (sent("iq", "get", BOB), came("iq", "result", BOB, ANNE, "8"), false),
            (sent("iq", "get", BOB), came("iq", "result", BARE, ANNE, "7"), false),
            (sent("iq", "get", BOB), came("iq", "result", DOMAIN, ANNE, "7"), false),
            (sent("iq", "get", BOB), came("iq", "result", BOB, "anne@contoso.example/pad", "7"), false),
            (sent("iq", "get", DOMAIN), came("iq", "result", DOMAIN, ANNE, "7"), true),
            (sent("iq", "get", BOB), came("message", "error", BOB, ANNE, "7"), false),
            // What is an answer is no question.
            (sent("iq", "result", BOB), came("iq", "result", BOB, ANNE, "7"), false),
            (sent("message", "error", BOB), came("message", "error", BOB, ANNE, "7"), false),
            // A message: an error from the bare address or the domain, whatever the id.
            (sent("message", "chat", BOB), came("message", "error", BOB, ANNE, "7"), true),
            (sent("message", "", BOB), came("message", "error", BARE, "anne@contoso.example", ""), true),
            (sent("message", "", BARE), came("message", "error", BOB, ANNE, "9"), true),
            (sent("message", "", BOB), came("message", "error", DOMAIN, ANNE, "7"), true),
            (sent("message", "", DOMAIN), came("message", "error", DOMAIN, ANNE, "7"), true),
            (sent("message", "", DOMAIN), came("message", "error", BARE, ANNE, "7"), false),
            (sent("message", "", BOB), came("message", "error", "eve@public.example", ANNE, "7"), false),
            (sent("message", "", BOB), came("message", "error", BOB, "carl@contoso.example", "7"), false),
            (sent("message", "", BOB), came("message", "", BOB, ANNE, "7"), false),
            (sent("message", "", BOB), came("presence", "error", BOB, ANNE, "7"), false),
            (sent("presence", "", BOB), came("presence", "error", BOB, ANNE, "7"), true),
            (sent("presence", "probe", BOB), came("presence", "error", DOMAIN, ANNE, "7"), true),
        ];
        for (question, answer, want) in table {
            let start = Instant::now();
            let mut sent = Sent::default();
            sent.note(&public(), &question, start);
            let at = |after| sent.is_answered_by(&public(), &answer, start + after);
            assert_eq!(at(Duration::ZERO), want, "{question:?} {answer:?}");
            assert!(!at(Sent::LIFETIME), "{question:?} {answer:?}");
        }
    }

    #[test]
    fn a_request_is_answered_once_and_a_message_as_often_as_it_takes() {
        let now = Instant::now();
        let mut sent = Sent::default();
        for (name, question, answer, again) in [
            ("iq", "get", "result", false),
            ("message", "chat", "error", true),
        ] {
            sent.note(&public(), &stanza(name, question, ANNE, BOB, "7"), now);
            let answer = stanza(name, answer, BOB, ANNE, "7");
            assert!(sent.is_answered_by(&public(), &answer, now));
            sent.answered(&public(), &answer);
            assert_eq!(sent.is_answered_by(&public(), &answer, now), again);
        }
    }
}
