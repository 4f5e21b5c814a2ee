//! What the machines run in: domains, rules, certificates, two clocks that stand still, and a
//! dialback secret that is known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, UnixTime};
use xmpp_edge::proto::auth::certificate::CertFacts;
use xmpp_edge::proto::auth::chain::{Anchors, Checker, TlsFacts, TlsVersion};
use xmpp_edge::proto::auth::dialback::{Answer, Question};
use xmpp_edge::proto::auth::dialback_key::DialbackSecret;
use xmpp_edge::proto::auth::pin::Pin;
use xmpp_edge::proto::auth::{Authenticated, Pair, handshake};
use xmpp_edge::proto::jid::Domain;
use xmpp_edge::proto::policy::{DomainPattern, Negotiation, Partner, Rules};
use xmpp_edge::proto::stanza::{Remembered, Stanza, Validated, from_gateway, permit};
use xmpp_edge::proto::stream::{
    Context, Endpoint, IdSource, Input, Machine, Now, Outbound, Output, Purpose, Timing, Unproven,
};
use xmpp_edge::proto::xml::{Element, Event, Limits, Reader, StreamKind};

use crate::pki::{Authority, Identity, Leaf, NOW};

/// The edge's own domains, unless a script says otherwise.
pub(crate) const LOCAL: &str = "contoso.example, eu.contoso.example";
/// What our dialback keys are made from.
pub(crate) const DIALBACK_SECRET: &str = "a secret of all these tests";
/// What a gateway must know.
pub(crate) const LINK_SECRET: &str = "link <secret> & more";

pub(crate) fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn pair(local: &str, remote: &str) -> Pair {
    Pair {
        local: domain(local),
        remote: domain(remote),
    }
}

/// The moment at which everything begins, and so many seconds later.
pub(crate) fn at(seconds: u64) -> Now {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let begin = *BEGIN.get_or_init(Instant::now);
    Now {
        monotonic: begin + Duration::from_secs(seconds),
        wall: UnixTime::since_unix_epoch(Duration::from_secs(NOW + seconds)),
    }
}

/// Where streams of ours lead to.
pub(crate) fn place() -> Endpoint {
    Endpoint {
        address: "192.0.2.7:5269".parse().unwrap(),
        is_own: false,
    }
}

pub(crate) fn dialback_key(receiving: &str, originating: &str, stream_id: &str) -> String {
    DialbackSecret::new(DIALBACK_SECRET.as_bytes())
        .unwrap()
        .generate(&domain(receiving), &domain(originating), stream_id)
}

pub(crate) fn ids() -> IdSource {
    IdSource::new([1; 32])
}

/// The settings of one partner, as a script writes them.
pub(crate) fn partner(line: &str) -> Partner {
    let mut words = line.split_whitespace();
    let primary = words.next().expect("the domain of a partner");
    let mut partner = Partner::new(domain(primary));
    partner.terms.max_stanza_bytes = 10_000;
    for word in words {
        match word.split_once('=').expect("setting=value") {
            ("tls", value) => partner.tls = negotiation(value),
            ("sasl", value) => partner.sasl = negotiation(value),
            ("dialback", value) => partner.dialback = value == "true",
            ("share-streams", value) => partner.share_streams = value == "true",
            ("keep-alive", value) => partner.keep_alive = value == "true",
            ("max-stanza-bytes", value) => partner.terms.max_stanza_bytes = value.parse().unwrap(),
            ("minimum-tls-version", "1.3") => partner.terms.minimum_tls = TlsVersion::Tls13,
            ("also", value) => {
                partner.additional = value
                    .split(',')
                    .map(|name| match name.strip_prefix("*.") {
                        Some(parent) => DomainPattern::Subdomains(domain(parent)),
                        None => DomainPattern::Exact(domain(name)),
                    })
                    .collect();
            }
            ("trust-anchors", "other") => partner.anchors = Some(Arc::clone(&pki().other_anchors)),
            ("certificate-pins", value) => partner.pins.pins = value.split(',').map(pin).collect(),
            ("certificate-pins-enforced", value) => partner.pins.enforced = value == "true",
            (name, value) => panic!("what is {name}={value}?"),
        }
    }
    partner
}

/// The pin of an authority, or of the certificate that `tls-up` names so.
fn pin(name: &str) -> Pin {
    let certificate = match name {
        "trusted" => pki().trusted.certificate.clone(),
        "other" => pki().other.certificate.clone(),
        name => tls(name).chain[0].clone(),
    };
    Pin(CertFacts::of(&certificate).unwrap().spki_sha256)
}

fn negotiation(word: &str) -> Negotiation {
    [
        Negotiation::Required,
        Negotiation::Optional,
        Negotiation::NotSupported,
    ]
    .into_iter()
    .find(|setting| setting.as_str() == word)
    .unwrap_or_else(|| panic!("{word} is none of the three"))
}

pub(crate) fn context(local: &str, partners: Vec<Partner>) -> Arc<Context> {
    let local = local.split(", ").map(domain).collect();
    Arc::new(Context {
        rules: Rules::new(local, partners).expect("rules that stand together"),
        anchors: Arc::clone(&pki().anchors),
        checker: Checker::default(),
        dialback: DialbackSecret::new(DIALBACK_SECRET.as_bytes()).unwrap(),
        timing: Timing {
            establishment: Duration::from_secs(60),
            inactivity: Duration::from_secs(600),
            keep_alive: Duration::from_secs(300),
        },
        unproven: Unproven::default(),
        max_stanza_bytes: 10_000,
        max_stanza_depth: 64,
        pairs_per_stream: 4,
        annotate: false,
    })
}

struct Pki {
    trusted: Authority,
    other: Authority,
    anchors: Arc<Anchors>,
    other_anchors: Arc<Anchors>,
    issued: Mutex<HashMap<String, Vec<CertificateDer<'static>>>>,
}

fn pki() -> &'static Pki {
    static PKI: OnceLock<Pki> = OnceLock::new();
    PKI.get_or_init(|| {
        let (trusted, other) = (Authority::root("Trusted"), Authority::root("Other"));
        let anchors = |authority: &Authority| {
            let (anchors, rejected) = Anchors::from_der([authority.certificate.clone()]);
            assert!(rejected.is_empty());
            Arc::new(anchors)
        };
        Pki {
            anchors: anchors(&trusted),
            other_anchors: anchors(&other),
            trusted,
            other,
            issued: Mutex::default(),
        }
    })
}

/// TLS came up; `certificate` says what the other side sent: `none`, a fault and a name
/// (`expired:partner.example`), or just names.
pub(crate) fn tls(certificate: &str) -> TlsFacts {
    let mut issued = pki().issued.lock().unwrap();
    let chain = issued
        .entry(certificate.to_owned())
        .or_insert_with(|| issue(certificate));
    TlsFacts {
        version: TlsVersion::Tls13,
        chain: chain.clone().into(),
    }
}

fn issue(certificate: &str) -> Vec<CertificateDer<'static>> {
    let (fault, names) = certificate.split_once(':').unwrap_or(("", certificate));
    let names: Vec<_> = names.split(',').collect();
    let leaf = Leaf::new(&names);
    let trusted = |leaf| pki().trusted.issue(leaf);
    let identity: Identity = match fault {
        "" if certificate == "none" => return Vec::new(),
        "" => trusted(leaf),
        "expired" => trusted(leaf.valid((2020, 1, 1), (2021, 1, 1))),
        "not-yet-valid" => trusted(leaf.valid((2090, 1, 1), (2100, 1, 1))),
        // 500 seconds after the script begins.
        "ending" => trusted(leaf.ends_after(500)),
        "client-auth-only" => trusted(leaf.client_only()),
        "server-auth-only" => trusted(leaf.server_only()),
        "self-signed" => leaf.self_signed(),
        "unknown-ca" => pki().other.issue(leaf),
        "common-name-only" => trusted(Leaf::new(&[]).common_name(names[0])),
        other => panic!("what is a certificate that is {other}?"),
    };
    identity.chain
}

/// A stanza that a gateway might have sent, checked as the edge would.
pub(crate) fn from_local(context: &Context, text: &str) -> Validated<Stanza> {
    let element = element(StreamKind::Component, text);
    let from = element.attribute("from").expect("a stanza with from");
    let local = domain(from.split('/').next().unwrap().rsplit('@').next().unwrap());
    let addressed = from_gateway(element, &link(local), &context.rules);
    let addressed = addressed.expect("a stanza that a gateway may send");
    permit(addressed, Remembered::default(), &context.rules, false).expect("a stanza that may pass")
}

fn link(local: Domain) -> Authenticated<Domain> {
    let digest = handshake::digest("1", LINK_SECRET);
    handshake::prove(local, "1", LINK_SECRET, &digest).unwrap()
}

/// One element, as it would be read from a stream.
pub(crate) fn element(stream_kind: StreamKind, text: &str) -> Element {
    match elements(stream_kind, text).as_slice() {
        [Event::Element(element)] => element.clone(),
        other => panic!("not one element but {other:?}: {text}"),
    }
}

/// What stands in a piece of a stream, behind a header that declares the usual prefixes.
pub(crate) fn elements(stream_kind: StreamKind, text: &str) -> Vec<Event> {
    let mut reader = Reader::new(stream_kind, Limits::authenticated(1 << 20));
    reader.feed(
        format!(
            "<stream:stream xmlns='{}' xmlns:db='jabber:server:dialback' \
             xmlns:stream='http://etherx.jabber.org/streams'>{text}",
            stream_kind.content_namespace()
        )
        .as_bytes(),
    );
    let mut events = Vec::new();
    loop {
        match reader.next() {
            Ok(Some(Event::Header(_))) => {}
            Ok(Some(event)) => events.push(event),
            Ok(None) => break,
            Err(fault) => panic!("{fault}: {text}"),
        }
    }
    assert!(reader.is_drained(), "unfinished: {text}");
    events
}

/// The answer of a question's authoritative server, read from a stream of our own to it: there is
/// no other way to one.
pub(crate) fn answer(question: &Question, verdict: &str) -> Answer {
    let Pair { local, remote } = &question.pair;
    let line = format!("{remote} tls=not-supported sasl=not-supported dialback=true");
    let context = context(local.as_str(), vec![partner(&line)]);
    let purpose = Purpose::Ask(Box::new(question.clone()));
    let mut machine = Outbound::new(context, ids(), question.pair.clone(), purpose, true, at(0));
    machine.handle(at(0), Input::Connected);
    let (outcome, error) = match verdict.split_once(' ') {
        Some(("error", condition)) => (
            "error",
            format!(
                "<error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
            ),
        ),
        _ => (verdict, String::new()),
    };
    let said = format!(
        "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
         xmlns:stream='http://etherx.jabber.org/streams' from='{remote}' to='{local}' id='x' version='1.0'>\
         <stream:features/>\
         <db:verify from='{remote}' to='{local}' id='{}' type='{outcome}'>{error}</db:verify>",
        question.stream_id
    );
    machine.handle(at(0), Input::Bytes(said.as_bytes()));
    while let Some(output) = machine.poll_output() {
        if let Output::Answered(answer) = output {
            return answer;
        }
    }
    panic!("no answer from {said}");
}
