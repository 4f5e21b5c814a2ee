use proptest::prelude::*;

use super::*;
use crate::net::relay::queue::tests::{id, queued};
use crate::ops::counters::Ledger;
use crate::ops::events::Direction;
use crate::proto::codes::Code;
use crate::proto::jid::Domain;

fn ids(stanzas: &[QueuedStanza]) -> Vec<String> {
    stanzas.iter().map(id).collect()
}

fn carry(buffer: &mut SendBuffer, name: &str, bytes: &[u8]) {
    let begin = buffer.end();
    buffer.append(bytes.to_vec());
    buffer.carries(begin, queued(name));
}

/// Writes so many bytes, piece by piece as a socket would; returns them.
fn write(buffer: &mut SendBuffer, mut count: usize) -> Vec<u8> {
    let mut written = Vec::new();
    while count > 0 && !buffer.is_empty() {
        let piece = buffer.unwritten();
        let taken = piece.len().min(count);
        written.extend_from_slice(&piece[..taken]);
        buffer.written(taken);
        count -= taken;
    }
    written
}

#[test]
fn a_stanza_is_delivered_when_its_last_byte_has_left() {
    let ledger = Ledger::new();
    let partner = Domain::parse("partner.example").unwrap();
    let counters = ledger.partner(&partner);
    let mut buffer = SendBuffer::default();
    for name in ["m1", "m2"] {
        let begin = buffer.end();
        buffer.append(b"12345".to_vec());
        let mut queued = queued(name);
        queued.accepted = Some(counters.accept(Direction::Outbound));
        buffer.carries(begin, queued);
    }
    let delivered = || ledger.total().delivered;
    assert_eq!((buffer.len(), delivered()), (10, 0));
    assert_eq!(write(&mut buffer, 7), b"1234512");
    assert_eq!(delivered(), 0);
    buffer.flushed();
    assert_eq!((buffer.len(), delivered()), (3, 1));
    assert!(!buffer.is_idle());
    assert_eq!(write(&mut buffer, 3), b"345");
    assert_eq!(delivered(), 1);
    buffer.flushed();
    assert_eq!(delivered(), 2);
    assert!(buffer.is_idle() && buffer.stalled_at(Duration::ZERO).is_none());
}

#[test]
fn what_has_left_last_may_be_lost_where_nobody_acknowledges_and_the_connection_breaks() {
    let broke = Reason::Transport("connection reset".to_owned());
    let kibibyte = vec![b'x'; 1 << 10];
    let perhaps_lost = |stanzas: usize, reason: &Reason| {
        let mut buffer = SendBuffer::default();
        for number in 0..stanzas {
            carry(&mut buffer, &format!("m{number}"), &kibibyte);
            write(&mut buffer, kibibyte.len());
            buffer.flushed();
        }
        buffer.leftovers().perhaps_lost(reason)
    };
    assert_eq!(perhaps_lost(40, &broke), 40);
    let damaged = Reason::TlsFailed {
        code: Code::ALERT,
        detail: String::new(),
    };
    assert_eq!(perhaps_lost(40, &damaged), 40);
    assert_eq!(perhaps_lost(40, &Reason::PeerClosed), 0);
    for stanzas in [127, 128, 200, 1000] {
        let perhaps = perhaps_lost(stanzas, &broke);
        assert!(
            (64..128).contains(&perhaps) || perhaps == stanzas,
            "{perhaps}"
        );
    }
    let mut buffer = SendBuffer::default();
    buffer.await_acknowledgements();
    carry(&mut buffer, "m", &kibibyte);
    write(&mut buffer, kibibyte.len());
    buffer.flushed();
    assert_eq!(buffer.leftovers().perhaps_lost(&broke), 0);
}

#[test]
fn an_acknowledgement_covers_what_was_written_before_they_were_agreed_on() {
    let mut buffer = SendBuffer::default();
    carry(&mut buffer, "m1", b"12345");
    buffer.await_acknowledgements();
    for name in ["m2", "m3"] {
        carry(&mut buffer, name, b"12345");
    }
    // The answer is read before we have seen that anything has left.
    write(&mut buffer, 15);
    buffer.acknowledged(1);
    let left = buffer.leftovers();
    assert_eq!(ids(&left.unacknowledged), ["m3"]);
    assert!(left.uncertain.is_empty() && left.untouched.is_empty());
}

#[test]
fn what_was_begun_is_uncertain_and_what_was_not_is_untouched() {
    for (written, uncertain, untouched) in [
        (0, vec![], vec!["m1", "m2", "m3"]),
        (1, vec!["m1"], vec!["m2", "m3"]),
        (5, vec!["m1"], vec!["m2", "m3"]),
        (6, vec!["m1", "m2"], vec!["m3"]),
        (15, vec!["m1", "m2", "m3"], vec![]),
    ] {
        let mut buffer = SendBuffer::default();
        for name in ["m1", "m2", "m3"] {
            carry(&mut buffer, name, b"12345");
        }
        write(&mut buffer, written);
        let left = buffer.leftovers();
        assert_eq!(ids(&left.uncertain), uncertain, "{written}");
        assert_eq!(ids(&left.untouched), untouched, "{written}");
        assert!(left.unacknowledged.is_empty());
    }
}

#[test]
fn what_is_taken_back_goes_with_its_bytes_and_all_else_is_written() {
    let mut buffer = SendBuffer::default();
    buffer.append(b"<a/>".to_vec());
    carry(&mut buffer, "m1", b"11111");
    buffer.append(b"<b/>".to_vec());
    carry(&mut buffer, "m2", b"22222");
    buffer.append(b"<c/>".to_vec());
    carry(&mut buffer, "m3", b"33333");
    buffer.append(b"</end>".to_vec());
    assert_eq!(write(&mut buffer, 6), b"<a/>11");
    assert_eq!(ids(&buffer.take_back()), ["m2", "m3"]);
    assert!(buffer.take_back().is_empty());
    assert_eq!(write(&mut buffer, 100), b"111<b/><c/></end>");
    buffer.flushed();
    assert!(buffer.is_idle());
    assert_eq!(buffer.leftovers().uncertain.len(), 0);
}

#[test]
fn who_always_leaves_one_byte_unread_makes_no_buffer_grow() {
    let mut buffer = SendBuffer::default();
    let answer = vec![b'x'; 70];
    for _ in 0..100_000 {
        buffer.append(answer.clone());
        buffer.append(answer.clone());
        let count = buffer.len() - 1;
        write(&mut buffer, count);
        buffer.flushed();
        assert!(buffer.memory() <= 2 * CHUNK, "{}", buffer.memory());
        assert_eq!(buffer.len(), 1);
    }
}

/// What is done to a buffer.
#[derive(Clone, Debug)]
enum Act {
    Append(usize),
    Carry(usize),
    /// Everything but so many bytes is written.
    Leave(usize),
    Flush,
    TakeBack,
}

fn act() -> impl Strategy<Value = Act> {
    let size = prop_oneof![
        8 => 1..300usize,
        2 => 1..20_000usize,
        1 => 1..3 * CHUNK,
    ];
    prop_oneof![
        4 => size.clone().prop_map(Act::Append),
        4 => size.clone().prop_map(Act::Carry),
        3 => Just(Act::Leave(1)),
        2 => size.prop_map(Act::Leave),
        2 => Just(Act::Flush),
        1 => Just(Act::TakeBack),
    ]
}

proptest! {
    /// Whatever is appended, written and taken back: what comes out is what a plain string of bytes
    /// would give, and no more memory is held than twice what waits and two chunks.
    #[test]
    fn bytes_come_out_in_order_and_memory_stays_bounded(acts in prop::collection::vec(act(), 0..80)) {
        let mut buffer = SendBuffer::default();
        // What waits: bytes, and for a stanza its name.
        let mut model: VecDeque<(Option<String>, Vec<u8>, bool)> = VecDeque::new();
        let (mut next, mut byte) = (0usize, 0u8);
        for act in acts {
            match act {
                Act::Append(size) | Act::Carry(size) => {
                    byte = byte.wrapping_add(1);
                    let bytes = vec![byte; size];
                    if matches!(act, Act::Carry(_)) {
                        next += 1;
                        let name = format!("m{next}");
                        carry(&mut buffer, &name, &bytes);
                        model.push_back((Some(name), bytes, false));
                    } else {
                        buffer.append(bytes.clone());
                        model.push_back((None, bytes, false));
                    }
                }
                Act::Leave(left) => {
                    let count = buffer.len().saturating_sub(left);
                    let written = write(&mut buffer, count);
                    prop_assert_eq!(written.len(), count);
                    let mut written = written.as_slice();
                    while let Some((_, bytes, begun)) = model.front_mut() {
                        let taken = bytes.len().min(written.len());
                        prop_assert!(bytes[..taken] == written[..taken]);
                        written = &written[taken..];
                        *begun |= taken > 0;
                        bytes.drain(..taken);
                        if !bytes.is_empty() {
                            break;
                        }
                        model.pop_front();
                    }
                }
                Act::Flush => buffer.flushed(),
                Act::TakeBack => {
                    let taken = ids(&buffer.take_back());
                    let mut expected = Vec::new();
                    model.retain(|(name, _, begun)| match name {
                        Some(name) if !begun => {
                            expected.push(name.clone());
                            false
                        }
                        _ => true,
                    });
                    prop_assert_eq!(taken, expected);
                }
            }
            let waits: usize = model.iter().map(|(_, bytes, _)| bytes.len()).sum();
            prop_assert_eq!(buffer.len(), waits);
            prop_assert!(buffer.memory() <= 2 * waits + 2 * CHUNK, "{} for {waits}", buffer.memory());
        }
        let all = buffer.len();
        write(&mut buffer, all);
        buffer.flushed();
        prop_assert!(buffer.is_idle());
        prop_assert_eq!(buffer.memory(), 0);
    }
}

#[test]
fn what_is_to_be_acknowledged_is_delivered_by_that_and_by_nothing_else() {
    let ledger = Ledger::new();
    let partner = Domain::parse("partner.example").unwrap();
    let counters = ledger.partner(&partner);
    let delivered = || ledger.total().delivered;
    let mut buffer = SendBuffer::default();
    let carry = |buffer: &mut SendBuffer, name| {
        let begin = buffer.end();
        buffer.append(b"12345".to_vec());
        let mut queued = queued(name);
        queued.accepted = Some(counters.accept(Direction::Outbound));
        buffer.carries(begin, queued);
    };
    // What was carried before nobody will acknowledge.
    carry(&mut buffer, "m0");
    buffer.await_acknowledgements();
    for name in ["m1", "m2", "m3", "m4"] {
        carry(&mut buffer, name);
    }
    write(&mut buffer, 17);
    buffer.flushed();
    assert_eq!((delivered(), buffer.in_flight()), (1, 4));
    // The other side may be faster than our own look at the socket.
    buffer.acknowledged(3);
    assert_eq!((delivered(), buffer.in_flight()), (4, 1));
    buffer.acknowledged(7);
    assert_eq!((delivered(), buffer.in_flight()), (5, 0));
}

#[test]
fn what_is_unacknowledged_may_be_sent_again_in_its_order() {
    let mut buffer = SendBuffer::default();
    buffer.await_acknowledgements();
    for name in ["m1", "m2", "m3", "m4"] {
        carry(&mut buffer, name, b"12345");
    }
    write(&mut buffer, 12);
    buffer.flushed();
    buffer.acknowledged(1);
    let left = buffer.leftovers();
    assert_eq!(ids(&left.unacknowledged), ["m2", "m3"]);
    assert_eq!(ids(&left.untouched), ["m4"]);
    assert!(left.uncertain.is_empty());
}

#[test]
fn where_acknowledgements_are_refused_what_has_left_is_delivered() {
    let mut buffer = SendBuffer::default();
    buffer.await_acknowledgements();
    for name in ["m1", "m2"] {
        carry(&mut buffer, name, b"12345");
    }
    write(&mut buffer, 7);
    buffer.flushed();
    buffer.expect_no_acknowledgements();
    let left = buffer.leftovers();
    assert_eq!(ids(&left.uncertain), ["m2"]);
    assert!(left.unacknowledged.is_empty());
}
