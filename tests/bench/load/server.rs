//! The server of the quiet partner: the edge dials it, and it notes the answers.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::gateway::numbers;
use crate::partner::QUIET;
use crate::tls::{Tls, converse};

pub struct Server {
    pub address: SocketAddr,
    /// The numbers of the answers, as they come.
    pub answers: Receiver<u64>,
}

impl Server {
    pub fn start(tls: &Tls) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, answers) = channel();
        let tls = tls.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (tls, sender) = (tls.clone(), sender.clone());
                thread::spawn(move || receive(stream, &tls, &sender));
            }
        });
        Self { address, answers }
    }
}

fn opened(features: &str) -> String {
    format!(
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
         from='{QUIET}' to='contoso.example' id='1' version='1.0'>\
         <stream:features>{features}</stream:features>"
    )
}

fn receive(mut clear: TcpStream, tls: &Tls, sender: &Sender<u64>) {
    clear.set_nodelay(true).unwrap();
    converse(&mut clear, "", "version=");
    let starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>";
    converse(&mut clear, &opened(starttls), "<starttls");
    clear
        .write_all(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        .unwrap();
    let mut stream = tls.accept(clear);
    converse(&mut stream, "", "version=");
    let external = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
                    <mechanism>EXTERNAL</mechanism></mechanisms>";
    converse(&mut stream, &opened(external), "<auth");
    let success = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
    converse(&mut stream, success, "version=");
    stream.write_all(opened("").as_bytes()).unwrap();
    let (mut heard, mut piece) = (Vec::new(), vec![0; 16 << 10]);
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        heard.extend_from_slice(&piece[..count]);
        for number in numbers(&mut heard) {
            if sender.send(number).is_err() {
                return;
            }
        }
    }
}
