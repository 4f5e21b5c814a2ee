//! A partner that keeps the edge's sessions (XEP-0198 §5), over real sockets: what was on its way when the connection
//! was lost comes once.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::acknowledged::{Side, gateway, with_acks};
use super::process::Daemon;
use crate::proven::lab;

const PATIENCE: Duration = Duration::from_secs(20);
const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true' max='300'/>";

fn messages(numbers: std::ops::RangeInclusive<usize>) -> String {
    let message = |number| {
        format!(
            "<message from='b@contoso.example' to='a@fabrikam.example' id='n{number}'>\
             <body>hi</body></message>"
        )
    };
    numbers.map(message).collect()
}

fn ack(h: usize) -> String {
    format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>")
}

/// The edge's next stream, up to the proof; what comes behind it is still to be heard.
fn taken(listener: &TcpListener) -> Side {
    let begun = Instant::now();
    let stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    stream.set_nonblocking(false).unwrap();
    let mut side = Side::new(stream);
    side.hear("version='1.0'");
    side.say(
        "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
         xmlns:stream='http://etherx.jabber.org/streams' from='fabrikam.example' \
         to='contoso.example' id='s1' version='1.0'><stream:features>\
         <dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>\
         <sm xmlns='urn:xmpp:sm:3'/></stream:features>",
    );
    side.hear("</db:result>");
    side.heard.clear();
    side.say("<db:result from='fabrikam.example' to='contoso.example' type='valid'/>");
    side
}

#[test]
fn a_partner_that_lets_the_edge_resume_gets_each_stanza_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let lab = lab(listener.local_addr().unwrap(), "", "");
    let daemon = Daemon::start(&lab);
    let (mut link, _) = with_acks(gateway(&daemon));
    link.say(&messages(1..=5));
    let mut partner = taken(&listener);
    partner.hear(ENABLE);
    partner.say(
        "<enabled xmlns='urn:xmpp:sm:3' id='x&amp;1' resume='1' location='[::1]:1' max='60'/>",
    );
    partner.until("five messages", |side| side.numbers() == [1, 2, 3, 4, 5]);
    partner.say(&ack(2));
    link.until("two of them", |side| side.acknowledged() == 2);
    // The connection is lost, and with it the word on two more.
    drop(partner);
    let mut partner = taken(&listener);
    partner.hear("<resume xmlns='urn:xmpp:sm:3' h='0' previd='x&amp;1'/>");
    partner.say("<resumed xmlns='urn:xmpp:sm:3' previd='x&amp;1' h='4'/>");
    link.until("four of them", |side| side.acknowledged() == 4);
    link.say(&messages(6..=6));
    partner.until("the rest", |side| side.numbers().last() == Some(&6));
    assert_eq!(partner.numbers(), [5, 6]);
    partner.say(&ack(5));
    link.until("five of them", |side| side.acknowledged() == 5);
    // It is lost once more, and the partner has begun anew, but knows how far it got. A stream that breaks within
    // two seconds, as the one before did, would count as a failure.
    std::thread::sleep(Duration::from_millis(2100));
    drop(partner);
    let mut partner = taken(&listener);
    partner.hear("<resume ");
    link.say(&messages(7..=7));
    partner.heard.clear();
    partner.say("<failed xmlns='urn:xmpp:sm:3' h='6'/>");
    link.until("six of them", |side| side.acknowledged() == 6);
    partner.hear(ENABLE);
    partner.say("<enabled xmlns='urn:xmpp:sm:3'/>");
    partner.until("what came meanwhile", |side| side.numbers() == [7]);
    partner.say(&ack(1));
    link.until("all of them", |side| side.acknowledged() == 7);
}

/// Whose entry has changed is asked for nothing of before.
#[test]
fn a_reload_that_changes_the_entry_ends_the_session() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let lab = lab(listener.local_addr().unwrap(), "", "");
    let daemon = Daemon::start(&lab);
    let (mut link, _) = with_acks(gateway(&daemon));
    link.say(&messages(1..=1));
    let mut partner = taken(&listener);
    partner.hear(ENABLE);
    partner.say("<enabled xmlns='urn:xmpp:sm:3' id='x' resume='true'/>");
    partner.until("a message", |side| side.numbers() == [1]);
    let entry = std::fs::read_to_string(lab.path("partners.toml")).unwrap();
    let entry = entry.replacen("type =", "description = \"another\"\ntype =", 1);
    lab.write("partners.toml", &entry, 0o644);
    daemon.signal("HUP");
    daemon.log_line("reload-done");
    drop(partner);
    let mut partner = taken(&listener);
    partner.hear(ENABLE);
    partner.until("it again", |side| side.numbers() == [1]);
}
