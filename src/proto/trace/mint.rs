//! What a replay needs that nobody can make: it comes about here as anywhere, by being proven.

use std::time::Instant;

use rustls::pki_types::UnixTime;

use super::context::no_secret;
use crate::proto::auth::chain::Checker;
use crate::proto::auth::dialback::{Answer, Question};
use crate::proto::auth::handshake;
use crate::proto::auth::{Authenticated, Pair};
use crate::proto::jid::{Domain, Jid};
use crate::proto::policy::{Negotiation, Partner, Rules, Terms};
use crate::proto::stanza::{Remembered, Validated, Written, from_gateway, permit};
use crate::proto::stream::{
    Context, IdSource, Input, Machine as _, Now, Outbound, Output, Purpose, Timing, Unproven,
};
use crate::proto::xml::writer::write_element;
use crate::proto::xml::{Element, Event, Limits, Ns, Reader, StreamKind};

/// A stanza as it was to be delivered on a stream of this kind: from a gateway, to a partner for whom
/// everything is allowed. It stands for what a gateway is to get, too, but for what the edge tells gateways of
/// partners, which nobody else may say. Says also whether it is written as it was then.
pub(super) fn stanza(text: &str, kind: StreamKind) -> Option<(Validated<Written>, bool)> {
    let mut element = element(text)?;
    let is_ours = written(kind, &element) == text.as_bytes();
    element.strip(&Ns::PARTNER);
    let bare = written(kind, &element);
    let domain = |name| {
        let jid = Jid::parse(element.attribute(name)?).ok()?;
        Some(jid.domain().clone())
    };
    let (local, remote) = (domain("from")?, domain("to")?);
    let partner = Partner {
        terms: Terms {
            max_stanza_bytes: text.len().saturating_mul(4).saturating_add(1 << 20),
            ..Terms::default()
        },
        ..Partner::new(remote)
    };
    let rules = Rules::new(vec![local.clone()], vec![partner]).ok()?;
    let addressed = from_gateway(element, &link(local)?, &rules).ok()?;
    let stanza = permit(addressed, Remembered::default(), &rules, false).ok()?;
    let stanza = stanza.write(kind);
    let is_same = is_ours && stanza.bytes() == bare;
    Some((stanza, is_same))
}

fn written(kind: StreamKind, element: &Element) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_element(kind, element, &mut bytes);
    bytes
}

/// One element, as it would be read on a link.
fn element(text: &str) -> Option<Element> {
    let kind = StreamKind::Component;
    let most = text.len().saturating_add(1024);
    let mut reader = Reader::new(kind, Limits::authenticated(most));
    let header = format!(
        "<stream:stream xmlns='{}' xmlns:stream='http://etherx.jabber.org/streams'>",
        kind.content_namespace()
    );
    reader.feed(header.as_bytes());
    reader.feed(text.as_bytes());
    loop {
        match reader.next() {
            Ok(Some(Event::Element(element))) => return Some(element),
            Ok(Some(Event::Header(_))) => {}
            Ok(Some(Event::Stanza(_) | Event::Excess(_) | Event::Close) | None) | Err(_) => {
                return None;
            }
        }
    }
}

fn link(local: Domain) -> Option<Authenticated<Domain>> {
    let digest = handshake::digest("1", "");
    handshake::prove(local, "1", "", &digest)
}

/// The answer of an authoritative server, as it was: read from a stream to it, for there is no other way
/// to one.
pub(super) fn answer(question: &Question, verdict: &str, begin: Instant) -> Option<Answer> {
    let Pair { local, remote } = &question.pair;
    let partner = Partner {
        tls: Negotiation::NotSupported,
        sasl: Negotiation::NotSupported,
        dialback: true,
        ..Partner::new(remote.clone())
    };
    let time = Timing::HEADER_ANSWER;
    let context = Context {
        rules: Rules::new(vec![local.clone()], vec![partner]).ok()?,
        anchors: std::sync::Arc::default(),
        checker: Checker::default(),
        dialback: no_secret()?,
        timing: Timing {
            establishment: time,
            inactivity: time,
            keep_alive: time,
        },
        unproven: Unproven::default(),
        max_stanza_bytes: 10_000,
        max_stanza_depth: 64,
        pairs_per_stream: 1,
        annotate: false,
    };
    let now = Now {
        monotonic: begin,
        wall: UnixTime::since_unix_epoch(std::time::Duration::ZERO),
    };
    let purpose = Purpose::Ask(Box::new(question.clone()));
    let ids = IdSource::new([0; 32]);
    let pair = question.pair.clone();
    let mut machine = Outbound::new(context.into(), ids, pair, purpose, false, now);
    machine.handle(now, Input::Connected);
    let header = format!(
        "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
         xmlns:stream='http://etherx.jabber.org/streams' from='{}' to='{}' id='x' version='1.0'>\
         <stream:features/>",
        remote.as_str(),
        local.as_str(),
    );
    machine.handle(now, Input::Bytes(header.as_bytes()));
    let said = crate::proto::auth::dialback::answer(
        "verify",
        remote,
        local,
        Some(&question.stream_id),
        &super::prepare::verdict(verdict)?,
    );
    let said = written(StreamKind::Server, &said);
    machine.handle(now, Input::Bytes(&said));
    loop {
        match machine.poll_output()? {
            Output::Answered(answer) => return Some(answer),
            _ => continue,
        }
    }
}
