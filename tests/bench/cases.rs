//! What a stanza costs on its way, piece by piece, in memory: no sockets, no TLS, one thread.
//!
//! `tests/bench/run` counts the instructions of [`measured`] alone, so what stands around it costs
//! nothing. By itself: `cases CASE COUNT` does COUNT stanzas of one case.
#![allow(
    clippy::disallowed_types,
    clippy::exit,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a bench fails by panicking"
)]

#[path = "../it/conversations/lab.rs"]
mod lab;
#[path = "../pki/mod.rs"]
mod pki;

use std::hint::black_box;
use std::sync::Arc;

use tokio::sync::mpsc;
use xmpp_edge::net::relay::hub::Hub;
use xmpp_edge::net::relay::pair_queues::Wish;
use xmpp_edge::net::relay::ways::WaysOut;
use xmpp_edge::ops::counters::Ledger;
use xmpp_edge::proto::auth::handshake::{self, LinkSecret};
use xmpp_edge::proto::policy::Rules;
use xmpp_edge::proto::stanza::{
    Addressed, Form, Remembered, Stanza, Validated, from_gateway, permit,
};
use xmpp_edge::proto::stream::{Component, Context, Inbound, Input, Machine, Output};
use xmpp_edge::proto::xml::{Event, Limits, Reader, StreamKind};
use xmpp_edge::store::Contacts;

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USAGE: &str = "cases CASE COUNT, where CASE is read|tree|judge|write|in|out-BYTES";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (case, count) = (
        arguments.next().expect(USAGE),
        arguments.next().expect(USAGE),
    );
    let count: usize = count.parse().expect(USAGE);
    let (piece, body) = case.rsplit_once('-').expect(USAGE);
    let body: usize = body.parse().expect(USAGE);
    match piece {
        "read" => read(body, count, true),
        "tree" => read(body, count, false),
        "judge" => judge(body, count),
        "write" => write(body, count),
        "in" => runtime().block_on(inward(body, count)),
        "out" => runtime().block_on(outward(body, count)),
        _ => panic!("{USAGE}"),
    }
}

/// Whatever is counted runs in here.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

const COMPONENT_HEADER: &str = "<stream:stream xmlns='jabber:component:accept' \
    xmlns:stream='http://etherx.jabber.org/streams' to='contoso.example'>";
const PARTNER: &str = "partner.example tls=optional sasl=optional dialback=true";

fn context() -> Arc<Context> {
    let mut partner = lab::partner(PARTNER);
    partner.terms.max_stanza_bytes = 1 << 20;
    partner.terms.stanza_rate = u32::MAX;
    lab::context("contoso.example", vec![partner])
}

/// A chat message with a body of so many bytes, as clients send it.
fn message(from: &str, to: &str, body: usize) -> String {
    format!(
        "<message from='{from}' to='{to}' id='5c2b9f7e' type='chat'><body>{}</body></message>",
        "words, ".repeat(body / 7 + 1).split_at(body).0
    )
}

fn outgoing(body: usize) -> String {
    message("anne@contoso.example/desk", "bob@partner.example", body)
}

/// Bytes become stanzas that are only passed on, or trees.
fn read(body: usize, count: usize, are_spans: bool) {
    let stanza = message("bob@partner.example/phone", "anne@contoso.example", body);
    let header = "<stream:stream xmlns='jabber:server' \
                  xmlns:stream='http://etherx.jabber.org/streams'>";
    let mut reader = Reader::new(StreamKind::Server, Limits::authenticated(1 << 20));
    reader.feed(header.as_bytes());
    assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
    if are_spans {
        reader.give_spans();
    }
    measured(|| {
        for _ in 0..count {
            reader.feed(stanza.as_bytes());
            let event = reader.next();
            let is_span = matches!(event, Ok(Some(Event::Stanza(_))));
            assert!(
                is_span == are_spans && (is_span || matches!(event, Ok(Some(Event::Element(_)))))
            );
            black_box(event).unwrap();
        }
    });
}

fn addressed(body: usize, rules: &Rules, is_span: bool) -> Addressed {
    let element = lab::element(StreamKind::Component, &outgoing(body));
    let form = if is_span { span(body) } else { element.into() };
    let local = lab::domain("contoso.example");
    let digest = handshake::digest("1", lab::LINK_SECRET);
    let proof = handshake::prove(local, "1", lab::LINK_SECRET, &digest).unwrap();
    from_gateway(form, &proof, rules).unwrap()
}

/// A gateway's stanza as it is read.
fn span(body: usize) -> Form {
    let mut reader = Reader::new(StreamKind::Component, Limits::authenticated(1 << 20));
    reader.give_spans();
    reader.feed(COMPONENT_HEADER.as_bytes());
    assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
    reader.feed(outgoing(body).as_bytes());
    match reader.next() {
        Ok(Some(Event::Stanza(span))) => span.into(),
        other => panic!("{other:?}"),
    }
}

/// Policy's word on a stanza.
fn judge(body: usize, count: usize) {
    let context = context();
    let stanza = addressed(body, &context.rules, true);
    let stanzas: Vec<_> = std::iter::repeat_n(stanza, count).collect();
    // The room for the results is allocated before, so it is not counted.
    let mut permitted = Vec::with_capacity(count);
    measured(|| {
        let permit = |stanza| permit(stanza, Remembered::default(), &context.rules, false);
        permitted.extend(stanzas.into_iter().map(permit));
    });
    assert!(permitted.iter().all(Result::is_ok));
}

/// A tree becomes bytes.
fn write(body: usize, count: usize) {
    let context = context();
    let stanza = addressed(body, &context.rules, false);
    let stanza = permit(stanza, Remembered::default(), &context.rules, false).unwrap();
    let stanzas: Vec<_> = std::iter::repeat_n(stanza, count).collect();
    let mut written = Vec::with_capacity(count);
    measured(|| {
        let write = |stanza: Validated<Stanza>| stanza.write(StreamKind::Server);
        written.extend(stanzas.into_iter().map(write));
    });
    assert_eq!(written.len(), count);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

/// Where stanzas meet, as the daemon builds it.
struct Relay {
    hub: Hub,
    ledger: Arc<Ledger>,
    context: Arc<Context>,
    wanted: mpsc::Receiver<Wish>,
    _state: tempfile::TempDir,
}

fn relay() -> Relay {
    let context = context();
    let (wish, wanted) = mpsc::channel(16);
    let state = tempfile::tempdir().unwrap();
    let contacts = Contacts::open(&state.path().join("state"))
        .unwrap()
        .contacts;
    let ledger = Arc::new(Ledger::new());
    Relay {
        hub: Hub::new(
            Arc::clone(&ledger),
            Arc::default(),
            Arc::clone(&context),
            contacts,
            wish,
        ),
        ledger,
        context,
        wanted,
        _state: state,
    }
}

/// The stanzas that a machine has put out.
fn stanzas(machine: &mut dyn Machine) -> Vec<Addressed> {
    let outputs = std::iter::from_fn(|| machine.poll_output());
    let stanzas = outputs.filter_map(|output| match output {
        Output::Stanza(stanza) => Some(stanza),
        _ => None,
    });
    stanzas.collect()
}

/// From a partner's stream to the bytes that a gateway's link would write, a read of 16 KiB at a time.
async fn inward(body: usize, count: usize) {
    let relay = relay();
    let mut machine = Inbound::new(Arc::clone(&relay.context), lab::ids(), lab::at(0));
    prove(&mut machine);
    let mut way = relay
        .hub
        .way_in(&lab::pair("contoso.example", "partner.example"));
    let inbox = relay.hub.inbox(&lab::domain("contoso.example"));
    inbox.attach(1);
    let stanza = message("bob@partner.example/phone", "anne@contoso.example", body);
    let (reads, in_all) = reads(&stanza, count);
    let now = lab::at(0).monotonic;
    let begin = relay.ledger.total().accepted;
    let mut written = Vec::new();
    let work = async {
        for bytes in &reads {
            machine.handle(lab::at(0), Input::Bytes(bytes));
            while let Some(output) = machine.poll_output() {
                if let Output::Stanza(stanza) = output {
                    let taken = relay.hub.take_in(stanza, None, &mut way, now);
                    relay.hub.wait_for_room(taken, &way, now).await;
                }
            }
            while !inbox.is_empty() {
                for queued in inbox.take(1).await {
                    written.extend_from_slice(queued.stanza.bytes());
                    queued.delivered(now);
                }
            }
            written.clear();
        }
    };
    counted(work).await;
    let total = relay.ledger.total();
    assert_eq!((total.accepted - begin, total.queued), (in_all, 0));
}

/// The other way.
async fn outward(body: usize, count: usize) {
    let mut relay = relay();
    let secret = Arc::new(LinkSecret::new(lab::LINK_SECRET.to_owned()));
    let mut machine = Component::new(Arc::clone(&relay.context), lab::ids(), secret, lab::at(0));
    shake_hands(&mut machine);
    let (mut ways, now) = (WaysOut::default(), lab::at(0).monotonic);
    let stanza = outgoing(body);
    // The first opens the way out.
    machine.handle(lab::at(0), Input::Bytes(stanza.as_bytes()));
    for stanza in stanzas(&mut machine) {
        assert!(
            relay
                .hub
                .from_gateway(stanza, None, &mut ways, now)
                .is_none()
        );
    }
    let queue = relay.wanted.recv().await.unwrap().queue;
    queue.attach(1);
    let (reads, in_all) = reads(&stanza, count);
    let mut written = Vec::new();
    let work = async {
        for bytes in &reads {
            machine.handle(lab::at(0), Input::Bytes(bytes));
            while let Some(output) = machine.poll_output() {
                if let Output::Stanza(stanza) = output {
                    assert!(
                        relay
                            .hub
                            .from_gateway(stanza, None, &mut ways, now)
                            .is_none()
                    );
                }
            }
            while !queue.is_empty() {
                for queued in queue.take(1).await {
                    written.extend_from_slice(queued.stanza.bytes());
                    queued.delivered(now);
                }
            }
            written.clear();
        }
    };
    counted(work).await;
    let total = relay.ledger.total();
    assert_eq!((total.accepted, total.queued), (in_all + 1, 0));
}

/// So many stanzas, cut into reads of 16 KiB; and how many that are.
fn reads(stanza: &str, count: usize) -> (Vec<Vec<u8>>, u64) {
    let text = stanza.repeat(count);
    let reads = text.as_bytes().chunks(16 << 10).map(<[u8]>::to_vec);
    (reads.collect(), u64::try_from(count).unwrap())
}

/// [`measured`], of a future.
async fn counted(work: impl Future<Output = ()>) {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| measured(|| work.as_mut().poll(context))).await;
}

/// A partner proves itself by dialback in the clear.
fn prove(machine: &mut Inbound) {
    let said = "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
                xmlns:stream='http://etherx.jabber.org/streams' from='partner.example' \
                to='contoso.example' version='1.0'>\
                <db:result from='partner.example' to='contoso.example'>key</db:result>";
    machine.handle(lab::at(0), Input::Bytes(said.as_bytes()));
    let mut question = None;
    while let Some(output) = machine.poll_output() {
        if let Output::Ask(asked) = output {
            question = Some(asked);
        }
    }
    let answer = lab::answer(&question.expect("a question"), "valid");
    machine.handle(lab::at(0), Input::Answer(answer));
    let outputs = std::iter::from_fn(|| machine.poll_output());
    let proofs = outputs.filter(|output| matches!(output, Output::Authenticated(_)));
    assert_eq!(proofs.count(), 1);
}

/// A gateway opens its link.
fn shake_hands(machine: &mut Component) {
    machine.handle(lab::at(0), Input::Bytes(COMPONENT_HEADER.as_bytes()));
    let mut heard = Vec::new();
    while let Some(output) = machine.poll_output() {
        if let Output::Send(bytes) = output {
            heard.extend(bytes);
        }
    }
    let heard = String::from_utf8(heard).unwrap();
    let id = heard
        .split(" id='")
        .nth(1)
        .and_then(|rest| rest.split('\'').next());
    let digest = handshake::digest(id.expect("a stream id"), lab::LINK_SECRET);
    let digest = String::from_utf8(digest.as_bytes().to_vec()).unwrap();
    let handshake = format!("<handshake>{digest}</handshake>");
    machine.handle(lab::at(0), Input::Bytes(handshake.as_bytes()));
    let outputs = std::iter::from_fn(|| machine.poll_output());
    let links = outputs.filter(|output| matches!(output, Output::LinkUp(_)));
    assert_eq!(links.count(), 1);
}
