//! Stanzas through the hub, without sockets.

use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};

use super::*;
use crate::ops::counted;
use crate::proto::auth::chain::{CertReport, Checker};
use crate::proto::auth::{external, handshake};
use crate::proto::policy::{Partner, Rules, counted as policy};
use crate::proto::stanza::{from_gateway, from_partner};
use crate::proto::stream::{Timing, Unproven};
use crate::proto::xml::Element;
use crate::proto::xml::Ns;

struct House {
    hub: Hub,
    wanted: mpsc::Receiver<Wish>,
    _state: tempfile::TempDir,
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn pair() -> Pair {
    Pair {
        local: domain("contoso.example"),
        remote: domain("fabrikam.example"),
    }
}

fn context(partners: Vec<Partner>) -> Arc<Context> {
    Arc::new(Context {
        rules: Rules::new(vec![domain("contoso.example")], partners).unwrap(),
        anchors: Arc::default(),
        checker: Checker::default(),
        dialback: crate::proto::auth::dialback_key::DialbackSecret::new(&[1; 32]).unwrap(),
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

fn house(partners: Vec<Partner>) -> House {
    let state = tempfile::tempdir().unwrap();
    let contacts = Contacts::open(&state.path().join("state"))
        .unwrap()
        .contacts;
    let (wish, wanted) = mpsc::channel(16);
    House {
        hub: Hub::new(
            Arc::default(),
            Arc::default(),
            context(partners),
            contacts,
            wish,
        ),
        wanted,
        _state: state,
    }
}

fn message(from: &str, to: &str, id: &str) -> Element {
    Element::new(Ns::CONTENT, "message")
        .with_attribute("from", from)
        .with_attribute("to", to)
        .with_attribute("id", id)
}

fn from_outside(id: &str) -> Addressed {
    let report = CertReport {
        domain: pair().remote,
        verdict: Ok(()),
        until: u64::MAX,
        certificate: None,
        shown: None,
        unpinned: None,
    };
    let proof = external::prove(pair(), &report).unwrap();
    let element = message("bob@fabrikam.example", "anne@contoso.example", id);
    from_partner(element, &[proof]).unwrap()
}

fn from_inside(rules: &Rules, id: &str) -> Addressed {
    let digest = handshake::digest("id", "secret");
    let proof = handshake::prove(domain("contoso.example"), "id", "secret", &digest).unwrap();
    let element = message("anne@contoso.example", "bob@fabrikam.example", id);
    from_gateway(element, &proof, rules).unwrap()
}

/// As a partner's stream hands it on.
fn arrive(hub: &Hub, stanza: Addressed, way: &mut WayIn, now: Instant) {
    let taken = hub.take_in(stanza, None, way, now);
    at_once(hub.wait_for_room(taken, way, now));
}

fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

fn ids(stanzas: Vec<QueuedStanza>) -> Vec<String> {
    let id = |queued: &QueuedStanza| queued.stanza.id().unwrap().to_owned();
    let ids = stanzas.iter().map(id).collect();
    stanzas
        .into_iter()
        .for_each(|queued| queued.delivered(clock::instant()));
    ids
}

/// What a stanza took: shared locks, look-ups of partners, evaluations.
fn took() -> (usize, usize, usize) {
    let (look_ups, evaluations) = policy::taken();
    (counted::taken(), look_ups, evaluations)
}

#[test]
fn a_stanza_takes_no_shared_lock_and_looks_nobody_up() {
    let mut house = house(vec![Partner::new(domain("fabrikam.example"))]);
    let hub = &house.hub;
    let context = hub.context.load_full();
    let now = Instant::now();
    // Inward: the first stanza already, because the pair was proven before.
    let mut way = hub.way_in(&pair());
    let inbox = hub.inbox(&pair().local);
    inbox.attach(1);
    let _ = took();
    let stanza = from_outside("in");
    arrive(hub, stanza, &mut way, now);
    let stanzas = at_once(inbox.take(1));
    assert_eq!(took(), (0, 0, 1));
    assert_eq!(ids(stanzas), ["in"]);
    // Outward: the first stanza of a link for a domain finds the way, the next ones take it.
    let mut ways = WaysOut::default();
    let stanza = from_inside(&context.rules, "out1");
    assert!(hub.from_gateway(stanza, None, &mut ways, now).is_none());
    let queue = house.wanted.try_recv().unwrap().queue;
    queue.attach(2);
    let _ = took();
    let stanza = from_inside(&context.rules, "out2");
    assert!(hub.from_gateway(stanza, None, &mut ways, now).is_none());
    let stanzas = at_once(queue.take(2));
    // The link asks about the pair, because a gateway may name any domain; then about the stanza.
    assert_eq!(took(), (0, 1, 2));
    assert_eq!(ids(stanzas), ["out1", "out2"]);
    assert!(hub.ledger.balances() && hub.is_idle());
}

#[test]
fn a_reload_is_seen_by_ways_that_were_there_before() {
    let mut strict = Partner::new(domain("fabrikam.example"));
    strict.terms.kinds = crate::proto::policy::Kinds::of(&[Kind::Iq]);
    let house = house(vec![Partner::new(domain("fabrikam.example"))]);
    let hub = &house.hub;
    let inbox = hub.inbox(&pair().local);
    inbox.attach(1);
    let mut way = hub.way_in(&pair());
    let state = Arc::clone(&way.standing.state);
    hub.replace(context(vec![strict]));
    let now = Instant::now();
    let stanza = from_outside("late");
    arrive(hub, stanza, &mut way, now);
    assert!(inbox.is_empty(), "messages are not allowed any more");
    // What is kept of the partner stays the same.
    assert!(Arc::ptr_eq(&state, &way.standing.state));
    // Nobody's any more: policy says so.
    hub.replace(context(Vec::new()));
    let stanza = from_outside("later");
    arrive(hub, stanza, &mut way, now);
    assert!(inbox.is_empty() && way.standing.entry.is_none());
    assert!(hub.ledger.balances());
}

/// A way that was given up is not taken again, however long a link remembers it.
#[test]
fn a_link_finds_a_new_way_when_the_old_one_was_given_up() {
    let mut house = house(vec![Partner::new(domain("fabrikam.example"))]);
    let hub = &house.hub;
    let context = hub.context.load_full();
    let mut ways = WaysOut::default();
    let now = Instant::now();
    for id in ["one", "two"] {
        let stanza = from_inside(&context.rules, id);
        assert!(hub.from_gateway(stanza, None, &mut ways, now).is_none());
        let queue = house.wanted.try_recv().expect("a wish").queue;
        queue.attach(1);
        assert!(!hub.finished(&pair()), "something waits");
        assert_eq!(ids(at_once(queue.take(1))), [id]);
        assert!(hub.finished(&pair()));
    }
    assert!(hub.ledger.balances() && hub.is_idle());
}
