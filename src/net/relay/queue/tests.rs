use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::proto::auth::handshake;
use crate::proto::policy::{Partner, Rules};
use crate::proto::stanza::{Remembered, Written, from_gateway, permit};
use crate::proto::xml::{Element, Ns, StreamKind};

/// A queued stanza that is known by its id, and costs about twice as much as that.
pub(in crate::net) fn queued(id: &str) -> QueuedStanza {
    between("b@contoso.example", "a@partner.example", id)
}

fn between(from: &str, to: &str, id: &str) -> QueuedStanza {
    let domain = |name: &str| Domain::parse(name).unwrap();
    let element = Element::new(Ns::CONTENT, "message")
        .with_attribute("from", from)
        .with_attribute("to", to)
        .with_attribute("id", id);
    let local = domain("contoso.example");
    let mut partner = Partner::new(domain("partner.example"));
    partner.terms.max_stanza_bytes = usize::MAX;
    let rules = Rules::new(vec![local.clone()], vec![partner]).unwrap();
    let digest = handshake::digest("id", "secret");
    let proof = handshake::prove(local, "id", "secret", &digest).unwrap();
    let stanza = from_gateway(element, &proof, &rules).unwrap();
    let stanza = permit(stanza, Remembered::default(), &rules, false).unwrap();
    QueuedStanza::own(stanza.write(StreamKind::Server))
}

pub(in crate::net) fn id(queued: &QueuedStanza) -> String {
    queued.stanza.id().unwrap().to_owned()
}

fn lane(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn ids(stanzas: &[QueuedStanza]) -> Vec<String> {
    stanzas.iter().map(id).collect()
}

fn fill(queue: &Queue, stanzas: &[(&str, &str)]) {
    for (name, id) in stanzas {
        assert!(queue.try_push(&lane(name), queued(id)).is_ok(), "{id}");
    }
}

/// What a future has come to without being waited for.
fn once<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn take_now(queue: &Queue, consumer: Consumer) -> Option<Vec<String>> {
    once(pin!(queue.take(consumer))).map(|stanzas| ids(&stanzas))
}

#[test]
fn of_several_lanes_the_one_that_was_given_least_goes_next() {
    let queue = Queue::default();
    queue.attach(1);
    fill(
        &queue,
        &[
            ("a.example", "a1"),
            ("a.example", "a2"),
            ("a.example", "a3"),
        ],
    );
    fill(
        &queue,
        &[
            ("b.example", "b1"),
            ("c.example", "c1"),
            ("b.example", "b2"),
        ],
    );
    let served = take_now(&queue, 1).unwrap();
    assert_eq!(served, ["a1", "b1", "c1", "a2", "b2", "a3"]);
    assert!(queue.is_empty());
    assert_eq!(take_now(&queue, 1), None);
}

#[test]
fn a_batch_is_bounded_and_takes_turns_with_the_next() {
    let queue = Queue::default();
    queue.attach(1);
    let long = "x".repeat(BATCH_BYTES / 2);
    for number in 0..4 {
        fill(&queue, &[("a.example", &format!("a{number}{long}"))]);
    }
    fill(&queue, &[("b.example", "b1")]);
    let first = |batch: Option<Vec<String>>| -> Vec<String> {
        batch
            .unwrap()
            .iter()
            .map(|id| id.chars().take(2).collect())
            .collect()
    };
    assert_eq!(first(take_now(&queue, 1)), ["a0", "b1", "a1"]);
    assert_eq!(first(take_now(&queue, 1)), ["a2", "a3"]);
}

#[test]
fn a_full_lane_refuses_or_waits_and_delays_no_other() {
    let queue = Queue::default();
    queue.attach(1);
    let long = "x".repeat(LANE_BYTES / 9);
    let mut accepted = 0;
    while queue.try_push(&lane("a.example"), queued(&long)).is_ok() {
        accepted += 1;
    }
    assert_eq!(accepted, 4);
    // None is too large for an empty lane.
    let largest = queued(&"x".repeat(LANE_BYTES));
    let other = Queue::default();
    assert!(other.try_push(&lane("c.example"), largest).is_ok());
    fill(&queue, &[("b.example", "b1")]);
    let full = lane("a.example");
    let mut push = pin!(queue.push(&full, queued(&long)));
    assert!(once(push.as_mut()).is_none());
    // Whoever waits is woken when there is room.
    let mut taken = 0;
    while once(push.as_mut()).is_none() {
        assert!(take_now(&queue, 1).is_some(), "empty, and nobody said so");
        taken += 1;
    }
    assert!(taken > 1, "more may wait of whoever cannot wait itself");
}

#[test]
fn what_is_put_back_comes_out_first_of_its_lane_and_in_its_order() {
    let queue = Queue::default();
    queue.attach(1);
    fill(
        &queue,
        &[
            ("a.example", "a1"),
            ("a.example", "a2"),
            ("a.example", "a3"),
        ],
    );
    let mut batch = once(pin!(queue.take(1))).unwrap();
    fill(&queue, &[("a.example", "a4"), ("b.example", "b1")]);
    batch.remove(0).delivered(clock::instant());
    assert_eq!(queue.detach(1, batch), 0);
    queue.attach(1);
    let mut taken = take_now(&queue, 1).unwrap();
    assert_eq!(
        taken
            .iter()
            .position(|id| id == "b1")
            .map(|at| taken.remove(at)),
        Some("b1".to_owned())
    );
    assert_eq!(taken, ["a2", "a3", "a4"]);
}

/// A user whose conversation with b@contoso.example the second of these two links would have.
fn user_of_the_second() -> String {
    let queue = Queue::default();
    queue.attach(1);
    queue.attach(2);
    for number in 0.. {
        let user = format!("a{number}@partner.example");
        let stanza = between("b@contoso.example", &user, "m");
        assert!(queue.try_push(&lane("a.example"), stanza).is_ok());
        if take_now(&queue, 2).is_some() {
            return user;
        }
        take_now(&queue, 1).unwrap();
    }
    unreachable!()
}

#[test]
fn a_conversation_stays_with_the_link_that_is_writing_some_of_it_and_then_moves() {
    let user = user_of_the_second();
    let queue = Queue::default();
    let push = |id: &str| {
        let stanza = between("b@contoso.example", &user, id);
        assert!(queue.try_push(&lane("a.example"), stanza).is_ok());
    };
    assert_eq!(queue.attach_within(2, 1), Some(1));
    push("a1");
    push("a2");
    let batch = once(pin!(queue.take(1))).unwrap();
    assert_eq!(queue.attach_within(2, 2), Some(2));
    assert_eq!(queue.attach_within(2, 3), None);
    push("a3");
    let mut second = pin!(queue.take(2));
    assert!(once(second.as_mut()).is_none(), "a3 before a2");
    // It comes for more: what it took is written.
    batch
        .into_iter()
        .for_each(|queued| queued.delivered(clock::instant()));
    assert_eq!(take_now(&queue, 1), None);
    assert_eq!(ids(&once(second.as_mut()).unwrap()), ["a3"]);
    push("a4");
    assert_eq!(take_now(&queue, 1), None);
    assert_eq!(take_now(&queue, 2).unwrap(), ["a4"]);
}

#[test]
fn what_a_link_has_not_begun_when_it_goes_comes_first_on_another() {
    let user = user_of_the_second();
    let queue = Queue::default();
    queue.attach(1);
    queue.attach(2);
    for id in ["a1", "a2", "a3"] {
        let stanza = between("b@contoso.example/desk", &user, id);
        assert!(queue.try_push(&lane("a.example"), stanza).is_ok());
    }
    let mut batch = once(pin!(queue.take(2))).unwrap();
    let stanza = between("b@contoso.example", &user, "a4");
    assert!(queue.try_push(&lane("a.example"), stanza).is_ok());
    let mut first = pin!(queue.take(1));
    assert!(once(first.as_mut()).is_none());
    batch.remove(0).delivered(clock::instant());
    assert_eq!(queue.detach(2, batch), 1);
    assert_eq!(ids(&once(first.as_mut()).unwrap()), ["a2", "a3", "a4"]);
    assert!(queue.has_consumer());
    assert_eq!(queue.detach(1, Vec::new()), 0);
    assert!(!queue.has_consumer());
}

#[test]
fn who_writes_and_with_which_client_makes_no_other_conversation() {
    let of = |from: &str, to: &str| between(from, to, "m").conversation;
    let one = of("b@contoso.example", "a@partner.example");
    for (from, to) in [
        ("b@contoso.example/desk", "a@partner.example/phone"),
        ("B@contoso.example", "A@Partner.example"),
    ] {
        assert_eq!(of(from, to), one, "{from} {to}");
    }
    for (from, to) in [
        ("b@contoso.example", "aa@partner.example"),
        ("b@contoso.example", "partner.example"),
        ("c@contoso.example", "a@partner.example"),
    ] {
        assert_ne!(of(from, to), one, "{from} {to}");
    }
}

/// What has moved is as much as before, and a lane of an account is as long as before.
#[test]
fn an_account_has_one_bound_over_all_links() {
    let stock = Arc::<Stock>::default();
    let queue = Queue::sharing(Arc::clone(&stock));
    queue.attach(1);
    queue.attach(2);
    let long = "x".repeat(LANE_BYTES / 90);
    let mut number = 0;
    let mut fill = || {
        let mut accepted = 0;
        loop {
            number += 1;
            let user = format!("a{number}@partner.example");
            let stanza = between("b@contoso.example", &user, &long);
            if queue.try_push(&lane("a.example"), stanza).is_err() {
                return accepted;
            }
            accepted += 1;
        }
    };
    assert!(fill() > 30);
    let held = stock.held();
    assert!(held <= LANE_BYTES + 2 * OF_LANE, "{held}");
    queue.attach(3);
    assert_eq!((fill(), stock.held()), (0, held + OF_LANE));
    for consumer in [1, 2, 3] {
        queue.detach(consumer, Vec::new());
    }
    assert_eq!(fill(), 0);
    drop(queue.drain());
    assert_eq!(stock.held(), 0);
}

#[test]
fn only_what_has_waited_long_enough_is_drained() {
    let queue = Queue::default();
    let oldest = Instant::now();
    fill(&queue, &[("a.example", "a1"), ("b.example", "b1")]);
    let minute = Duration::from_secs(60);
    assert!(queue.drain_older_than(oldest, minute).is_empty());
    let later = Instant::now() + minute;
    fill(&queue, &[("a.example", "a2")]);
    let mut drained = ids(&queue.drain_older_than(later, minute));
    drained.retain(|id| id != "a2");
    drained.sort();
    assert_eq!(drained, ["a1", "b1"]);
    drop(queue.drain());
    assert!(queue.is_empty());
}

#[test]
fn that_something_waits_for_nobody_is_told_once_until_somebody_has_come() {
    let queue = Queue::default();
    assert_eq!(queue.attended(), None);
    fill(&queue, &[("a.example", "a1"), ("b.example", "b1")]);
    assert!(queue.is_newly_unattended() && !queue.is_newly_unattended());
    assert_eq!(queue.drain().len(), 2);
    fill(&queue, &[("a.example", "a2")]);
    assert!(!queue.is_newly_unattended());
    queue.attach(1);
    let waited = queue.attended().unwrap();
    assert_eq!((waited.waiting, waited.given_up), (1, 2));
    fill(&queue, &[("a.example", "a3")]);
    assert!(!queue.is_newly_unattended());
    // What is left when the last one goes waits again.
    queue.detach(1, Vec::new());
    assert!(queue.is_newly_unattended());
    queue.attach(2);
    assert_eq!(queue.attended().unwrap().waiting, 2);
    assert_eq!(queue.attended(), None);
}

/// Small stanzas take more in a queue than their bytes.
#[test]
fn a_stanza_costs_what_it_takes_in_a_queue() {
    use crate::proto::xml::Attribute;
    let place = size_of::<QueuedStanza>() * 2 + size_of::<Details>();
    // Room for four, of which `type` and `id` are there.
    let attributes = 4 * size_of::<Attribute>();
    let taken = place + attributes;
    assert!(taken <= Written::OVERHEAD, "{taken}");
}

/// What one waits for in vain wakes nobody else, or all would wake each other for ever.
#[test]
fn who_waits_for_room_wakes_nobody() {
    let stock = Arc::<Stock>::default();
    let one = queued("m");
    stock.set_limit(2 * (one.cost + OF_LANE) - 1);
    let queue = Queue::sharing(Arc::clone(&stock));
    assert!(queue.try_push(&lane("a.example"), one).is_ok());
    let freed = stock.freed();
    let mut freed = pin!(freed);
    assert!(once(freed.as_mut()).is_none());
    let b = lane("b.example");
    let mut waits = pin!(queue.push(&b, queued("m")));
    assert!(once(waits.as_mut()).is_none());
    assert!(once(freed.as_mut()).is_none());
}

#[test]
fn what_is_larger_than_all_room_comes_back_at_once() {
    let stock = Arc::<Stock>::default();
    stock.set_limit(10_000);
    let queue = Queue::sharing(Arc::clone(&stock));
    let a = lane("a.example");
    let long = queued(&"x".repeat(10_000));
    assert!(matches!(once(pin!(queue.push(&a, long))), Some(Err(_))));
    // Where a reload makes the room smaller than what waits for it, too.
    assert!(queue.try_push(&a, queued(&"x".repeat(2_000))).is_ok());
    let mut waits = pin!(queue.push(&a, queued(&"x".repeat(2_000))));
    assert!(once(waits.as_mut()).is_none());
    stock.set_limit(3_000);
    assert!(matches!(once(waits.as_mut()), Some(Err(_))));
}
