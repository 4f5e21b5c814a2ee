//! What a zone that names many hosts makes the edge do: each connection goes to somebody else.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use hickory_resolver::proto::op::{Message, OpCode};
use hickory_resolver::proto::rr::rdata::{A, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::honest::Honest;
use super::{connect_from, header, lab};
use crate::daemon::converse;
use crate::daemon::process::Daemon;
use crate::hostile::authority::Authority;

/// Counts who connects to it, at whatever address of this host, and hangs up.
fn victim() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let met = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&met);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, SeqCst);
            drop(stream);
        }
    });
    (port, met)
}

/// A name server by which every domain has twenty servers, with forty addresses each; and how often it
/// was asked.
fn zone(port: u16) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let asked = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            count.fetch_add(1, SeqCst);
            let request = Message::from_vec(&buffer[..length]).unwrap();
            let query = &request.queries[0];
            let mut response = Message::response(request.metadata.id, OpCode::Query);
            response.add_query(query.clone());
            let data: Vec<_> = match query.query_type() {
                RecordType::SRV => (0..20_u16)
                    .map(|host| {
                        let name = Name::from_ascii(format!("t{host}.example.")).unwrap();
                        RData::SRV(SRV::new(host, 0, port, name))
                    })
                    .collect(),
                RecordType::A => (1..=40)
                    .map(|last| RData::A(A(Ipv4Addr::new(127, 7, 7, last))))
                    .collect(),
                _ => Vec::new(),
            };
            let record = |data| Record::from_rdata(query.name().clone(), 60, data);
            response.add_answers(data.into_iter().map(record));
            socket.send_to(&response.to_vec().unwrap(), from).unwrap();
        }
    });
    (address, asked)
}

#[test]
fn a_question_makes_few_connections_and_a_stanza_some_more() {
    let (port, met) = victim();
    let (server, asked) = zone(port);
    let authority = Authority::start();
    let dns = format!("[dns]\nnameservers = [\"{server}\"]\nallow-private-addresses = true\n");
    let lab = lab(authority.address, "", "", &dns);
    let partners = std::fs::read_to_string(lab.path("partners.toml")).unwrap();
    let many = "[default-partner]\ntype = \"federated\"\ntls = \"optional\"\nsasl = \"optional\"\n\
                dialback = true\n";
    lab.write("partners.toml", &format!("{partners}\n{many}"), 0o644);
    let daemon = Daemon::start(&lab);
    let mut honest = Honest::new(&daemon);

    let stream = connect_from([127, 1, 1, 1], daemon.s2s);
    converse(&stream, &header("evil.example"), "</stream:features>");
    let request = "<db:result from='evil.example' to='contoso.example'>key</db:result>";
    let answer = converse(&stream, request, "</db:result>");
    assert!(answer.contains("type='error'"), "{answer}");
    // One that is hung up on at once may count as not connected: then another address is tried.
    let of_question = met.load(SeqCst);
    assert!((1..=8).contains(&of_question), "{of_question}");
    let asked_first = asked.load(SeqCst);
    assert!(asked_first <= 2 + 2 * 4, "{asked_first} look-ups");

    honest.say("<message from='a@contoso.example' to='b@other.example' id='many'/>");
    let bounce = honest.hear("many");
    assert!(bounce.contains("remote-server-"), "{bounce}");
    let of_stanza = met.load(SeqCst) - of_question;
    assert!((1..=24).contains(&of_stanza), "{of_stanza}");
    let asked_then = asked.load(SeqCst) - asked_first;
    assert!(asked_then <= 2 + 2 * 10, "{asked_then} look-ups");
    daemon.signal("TERM");
    daemon.ends_with(0);
}
