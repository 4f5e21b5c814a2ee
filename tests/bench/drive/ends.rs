//! The ends of the system's connections: partners' streams, a partner's server, the gateway's link.

use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use xmpp_edge::proto::auth::handshake::digest;

use crate::options::{DOMAIN, Options, partner};
use crate::tls::{Stream, Tls, converse};

/// What the gateway knows.
const SECRET: &str = "0123456789abcdef";

/// A stream of a partner that has proven itself by its certificate.
pub fn open(s2s: SocketAddr, tls: &Tls, number: usize) -> Stream {
    let header = format!(
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
         from='{}' to='{DOMAIN}' version='1.0'>",
        partner(number)
    );
    let mut clear = TcpStream::connect(s2s).unwrap();
    clear.set_nodelay(true).unwrap();
    converse(&mut clear, &header, "</stream:features>");
    let starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    converse(&mut clear, starttls, "<proceed");
    let mut stream = tls.connect(clear);
    let offered = converse(&mut stream, &header, "</stream:features>");
    assert!(offered.contains("EXTERNAL"), "{offered}");
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>";
    converse(&mut stream, auth, "<success");
    converse(&mut stream, &header, "<stream:features");
    stream
}

/// All streams of the work, opened by several threads: some systems let each negotiation wait.
pub fn open_all(options: &Options, count: usize) -> Vec<Stream> {
    const HANDS: usize = 16;
    let tls: Vec<_> = (0..options.partners).map(|it| options.tls(it)).collect();
    let mut opened: Vec<_> = thread::scope(|scope| {
        let hands = (0..HANDS).map(|hand| {
            let tls = &tls;
            scope.spawn(move || {
                let mine = (hand..count).step_by(HANDS);
                let one = |number: usize| {
                    let of = number % options.partners;
                    (number, open(options.s2s, &tls[of], of))
                };
                mine.map(one).collect::<Vec<_>>()
            })
        });
        let hands: Vec<_> = hands.collect();
        hands
            .into_iter()
            .flat_map(|it| it.join().unwrap())
            .collect()
    });
    opened.sort_by_key(|(number, _)| *number);
    opened.into_iter().map(|(_, stream)| stream).collect()
}

/// The gateway's link, which has proven that it knows the secret.
pub fn link(options: &Options) -> TcpStream {
    let mut link = TcpStream::connect(options.link).unwrap();
    link.set_nodelay(true).unwrap();
    let header = format!(
        "<stream:stream xmlns='jabber:component:accept' \
         xmlns:stream='http://etherx.jabber.org/streams' to='{DOMAIN}'>"
    );
    let opened = converse(&mut link, &header, ">");
    let opened = if opened.contains("id=") {
        opened
    } else {
        opened + &converse(&mut link, "", "id=")
    };
    let id = opened.split("id=").nth(1).unwrap();
    let id = id[1..].split(['\'', '"']).next().unwrap();
    let handshake = format!("<handshake>{}</handshake>", digest(id, SECRET));
    converse(&mut link, &handshake, "<handshake");
    link
}

/// Something that reads: a stream of the system to a partner's server.
pub type Accepted = Box<dyn Read + Send>;

/// The server of partner 0: the streams that the system opens to it, once they are proven.
pub fn serve(options: &Options) -> Receiver<Accepted> {
    let listener = TcpListener::bind(options.server).unwrap();
    let tls = options.tls(0);
    let (sender, accepted) = sync_channel(8);
    thread::spawn(move || {
        for clear in listener.incoming().map_while(Result::ok) {
            // Who only looks whether somebody listens is no stream.
            if let Some(stream) = accept(clear, &tls) {
                sender.send(stream).unwrap();
            }
        }
    });
    accepted
}

fn accept(mut clear: TcpStream, tls: &Tls) -> Option<Accepted> {
    let opened = |features: &str| {
        format!(
            "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
             from='{}' to='{DOMAIN}' id='1' version='1.0'>\
             <stream:features>{features}</stream:features>",
            partner(0)
        )
    };
    clear.set_nodelay(true).unwrap();
    let mut first = [0; 1];
    if clear.peek(&mut first).unwrap_or(0) == 0 {
        return None;
    }
    converse(&mut clear, "", DOMAIN);
    let starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>";
    converse(&mut clear, &opened(starttls), "<starttls");
    clear
        .write_all(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        .unwrap();
    let mut stream = tls.accept(clear);
    converse(&mut stream, "", DOMAIN);
    let external = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
                    <mechanism>EXTERNAL</mechanism></mechanisms>";
    converse(&mut stream, &opened(external), "<auth");
    let success = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
    converse(&mut stream, success, DOMAIN);
    stream.write_all(opened("").as_bytes()).unwrap();
    stream.flush().unwrap();
    Some(Box::new(stream))
}
