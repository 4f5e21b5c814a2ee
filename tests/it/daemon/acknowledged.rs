//! Acknowledgements on both sides of the edge (XEP-0198), over real sockets: what is acknowledged to a
//! partner has been acknowledged by the gateway, whatever dies.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::process::{Daemon, signal};
use crate::hostile::authority::Authority;
use crate::lab::Lab;
use crate::proven::answers::prove;
use crate::proven::lab;

const PATIENCE: Duration = Duration::from_secs(20);
const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";
const REQUEST: &str = "<r xmlns='urn:xmpp:sm:3'/>";

/// One side of a stream with acknowledgements, and all that it has heard.
pub(super) struct Side {
    stream: TcpStream,
    pub(super) heard: String,
}

impl Side {
    pub(super) fn new(stream: TcpStream) -> Self {
        let pause = Some(Duration::from_millis(20));
        stream.set_read_timeout(pause).unwrap();
        let heard = String::new();
        Self { stream, heard }
    }

    pub(super) fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Listens until something is so.
    pub(super) fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        let mut piece = [0; 64 << 10];
        while !is_so(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {}", self.heard);
            match self.stream.read(&mut piece) {
                Ok(0) => panic!("{what}: it has ended: {}", self.heard),
                Ok(count) => self
                    .heard
                    .push_str(str::from_utf8(&piece[..count]).unwrap()),
                Err(_) => {}
            }
        }
    }

    pub(super) fn hear(&mut self, text: &str) {
        self.until(text, |side| side.heard.contains(text));
    }

    /// The numbers of the messages that were heard, in their order.
    pub(super) fn numbers(&self) -> Vec<usize> {
        let ids = self.heard.split("id='n").skip(1);
        let ids = ids.filter_map(|rest| rest.split('\'').next());
        ids.map(|number| number.parse().unwrap()).collect()
    }

    /// The last `h` that was heard.
    pub(super) fn acknowledged(&self) -> usize {
        let (_, last) = self.heard.rsplit_once(" h='").unwrap_or_default();
        last.split('\'').next().unwrap().parse().unwrap_or(0)
    }
}

/// A link that is proven, and offered acknowledgements.
pub(super) fn gateway(daemon: &Daemon) -> Side {
    let mut side = Side::new(TcpStream::connect(daemon.gateway).unwrap());
    side.say(
        "<stream:stream xmlns='jabber:component:accept' \
         xmlns:stream='http://etherx.jabber.org/streams' to='contoso.example' version='1.0'>",
    );
    side.hear("version='1.0'>");
    let (_, id) = side.heard.split_once(" id='").unwrap();
    let id = id.split('\'').next().unwrap();
    let digest = xmpp_edge::proto::auth::handshake::digest(id, "0123456789abcdef");
    side.say(&format!("<handshake>{digest}</handshake>"));
    side.hear("<stream:features><sm xmlns='urn:xmpp:sm:3'/></stream:features>");
    side
}

/// The same, with acknowledgements: what the session is resumed by.
pub(super) fn with_acks(mut side: Side) -> (Side, String) {
    side.say(ENABLE);
    side.hear("<enabled ");
    side.hear("max='300'/>");
    let (_, enabled) = side.heard.split_once("<enabled ").unwrap();
    let (_, id) = enabled.split_once(" id='").unwrap();
    let id = id.split('\'').next().unwrap().to_owned();
    side.heard.clear();
    (side, id)
}

fn messages(numbers: std::ops::RangeInclusive<usize>) -> String {
    let message = |number| {
        format!(
            "<message from='a@fabrikam.example' to='b@contoso.example' id='n{number}'>\
             <body>hi</body></message>"
        )
    };
    numbers.map(message).collect()
}

pub(super) fn edge(authority: &Authority) -> (Lab, Daemon) {
    let lab = lab(authority.address, "", "");
    let daemon = Daemon::start(&lab);
    (lab, daemon)
}

#[test]
fn a_gateway_that_resumes_gets_each_stanza_once_and_the_partner_hears_so() {
    let authority = Authority::start();
    let (_lab, daemon) = edge(&authority);
    let (mut link, session) = with_acks(gateway(&daemon));
    let (mut partner, _) = with_acks(Side::new(prove(&daemon)));
    partner.say(&(messages(1..=10) + REQUEST));
    link.until("ten messages", |side| side.numbers().len() == 10);
    // Nothing is the partner's any more before the gateway has it.
    partner.hear("<a xmlns='urn:xmpp:sm:3' h='0'/>");
    link.say("<a xmlns='urn:xmpp:sm:3' h='4'/>");
    partner.until("four of them", |side| side.acknowledged() == 4);
    // The link is lost, with an acknowledgement on its way.
    drop(link);
    daemon.log_line("link-down");
    partner.say(&messages(11..=12));
    let mut link = gateway(&daemon);
    link.say(&format!(
        "<resume xmlns='urn:xmpp:sm:3' previd='{session}' h='7'/>"
    ));
    link.hear("<resumed ");
    let last = |side: &Side| side.numbers().last() == Some(&12);
    link.until("the rest", last);
    assert_eq!(link.numbers(), [8, 9, 10, 11, 12]);
    link.say("<a xmlns='urn:xmpp:sm:3' h='12'/>");
    partner.until("all of them", |side| side.acknowledged() == 12);
}

#[test]
fn a_partner_that_resumes_loses_nothing_and_nothing_comes_twice() {
    let authority = Authority::start();
    let (_lab, daemon) = edge(&authority);
    let (mut link, _) = with_acks(gateway(&daemon));
    let (mut partner, session) = with_acks(Side::new(prove(&daemon)));
    partner.say(&messages(1..=5));
    link.until("five messages", |side| side.numbers().len() == 5);
    link.say("<a xmlns='urn:xmpp:sm:3' h='2'/>");
    partner.until("two of them", |side| side.acknowledged() == 2);
    drop(partner);
    daemon.log_line("stream-closed");
    let mut partner = Side::new(prove(&daemon));
    partner.say(&format!(
        "<resume xmlns='urn:xmpp:sm:3' previd='{session}' h='0'/>"
    ));
    partner.hear("/>");
    assert_eq!(partner.acknowledged(), 2, "{}", partner.heard);
    // Three are in hand: they are sent again, as they must be, and do not arrive again.
    partner.say(&messages(3..=6));
    link.until("six messages", |side| side.numbers().last() == Some(&6));
    assert_eq!(link.numbers(), [1, 2, 3, 4, 5, 6]);
    link.say("<a xmlns='urn:xmpp:sm:3' h='6'/>");
    partner.until("all of them", |side| side.acknowledged() == 6);
}

/// How long a gateway may be away is not how long it may take.
#[test]
fn what_waited_long_to_be_acknowledged_waits_for_the_gateway_all_the_same() {
    let authority = Authority::start();
    let lab = lab(authority.address, "", "");
    let toml = std::fs::read_to_string(lab.path("edge.toml")).unwrap();
    let toml = crate::lab::with(&toml, &[("gateway", "reconnect-grace = \"2s\"")]);
    lab.write("edge.toml", &toml, 0o644);
    let daemon = Daemon::start(&lab);
    let (mut link, session) = with_acks(gateway(&daemon));
    let (mut partner, _) = with_acks(Side::new(prove(&daemon)));
    partner.say(&messages(1..=1));
    link.until("a message", |side| side.numbers() == [1]);
    // It is longer on the link than it may wait for one.
    std::thread::sleep(Duration::from_millis(2100));
    drop(link);
    daemon.log_line("link-down");
    // The edge looks for what has waited too long, more than once.
    std::thread::sleep(Duration::from_millis(1100));
    let mut link = gateway(&daemon);
    link.say(&format!(
        "<resume xmlns='urn:xmpp:sm:3' previd='{session}' h='0'/>"
    ));
    link.until("the message", |side| side.numbers() == [1]);
    link.say("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    partner.until("it", |side| side.acknowledged() == 1);
}

#[test]
fn a_stop_waits_for_nothing_that_a_partner_keeps_for_a_gateway_that_is_away() {
    let authority = Authority::start();
    let (_lab, daemon) = edge(&authority);
    let (mut partner, _) = with_acks(Side::new(prove(&daemon)));
    partner.say(&messages(1..=2));
    daemon.log_line("gateway-awaited");
    let begun = Instant::now();
    daemon.signal("TERM");
    partner.hear("<system-shutdown");
    // What is in hand for gateways that are there has 12 s.
    assert!(begun.elapsed() < Duration::from_secs(6));
    assert_eq!(partner.acknowledged(), 0);
}

#[test]
fn who_resumes_while_the_edge_takes_the_old_link_for_alive_takes_over_from_it() {
    let authority = Authority::start();
    let (_lab, daemon) = edge(&authority);
    let (mut old, session) = with_acks(gateway(&daemon));
    let (mut partner, of_partner) = with_acks(Side::new(prove(&daemon)));
    partner.say(&messages(1..=5));
    old.until("five messages", |side| side.numbers().len() == 5);
    let mut link = gateway(&daemon);
    link.say(&format!(
        "<resume xmlns='urn:xmpp:sm:3' previd='{session}' h='3'/>"
    ));
    link.hear("<resumed ");
    old.hear("<conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>");
    link.until("the rest", |side| side.numbers().last() == Some(&5));
    assert_eq!(link.numbers(), [4, 5]);
    // The partner does the same.
    let mut again = Side::new(prove(&daemon));
    again.say(&format!(
        "<resume xmlns='urn:xmpp:sm:3' previd='{of_partner}' h='0'/>"
    ));
    again.hear("<resumed ");
    partner.hear("<conflict ");
    again.say(&messages(4..=6));
    link.until("six messages", |side| side.numbers().last() == Some(&6));
    assert_eq!(link.numbers(), [4, 5, 6]);
    link.say("<a xmlns='urn:xmpp:sm:3' h='6'/>");
    again.until("all of them", |side| side.acknowledged() == 6);
}

#[test]
fn nobody_resumes_the_session_of_somebody_else() {
    let authority = Authority::start();
    let (_lab, daemon) = edge(&authority);
    let (link, session) = with_acks(gateway(&daemon));
    drop(link);
    daemon.log_line("link-down");
    let mut partner = Side::new(prove(&daemon));
    partner.say(&format!(
        "<resume xmlns='urn:xmpp:sm:3' previd='{session}' h='0'/>"
    ));
    partner.hear("<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>");
    let mut link = gateway(&daemon);
    link.say(&format!(
        "<resume xmlns='urn:xmpp:sm:3' previd='{session}' h='0'/>"
    ));
    link.hear("<resumed ");
}

/// The edge dies without a word, again and again: what it has acknowledged to the partner, the gateway
/// has acknowledged to it.
#[test]
fn what_is_acknowledged_to_a_partner_has_been_acknowledged_by_the_gateway() {
    let authority = Authority::start();
    for round in 0..5 {
        let (_lab, daemon) = edge(&authority);
        let (mut link, _) = with_acks(gateway(&daemon));
        let (mut partner, _) = with_acks(Side::new(prove(&daemon)));
        let pid = daemon.pid();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30 + 40 * round));
            signal(pid, "KILL");
        });
        let (mut sent, mut told) = (0, 0);
        let mut piece = [0; 64 << 10];
        loop {
            let (from, to) = (sent + 1, sent + 20);
            sent = to;
            let text = messages(from..=to) + REQUEST;
            if partner.stream.write_all(text.as_bytes()).is_err() {
                break;
            }
            match link.stream.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => link
                    .heard
                    .push_str(str::from_utf8(&piece[..count]).unwrap()),
                Err(_) => {}
            }
            // The gateway is responsible for what it has acknowledged, and for nothing else.
            let has = link.numbers().len().saturating_sub(7);
            let ack = format!("<a xmlns='urn:xmpp:sm:3' h='{has}'/>");
            if has > told && link.stream.write_all(ack.as_bytes()).is_ok() {
                told = has;
            }
        }
        killer.join().unwrap();
        while let Ok(count @ 1..) = partner.stream.read(&mut piece) {
            partner
                .heard
                .push_str(str::from_utf8(&piece[..count]).unwrap());
        }
        let acknowledged = partner.acknowledged();
        assert!(acknowledged <= told, "{acknowledged} of {told}");
        assert_eq!(daemon.status(), None, "it was killed");
    }
}
