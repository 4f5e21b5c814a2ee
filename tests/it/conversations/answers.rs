//! What one read may make a stream answer: a small multiple of what was read, and every answer is
//! paced.

use super::lab::{answer, at, context, ids, partner};
use xmpp_edge::proto::stream::{Inbound, Input, Machine, Output};

/// How much the shell reads at once.
const READ: usize = 16 << 10;
/// How many bytes of answers each byte may bring.
const FACTOR: usize = 8;

/// A stream between domains with short names: there the answers are longest beside the requests.
fn proven() -> Inbound {
    let line = "a.b also=*.a.b tls=optional sasl=not-supported dialback=true";
    let context = context("c.d", vec![partner(line)]);
    let mut machine = Inbound::new(context, ids(), at(0));
    let header = "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
                  xmlns:stream='http://etherx.jabber.org/streams' from='a.b' to='c.d' version='1.0'>\
                  <db:result from='a.b' to='c.d'>k</db:result>";
    machine.handle(at(0), Input::Bytes(header.as_bytes()));
    let mut question = None;
    while let Some(output) = machine.poll_output() {
        if let Output::Ask(asked) = output {
            question = Some(asked);
        }
    }
    let said = answer(&question.expect("a question"), "valid");
    machine.handle(at(0), Input::Answer(said));
    while let Some(output) = machine.poll_output() {
        assert!(!matches!(output, Output::Pace), "nothing was proven before");
    }
    assert!(machine.is_open());
    machine
}

#[test]
fn each_element_that_costs_an_answer_is_paced_and_answers_are_a_small_multiple_of_what_was_read() {
    for element in [
        // For the pair that is proven already.
        "<db:result from='a.b' to='c.d'/>",
        // For a domain that is not served here.
        "<db:result from='a.b' to='x.y'/>",
        // Of somebody who is no partner.
        "<db:result from='e.f' to='c.d'/>",
        // A key that is not ours, and one that is asked for in vain.
        "<db:verify from='a.b' to='c.d' id='1'/>",
        "<db:verify from='a.b' to='x.y' id='1'/>",
        // Answers that nobody waits for.
        "<db:result from='a.b' to='c.d' type='valid'/>",
        "<db:verify from='a.b' to='c.d' id='1' type='invalid'/>",
    ] {
        let mut machine = proven();
        let count = READ / element.len();
        machine.handle(at(1), Input::Bytes(element.repeat(count).as_bytes()));
        let (mut sent, mut paced, mut since_pace) = (0, 0, 0);
        while let Some(output) = machine.poll_output() {
            match output {
                Output::Send(bytes) => {
                    sent += bytes.len();
                    since_pace += 1;
                }
                Output::Pace => {
                    paced += 1;
                    // One answer, then the wait: a whole read is not answered before it.
                    assert!(since_pace <= 1, "{element}");
                    since_pace = 0;
                }
                Output::Record(_) => {}
                other => panic!("{element}: {other:?}"),
            }
        }
        assert_eq!(paced, count, "{element}");
        assert!(sent <= FACTOR * READ, "{element}: {sent} bytes");
        assert!(machine.is_open(), "{element}");
    }
}
