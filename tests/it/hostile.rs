//! No input ends the process: the real daemon, thousands of damaged conversations, and then a stanza.

pub(crate) mod authority;
mod damage;
mod elsewhere;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use authority::Authority;
use damage::Damage;
use xmpp_edge::proto::stream::Timing;

use crate::daemon::process::Daemon;
use crate::daemon::{converse, link};
use crate::lab::{self, FREE_PORTS, Lab};

/// How long anything may take that the daemon owes us.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many damaged conversations there are if nobody says otherwise.
const CONVERSATIONS: usize = 5_000;
/// The variable that says otherwise: 100000 take two minutes.
const VARIABLE: &str = "XMPP_EDGE_CONVERSATIONS";
/// How many conversations are held at once.
const WORKERS: usize = 8;

#[test]
fn thousands_of_damaged_conversations_end_nothing() {
    let count = std::env::var(VARIABLE).map_or(CONVERSATIONS, |text| text.parse().unwrap());
    endures(count);
}

#[test]
fn who_comes_and_goes_keeps_nobody_waiting() {
    let authority = Authority::start();
    // Connections to it succeed, and nothing is ever said on them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let adatum = partner("adatum.example", silent.local_addr().unwrap());
    let (connected, connections) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in silent.incoming() {
            connected.send(stream).ok();
        }
    });
    let fabrikam = partner("fabrikam.example", authority.address);
    let daemon = Daemon::start(&Lab::with(&edge(), &(adatum + &fabrikam)));
    let request = [PARTNER[0], RESULT].concat().replace("fabrikam", "adatum");
    let mut held = Vec::new();
    // More than are asked about at once: each is asked about, so those before keep no place.
    for _ in 0..100 {
        let mut stream = TcpStream::connect(daemon.s2s).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        held.push(connections.recv_timeout(PATIENCE).unwrap());
        stream.shutdown(Shutdown::Write).unwrap();
        hear(&stream, b"nothing that is ever said");
    }
    let _link = link(&daemon);
    send_the_last(&daemon);
}

#[test]
fn an_answer_does_not_wait_for_the_end_of_the_stream_it_came_on() {
    let authority = Authority::start_without_closing();
    let partners = partner("fabrikam.example", authority.address);
    let daemon = Daemon::start(&Lab::with(&edge(), &partners));
    let _link = link(&daemon);
    let start = Instant::now();
    send_the_last(&daemon);
    let waited = start.elapsed();
    assert!(waited < Timing::CLOSE_GRACE / 2, "{waited:?}");
}

/// A few addresses make thousands of attempts here, and none is to be turned away for that.
fn edge() -> String {
    let none = "attempts-per-address = 0\nattempts-per-prefix = 0\nattempts-per-domain = 0\n\
                questions-per-address = 0\nquestions-per-prefix = 0\nquestions-per-domain = 0";
    lab::with(&FREE_PORTS, &[("admission", none)])
}

fn endures(conversations: usize) {
    let authority = Authority::start();
    let lab = Lab::with(&edge(), &partner("fabrikam.example", authority.address));
    let daemon = Daemon::start(&lab);
    let (s2s, gateway) = (daemon.s2s, daemon.gateway);
    let inside = link(&daemon);
    let gateway_hears = std::thread::spawn(move || hear(&inside, b"id='the-last'"));
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            scope.spawn(move || {
                for seed in (worker..conversations).step_by(WORKERS) {
                    let mut damage = Damage::new(seed);
                    let (port, lines) = if damage.below(4) == 0 {
                        (gateway, GATEWAY)
                    } else {
                        (s2s, PARTNER)
                    };
                    attack(port, lines, &mut damage);
                }
            });
        }
    });

    send_the_last(&daemon);
    let arrived = gateway_hears.join().unwrap();
    assert!(arrived, "the last stanza does not arrive");
    daemon.signal("TERM");
    let log = daemon.ends_with_log(0);
    let panics: Vec<_> = log
        .iter()
        .filter(|line| line.contains("panicked"))
        .collect();
    assert!(panics.is_empty(), "{panics:#?}");
}

/// One conversation, damaged somewhere, cut anywhere, ended in one of two ways.
fn attack(port: SocketAddr, lines: &[&str], damage: &mut Damage) {
    let mut stream = TcpStream::connect(port).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The daemon may close at any time: to be refused is what most of this deserves.
    let mut bytes = damage.conversation(lines);
    let begun = match damage.below(8) {
        0 => Some((
            STARTTLS,
            "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
        )),
        1 | 2 => Some((RESULT, "type='valid'")),
        _ => None,
    };
    // Some get further before they go wrong.
    if let Some((request, answer)) = begun.filter(|_| lines == PARTNER) {
        let _refused = stream.write_all([PARTNER[0], request].concat().as_bytes());
        hear(&stream, answer.as_bytes());
        bytes = match request {
            STARTTLS => damage.handshake(),
            _ => damage.conversation(&PARTNER[3..]),
        };
    }
    let (first, second) = bytes.split_at(damage.below(bytes.len() + 1));
    let _refused = stream.write_all(first);
    let _refused = stream.write_all(second);
    if damage.below(2) == 0 {
        let _refused = stream.shutdown(Shutdown::Write);
        hear(&stream, b"nothing that is ever said");
    }
}

/// Reads until these bytes have come; false if the daemon closes before.
fn hear(mut stream: &TcpStream, until: &[u8]) -> bool {
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => heard.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("the daemon waits"),
            Ok(0) | Err(_) => return false,
        }
        if heard.windows(until.len()).any(|window| window == until) {
            return true;
        }
        heard.drain(..heard.len().saturating_sub(until.len()));
    }
}

/// A partner proves itself and sends a stanza.
fn send_the_last(daemon: &Daemon) {
    let partner = TcpStream::connect(daemon.s2s).unwrap();
    converse(&partner, PARTNER[0], "</stream:features>");
    converse(&partner, RESULT, "type='valid'");
    let last = "<message from='a@fabrikam.example' to='b@contoso.example' id='the-last'/>";
    (&partner).write_all(last.as_bytes()).unwrap();
    converse(&partner, "</stream:stream>", "</stream:stream>");
}

/// A partner that may prove itself in the clear, so that conversations get far.
fn partner(domain: &str, authority: SocketAddr) -> String {
    format!(
        r#"[[partner]]
primary-domain = "{domain}"
type = "federated"
tls = "optional"
sasl = "optional"
dialback = true
route = ["{authority}"]
"#
    )
}

const RESULT: &str = "<db:result from='fabrikam.example' to='contoso.example'>key</db:result>";

const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

/// What a partner might say, in an order that makes sense.
const PARTNER: &[&str] = &[
    "<?xml version='1.0'?><stream:stream xmlns='jabber:server' \
     xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' \
     from='fabrikam.example' to='contoso.example' version='1.0' xml:lang='en'>",
    "<db:verify from='fabrikam.example' to='contoso.example' id='1'>key</db:verify>",
    RESULT,
    "<message from='a@fabrikam.example/x' to='b@contoso.example' type='chat' id='1'>\
     <body>1 &lt; 2 &#228;</body><x xmlns='urn:x' a=\"'\"><![CDATA[<&]]></x></message>",
    "<presence from='a@fabrikam.example' to='b@contoso.example' type='subscribe'/>",
    "<iq from='fabrikam.example' to='b@contoso.example' type='get' id='2'>\
     <query xmlns='jabber:iq:version'/></iq>",
    STARTTLS,
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>",
    "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    "</stream:stream>",
];

/// What a gateway might say that does not know the secret.
const GATEWAY: &[&str] = &[
    "<stream:stream xmlns='jabber:component:accept' \
     xmlns:stream='http://etherx.jabber.org/streams' to='contoso.example'>",
    "<handshake>0123456789abcdef0123456789abcdef01234567</handshake>",
    "<message from='a@contoso.example' to='b@fabrikam.example'><body>hi</body></message>",
    "</stream:stream>",
];
